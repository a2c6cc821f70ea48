//! Subscriptions that outlive their socket: a client that loses its connection, or the server, and forgets to subscribe again still
//! gets what it listens to.
//!
//! They are remembered by the connection id of the client's token, which stays the same through refreshes: in memory, and as a record of
//! the store for a server that is started anew. What is remembered are the ids as the client wrote them, and nothing of its permissions,
//! which are asked again.

mod record;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use antiphon_access::ConnectionId;
use antiphon_model::Monotonic;
use parking_lot::Mutex;

pub(crate) use self::record::{read, store};

use crate::ExpSettings;

/// What connections listen to, those that have a socket and those that had one lately. Shared by all workers.
pub(crate) struct Resume {
    limits: ResumeLimits,
    connections: Mutex<Connections>,
}

#[derive(Clone, Copy, Debug)]
struct ResumeLimits {
    kept_for: Duration,
    /// Connections without a socket.
    kept_max: usize,
    /// Bytes of one connection's ids.
    bytes_max: usize,
}

#[derive(Default)]
struct Connections {
    known: HashMap<ConnectionId, Known>,
    /// When those without a socket are forgotten, the first one first. One that has come back meanwhile is in it still.
    order: VecDeque<(Monotonic, ConnectionId)>,
    /// How many have no socket.
    kept: usize,
}

/// What is remembered of a connection.
#[derive(Default)]
struct Known {
    ids: BTreeSet<Arc<str>>,
    bytes: usize,
    record: Record,
    sockets: usize,
    /// Until when it is kept; none while it has a socket.
    until: Option<Monotonic>,
}

/// Whether the store's record of a connection is among what is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Record {
    #[default]
    Unread,
    Read,
}

/// All ids of a connection.
pub(crate) type Ids = Vec<Arc<str>>;

impl Resume {
    pub(crate) fn new(settings: &ExpSettings) -> Resume {
        let limits = ResumeLimits {
            kept_for: settings.subscriptions_kept_for,
            kept_max: settings.subscriptions_kept_max,
            bytes_max: settings.subscription_bytes_max,
        };
        Resume { limits, connections: Mutex::default() }
    }

    /// For how long they are kept after the socket has gone.
    pub(crate) fn kept_for(&self) -> Duration {
        self.limits.kept_for
    }

    /// A connection has a socket, one more if it has one already: what it listens to. None if the store has to be asked:
    /// [`Resume::handle_read`] is to follow. [`Resume::leave`] is to follow in any case.
    pub(crate) fn enter(&self, id: &ConnectionId, now: Monotonic) -> Option<Ids> {
        let mut connections = self.connections.lock();
        connections.forget_until(now);
        let Connections { known, kept, .. } = &mut *connections;
        let known = known.entry(id.clone()).or_default();
        if known.until.take().is_some() {
            *kept -= 1;
        }
        known.sockets += 1;
        (known.record == Record::Read).then(|| known.all())
    }

    /// The store has been asked: everything that the connection listens to.
    pub(crate) fn handle_read(&self, id: &ConnectionId, read: Ids) -> Ids {
        let mut connections = self.connections.lock();
        let Some(known) = connections.known.get_mut(id) else { return Vec::new() };
        known.record = Record::Read;
        read.into_iter().for_each(|one| known.add(one, &self.limits));
        known.all()
    }

    /// A connection listens to these too. What the store is to have of it from here on; none if that stays as it is, or is not known
    /// yet.
    pub(crate) fn note(&self, id: &ConnectionId, new: &[Arc<str>]) -> Option<Ids> {
        let mut connections = self.connections.lock();
        let known = connections.known.get_mut(id)?;
        let before = known.ids.len();
        new.iter().for_each(|one| known.add(Arc::clone(one), &self.limits));
        (known.ids.len() > before && known.record == Record::Read).then(|| known.all())
    }

    /// A socket of the connection's is gone. What the store is to have of it for as long as it is kept; none if it has another socket,
    /// or nothing to keep.
    pub(crate) fn leave(&self, id: &ConnectionId, now: Monotonic) -> Option<Ids> {
        let mut connections = self.connections.lock();
        connections.forget_until(now);
        let known = connections.known.get_mut(id)?;
        known.sockets = known.sockets.saturating_sub(1);
        if known.sockets > 0 {
            return None;
        }
        let stored = (known.record == Record::Read).then(|| known.all());
        if known.ids.is_empty() {
            connections.known.remove(id);
            return None;
        }
        let until = now + self.limits.kept_for;
        known.until = Some(until);
        connections.kept += 1;
        connections.order.push_back((until, id.clone()));
        connections.make_room(self.limits.kept_max);
        stored
    }
}

impl Known {
    /// Adds an id, if there is room for it: several sockets of one connection may have more than one of them can.
    fn add(&mut self, id: Arc<str>, limits: &ResumeLimits) {
        let bytes = id.len();
        if self.bytes.saturating_add(bytes) <= limits.bytes_max && self.ids.insert(id) {
            self.bytes += bytes;
        }
    }

    fn all(&self) -> Ids {
        self.ids.iter().cloned().collect()
    }
}

impl Connections {
    /// Forgets what nobody came back for.
    fn forget_until(&mut self, now: Monotonic) {
        while let Some((until, id)) = self.order.pop_front_if(|(until, _)| *until <= now) {
            self.forget(&id, until);
        }
    }

    /// Forgets the oldest beyond a limit.
    fn make_room(&mut self, max: usize) {
        while self.kept > max || self.order.len() > max.saturating_mul(2) {
            let Some((until, id)) = self.order.pop_front() else { return };
            self.forget(&id, until);
        }
    }

    /// Forgets a connection that was to be kept until then; not one that has come back meanwhile.
    fn forget(&mut self, id: &ConnectionId, until: Monotonic) {
        if self.known.get(id).is_some_and(|known| known.until == Some(until)) {
            self.known.remove(id);
            self.kept -= 1;
        }
    }
}

#[cfg(test)]
mod tests;
