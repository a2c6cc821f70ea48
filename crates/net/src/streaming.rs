//! HTTP/1.1 answers that go on for as long as somebody listens, written by the worker itself.
//!
//! hyper reads the request and writes the head of the answer and its first bytes. From there on such an answer is nothing but what
//! its session's outbox has, so the connection leaves hyper as one does that becomes a WebSocket: the worker watches the socket, and
//! each turn writes to it once, in chunks, what every stream of the same format is written. What the client still sends is read and
//! looked at by nobody, but that it goes. When the session ends so does the connection.
//!
//! A stream of HTTP/2 stays with hyper: it has but a share of its connection.

use antiphon_model::{Monotonic, SessionId};
use slab::Slab;

use crate::addresses::Place;
use crate::chunk;
use crate::connection::{ConnectionKey, Phase};
use crate::format::{Framing, Wire};
use crate::rewound::Rewound;
use crate::session::{Link, Session, SessionKey};
use crate::sweep::Due;
use crate::worker::{Farewell, State};
use crate::{Client, Close, Peer, StreamOptions, Worker};

/// A stream whose connection can leave hyper.
pub(crate) struct Leaving {
    pub(crate) session: (SessionKey, SessionId),
    /// The request's place among those of its address, if a proxy brought it.
    pub(crate) place: Option<Place>,
}

/// A connection that has nothing on it but a session's stream.
pub(crate) struct Streaming {
    options: StreamOptions,
    /// Since when the peer has taken nothing, as far as a sweep has seen.
    stalled: Option<Monotonic>,
    /// Whether the last chunk is on its way.
    ended: bool,
}

impl Worker {
    /// Takes up a connection that has left hyper.
    ///
    /// # Errors
    /// The socket cannot be watched. Its session is as it was.
    pub(crate) fn carry_on(&self, leaving: Leaving, socket: Rewound, peer: Peer) -> std::io::Result<()> {
        let Leaving { session: (key, id), place } = leaving;
        // What came behind the request would be another, and there will be no answer after this one.
        let (_, mut socket) = socket.into_parts()?;
        socket.place = socket.place.or(place);
        let connection = self.adopt(socket, peer)?;
        let client = Client::new(self.clone(), key, id);
        // What this thread has published is queued as it was encoded for a stream.
        self.is_caught_up();
        if !client.move_to_streaming(connection) {
            self.close_connection(connection);
        }
        Ok(())
    }

    /// Ends the body of a stream whose outbox is written, or its connection if that is done. False if it is no stream.
    pub(crate) fn end_streaming(&self, connection: ConnectionKey, session: SessionKey) -> bool {
        let Some(client) = self.client_on(connection).filter(|client| client.key == session) else {
            return false;
        };
        let (first, farewell) = {
            let mut state = self.0.state.borrow_mut();
            let Some(connection) = state.connections.get_mut(connection.0 as usize) else { return false };
            let Phase::Streaming(streaming) = &mut connection.phase else { return false };
            let first = !std::mem::replace(&mut streaming.ended, true);
            let farewell = streaming.options.farewell;
            if !first {
                connection.socket.finish();
                let until = self.0.now.get().monotonic + self.0.settings.close_timeout;
                connection.phase = Phase::Closing { until };
                connection.session = None;
            }
            (first, farewell)
        };
        if first {
            let close = client.closing().unwrap_or_else(Close::too_slow);
            let mut last = chunk::of(&farewell(&close)).to_vec();
            last.extend_from_slice(chunk::LAST);
            client.send_last(last);
        } else {
            self.end_session(client.key, client.id, Farewell::Lost);
        }
        true
    }
}

impl Client {
    /// Has the session's bytes written to a connection that hyper wrote them to before. False if it has ended.
    fn move_to_streaming(&self, key: ConnectionKey) -> bool {
        let mut state = self.worker.0.state.borrow_mut();
        let State { sessions, connections, fanout, dirty, .. } = &mut *state;
        let session = sessions.get_mut(self.key.0 as usize).filter(|session| session.id == self.id);
        let (Some(session), Some(connection)) = (session, connections.get_mut(key.0 as usize)) else {
            return false;
        };
        let framing = Framing::Chunked;
        let link = Link::Socket { connection: key, framing, blocked: false };
        match std::mem::replace(&mut session.link, link) {
            Link::Stream(stream) => {
                let options = stream.options;
                connection.phase =
                    Phase::Streaming(Box::new(Streaming { options, stalled: None, ended: false }));
            }
            elsewhere @ Link::Socket { .. } => {
                session.link = elsewhere;
                return false;
            }
        }
        connection.session = Some((self.key, self.id));
        for one in &mut session.listening {
            let wire = |wire: &Wire| Wire { framing, ..wire.clone() };
            one.subscription = fanout.reformat(one.subscription, wire).unwrap_or(one.subscription);
        }
        let before = session.outbox.bytes();
        if let Some(bytes) = session.outbox.take() {
            session.outbox.push_asked(chunk::of(&bytes));
        }
        let grown = session.outbox.bytes() as i64 - before as i64;
        self.node().metrics().outbox_bytes.inc_by(grown);
        if !session.outbox.is_empty() || session.is_closing() {
            self.mark(session, dirty);
        }
        true
    }
}

impl Streaming {
    /// The peer has taken something.
    pub(crate) fn note_progress(&mut self) {
        self.stalled = None;
    }

    /// What there is to do for the stream: it is silent, or its peer reads nothing.
    pub(crate) fn due(
        &mut self,
        worker: &Worker,
        connection: ConnectionKey,
        (key, id): (SessionKey, SessionId),
        sessions: &Slab<Session>,
        now: Monotonic,
    ) -> Option<Due> {
        let session = sessions.get(key.0 as usize)?;
        if session.is_blocked() {
            let stalled = *self.stalled.get_or_insert(now);
            let gone = now.since(stalled) > worker.settings().write_timeout;
            return gone.then_some(Due::Drop(connection, "stream not read"));
        }
        self.stalled = None;
        let (after, bytes) = self.options.heartbeat.as_ref()?;
        let silent = now.since(session.last_sent) >= *after && session.outbox.is_empty();
        (silent && !session.is_closing())
            .then(|| Due::Heartbeat(Client::new(worker.clone(), key, id), bytes.clone()))
    }
}
