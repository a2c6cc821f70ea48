//! Socket.IO beside the native protocol: who its clients are, and which pages they may be on.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use antiphon_access::{Access, Caller, HostPolicy, OriginPolicy, Transport};
use antiphon_engineio::{AllowedOrigins, Denied, Engine};
use antiphon_http::HttpSettings;
use antiphon_net::Worker;
use antiphon_net::problem::{Problem, ProblemKind};
use antiphon_node::Node;
use antiphon_socketio::{Authenticator, ConnectRefused, Handshake, Io, Namespace, Outcome, builtin};
use http::header::{AUTHORIZATION, HOST, ORIGIN};
use serde::Deserialize;

use crate::config::SocketIoSection;
use crate::failure::Failure;

/// Socket.IO as it is about to be served.
pub(crate) struct SocketIo {
    io: Io,
    path: String,
    section: SocketIoSection,
    gate: Arc<Gate>,
}

/// Which pages and names are answered: what the native protocol asks before anything else.
struct Gate {
    hosts: HostPolicy,
    origins: OriginPolicy,
    node: OnceLock<Arc<Node>>,
}

impl SocketIo {
    /// Puts it together.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub(crate) fn new(
        section: &SocketIoSection,
        http: &HttpSettings,
        hosts: &HostPolicy,
    ) -> Result<Option<SocketIo>, Failure> {
        if !section.enabled {
            return Ok(None);
        }
        let origins = OriginPolicy::new(&http.cors_origins)
            .map_err(|error| Failure::new(format!("http.cors_origins: {error}")))?;
        let gate = Arc::new(Gate { hosts: hosts.clone(), origins, node: OnceLock::new() });
        let allowing = Arc::clone(&gate);
        let settings = section.settings(AllowedOrigins::Matching(Arc::new(move |origin| {
            allowing.allows(Some(origin), None, Transport::Plain)
        })))?;
        let io = Io::new(settings);
        let admitting = Arc::clone(&gate);
        io.allow_request(Arc::new(move |handshake| Outcome::Ready(admitting.admit(handshake))));
        io.set_authenticator(Arc::new(ByAccess { gate: Arc::clone(&gate) }));
        let bounds = builtin::Bounds {
            history_limit_max: http.history_limit_max,
            broadcast_timeout_max: Duration::from_millis(http.broadcast_timeout_ms_max),
        };
        builtin::install(&io, bounds);
        Ok(Some(SocketIo { io, path: section.path.clone(), section: section.clone(), gate }))
    }

    /// Where it is served.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// What serves it on one worker.
    pub(crate) fn endpoint(&self, worker: &Worker) -> Engine {
        // Other workers wait: none may serve a client before.
        self.gate.node.get_or_init(|| {
            self.io.install(Arc::clone(worker.node()), worker.workers().clone());
            if self.section.admin.enabled
                && let Err(error) = self.io.install_admin(self.section.admin.settings())
            {
                tracing::error!(%error, "socketio.admin cannot be served");
            }
            Arc::clone(worker.node())
        });
        self.io.endpoint(worker)
    }
}

impl Gate {
    fn admit(&self, handshake: &antiphon_engineio::Handshake) -> Result<(), Denied> {
        let header = |name: &http::HeaderName| handshake.headers.get(name.as_str());
        let host = header(&HOST);
        self.hosts.check(host).map_err(|error| Denied::new(error.to_string()))?;
        let transport = if handshake.peer.tls { Transport::Tls } else { Transport::Plain };
        match self.allows(header(&ORIGIN), host, transport) {
            true => Ok(()),
            false => Err(Denied::new("this origin is not allowed: add it to the org's allowed_origins")),
        }
    }

    /// Whether the settings or some org allow a page.
    fn allows(&self, origin: Option<&str>, host: Option<&str>, transport: Transport) -> bool {
        let by_orgs = |node: &Arc<Node>| node.access().check_preflight(origin, host, transport).is_ok();
        self.origins.check(origin, host, transport).is_ok() || self.node.get().is_some_and(by_orgs)
    }
}

/// Clients are who their keys and tokens say, as with the native protocol: in `auth`, the query, or `Authorization`.
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
        let caller = self.caller(node.access(), handshake, node.now().wall);
        Outcome::Ready(caller.map(Arc::new).map_err(|problem| refused(&problem)))
    }
}

/// The problem that HTTP answers, as the error's `data`, and what it says as its `message`.
fn refused(problem: &Problem) -> ConnectRefused {
    let document: serde_json::Value = serde_json::from_slice(&problem.to_json()).unwrap_or_default();
    let message = document["detail"].as_str().unwrap_or_default().to_owned();
    ConnectRefused::new(message).with_data(&document)
}

impl ByAccess {
    fn caller(
        &self,
        access: &Access,
        handshake: &Handshake,
        now: antiphon_model::Timestamp,
    ) -> Result<Caller, Problem> {
        let given: Credentials = handshake.auth_as().map_err(|error| {
            let detail = format!("auth is an object with token and identity, which are strings: {error}");
            Problem::new(ProblemKind::InvalidParameter, detail).with_parameter("auth")
        })?;
        let query = |name| handshake.query_value(name).map(Cow::into_owned);
        let header = || handshake.header(AUTHORIZATION.as_str()).map(str::to_owned);
        let token = given.token.or_else(header).or_else(|| query("token"));
        let identity = given.identity.or_else(|| query("identity"));
        let caller = access.authenticate(token.as_deref(), identity.as_deref(), now)?;
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
