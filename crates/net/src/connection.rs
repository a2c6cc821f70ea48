use std::io::{self, Read};
use std::rc::Rc;
use std::sync::Arc;

use antiphon_model::{Monotonic, SessionId};

use crate::arrival::Way;
use crate::session::SessionKey;
use crate::socket::Socket;
use crate::streaming::Streaming;
use crate::websocket::{
    self, CloseCode, CloseState, Decoder, Event, Inflater, Input, MessageKind, OnClose, ProtocolError,
};
use crate::worker::Farewell;
use crate::{Client, Close, Endpoint, Keepalive, Peer, PeerCertificate, WebSocketSession, Worker};

/// A connection's place among those of its worker; its token for mio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionKey(pub(crate) u32);

/// A socket that the worker reads itself: one that has not sent its request yet, or a WebSocket.
pub(crate) struct Connection {
    pub(crate) socket: Socket,
    pub(crate) phase: Phase,
    /// Its session, once it is a WebSocket; another once it has taken that one over.
    pub(crate) session: Option<(SessionKey, SessionId)>,
    /// When the peer was last heard.
    pub(crate) heard: Monotonic,
    /// Whether it stands in the list of those with more to read.
    pub(crate) unread: bool,
    /// Whether the peer has closed its side: it is to be read to the end, for there will be no more events.
    pub(crate) hung_up: bool,
}

pub(crate) enum Phase {
    /// The header of the PROXY protocol has not come yet.
    Proxy(Box<Peer>),
    /// The request has not come yet.
    Request(Box<Peer>),
    /// A WebSocket. None while its dialect's code runs.
    Open(Option<Box<Open>>),
    /// An HTTP answer that goes on for as long as its session.
    Streaming(Box<Streaming>),
    /// Its last bytes are written; what the peer still sends is not read by anybody.
    Closing { until: Monotonic },
}

/// A WebSocket connection.
pub(crate) struct Open {
    pub(crate) decoder: Decoder,
    pub(crate) handler: Box<dyn WebSocketSession>,
    pub(crate) close: CloseState,
    /// Since when a ping waits for its answer.
    pub(crate) pinged: Option<Monotonic>,
    pub(crate) keepalive: Keepalive,
}

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Bytes(usize),
    /// Nothing is there at this time.
    Nothing,
    /// The connection is over.
    Over,
}

impl Worker {
    /// Reads a connection once, at most `share` bytes; says how many came.
    pub(crate) fn read<E: Endpoint>(&self, endpoint: &Rc<E>, key: ConnectionKey, share: usize) -> usize {
        let mut buffers = self.0.buffers.borrow_mut();
        let buffers = &mut *buffers;
        let room = buffers.read.len().min(share);
        match self.read_into(endpoint, key, &mut buffers.read[..room], &mut buffers.inflater) {
            Received::Nothing => 0,
            Received::Over => {
                self.close_connection(key);
                0
            }
            Received::Bytes(read) => {
                let mut state = self.0.state.borrow_mut();
                // Less than asked for means that nothing more was there; what comes later is a new event.
                let connection = state.connections.get(key.0 as usize);
                let more = connection.is_some_and(|one| one.hung_up || one.socket.has_more());
                if read == room || more {
                    state.read_again(key);
                }
                read
            }
        }
    }

    fn read_into<E: Endpoint>(
        &self,
        endpoint: &Rc<E>,
        key: ConnectionKey,
        buffer: &mut [u8],
        inflater: &mut Inflater,
    ) -> Received {
        let now = self.0.now.get().monotonic;
        let (read, open) = {
            let mut state = self.0.state.borrow_mut();
            let Some(connection) = state.connections.get_mut(key.0 as usize) else {
                return Received::Nothing;
            };
            if matches!(connection.phase, Phase::Proxy(_)) {
                drop(state);
                return self.read_proxy_header(key);
            }
            let received = loop {
                let received = match connection.phase {
                    // Nobody looks at it, so that it need not be decrypted.
                    Phase::Closing { .. } => connection.socket.read_raw(buffer),
                    _ => connection.socket.read(buffer),
                };
                match received {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    received => break received,
                }
            };
            let read = match received {
                Ok(0) => return Received::Over,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Received::Nothing,
                Err(error) => {
                    if let (Phase::Request(peer), true) =
                        (&connection.phase, connection.socket.is_handshaking())
                    {
                        tracing::debug!(%error, peer = %peer.address, "TLS handshake failed");
                        self.note_drop("tls handshake failed");
                    }
                    return Received::Over;
                }
            };
            connection.heard = now;
            match &mut connection.phase {
                Phase::Request(peer) => {
                    if connection.socket.is_encrypted() {
                        peer.certificate = connection.socket.certificate().map(Arc::new);
                    }
                    if let Some(certificate) = &peer.certificate
                        && !self.still_counts(certificate)
                    {
                        tracing::debug!(peer = %peer.address, "a client certificate does not count any more");
                        self.note_drop("client certificate refused");
                        return Received::Over;
                    }
                    (read, None)
                }
                Phase::Proxy(_) | Phase::Streaming(_) | Phase::Closing { .. } => {
                    return Received::Bytes(read);
                }
                Phase::Open(open) => (read, Some(open.take().expect("nothing is read while a dialect runs"))),
            }
        };
        match open {
            None => self.handle_request(endpoint, key, &buffer[..read], Way::Straight),
            Some(open) => self.handle_bytes(key, open, &mut buffer[..read], inflater),
        }
        Received::Bytes(read)
    }

    /// Whether a client certificate that was good for the handshake is good for more: where a session is resumed nobody has looked
    /// at it again. One that no org has an authority for is whose listener it is to judge.
    fn still_counts(&self, certificate: &PeerCertificate) -> bool {
        let access = self.node().access();
        !access.has_certificate_authorities()
            || access.authenticate_certificate(&certificate.chain, self.0.now.get().wall).is_ok()
    }

    /// Decodes what came on a WebSocket, and hands whole messages to its dialect.
    pub(crate) fn handle_bytes(
        &self,
        key: ConnectionKey,
        mut open: Box<Open>,
        bytes: &mut [u8],
        inflater: &mut Inflater,
    ) {
        let Some(mut client) = self.client_on(key) else { return };
        let mut input = Input::new(bytes);
        open.pinged = None;
        loop {
            if self.0.taken_over.take() {
                client = self.client_on(key).unwrap_or(client);
            }
            let Open { decoder, handler, close, .. } = &mut *open;
            match decoder.next(&mut input, inflater) {
                Ok(None) => break,
                // What comes once we are about to close is not for us any more.
                Ok(Some(Event::Text(text))) if client.is_open() => {
                    handler.handle_message(MessageKind::Text, text.as_bytes(), &client);
                }
                Ok(Some(Event::Binary(bytes))) if client.is_open() => {
                    handler.handle_message(MessageKind::Binary, bytes, &client);
                }
                Ok(Some(Event::Ping(payload))) if client.is_open() => self.pong(&client, payload),
                Ok(Some(Event::Text(_) | Event::Binary(_) | Event::Ping(_) | Event::Pong(_))) => {}
                Ok(Some(Event::Close(received))) => {
                    self.handle_close_frame(&client, close, received.map(|(code, _)| code));
                    break;
                }
                Err(error) => {
                    client.close_at_once(violation(error));
                    break;
                }
            }
        }
        let mut state = self.0.state.borrow_mut();
        if let Some(Connection { phase: Phase::Open(place), .. }) = state.connections.get_mut(key.0 as usize)
        {
            *place = Some(open);
        }
    }

    /// The client on a WebSocket connection.
    pub(crate) fn client_on(&self, key: ConnectionKey) -> Option<Client> {
        let (session, id) = self.0.state.borrow().connections.get(key.0 as usize)?.session?;
        Some(Client::new(self.clone(), session, id))
    }

    fn pong(&self, client: &Client, payload: &[u8]) {
        let mut frame = Vec::with_capacity(payload.len() + 2);
        websocket::pong_frame(payload, &mut frame);
        client.push(frame.into());
    }

    fn handle_close_frame(&self, client: &Client, state: &mut CloseState, code: Option<CloseCode>) {
        // A close of our own, under way or waiting for its turn, answers theirs.
        if client.is_open()
            && let OnClose::Answer(code) = state.receive(code)
        {
            let mut frame = Vec::new();
            websocket::close_frame(code, "", &mut frame);
            client.send_last(frame);
        }
        // It said goodbye: it is not lost.
        let joined =
            self.with_session(client.key, client.id, |session, _| std::mem::take(&mut session.joined));
        if let (Some(joined), Some(caller)) = (joined, client.caller()) {
            for channel in joined {
                self.end_presence(&caller, &channel, client.id, Farewell::Left);
            }
        }
        client.close_at_once(Close { code: 1000, reason: "".into(), reconnect: false });
    }

    /// Ends a connection and its session at once.
    pub(crate) fn close_connection(&self, key: ConnectionKey) {
        let connection = self.0.state.borrow_mut().connections.try_remove(key.0 as usize);
        let Some(mut connection) = connection else { return };
        connection.socket.part();
        // The descriptor, which nobody shares, is closed at the end, which takes it out of the epoll set.
        self.count_connection(-1);
        if let Phase::Open(Some(mut open)) = connection.phase {
            open.handler.handle_ended();
        }
        if let Some((session, id)) = connection.session {
            self.end_session(session, id, Farewell::Lost);
        }
    }
}

fn violation(error: ProtocolError) -> Close {
    Close { code: error.close_code().value(), reason: error.reason().into(), reconnect: false }
}
