//! WebSockets: of sessions that begin, and of sessions that poll.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use antiphon_net::{Accept, Client, Close, Keepalive, MessageKind, Peer, Upgrade, WebSocketSession, Worker};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::request::Parts;
use http::{Response, StatusCode};

use super::answer;
use super::elsewhere::Whose;
use super::engine::Engine;
use super::entry::{Entry, Probe};
use super::open::{Admission, Admitted};
use crate::handshake::{OpenVia, Refusal, RefusalCode, Request, RequestKind, Sid, Transport};
use crate::packet::{BinarySupport, Revision};
use crate::session::{Message, SocketId};

impl Engine {
    /// Decides on a WebSocket.
    pub(super) fn decide(&self, request: &Parts, peer: &Peer, worker: &Worker) -> Upgrade {
        let settings = &self.shared.settings;
        if settings.below(request.uri.path()).is_none() {
            return Upgrade::Refuse(answer::plain(StatusCode::NOT_FOUND));
        }
        let query = request.uri.query().unwrap_or_default();
        match Request::parse(RequestKind::WebSocket, query, &settings.engine) {
            Ok(Request::Open { revision, binary, via: OpenVia::WebSocket }) => {
                self.decide_on_open(request, revision, binary, peer, worker)
            }
            Ok(Request::Upgrade { sid, binary }) => self.decide_on_probe(request, sid, binary, worker),
            Ok(_) => self.refuse(request, &Refusal::new(RefusalCode::BadRequest)),
            Err(refusal) => self.refuse(request, &refusal),
        }
    }

    fn decide_on_open(
        &self,
        request: &Parts,
        revision: Revision,
        binary: BinarySupport,
        peer: &Peer,
        worker: &Worker,
    ) -> Upgrade {
        let handshake = match self.handshake(revision, Transport::WebSocket, request, peer, worker) {
            Ok(handshake) => handshake,
            Err(refusal) => return self.refuse(request, &refusal),
        };
        let mut admission = self.shared.application.admit(&handshake, worker);
        let admitted = Admitted { shared: Rc::clone(&self.shared), handshake, binary };
        let cors = self.cors(request);
        let decided = move |admission: Admission| match admission {
            Ok(caller) => {
                let bytes_max = admitted.shared.settings.engine.payload_bytes_max;
                accept(caller, Speaker::Admitted(Box::new(admitted)), bytes_max)
            }
            Err(denied) => Upgrade::Refuse(with_headers(answer::refused(&denied.refusal()), cors)),
        };
        match (&mut admission).now_or_never() {
            Some(admission) => decided(admission),
            None => Upgrade::Later(Box::pin(async move { decided(admission.await) })),
        }
    }

    fn decide_on_probe(&self, request: &Parts, sid: Sid, binary: BinarySupport, worker: &Worker) -> Upgrade {
        let whose = Whose { sid, path: self.shared.settings.path.clone() };
        if let Some(home) = whose.elsewhere(worker) {
            return Upgrade::Elsewhere(home);
        }
        let Some(entry) = whose.find(worker) else {
            return self.refuse(request, &Refusal::unknown_sid());
        };
        // Whether it takes another WebSocket it says when that is open, as the reference does: clients that are refused by an
        // answer take it for an error.
        let bytes_max = self.shared.settings.engine.payload_bytes_max;
        accept(entry.client().caller(), Speaker::Probe(entry, binary), bytes_max)
    }

    fn refuse(&self, request: &Parts, refusal: &Refusal) -> Upgrade {
        Upgrade::Refuse(with_headers(answer::refused(refusal), self.cors(request)))
    }

    fn cors(&self, request: &Parts) -> http::HeaderMap {
        let cors = self.shared.settings.cors.as_ref();
        cors.map(|cors| cors.headers(&request.headers)).unwrap_or_default()
    }
}

fn accept(
    caller: Option<std::sync::Arc<antiphon_access::Caller>>,
    speaker: Speaker,
    bytes_max: usize,
) -> Upgrade {
    let session = Box::new(SocketSession { socket: SocketId(0), speaker });
    Upgrade::Accept(Accept {
        keepalive: Keepalive::Dialect,
        message_bytes_max: Some(bytes_max),
        ..Accept::new(caller, session)
    })
}

fn with_headers(mut response: Response<Bytes>, headers: http::HeaderMap) -> Response<Bytes> {
    response.headers_mut().extend(headers);
    response
}

/// A connection, as `net` calls it.
struct SocketSession {
    socket: SocketId,
    speaker: Speaker,
}

/// What speaks on a connection.
enum Speaker {
    /// A session that begins when the connection is open.
    Admitted(Box<Admitted>),
    /// A session that begins a little later than that.
    Later(Rc<Cell<Postponed>>),
    /// A session that polls, to which the connection is to be offered.
    Probe(Rc<Entry>, BinarySupport),
    /// A session, which knows the connection.
    Known(Rc<Entry>),
    /// Nobody: the connection is gone.
    Nobody,
}

/// A session that begins when its time has come.
enum Postponed {
    Admitted(Box<Admitted>),
    Begun(Rc<Entry>),
    /// The connection is gone.
    Gone,
}

/// How long after the 101 the open packet of revision 3 is sent. Programs of its time begin to listen when they see that the
/// connection is open, and miss what they read together with that.
const OPEN_AFTER: Duration = Duration::from_millis(5);

impl SocketSession {
    fn known(&self) -> Option<Rc<Entry>> {
        match &self.speaker {
            Speaker::Known(entry) => Some(Rc::clone(entry)),
            Speaker::Later(postponed) => {
                let now = postponed.replace(Postponed::Gone);
                let entry = match &now {
                    Postponed::Begun(entry) => Some(Rc::clone(entry)),
                    Postponed::Admitted(_) | Postponed::Gone => None,
                };
                postponed.set(now);
                entry
            }
            Speaker::Admitted(_) | Speaker::Probe(..) | Speaker::Nobody => None,
        }
    }
}

/// Begins the session of a connection that is open, unless that is gone meanwhile.
async fn begin_later(postponed: Rc<Cell<Postponed>>, socket: SocketId, client: Client) {
    tokio::time::sleep(OPEN_AFTER).await;
    if let Postponed::Admitted(admitted) = postponed.replace(Postponed::Gone) {
        postponed.set(Postponed::Begun(admitted.begin_websocket(&client, socket)));
    }
}

impl WebSocketSession for SocketSession {
    fn handle_open(&mut self, client: &Client) {
        self.speaker = match std::mem::replace(&mut self.speaker, Speaker::Nobody) {
            Speaker::Probe(entry, binary) => {
                self.socket = entry.next_socket();
                entry.offer(Probe { socket: self.socket, client: client.clone(), binary });
                Speaker::Known(entry)
            }
            Speaker::Admitted(admitted) if admitted.handshake.revision == Revision::V3 => {
                let postponed = Rc::new(Cell::new(Postponed::Admitted(admitted)));
                let begins = begin_later(Rc::clone(&postponed), self.socket, client.clone());
                tokio::task::spawn_local(begins);
                Speaker::Later(postponed)
            }
            Speaker::Admitted(admitted) => Speaker::Known(admitted.begin_websocket(client, self.socket)),
            speaker => speaker,
        };
    }

    fn handle_message(&mut self, kind: MessageKind, data: &[u8], _client: &Client) {
        // What comes before the session has begun is nobody's.
        let Some(entry) = self.known() else { return };
        let message = match kind {
            // Checked by the decoder.
            MessageKind::Text => Message::Text(simdutf8::basic::from_utf8(data).unwrap_or_default()),
            MessageKind::Binary => Message::Binary(data),
        };
        entry.input(|state, now| state.session.handle_message(self.socket, message, now));
    }

    fn handle_closing(&mut self, close: &Close, _client: &Client) {
        if let Some(entry) = self.known() {
            entry.handle_closing(self.socket, close);
        }
    }

    fn handle_ended(&mut self) {
        let known = self.known();
        if let Speaker::Later(postponed) = std::mem::replace(&mut self.speaker, Speaker::Nobody) {
            // What has not begun begins no more.
            postponed.set(Postponed::Gone);
        }
        if let Some(entry) = known {
            entry.lose(self.socket);
        }
    }
}
