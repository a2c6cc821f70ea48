//! Socket.IO beside the native protocol: who its clients are.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use antiphon_access::{Access, Caller, Transport};
use antiphon_engineio::Engine;
use antiphon_exp::Exp;
use antiphon_http::HttpSettings;
use antiphon_model::Now;
use antiphon_net::Worker;
use antiphon_net::problem::{Problem, ProblemKind};
use antiphon_socketio::{Authenticator, ConnectRefused, Handshake, Io, Namespace, Outcome, builtin};
use http::header::{AUTHORIZATION, HOST, ORIGIN};
use serde::Deserialize;

use crate::config::SocketIoSection;
use crate::failure::Failure;
use crate::serve::gate::Gate;

/// Socket.IO as it is about to be served.
pub(crate) struct SocketIo {
    io: Io,
    path: String,
    section: SocketIoSection,
    /// On the first worker that serves it, for all.
    installed: OnceLock<()>,
}

/// Whether the EXP network's clients come to the same sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WithExp {
    Yes,
    No,
}

impl SocketIo {
    /// Puts it together.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub(crate) fn new(
        section: &SocketIoSection,
        http: &HttpSettings,
        gate: &Arc<Gate>,
        with_exp: WithExp,
    ) -> Result<Option<SocketIo>, Failure> {
        if !section.enabled {
            return Ok(None);
        }
        let mut settings = section.settings(gate.allowed_origins())?;
        if let Some(cors) = settings.engine.cors.as_mut().filter(|_| with_exp == WithExp::Yes) {
            // What the EXP SDKs ask of browsers.
            cors.credentials = true;
        }
        let io = Io::new(settings);
        let admitting = Arc::clone(gate);
        io.allow_request(Arc::new(move |handshake| Outcome::Ready(admitting.admit(handshake))));
        io.set_authenticator(Arc::new(ByAccess { gate: Arc::clone(gate) }));
        let bounds = builtin::Bounds {
            history_limit_max: http.history_limit_max,
            broadcast_timeout_max: Duration::from_millis(http.broadcast_timeout_ms_max),
        };
        builtin::install(&io, bounds);
        let (path, section) = (section.path.clone(), section.clone());
        Ok(Some(SocketIo { io, path, section, installed: OnceLock::new() }))
    }

    /// Where it is served.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// What serves it on one worker; on its sockets, the EXP network's clients as well, if there is one.
    pub(crate) fn endpoint(&self, worker: &Worker, exp: Option<&Exp>) -> Engine {
        // Other workers wait: none may serve a client before.
        self.installed.get_or_init(|| {
            self.io.install(Arc::clone(worker.node()), worker.workers().clone());
            if self.section.admin.enabled
                && let Err(error) = self.io.install_admin(self.section.admin.settings())
            {
                tracing::error!(%error, "socketio.admin cannot be served");
            }
        });
        match exp {
            None => self.io.endpoint(worker),
            Some(exp) => {
                let settings = Rc::new(self.io.settings().engine.clone());
                Engine::new(settings, exp.application(Some(self.io.application())), worker)
            }
        }
    }
}

/// Clients are who their keys and tokens say, as with the native protocol: in `auth`, the query, or `Authorization`; without any, who
/// the certificate of their connection says.
struct ByAccess {
    gate: Arc<Gate>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Credentials {
    token: Option<String>,
    identity: Option<String>,
}

impl Authenticator for ByAccess {
    fn authenticate(
        &self,
        handshake: &Arc<Handshake>,
        _namespace: &Namespace,
    ) -> Outcome<Result<Arc<Caller>, ConnectRefused>> {
        let Some(node) = self.gate.node.get() else {
            return Outcome::Ready(Err(ConnectRefused::new("the server is not ready")));
        };
        let caller = self.caller(node.access(), handshake, node.now());
        Outcome::Ready(caller.map(Arc::new).map_err(|problem| ConnectRefused::of(&problem)))
    }
}

impl ByAccess {
    fn caller(&self, access: &Access, handshake: &Handshake, now: Now) -> Result<Caller, Problem> {
        let given: Credentials = handshake.auth_as().map_err(|error| {
            let detail = format!("auth is an object with token and identity, which are strings: {error}");
            Problem::new(ProblemKind::InvalidParameter, detail).with_parameter("auth")
        })?;
        let query = |name| handshake.query_value(name).map(Cow::into_owned);
        let header = || handshake.header(AUTHORIZATION.as_str()).map(str::to_owned);
        let token = given.token.or_else(header).or_else(|| query("token"));
        let identity = given.identity.or_else(|| query("identity"));
        let peer = &handshake.engine().peer;
        let caller = antiphon_net::request::caller(access, token.as_deref(), identity.as_deref(), peer, now)?;
        let (origin, host) = (handshake.header(ORIGIN.as_str()), handshake.header(HOST.as_str()));
        let transport = if handshake.is_secure() { Transport::Tls } else { Transport::Plain };
        self.gate.origins.check(origin, host, transport).or_else(|refused| {
            match access.org(&caller.org) {
                Some(org) => org.origins.check(origin, host, transport),
                None => Err(refused),
            }
        })?;
        Ok(caller)
    }
}
