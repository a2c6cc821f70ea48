//! A session that goes over from an HTTP stream to a WebSocket.

use std::rc::Rc;

use bytes::Bytes;

use crate::client::ClientAddress;
use crate::connection::ConnectionKey;
use crate::format::{Encoder, Framing, Wire};
use crate::messages::Messages;
use crate::session::{FormatMap, Link};
use crate::task::Waiting;
use crate::worker::{Farewell, State};
use crate::{Client, Format, Stream, Worker};

impl Client {
    /// How the session's subscriptions are written: `map` is given the format that each was asked for in, and says the one that is
    /// used. For what begins from here on; it must know its own answers, and call nothing of the worker's or a client's.
    pub fn map_formats(&self, map: impl Fn(&'static Format) -> &'static Format + 'static) {
        let map = Rc::new(map);
        self.worker.with_session(self.key, self.id, |session, _| session.formats = Some(map));
    }

    /// Carries on a stream's session on this client's WebSocket: its id, address, caller, subscriptions, presence, and what
    /// waits to be sent, in order, nothing lost and nothing twice. The stream is gone, and the session that the WebSocket had
    /// ends; what that had in its outbox is sent first.
    ///
    /// `queued` is given what waits for the stream, each piece as it was put in, and writes it as messages of the WebSocket; it can
    /// be called several times. `format` is the session's map of formats from here on, as [`Client::map_formats`] sets it, and is
    /// applied to the subscriptions that there are. Neither may call anything of the worker's or a client's.
    ///
    /// What comes back is the session's client; this one's session has ended. The connection's [`crate::WebSocketSession`] stays
    /// and is given it from its next call on.
    ///
    /// # Errors
    /// This client is no WebSocket that is open, the stream is another worker's, or its session has ended. Everything stays as it was.
    pub fn take_over(
        &self,
        mut stream: Stream,
        mut queued: impl FnMut(Vec<Bytes>, &mut Messages<'_>),
        format: impl Fn(&'static Format) -> &'static Format + 'static,
    ) -> Result<Client, Stream> {
        // What this thread has published is queued where it was published for.
        self.worker.is_caught_up();
        let client = stream.client.clone();
        let Some(socket) = self.as_socket() else { return Err(stream) };
        let Some(pieces) = client.taken_from_stream(self) else { return Err(stream) };
        stream.given_away = true;
        let mut encoder = self.worker.lend_encoder();
        let mut encode = |pieces: Vec<Bytes>| -> Bytes {
            let mut bytes = Vec::new();
            if !pieces.is_empty() {
                encoder.write(socket.framing, &mut bytes, |messages| queued(pieces, messages));
            }
            bytes.into()
        };
        let bytes = encode(pieces);
        self.worker.redirect(self.address(), client.address(), |waiting| {
            let bytes = match waiting {
                Waiting::Message(_, bytes, _) | Waiting::Raw(bytes) => std::mem::take(bytes),
            };
            *waiting = Waiting::Raw(encode(vec![bytes]));
        });
        self.worker.0.state.borrow_mut().encoder = encoder;
        client.move_to(self, socket, bytes, Rc::new(format));
        self.worker.end_session(self.key, self.id, Farewell::Left);
        self.worker.0.taken_over.set(true);
        Ok(client)
    }

    fn as_socket(&self) -> Option<Socket> {
        let socket = self.worker.with_session(self.key, self.id, |session, _| match session.link {
            Link::Socket { connection, framing, blocked } if !session.is_closing() && !session.leaving => {
                Some(Socket { connection, framing, blocked })
            }
            _ => None,
        });
        socket.flatten()
    }

    /// What waits for a stream, if it is one and can go over to a client.
    fn taken_from_stream(&self, to: &Client) -> Option<Vec<Bytes>> {
        if !Rc::ptr_eq(&self.worker.0, &to.worker.0) {
            return None;
        }
        let pieces = self.worker.with_session(self.key, self.id, |session, _| {
            let Link::Stream(_) = session.link else { return None };
            self.node().metrics().outbox_bytes.dec_by(session.outbox.bytes() as i64);
            Some(session.outbox.take_each())
        });
        pieces.flatten()
    }

    /// Moves the session to another one's connection, behind what that one has in its outbox.
    fn move_to(&self, from: &Client, socket: Socket, bytes: Bytes, formats: FormatMap) {
        let now = self.worker.0.now.get().monotonic;
        let mut state = self.worker.0.state.borrow_mut();
        let State { sessions, connections, fanout, dirty, .. } = &mut *state;
        let Some((session, other)) = sessions.get2_mut(self.key.0 as usize, from.key.0 as usize) else {
            return;
        };
        let Socket { connection, framing, blocked } = socket;
        session.outbox = std::mem::take(&mut other.outbox);
        // What the session asked for when it came back may be among it, so all of it is let in.
        self.node().metrics().outbox_bytes.inc_by(bytes.len() as i64);
        session.outbox.push_asked(bytes);
        session.link = Link::Socket { connection, framing, blocked };
        std::mem::swap(&mut session.protocol, &mut other.protocol);
        for one in &mut session.listening {
            let wire =
                |wire: &Wire| Wire { format: formats(wire.format), framing, label: wire.label.clone() };
            one.subscription = fanout.reformat(one.subscription, wire).unwrap_or(one.subscription);
        }
        session.formats = Some(formats);
        if let Some(closing) = &mut session.closing {
            closing.since = now;
        }
        if let Some(connection) = connections.get_mut(connection.0 as usize) {
            connection.session = Some((self.key, self.id));
        }
        self.mark(session, dirty);
    }
}

/// The connection of a session that is a WebSocket.
struct Socket {
    connection: ConnectionKey,
    framing: Framing,
    blocked: bool,
}

impl Worker {
    /// The worker's encoder, for code that must not run while the state is borrowed. To be put back.
    fn lend_encoder(&self) -> Encoder {
        let other = Encoder::new(self.0.settings.deflate.threshold_bytes);
        std::mem::replace(&mut self.0.state.borrow_mut().encoder, other)
    }

    /// Changes what waits in the inbox for the session at `to`, and gives it what waits there for the one at `from`.
    fn redirect(&self, from: ClientAddress, to: ClientAddress, mut change: impl FnMut(&mut Waiting)) {
        let mut batch = self.0.batch.take();
        batch.append(&self.0.mailbox.inbox);
        let mut given = 0;
        for (address, waiting) in batch.waiting() {
            if *address == to {
                change(waiting);
            } else if *address == from {
                *address = to;
                given += 1;
            }
        }
        self.0.batch.replace(batch);
        if let Some(client) = self.client(to) {
            self.with_session(client.key, client.id, |session, _| session.waiting += given);
        }
    }
}
