use std::rc::Rc;
use std::sync::Arc;

use antiphon_access::Caller;
use antiphon_engineio::{Application, Conversation, Denied, Encoding, Engine, Handshake, Link, Revision};
use antiphon_net::{Format, Worker};
use futures_util::future::LocalBoxFuture;

use crate::connection::{Connection, Talk};
use crate::recovery::stored;
use crate::{Io, NamespaceName, Outcome, Version, connect, formats};

impl Io {
    /// What serves it on one worker: an endpoint by itself, or to be mounted beside others.
    pub fn endpoint(&self, worker: &Worker) -> Engine {
        let settings = Rc::new(self.settings().engine.clone());
        Engine::new(settings, self.application(), worker)
    }

    /// What its clients speak, for an [`Engine`] that others are served by as well.
    pub fn application(&self) -> Rc<dyn Application> {
        stored::begin(self);
        Rc::new(Server { io: self.clone() })
    }
}

/// The server as the transport below sees it.
struct Server {
    io: Io,
}

impl Application for Server {
    fn admit(
        &self,
        handshake: &Arc<Handshake>,
        _worker: &Worker,
    ) -> LocalBoxFuture<'static, Result<Option<Arc<Caller>>, Denied>> {
        let admitted = self.io.admission().map(|admission| admission(handshake));
        Box::pin(async move {
            match admitted {
                None | Some(Outcome::Ready(Ok(()))) => Ok(None),
                Some(pending) => pending.wait().await.map(|()| None),
            }
        })
    }

    fn open(&self, link: &Link) -> Box<dyn Conversation> {
        let version = match link.revision() {
            Revision::V3 => Version::V4,
            Revision::V4 => Version::V5,
        };
        let connection = Connection::open(self.io.clone(), link.clone(), version);
        if version == Version::V4 {
            // Clients of that version are in the main namespace without asking.
            connect::begin(&connection, NamespaceName::root(), Some(connect::auth_of_query("")));
        }
        Box::new(Talk::begin(connection))
    }

    fn format(&self, format: &'static Format, to: Encoding) -> &'static Format {
        formats::translate(format, to)
    }
}
