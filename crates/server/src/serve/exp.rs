//! The EXP network beside the other protocols: its requests, and its sockets, which are mostly Socket.IO's too.

use std::rc::Rc;
use std::sync::Arc;

use antiphon_access::HostPolicy;
use antiphon_engineio::{CorsSettings, Engine, ServeSettings};
use antiphon_exp::{Exp, ExpHttp};
use antiphon_net::Worker;

use crate::config::{ExpSection, SocketIoSection};
use crate::failure::Failure;
use crate::serve::gate::Gate;
use crate::serve::socketio::WithExp;

/// Where its requests go.
pub(crate) const REQUESTS: &str = "/api";
/// Where its sockets go: its clients know no other place.
pub(crate) const SOCKETS: &str = "/socket.io/";

/// The EXP network as it is about to be served.
pub(crate) struct ExpNetwork {
    exp: Exp,
    /// How its sockets are served, where Socket.IO is not served at their place.
    own: Option<ServeSettings>,
}

impl ExpNetwork {
    /// Puts it together.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub(crate) fn new(
        section: &ExpSection,
        socketio: &SocketIoSection,
        gate: &Arc<Gate>,
        hosts: &HostPolicy,
    ) -> Result<Option<ExpNetwork>, Failure> {
        if !section.enabled {
            return Ok(None);
        }
        let exp = Exp::new(section.settings(), gate.origins.clone(), hosts.clone())
            .map_err(|error| Failure::new(format!("exp.{error}")))?;
        let cors =
            CorsSettings { origin: gate.allowed_origins(), credentials: true, ..CorsSettings::default() };
        let own = ServeSettings {
            path: SOCKETS.into(),
            engine: Arc::new(socketio.engine.clone()),
            cors: Some(cors),
            ..ServeSettings::default()
        };
        let own = (shares(socketio) == WithExp::No).then_some(own);
        Ok(Some(ExpNetwork { exp, own }))
    }

    /// What answers its requests on one worker.
    pub(crate) fn requests(&self, worker: &Worker) -> ExpHttp {
        self.exp.http(worker)
    }

    /// What serves its sockets on one worker, unless Socket.IO does.
    pub(crate) fn sockets(&self, worker: &Worker) -> Option<Engine> {
        let settings = Rc::new(self.own.clone()?);
        Some(Engine::new(settings, self.exp.application(None), worker))
    }

    /// What Socket.IO is to serve on its sockets.
    pub(crate) fn on_socketio(&self) -> Option<&Exp> {
        Some(&self.exp).filter(|_| self.own.is_none())
    }
}

/// Whether Socket.IO is served where the EXP network's sockets are.
fn shares(socketio: &SocketIoSection) -> WithExp {
    let is_there = socketio.path.trim_end_matches('/') == SOCKETS.trim_end_matches('/');
    if socketio.enabled && is_there { WithExp::Yes } else { WithExp::No }
}

/// Whether clients of the EXP network come to Socket.IO's sockets.
pub(crate) fn with_socketio(section: &ExpSection, socketio: &SocketIoSection) -> WithExp {
    if section.enabled { shares(socketio) } else { WithExp::No }
}
