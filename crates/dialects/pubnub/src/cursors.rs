use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::Duration;

use antiphon_model::{Monotonic, OrgId, Position};
use antiphon_net::Worker;
use parking_lot::Mutex;

use crate::pubnub::Shared;

/// From where each client polled last, for clients that forget it.
///
/// Where a Python program subscribes to another channel, its SDK gives up the poll that waits, begins anew, and goes on from where it is told
/// to: what came in between would be lost. It is told where its last poll went on from, since what answered that poll, if anything did, was
/// given up with it.
pub(crate) struct Cursors {
    shards: [Mutex<Shard>; SHARDS],
    hasher: foldhash::fast::RandomState,
    shard_max: usize,
}

type Shard = HashMap<(OrgId, Box<str>), Cursor, foldhash::fast::RandomState>;

struct Cursor {
    since: Position,
    /// How many polls wait.
    waiting: usize,
    /// When the last one ended.
    ended: Monotonic,
}

/// In how many parts they are kept, so that workers do not wait for each other.
const SHARDS: usize = 16;

/// For how long after its last poll a client is on its way back.
const KEPT_FOR: Duration = Duration::from_secs(5);

/// While a poll waits.
pub(crate) struct Waiting {
    shared: Arc<Shared>,
    worker: Worker,
    org: OrgId,
    uuid: Box<str>,
}

impl Cursors {
    /// Remembers about so many clients.
    pub(crate) fn new(max: usize) -> Cursors {
        let shards = std::array::from_fn(|_| Mutex::default());
        Cursors { shards, hasher: foldhash::fast::RandomState::default(), shard_max: max.div_ceil(SHARDS) }
    }

    /// From where a client polled last, if that was just before.
    pub(crate) fn last(&self, org: &OrgId, uuid: &str, now: Monotonic) -> Option<Position> {
        let key = (org.clone(), Box::from(uuid));
        let shard = self.shard(&key).lock();
        shard.get(&key).filter(|cursor| cursor.is_fresh(now)).map(|cursor| cursor.since)
    }

    fn begin(&self, org: &OrgId, uuid: &str, since: Position, now: Monotonic) {
        let key = (org.clone(), Box::from(uuid));
        let mut shard = self.shard(&key).lock();
        if let Some(cursor) = shard.get_mut(&key) {
            (cursor.since, cursor.waiting) = (since, cursor.waiting + 1);
            return;
        }
        if shard.len() >= self.shard_max {
            shard.retain(|_, cursor| cursor.is_fresh(now));
        }
        if shard.len() < self.shard_max {
            shard.insert(key, Cursor { since, waiting: 1, ended: now });
        }
    }

    fn end(&self, org: &OrgId, uuid: &str, now: Monotonic) {
        let key = (org.clone(), Box::from(uuid));
        if let Some(cursor) = self.shard(&key).lock().get_mut(&key) {
            (cursor.waiting, cursor.ended) = (cursor.waiting.saturating_sub(1), now);
        }
    }

    fn shard(&self, key: &(OrgId, Box<str>)) -> &Mutex<Shard> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }
}

impl Cursor {
    fn is_fresh(&self, now: Monotonic) -> bool {
        self.waiting > 0 || now.since(self.ended) < KEPT_FOR
    }
}

impl Waiting {
    /// A client polls from here on, until what comes back is dropped.
    pub(crate) fn begin(
        shared: &Arc<Shared>,
        worker: &Worker,
        org: &OrgId,
        uuid: &str,
        since: Position,
    ) -> Waiting {
        shared.cursors.begin(org, uuid, since, worker.now().monotonic);
        let (shared, worker) = (Arc::clone(shared), worker.clone());
        Waiting { shared, worker, org: org.clone(), uuid: uuid.into() }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared.cursors.end(&self.org, &self.uuid, self.worker.now().monotonic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Monotonic {
        Monotonic(Duration::from_secs(secs))
    }

    #[test]
    fn a_client_on_its_way_back_is_remembered() {
        let (cursors, org) = (Cursors::new(100), OrgId::new("demo"));
        assert_eq!(cursors.last(&org, "ann", at(0)), None);
        cursors.begin(&org, "ann", Position(5), at(0));
        assert_eq!(cursors.last(&org, "ann", at(200)), Some(Position(5)), "it waits");
        cursors.begin(&org, "ann", Position(7), at(200));
        cursors.end(&org, "ann", at(210));
        assert_eq!(cursors.last(&org, "ann", at(300)), Some(Position(7)), "another waits");
        cursors.end(&org, "ann", at(310));
        assert_eq!(cursors.last(&org, "ann", at(314)), Some(Position(7)));
        assert_eq!(cursors.last(&org, "ann", at(315)), None);
        assert_eq!(cursors.last(&OrgId::new("other"), "ann", at(311)), None);
    }

    #[test]
    fn those_who_are_gone_make_room() {
        let (cursors, org) = (Cursors::new(SHARDS), OrgId::new("demo"));
        for number in 0..1000 {
            let uuid = number.to_string();
            cursors.begin(&org, &uuid, Position(1), at(number * 10));
            cursors.end(&org, &uuid, at(number * 10));
            assert_eq!(cursors.last(&org, &uuid, at(number * 10)), Some(Position(1)));
        }
        assert!(cursors.shards.iter().all(|shard| shard.lock().len() <= 1));
    }
}
