//! Which names and pages sockets are opened for: what the native protocol asks before anything else.

use std::sync::{Arc, OnceLock};

use antiphon_access::{HostPolicy, OriginPolicy, Transport};
use antiphon_engineio::{AllowedOrigins, Denied, Handshake};
use antiphon_http::HttpSettings;
use antiphon_node::Node;
use http::header::{HOST, ORIGIN};

use crate::failure::Failure;

/// Which names and pages sockets are opened for.
pub(crate) struct Gate {
    hosts: HostPolicy,
    /// The pages that may come beside those of each org.
    pub(crate) origins: OriginPolicy,
    /// Who knows the orgs, once the server has started.
    pub(crate) node: OnceLock<Arc<Node>>,
}

impl Gate {
    /// Puts it together.
    ///
    /// # Errors
    /// An origin of the settings is none.
    pub(crate) fn new(http: &HttpSettings, hosts: &HostPolicy) -> Result<Arc<Gate>, Failure> {
        let origins = OriginPolicy::new(&http.cors_origins)
            .map_err(|error| Failure::new(format!("http.cors_origins: {error}")))?;
        Ok(Arc::new(Gate { hosts: hosts.clone(), origins, node: OnceLock::new() }))
    }

    /// Whether a session may begin, whoever it is.
    pub(crate) fn admit(&self, handshake: &Handshake) -> Result<(), Denied> {
        let header = |name: &http::HeaderName| handshake.headers.get(name.as_str());
        let host = header(&HOST);
        self.hosts.check(host).map_err(|error| Denied::new(error.to_string()))?;
        let transport = if handshake.peer.tls { Transport::Tls } else { Transport::Plain };
        match self.allows(header(&ORIGIN), host, transport) {
            true => Ok(()),
            false => Err(Denied::new("this origin is not allowed: add it to the org's allowed_origins")),
        }
    }

    /// The pages whose browsers are told that they may read answers.
    pub(crate) fn allowed_origins(self: &Arc<Self>) -> AllowedOrigins {
        let gate = Arc::clone(self);
        AllowedOrigins::Matching(Arc::new(move |origin| gate.allows(Some(origin), None, Transport::Plain)))
    }

    /// Whether the settings or some org allow a page.
    fn allows(&self, origin: Option<&str>, host: Option<&str>, transport: Transport) -> bool {
        let by_orgs = |node: &Arc<Node>| node.access().check_preflight(origin, host, transport).is_ok();
        self.origins.check(origin, host, transport).is_ok() || self.node.get().is_some_and(by_orgs)
    }
}
