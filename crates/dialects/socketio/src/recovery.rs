//! Connection state recovery: who lost its connection gets back its id, rooms and data, and what it missed.
//!
//! What a client may come back to is kept in memory and as a record of the store, so that it survives a restart. The
//! publications that it missed are the channels' business: what neither memory nor store has makes the client a new one.

mod earlier;
pub(crate) mod stored;

use std::collections::{HashMap, HashSet, VecDeque};
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
use crate::rooms::Begun;
use crate::timers::{self, Due};
use crate::{DisconnectReason, Io, Namespace, RecoverySettings, RecoveryStored, Socket};

/// What a client proves with that it is who was here before: known to it and the server alone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Pid(Arc<str>);

/// What a client says about its earlier connection.
pub(crate) struct Claim {
    pid: Pid,
    /// The last event that it got, if it got one.
    pub(crate) offset: Option<Position>,
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
    /// Those whose records are being read: each is for one client alone.
    taken: HashSet<Pid>,
    /// The kept ones, oldest first. What was taken meanwhile is in it still.
    order: VecDeque<(Instant, Pid)>,
    is_timed: bool,
}

/// A socket that is connected.
struct Live {
    socket: Socket,
    begun: Begun,
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

    /// A socket is connected.
    pub(crate) fn note_connected(&self, pid: &Pid, socket: &Socket, begun: Begun) {
        self.sessions.lock().live.insert(pid.clone(), Live { socket: socket.clone(), begun });
    }

    /// A socket is disconnected, and may not come back.
    pub(crate) fn forget(&self, socket: &Socket) {
        let Some(pid) = socket.pid() else { return };
        if self.sessions.lock().live.remove(pid).is_some()
            && self.settings.stored == RecoveryStored::WhileConnected
        {
            Earlier::remove(socket.io(), &socket.caller().org, pid);
        }
    }

    /// A socket is disconnected, and may come back.
    pub(crate) fn keep(&self, socket: &Socket) {
        let Some(pid) = socket.pid() else { return };
        let Some(live) = self.sessions.lock().live.remove(pid) else { return };
        let earlier = Earlier::of(socket, live.begun);
        earlier.store(socket.io(), self.settings.max_disconnection());
        let expires = Instant::now() + self.settings.max_disconnection();
        let mut dropped = Vec::new();
        let mut sessions = self.sessions.lock();
        sessions.order.push_back((expires, pid.clone()));
        sessions.kept.insert(pid.clone(), Kept { earlier, expires });
        let max = self.settings.sessions_max;
        while sessions.kept.len() > max || sessions.order.len() > max.saturating_mul(2) {
            let Some((_, oldest)) = sessions.order.pop_front() else { break };
            if let Some(kept) = sessions.kept.remove(&oldest) {
                Earlier::remove(socket.io(), &kept.earlier.org, &oldest);
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
    ///
    /// What is another's, who may have given its key away, stays with him.
    pub(crate) async fn take(
        &self,
        claim: &Claim,
        namespace: &Namespace,
        caller: &Caller,
    ) -> Option<Earlier> {
        let io = namespace.io();
        let live = self.sessions.lock().live.get(&claim.pid).map(|live| live.socket.clone());
        if let Some(socket) = live {
            if !earlier::is_of(socket.namespace().name(), socket.caller(), namespace, caller) {
                return None;
            }
            end(&socket).await;
        }
        let kept = {
            let mut sessions = self.sessions.lock();
            let is_his = sessions.kept.get(&claim.pid).map(|kept| kept.earlier.is_of(namespace, caller));
            match is_his {
                Some(true) => sessions.kept.remove(&claim.pid),
                Some(false) => return None,
                None if sessions.taken.insert(claim.pid.clone()) => None,
                // Another is about to get it.
                None => return None,
            }
        };
        let earlier = match kept {
            Some(kept) => Some(kept.earlier),
            None => {
                let loaded = Earlier::load(io, &caller.org, &claim.pid).await;
                self.sessions.lock().taken.remove(&claim.pid);
                loaded.filter(|earlier| earlier.is_of(namespace, caller))
            }
        };
        let earlier = earlier?;
        Earlier::remove(io, &earlier.org, &claim.pid);
        Some(earlier)
    }
}

async fn end(socket: &Socket) {
    let (done, ended) = oneshot::channel();
    socket.on_home(move |socket, connection| {
        connection.end(socket, DisconnectReason::TransportClose);
        let _ = done.send(());
    });
    // An error says that it ended by itself.
    let _ = ended.await;
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
