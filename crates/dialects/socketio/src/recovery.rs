//! Connection state recovery: who lost its connection gets back its id, rooms and data, and what it missed.
//!
//! What a client may come back to is kept in memory and as a record of the store, so that it survives a restart. The
//! publications that it missed are the channels' business: what neither memory nor store has makes the client a new one.

mod earlier;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use antiphon_access::Caller;
use antiphon_model::Position;
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::sync::oneshot;
use tokio::time::Instant;

pub(crate) use self::earlier::Earlier;

use crate::connect::{Handshake, random_id};
use crate::timers::{self, Due};
use crate::{DisconnectReason, Io, Namespace, RecoverySettings, Socket};

/// What a client proves with that it is who was here before: known to it and the server alone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Pid(Arc<str>);

/// What a client says about its earlier connection.
pub(crate) struct Claim {
    pid: Pid,
    /// The last event that it got, if it got one.
    offset: Option<Position>,
}

/// Who is here, and who was here lately.
pub(crate) struct Recovery {
    settings: RecoverySettings,
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    live: HashMap<Pid, Live>,
    kept: HashMap<Pid, Kept>,
    /// The kept ones, oldest first. What was taken meanwhile is in it still.
    order: VecDeque<(Instant, Pid)>,
    is_timed: bool,
}

/// A socket that is connected, and from where on it has to be sent what it missed if it says nothing better.
struct Live {
    socket: Socket,
    since: Position,
}

struct Kept {
    earlier: Earlier,
    expires: Instant,
}

impl Recovery {
    pub(crate) fn new(settings: RecoverySettings) -> Recovery {
        Recovery { settings, sessions: Mutex::default() }
    }

    pub(crate) fn settings(&self) -> &RecoverySettings {
        &self.settings
    }

    /// A socket is connected. `since` is a position that all it was sent before is below.
    pub(crate) fn note_connected(&self, pid: &Pid, socket: &Socket, since: Position) {
        self.sessions.lock().live.insert(pid.clone(), Live { socket: socket.clone(), since });
    }

    /// A socket is disconnected, and may not come back.
    pub(crate) fn forget(&self, socket: &Socket) {
        if let Some(pid) = socket.pid() {
            self.sessions.lock().live.remove(pid);
        }
    }

    /// A socket is disconnected, and may come back.
    pub(crate) fn keep(&self, socket: &Socket) {
        let Some(pid) = socket.pid() else { return };
        let Some(live) = self.sessions.lock().live.remove(pid) else { return };
        let earlier = Earlier::of(socket, live.since);
        earlier.store(socket.io(), &self.settings);
        let expires = Instant::now() + self.settings.max_disconnection();
        let mut dropped = Vec::new();
        let mut sessions = self.sessions.lock();
        sessions.order.push_back((expires, pid.clone()));
        sessions.kept.insert(pid.clone(), Kept { earlier, expires });
        while sessions.kept.len() > self.settings.sessions_max {
            let Some((_, oldest)) = sessions.order.pop_front() else { break };
            if let Some(kept) = sessions.kept.remove(&oldest) {
                Earlier::remove(socket.io(), &oldest);
                dropped.push(kept);
            }
        }
        if !std::mem::replace(&mut sessions.is_timed, true) {
            timers::at(expires, Due::Recovery(socket.io().clone()));
        }
        // What an application keeps with a socket is dropped without the lock.
        drop(sessions);
    }

    /// Drops what nobody came back for.
    pub(crate) fn handle_timeout(&self, io: &Io, now: Instant) {
        let mut dropped = Vec::new();
        let mut sessions = self.sessions.lock();
        while let Some((_, pid)) = sessions.order.pop_front_if(|(expires, _)| *expires <= now) {
            if sessions.kept.get(&pid).is_some_and(|kept| kept.expires <= now) {
                dropped.extend(sessions.kept.remove(&pid));
            }
        }
        match sessions.order.front() {
            Some((next, _)) => timers::at(*next, Due::Recovery(io.clone())),
            None => sessions.is_timed = false,
        }
        drop(sessions);
    }

    /// Takes what a client comes back to: nobody else can after it. A connection that is not known to be lost yet is ended.
    pub(crate) async fn take(
        &self,
        claim: &Claim,
        namespace: &Namespace,
        caller: &Caller,
    ) -> Option<Earlier> {
        let io = namespace.io();
        self.end_live(&claim.pid).await;
        let kept = self.sessions.lock().kept.remove(&claim.pid);
        let mut earlier = match kept {
            Some(kept) => {
                Earlier::remove(io, &claim.pid);
                kept.earlier
            }
            None => Earlier::load(io, &claim.pid).await?,
        };
        if earlier.namespace != namespace.name() || !earlier.is_of(caller) {
            return None;
        }
        // Nothing from before it was connected, whatever it says, and nothing that has no position yet.
        let newest = io.node().position(caller);
        let offset = claim.offset.map_or(earlier.since, |offset| offset.min(newest));
        earlier.since = earlier.since.max(offset);
        Some(earlier)
    }

    async fn end_live(&self, pid: &Pid) {
        let live = self.sessions.lock().live.get(pid).map(|live| live.socket.clone());
        let Some(socket) = live else { return };
        let (done, ended) = oneshot::channel();
        socket.on_home(move |socket, connection| {
            connection.end(socket, DisconnectReason::TransportClose);
            let _ = done.send(());
        });
        // An error says that it ended by itself.
        let _ = ended.await;
    }
}

impl Claim {
    /// What a client says in its auth. None if it does not come back.
    pub(crate) fn of(handshake: &Handshake) -> Option<Claim> {
        #[derive(Deserialize)]
        struct Auth<'a> {
            pid: &'a str,
            offset: Option<&'a str>,
        }
        let auth: Auth<'_> = serde_json::from_str(handshake.auth()?.as_str()).ok()?;
        let offset = match auth.offset {
            Some(offset) => Some(offset.parse().ok()?),
            None => None,
        };
        Some(Claim { pid: Pid::parse(auth.pid)?, offset })
    }
}

impl Pid {
    pub(crate) fn random() -> Pid {
        Pid(random_id().as_str().into())
    }

    fn parse(text: &str) -> Option<Pid> {
        antiphon_engineio::Sid::parse(text).map(|_| Pid(text.into()))
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Shows the beginning alone, so that no log gives sessions away.
impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pid({}…)", self.0.get(..4).unwrap_or_default())
    }
}
