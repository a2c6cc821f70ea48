use std::ops::Range;
use std::time::Duration;

use antiphon_model::{Monotonic, Now};
use slab::Slab;

use crate::connection::{Connection, ConnectionKey, Phase};
use crate::session::{Link, Session, SessionKey};
use crate::websocket;
use crate::worker::State;
use crate::{Client, Close, Keepalive, NetSettings, Worker};

/// Each connection is looked at once in that time.
const ROUND: Duration = Duration::from_secs(1);
/// A round has at least so many sweeps.
const SWEEPS_MIN: usize = 10;
/// At how many connections and as many sessions a sweep looks at most: what is published meanwhile waits until it is done.
const PLACES_MAX: usize = 1024;

/// Sweeps that are so far apart mean that the worker stood still: a process or a machine that was stopped, or a disk that memory was
/// swapped to. What its clients sent meanwhile is still to be read.
const STANDSTILL: Duration = Duration::from_secs(1);

/// What a sweep finds to do.
pub(crate) enum Due {
    /// The connection is over.
    Drop(ConnectionKey, &'static str),
    /// The client is to show that it is there.
    Ping(Client),
    /// The stream has been silent for long.
    Heartbeat(Client, bytes::Bytes),
    /// The credential has ended.
    Expired(Client),
}

impl Worker {
    /// Looks after a part of the connections and sessions: time-outs, heartbeats, credentials that end.
    pub(crate) fn sweep(&self) {
        let now = self.0.now.get();
        let mut due = Vec::new();
        {
            let mut state = self.0.state.borrow_mut();
            if now.monotonic.since(state.swept_at) > STANDSTILL {
                state.forgive(now.monotonic);
            }
            state.swept_at = now.monotonic;
            state.recovered.clear();
            let state = &mut *state;
            let places = state.next_swept();
            for at in places.clone() {
                if let Some(connection) = state.connections.get_mut(at) {
                    let key = ConnectionKey(at as u32);
                    due.extend(connection.due(self, key, &state.sessions, now.monotonic));
                }
            }
            for at in places {
                if let Some(session) = state.sessions.get(at) {
                    due.extend(session.due(self, SessionKey(at as u32), now));
                }
            }
        }
        for due in due {
            match due {
                Due::Drop(key, reason) => {
                    self.note_drop(reason);
                    self.close_connection(key);
                }
                Due::Ping(client) => {
                    let mut frame = Vec::with_capacity(2);
                    websocket::ping_frame(b"", &mut frame);
                    client.push(frame.into());
                }
                Due::Heartbeat(client, bytes) => client.push(bytes),
                Due::Expired(client) => {
                    client.close_at_once(Close {
                        code: 4001,
                        reason: "the credential has expired".into(),
                        reconnect: true,
                    });
                }
            }
        }
    }

    /// How long it is from one sweep to the next.
    pub(crate) fn sweep_interval(&self) -> Duration {
        ROUND / self.0.state.borrow().sweeps() as u32
    }

    /// Begins to close everything: what begins is refused, what is there is told to go.
    pub(crate) fn drain(&self, close: &Close) {
        let clients: Vec<Client> = {
            let mut state = self.0.state.borrow_mut();
            state.draining = Some(close.clone());
            let State { sessions, .. } = &*state;
            let client = |(key, session): (usize, &Session)| {
                Client::new(self.clone(), SessionKey(key as u32), session.id)
            };
            sessions.iter().map(client).collect()
        };
        let _ = self.0.drained.send(true);
        for client in clients {
            client.close_at_once(close.clone());
        }
        let waiting: Vec<ConnectionKey> = {
            let state = self.0.state.borrow();
            let requests = state
                .connections
                .iter()
                .filter(|(_, c)| matches!(c.phase, Phase::Proxy(_) | Phase::Request(_)));
            requests.map(|(key, _)| ConnectionKey(key as u32)).collect()
        };
        for key in waiting {
            self.close_connection(key);
        }
    }
}

impl State {
    /// The places that connections and sessions have.
    fn places(&self) -> usize {
        self.connections.capacity().max(self.sessions.capacity())
    }

    /// How many sweeps make a round.
    fn sweeps(&self) -> usize {
        self.places().div_ceil(PLACES_MAX).max(SWEEPS_MIN)
    }

    /// The places that the next sweep looks at.
    fn next_swept(&mut self) -> Range<usize> {
        let (places, start) = (self.places(), self.swept);
        let end = start + places.div_ceil(self.sweeps());
        self.swept = if end < places { end } else { 0 };
        start..end
    }

    /// Nobody is to blame for what the worker did not hear: whoever was to be heard by a time has it anew.
    fn forgive(&mut self, now: Monotonic) {
        for (_, connection) in &mut self.connections {
            match &mut connection.phase {
                Phase::Proxy(_) | Phase::Request(_) => connection.heard = now,
                Phase::Open(Some(open)) => open.pinged = open.pinged.map(|_| now),
                Phase::Streaming(streaming) => streaming.note_progress(),
                Phase::Open(None) | Phase::Closing { .. } => {}
            }
        }
    }
}

impl Connection {
    fn due(
        &mut self,
        worker: &Worker,
        key: ConnectionKey,
        sessions: &Slab<Session>,
        now: Monotonic,
    ) -> Option<Due> {
        let NetSettings { handshake_timeout, ping_interval, ping_timeout, .. } = *worker.0.settings;
        let silent = now.since(self.heard);
        match &mut self.phase {
            Phase::Proxy(_) | Phase::Request(_) => {
                (silent > handshake_timeout).then_some(Due::Drop(key, "no request"))
            }
            Phase::Streaming(streaming) => streaming.due(worker, key, self.session?, sessions, now),
            Phase::Closing { until } => (now > *until).then_some(Due::Drop(key, "close not answered")),
            Phase::Open(None) => None,
            Phase::Open(Some(open)) if open.keepalive == Keepalive::Dialect => None,
            Phase::Open(Some(open)) => match open.pinged {
                Some(pinged) => {
                    let gone = now.since(pinged) > ping_timeout;
                    gone.then_some(Due::Drop(key, "ping not answered"))
                }
                None if silent > ping_interval => {
                    open.pinged = Some(now);
                    let (session, id) = self.session?;
                    Some(Due::Ping(Client::new(worker.clone(), session, id)))
                }
                None => None,
            },
        }
    }
}

impl Session {
    fn due(&self, worker: &Worker, key: SessionKey, now: Now) -> Option<Due> {
        let client = || Client::new(worker.clone(), key, self.id);
        if let Some(closing) = &self.closing {
            let Link::Socket { connection, .. } = self.link else { return None };
            let late = now.monotonic.since(closing.since) > worker.0.settings.close_timeout;
            late.then_some(Due::Drop(connection, "close not read"))
        } else if self.caller.as_ref().is_some_and(|caller| caller.has_expired(now.wall)) {
            Some(Due::Expired(client()))
        } else {
            self.heartbeat(now.monotonic).map(|bytes| Due::Heartbeat(client(), bytes))
        }
    }
}
