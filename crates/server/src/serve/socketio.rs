//! Socket.IO beside the native protocol: who its clients are, and which pages they may be on.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use antiphon_access::{Access, Caller, HostPolicy, OriginPolicy, Transport};
use antiphon_engineio::{AllowedOrigins, Denied, Engine};
use antiphon_http::HttpSettings;
use antiphon_net::Worker;
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
        builtin::install(&io);
        Ok(Some(SocketIo { io, path: section.path.clone(), section: section.clone(), gate }))
    }

    /// Where it is served.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// What serves it on one worker.
    pub(crate) fn endpoint(&self, worker: &Worker) -> Engine {
        if self.gate.node.set(Arc::clone(worker.node())).is_ok() {
            self.io.install(Arc::clone(worker.node()), worker.workers().clone());
            if self.section.admin.enabled
                && let Err(error) = self.io.install_admin(self.section.admin.settings.clone())
            {
                tracing::error!(%error, "socketio.admin cannot be served");
            }
        }
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
        Outcome::Ready(self.caller(node.access(), handshake, node.now().wall).map(Arc::new))
    }
}

impl ByAccess {
    fn caller(
        &self,
        access: &Access,
        handshake: &Handshake,
        now: antiphon_model::Timestamp,
    ) -> Result<Caller, ConnectRefused> {
        let given: Credentials = handshake
            .auth_as()
            .map_err(|error| ConnectRefused::new(format!("auth takes token and identity: {error}")))?;
        let token = given.token.or_else(|| handshake.query_value("token").map(Cow::into_owned));
        let token = token.as_deref().or_else(|| handshake.header(AUTHORIZATION.as_str()));
        let identity = given.identity.or_else(|| handshake.query_value("identity").map(Cow::into_owned));
        let caller = access
            .authenticate(token, identity.as_deref(), now)
            .map_err(|error| ConnectRefused::new(error.to_string()))?;
        let (origin, host) = (handshake.header(ORIGIN.as_str()), handshake.header(HOST.as_str()));
        let transport = if handshake.is_secure() { Transport::Tls } else { Transport::Plain };
        let by_org = access.org(&caller.org).map(|org| org.origins.check(origin, host, transport));
        match (self.gate.origins.check(origin, host, transport), by_org) {
            (Ok(()), _) | (_, Some(Ok(()))) => Ok(caller),
            (Err(refused), _) => Err(ConnectRefused::new(refused.to_string())),
        }
    }
}
