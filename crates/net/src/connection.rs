use std::io::{self, Read};
use std::rc::Rc;

use antiphon_model::{Monotonic, SessionId};
use mio::net::TcpStream;

use crate::session::SessionKey;
use crate::websocket::{
    self, CloseCode, CloseState, Decoder, Event, Inflater, Input, MessageKind, OnClose, ProtocolError,
};
use crate::worker::Farewell;
use crate::{Client, Close, Endpoint, Peer, WebSocketSession, Worker};

/// A connection's place among those of its worker; its token for mio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionKey(pub(crate) u32);

/// A socket that the worker reads itself: one that has not sent its request yet, or a WebSocket.
pub(crate) struct Connection {
    pub(crate) socket: TcpStream,
    pub(crate) peer: Peer,
    pub(crate) phase: Phase,
    /// When the peer was last heard.
    pub(crate) heard: Monotonic,
    /// Whether it stands in the list of those with more to read.
    pub(crate) unread: bool,
}

pub(crate) enum Phase {
    /// The request has not come yet.
    Request,
    /// A WebSocket. None while its dialect's code runs.
    Open(Option<Box<Open>>),
    /// Its last bytes are written; what the peer still sends is not read by anybody.
    Closing { until: Monotonic },
}

/// A WebSocket connection.
pub(crate) struct Open {
    pub(crate) session: SessionKey,
    pub(crate) id: SessionId,
    pub(crate) decoder: Decoder,
    pub(crate) handler: Box<dyn WebSocketSession>,
    pub(crate) close: CloseState,
    /// Since when a ping waits for its answer.
    pub(crate) pinged: Option<Monotonic>,
}

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadOutcome {
    /// There may be more.
    More,
    /// Nothing is there at this time.
    Drained,
    /// The connection is over.
    Over,
}

impl Worker {
    /// Reads a connection once. `hung_up` says that the peer has closed its side.
    pub(crate) fn read<E: Endpoint>(&self, endpoint: &Rc<E>, key: ConnectionKey, hung_up: bool) {
        let mut buffers = self.0.buffers.borrow_mut();
        let buffers = &mut *buffers;
        match self.read_into(endpoint, key, &mut buffers.read, &mut buffers.inflater) {
            ReadOutcome::More => self.read_again(key),
            ReadOutcome::Drained if hung_up => self.read_again(key),
            ReadOutcome::Drained => {}
            ReadOutcome::Over => self.close_connection(key),
        }
    }

    /// Has a connection read once more at the next turn.
    pub(crate) fn read_again(&self, key: ConnectionKey) {
        let mut state = self.0.state.borrow_mut();
        let state = &mut *state;
        if let Some(connection) = state.connections.get_mut(key.0 as usize)
            && !connection.unread
        {
            connection.unread = true;
            state.unread.push_back(key);
        }
    }

    fn read_into<E: Endpoint>(
        &self,
        endpoint: &Rc<E>,
        key: ConnectionKey,
        buffer: &mut [u8],
        inflater: &mut Inflater,
    ) -> ReadOutcome {
        let now = self.0.now.get().monotonic;
        let (read, open) = {
            let mut state = self.0.state.borrow_mut();
            let Some(connection) = state.connections.get_mut(key.0 as usize) else {
                return ReadOutcome::Drained;
            };
            let read = match connection.socket.read(buffer) {
                Ok(0) => return ReadOutcome::Over,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return ReadOutcome::Drained,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return ReadOutcome::More,
                Err(_) => return ReadOutcome::Over,
            };
            connection.heard = now;
            match &mut connection.phase {
                Phase::Request => (read, None),
                Phase::Closing { .. } => return more(read, buffer.len()),
                Phase::Open(open) => (read, open.take()),
            }
        };
        let Some(open) = open else {
            self.handle_request(endpoint, key, &buffer[..read]);
            return more(read, buffer.len());
        };
        self.handle_bytes(key, open, &mut buffer[..read], inflater);
        more(read, buffer.len())
    }

    /// Decodes what came on a WebSocket, and hands whole messages to its dialect.
    pub(crate) fn handle_bytes(
        &self,
        key: ConnectionKey,
        mut open: Box<Open>,
        bytes: &mut [u8],
        inflater: &mut Inflater,
    ) {
        let client = Client::new(self.clone(), open.session, open.id);
        let mut input = Input::new(bytes);
        open.pinged = None;
        loop {
            let Open { decoder, handler, close, .. } = &mut *open;
            match decoder.next(&mut input, inflater) {
                Ok(None) => break,
                // Data that crosses our close frame is not for us any more.
                Ok(Some(Event::Text(text))) if close.is_open() => {
                    handler.handle_message(MessageKind::Text, text.as_bytes(), &client);
                }
                Ok(Some(Event::Binary(bytes))) if close.is_open() => {
                    handler.handle_message(MessageKind::Binary, bytes, &client);
                }
                Ok(Some(Event::Ping(payload))) if close.is_open() => self.pong(&client, payload),
                Ok(Some(Event::Text(_) | Event::Binary(_) | Event::Ping(_) | Event::Pong(_))) => {}
                Ok(Some(Event::Close(received))) => {
                    self.handle_close_frame(&client, close, received.map(|(code, _)| code));
                    break;
                }
                Err(error) => {
                    client.close(violation(error));
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

    fn pong(&self, client: &Client, payload: &[u8]) {
        let mut frame = Vec::with_capacity(payload.len() + 2);
        websocket::pong_frame(payload, &mut frame);
        client.send(crate::Outgoing::Raw(frame.into()));
    }

    fn handle_close_frame(&self, client: &Client, state: &mut CloseState, code: Option<CloseCode>) {
        if let OnClose::Answer(code) = state.receive(code) {
            let mut frame = Vec::new();
            websocket::close_frame(code, "", &mut frame);
            client.send(crate::Outgoing::Raw(frame.into()));
        }
        // It said goodbye: it is not lost.
        let joined =
            self.with_session(client.key, client.id, |session, _| std::mem::take(&mut session.joined));
        if let (Some(joined), Some(caller)) = (joined, client.caller()) {
            for channel in joined {
                self.end_presence(&caller, &channel, client.id, Farewell::Left);
            }
        }
        client.close(Close { code: 1000, reason: "".into(), reconnect: false });
    }

    /// Ends a connection and its session at once.
    pub(crate) fn close_connection(&self, key: ConnectionKey) {
        let connection = self.0.state.borrow_mut().connections.try_remove(key.0 as usize);
        let Some(mut connection) = connection else { return };
        // The descriptor is closed right after, which takes it out of epoll in any case.
        let _ = self.0.registry.deregister(&mut connection.socket);
        self.count_connection(-1);
        if let Phase::Open(Some(open)) = connection.phase {
            self.end_session(open.session, open.id, Farewell::Lost);
        }
    }
}

fn more(read: usize, room: usize) -> ReadOutcome {
    // Less than asked for means that nothing more was there; what comes later is a new event.
    if read < room { ReadOutcome::Drained } else { ReadOutcome::More }
}

fn violation(error: ProtocolError) -> Close {
    Close { code: error.close_code().value(), reason: error.reason().into(), reconnect: false }
}
