//! WebSocket upgrades: who asks, for what, and what will speak on the connection.

use std::sync::Arc;

use antiphon_access::Caller;
use antiphon_net::{Accept, Peer, Upgrade, Worker};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response};

use crate::HttpDialect;
use crate::headers::LAST_EVENT_ID;
use crate::raw::RawSession;
use crate::v1::{self, V1};
use crate::wire::listen::{Channels, Listen};
use crate::wire::path::{self, Resource};
use crate::wire::query::Query;
use antiphon_net::problem::{Problem, ProblemKind};

impl HttpDialect {
    /// Decides on an upgrade. Whoever may not listen is told so by an answer that is not an upgrade.
    pub(crate) fn decide(&self, request: &Parts, offered: &[&str], peer: &Peer, worker: &Worker) -> Upgrade {
        match self.accept(request, offered, peer, worker) {
            Ok(accept) => Upgrade::Accept(accept),
            Err(problem) => Upgrade::Refuse(refusal(problem)),
        }
    }

    fn accept(
        &self,
        request: &Parts,
        offered: &[&str],
        peer: &Peer,
        worker: &Worker,
    ) -> Result<Accept, Problem> {
        self.screen(request, peer, worker)?;
        let channels = match path::parse(request.uri.path())? {
            Resource::Channel(name) => Some(name),
            Resource::Events => None,
            _ => return Err(Problem::new(ProblemKind::NotFound, "there is no WebSocket at this path")),
        };
        let subprotocol = offered.contains(&v1::PROTOCOL);
        // With the subprotocol a client can say later what it wants.
        let many = Channels::Many { min: usize::from(!subprotocol) };
        let channels = channels.as_deref().map_or(many, Channels::One);
        let query = Query::parse(request.uri.query().unwrap_or_default());
        let caller = self.identify(request, &query, peer, worker)?;
        if !offered.is_empty() && !subprotocol {
            let detail = "of the subprotocols offered none is spoken here: offer antiphon.v1, or none for raw payloads";
            return Err(
                Problem::new(ProblemKind::InvalidParameter, detail).with_parameter("Sec-WebSocket-Protocol")
            );
        }
        let last_event_id = request.headers.get(&LAST_EVENT_ID).map(|id| id.as_bytes());
        let limit_max = self.settings.history_limit_max;
        let listen = Listen::parse(&query, channels, last_event_id, &caller.limits, limit_max)?;
        may_listen(&caller, &listen, worker)?;
        if subprotocol {
            let node = Arc::clone(worker.node());
            let session = Box::new(V1::new(node, Arc::clone(&caller), &self.settings, listen));
            return Ok(Accept { protocol: Some(v1::PROTOCOL), ..Accept::new(Some(caller), session) });
        }
        let session = RawSession::new(listen)
            .ok_or_else(|| Problem::new(ProblemKind::InvalidParameter, "name a channel to listen to"))?;
        Ok(Accept::new(Some(caller), Box::new(session)))
    }
}

/// Checks what would end the connection right after it began.
fn may_listen(caller: &Arc<Caller>, listen: &Listen, worker: &Worker) -> Result<(), Problem> {
    for channel in &listen.channels {
        worker.node().may_listen(caller, channel)?;
        if listen.presence {
            worker.node().may_listen(caller, &channel.presence())?;
        }
    }
    Ok(())
}

fn refusal(problem: Problem) -> Response<Bytes> {
    let mut response = problem.into_response();
    let name = HeaderName::from_static("x-content-type-options");
    response.headers_mut().insert(name, HeaderValue::from_static("nosniff"));
    response
}
