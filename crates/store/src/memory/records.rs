use std::collections::{BTreeSet, HashMap};

use antiphon_model::Timestamp;

use crate::records::{Record, RecordChange, RecordKey};

/// The records, and the order in which they expire.
#[derive(Default)]
pub(super) struct Records {
    by_key: HashMap<RecordKey, Record>,
    expiries: BTreeSet<(Timestamp, RecordKey)>,
}

impl Records {
    pub(super) fn find(&self, key: &RecordKey) -> Option<Record> {
        self.by_key.get(key).cloned()
    }

    /// Makes the changes; those that expire first give way if there would be more than `max`.
    pub(super) fn apply(&mut self, changes: &[RecordChange], max: usize) {
        for RecordChange { key, record, .. } in changes {
            self.remove(key);
            if let Some(record) = record {
                self.expiries.insert((record.expires, key.clone()));
                self.by_key.insert(key.clone(), record.clone());
            }
        }
        while self.by_key.len() > max
            && let Some((_, key)) = self.expiries.pop_first()
        {
            self.by_key.remove(&key);
        }
    }

    pub(super) fn remove_expired(&mut self, now: Timestamp) {
        while let Some((expires, _)) = self.expiries.first()
            && *expires <= now
            && let Some((_, key)) = self.expiries.pop_first()
        {
            self.by_key.remove(&key);
        }
    }

    fn remove(&mut self, key: &RecordKey) {
        if let Some(record) = self.by_key.remove(key) {
            self.expiries.remove(&(record.expires, key.clone()));
        }
    }
}
