//! Records that wait for the writer. They are no queue: of one key only the last word counts.

use std::collections::HashMap;

use antiphon_model::{OrgId, Timestamp};
use bytes::Bytes;

/// A record among those of all orgs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RecordKey {
    pub(crate) org: OrgId,
    pub(crate) key: Box<str>,
}

impl RecordKey {
    pub(crate) fn new(org: &OrgId, key: &str) -> RecordKey {
        RecordKey { org: org.clone(), key: key.into() }
    }
}

/// What a key stands for, until it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) value: Bytes,
    pub(crate) expires: Timestamp,
}

impl Record {
    /// The value, if it is still to be shown.
    pub(crate) fn shown(self, now: Timestamp) -> Option<Bytes> {
        (self.expires > now).then_some(self.value)
    }
}

/// A record put, or removed if it is none, on its way to the backend.
pub(crate) struct RecordChange {
    pub(crate) key: RecordKey,
    pub(crate) record: Option<Record>,
    stamp: u64,
}

/// The changes that no group has committed yet. Those that a group is about to commit are still here, so that whoever reads a key
/// finds its last word either here or behind the writer.
pub(crate) struct Changes {
    waiting: HashMap<RecordKey, Waiting>,
    bytes: usize,
    stamp: u64,
    count_max: usize,
    bytes_max: usize,
}

struct Waiting {
    record: Option<Record>,
    /// Tells this word from a later one.
    stamp: u64,
}

/// For so many changes there is room without asking for memory.
const CAPACITY_KEPT: usize = 1024;

/// There are as many changes as may wait.
pub(crate) struct TooMany;

impl Changes {
    pub(crate) fn new(count_max: usize, bytes_max: usize) -> Changes {
        Changes { waiting: HashMap::new(), bytes: 0, stamp: 0, count_max, bytes_max }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn change(&mut self, key: RecordKey, record: Option<Record>) -> Result<(), TooMany> {
        let old = self.waiting.get(&key).map(|old| size(&key, old.record.as_ref()));
        let bytes = self.bytes - old.unwrap_or(0) + size(&key, record.as_ref());
        if (old.is_none() && self.waiting.len() >= self.count_max) || bytes > self.bytes_max {
            return Err(TooMany);
        }
        self.bytes = bytes;
        self.stamp += 1;
        self.waiting.insert(key, Waiting { record, stamp: self.stamp });
        Ok(())
    }

    /// The last word on a key: `Some(None)` if it is removed.
    pub(crate) fn find(&self, key: &RecordKey) -> Option<Option<Record>> {
        self.waiting.get(key).map(|waiting| waiting.record.clone())
    }

    /// Up to `max` of the changes, for a group.
    pub(crate) fn some(&self, max: usize) -> Vec<RecordChange> {
        let change = |(key, waiting): (&RecordKey, &Waiting)| RecordChange {
            key: key.clone(),
            record: waiting.record.clone(),
            stamp: waiting.stamp,
        };
        self.waiting.iter().take(max).map(change).collect()
    }

    /// Forgets changes that were committed, but not a later word on the same key.
    pub(crate) fn committed(&mut self, changes: &[RecordChange]) {
        for RecordChange { key, record, stamp } in changes {
            if self.waiting.get(key).is_some_and(|waiting| waiting.stamp == *stamp) {
                self.waiting.remove(key);
                self.bytes -= size(key, record.as_ref());
            }
        }
        if self.waiting.is_empty() {
            // A burst should not hold its memory for ever.
            self.waiting.shrink_to(CAPACITY_KEPT);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.bytes = 0;
    }
}

fn size(key: &RecordKey, record: Option<&Record>) -> usize {
    size_of::<(RecordKey, Waiting)>() + key.key.len() + record.map_or(0, |record| record.value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &str) -> RecordKey {
        RecordKey::new(&OrgId::new("org"), key)
    }

    fn record(value: &'static str) -> Option<Record> {
        Some(Record { value: value.into(), expires: Timestamp(10) })
    }

    #[test]
    fn the_last_word_counts_and_outlives_the_commit_of_an_earlier_one() {
        let mut changes = Changes::new(10, 10_000);
        assert!(changes.change(key("a"), record("1")).is_ok());
        assert!(changes.change(key("b"), record("2")).is_ok());
        let group = changes.some(10);
        assert_eq!(group.len(), 2);
        assert!(changes.change(key("a"), None).is_ok());
        changes.committed(&group);
        assert_eq!((changes.find(&key("a")), changes.find(&key("b"))), (Some(None), None));
        changes.committed(&changes.some(1));
        assert!(changes.is_empty());
        assert_eq!(changes.bytes, 0);
    }

    #[test]
    fn what_waits_is_bounded_and_a_key_takes_its_own_place() {
        let mut changes = Changes::new(2, 10_000);
        for name in ["a", "b"] {
            assert!(changes.change(key(name), record("1")).is_ok());
        }
        assert!(changes.change(key("c"), record("1")).is_err());
        assert!(changes.change(key("a"), record("2")).is_ok());
        assert_eq!(changes.find(&key("a")), Some(record("2")));

        let mut changes = Changes::new(10, 2 * size(&key("a"), record("1").as_ref()));
        assert!(changes.change(key("a"), record("1")).is_ok());
        assert!(changes.change(key("b"), record("12")).is_err());
        assert!(changes.change(key("b"), record("2")).is_ok());
    }

    #[test]
    fn nothing_is_shown_past_its_end() {
        let shown = |now| record("x").and_then(|record| record.shown(Timestamp(now)));
        assert_eq!((shown(9), shown(10)), (Some("x".into()), None));
    }
}
