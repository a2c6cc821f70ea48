use std::rc::Rc;

use antiphon_hub::WorkerId;
use antiphon_node::Begins;
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};

use crate::addresses::{Counts, Place};
use crate::admission::TurnedAway;
use crate::ambiguous::is_ambiguous;
use crate::arrival::Way;
use crate::connection::{Connection, ConnectionKey, Open, Phase};
use crate::format::Framing;
use crate::problem::Problem;
use crate::session::Link;
use crate::socket::Detached;
use crate::websocket::{self, BadUpgrade, CloseCode, CloseState, Decoder, DecoderSettings, Inflater, Role};
use crate::{Accept, Endpoint, Peer, Upgrade, Worker};

const HEADERS_MAX: usize = 64;

/// What a request that came in one piece is.
enum Asked {
    /// Something for hyper: not a WebSocket, not whole yet, or not HTTP/1.1 at all.
    Other,
    /// A WebSocket; so many bytes are the request.
    WebSocket(Box<Parts>, websocket::Upgrade, usize),
    /// A WebSocket, asked for wrongly.
    Bad(BadUpgrade),
}

/// How the upgrade of a connection ends.
pub(crate) enum Answer {
    /// 101, and what speaks from here on.
    Switch(Response<()>, Box<Accept>, Framing),
    /// Anything else.
    Refuse(Response<Bytes>),
    /// Another worker is to be asked.
    Elsewhere(WorkerId),
    /// It is known when this is done.
    Later(LocalBoxFuture<'static, Upgrade>),
}

impl Worker {
    /// The first bytes of a connection came.
    pub(crate) fn handle_request<E: Endpoint>(
        &self,
        endpoint: &Rc<E>,
        key: ConnectionKey,
        bytes: &[u8],
        way: Way,
    ) {
        match self.parse(bytes) {
            Asked::Other => self.hand_over(endpoint, key, bytes, None),
            Asked::Bad(bad) => self.refuse(key, &bad_upgrade(bad)),
            Asked::WebSocket(parts, upgrade, len) => {
                let (peer, place) = match self.admit_client(key, &parts, way) {
                    Some(Ok(admitted)) => admitted,
                    Some(Err(turned_away)) => {
                        self.note_drop(turned_away.reason());
                        return self.refuse(key, &turned_away.response());
                    }
                    None => return,
                };
                match self.upgrade(&**endpoint, &parts, &upgrade, &peer) {
                    Answer::Refuse(response) => self.refuse(key, &response),
                    Answer::Elsewhere(worker) if self.may_send_on(worker, way) => {
                        self.send_on(key, worker, bytes);
                    }
                    Answer::Elsewhere(_) => self.refuse(key, &nowhere()),
                    // Only hyper can wait, and notice that the peer goes meanwhile.
                    Answer::Later(later) => self.hand_over(endpoint, key, bytes, Some(later)),
                    Answer::Switch(response, accept, framing) => {
                        let head = response_head(&response, None);
                        self.settle_in(key, place);
                        self.open(key, *accept, framing, Some(head.into()), &bytes[len..]);
                    }
                }
            }
        }
    }

    /// Finds out who the client of a WebSocket is, and counts it where its address is, if it is not counted yet: if a proxy brought it.
    ///
    /// # Errors
    /// It is one too many.
    fn admit_client(
        &self,
        key: ConnectionKey,
        request: &Parts,
        way: Way,
    ) -> Option<Result<(Peer, Option<Place>), TurnedAway>> {
        let mut peer = match &self.0.state.borrow().connections.get(key.0 as usize)?.phase {
            Phase::Request(peer) => Peer::clone(peer),
            _ => return None,
        };
        let counted = peer.network.is_some();
        self.look_behind_proxies(&request.headers, &mut peer);
        let network = peer.network.filter(|_| !counted);
        let counts = match way {
            Way::Straight => Counts::Beginning,
            // It began where it was sent on from.
            Way::SentOn => Counts::Request,
        };
        Some(self.admit(network, counts).map(|place| (peer, place)))
    }

    /// The connection is its client's from here on, and no proxy's.
    fn settle_in(&self, key: ConnectionKey, place: Option<Place>) {
        if let Some(connection) = self.0.state.borrow_mut().connections.get_mut(key.0 as usize) {
            connection.socket.take_place(place);
        }
    }

    fn parse(&self, bytes: &[u8]) -> Asked {
        let head = Bytes::copy_from_slice(bytes);
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        let Ok(httparse::Status::Complete(len)) = request.parse(&head) else { return Asked::Other };
        // What is ambiguous is refused where every other request is.
        let Some(parts) = parts(&request, &head).filter(|parts| !is_ambiguous(&parts.headers)) else {
            return Asked::Other;
        };
        let settings = &self.0.settings.deflate;
        match websocket::Upgrade::from_request(&parts.method, parts.version, &parts.headers, settings) {
            Ok(None) => Asked::Other,
            Ok(Some(upgrade)) => Asked::WebSocket(Box::new(parts), upgrade, len),
            Err(bad) => Asked::Bad(bad),
        }
    }

    /// Asks the dialects about an upgrade.
    pub(crate) fn upgrade<E: Endpoint>(
        &self,
        endpoint: &E,
        parts: &Parts,
        upgrade: &websocket::Upgrade,
        peer: &Peer,
    ) -> Answer {
        if self.is_draining() {
            return Answer::Refuse(plain(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping"));
        }
        let offered: Vec<&str> = upgrade.subprotocols.iter().map(String::as_str).collect();
        answer(endpoint.upgrade(parts, &offered, peer, self), upgrade)
    }

    /// Waits for what is known later.
    pub(crate) async fn settled(&self, mut decided: Answer, upgrade: &websocket::Upgrade) -> Answer {
        while let Answer::Later(later) = decided {
            decided = answer(later.await, upgrade);
        }
        decided
    }

    /// Begins a WebSocket on a connection. `head` is the answer, unless it has been sent; `rest` came after the request.
    pub(crate) fn open(
        &self,
        key: ConnectionKey,
        accept: Accept,
        framing: Framing,
        head: Option<Bytes>,
        rest: &[u8],
    ) {
        let Accept { protocol, caller, session: handler, keepalive, message_bytes_max } = accept;
        let link = Link::Socket { connection: key, framing, blocked: false };
        let client = match self.open_session(caller, link, protocol.unwrap_or("websocket"), Begins::Anew) {
            Ok(client) => client,
            Err(full) => {
                if head.is_some() {
                    return self.refuse(key, &Problem::from(full).into_response());
                }
                // It has been told that it is a WebSocket.
                let mut frame = Vec::new();
                websocket::close_frame(Some(CloseCode::TRY_AGAIN_LATER), &full.to_string(), &mut frame);
                return self.turn_away(key, &frame);
            }
        };
        if let Some(head) = head {
            client.send_head(head);
        }
        let settings = DecoderSettings {
            role: Role::Server,
            deflate: matches!(framing, Framing::Deflated(_)),
            message_bytes_max: u32::try_from(message_bytes_max.unwrap_or(self.0.settings.message_bytes_max))
                .unwrap_or(u32::MAX),
        };
        let mut open = Box::new(Open {
            decoder: Decoder::new(settings),
            handler,
            close: CloseState::default(),
            pinged: None,
            keepalive,
        });
        if let Some(connection) = self.0.state.borrow_mut().connections.get_mut(key.0 as usize) {
            connection.phase = Phase::Open(None);
            connection.session = Some((client.key, client.id));
        }
        open.handler.handle_open(&client);
        // Rarely anything: a client waits for the 101 before it speaks.
        let mut rest = rest.to_vec();
        let mut inflater = Inflater::new();
        self.handle_bytes(key, open, &mut rest, &mut inflater);
    }

    /// Answers a connection that has no session, and closes it.
    fn refuse(&self, key: ConnectionKey, response: &Response<Bytes>) {
        self.turn_away(key, &response_bytes(response));
    }

    /// Writes the last bytes of a connection that has no session.
    pub(crate) fn turn_away(&self, key: ConnectionKey, bytes: &[u8]) {
        use std::io::Write;
        let mut state = self.0.state.borrow_mut();
        let Some(connection) = state.connections.get_mut(key.0 as usize) else { return };
        // Small enough for an empty socket buffer; a peer that does not take it gets nothing.
        let _ = connection.socket.write(bytes);
        connection.socket.finish();
        let until = self.0.now.get().monotonic + self.0.settings.close_timeout;
        connection.phase = Phase::Closing { until };
    }

    /// Takes a connection whose request has come out of the worker's own reading.
    pub(crate) fn release(&self, key: ConnectionKey) -> Option<(Detached, Box<Peer>)> {
        let mut state = self.0.state.borrow_mut();
        let has_peer = |one: &Connection| matches!(one.phase, Phase::Proxy(_) | Phase::Request(_));
        state.connections.get(key.0 as usize).filter(|connection| has_peer(connection))?;
        let Connection { mut socket, phase: Phase::Proxy(peer) | Phase::Request(peer), .. } =
            state.connections.remove(key.0 as usize)
        else {
            return None;
        };
        // At worst the set keeps a descriptor that makes no events for anybody.
        let _ = self.0.registry.deregister(&mut socket.tcp);
        Some((socket.detach(), peer))
    }
}

/// What a dialect's decision makes of the connection.
fn answer(decided: Upgrade, upgrade: &websocket::Upgrade) -> Answer {
    match decided {
        Upgrade::Refuse(response) => Answer::Refuse(response),
        Upgrade::Elsewhere(worker) => Answer::Elsewhere(worker),
        Upgrade::Later(later) => Answer::Later(later),
        Upgrade::Accept(accept) => {
            let mut response = Response::new(());
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            *response.headers_mut() = upgrade.response_headers(accept.protocol);
            Answer::Switch(response, Box::new(accept), Framing::of(upgrade))
        }
    }
}

/// The request, whose values are parts of `head`: they need no memory of their own.
fn parts(request: &httparse::Request<'_, '_>, head: &Bytes) -> Option<Parts> {
    let mut parts = Request::new(()).into_parts().0;
    parts.method = Method::from_bytes(request.method?.as_bytes()).ok()?;
    parts.uri = Uri::from_maybe_shared(head.slice_ref(request.path?.as_bytes())).ok()?;
    parts.version = if request.version? == 1 { Version::HTTP_11 } else { Version::HTTP_10 };
    parts.headers.reserve(request.headers.len());
    for one in request.headers.iter() {
        let name = header::HeaderName::from_bytes(one.name.as_bytes()).ok()?;
        parts.headers.append(name, HeaderValue::from_maybe_shared(head.slice_ref(one.value)).ok()?);
    }
    Some(parts)
}

/// An HTTP/1.1 answer that ends the connection.
pub(crate) fn response_bytes(response: &Response<Bytes>) -> Vec<u8> {
    let mut bytes = response_head(response, Some(response.body().len()));
    bytes.extend_from_slice(response.body());
    bytes
}

/// The head of an HTTP/1.1 answer; with a length it is one that ends the connection.
fn response_head(response: &Response<impl Sized>, length: Option<usize>) -> Vec<u8> {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or("Error");
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
    for (name, value) in response.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    if let Some(length) = length {
        head.extend_from_slice(format!("content-length: {length}\r\nconnection: close\r\n").as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head
}

pub(crate) fn plain(status: StatusCode, text: &str) -> Response<Bytes> {
    let body = format!(
        "{{\"type\":\"about:blank\",\"title\":{:?},\"status\":{},\"detail\":{text:?}}}",
        status.canonical_reason().unwrap_or("Error"),
        status.as_u16(),
    );
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// There is no worker to which a connection could be sent on.
pub(crate) fn nowhere() -> Response<Bytes> {
    plain(StatusCode::SERVICE_UNAVAILABLE, "the connection belongs to no worker that could take it")
}

pub(crate) fn bad_upgrade(bad: BadUpgrade) -> Response<Bytes> {
    let mut response = plain(bad.status(), &bad.to_string());
    response.headers_mut().extend(bad.headers());
    response
}
