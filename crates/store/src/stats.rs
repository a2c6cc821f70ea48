use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What a store has done since it was opened. Counters only rise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Entries taken into the queue.
    pub queued: u64,
    /// Entries written.
    pub committed: u64,
    /// Entries not written because their idempotency key was seen before.
    pub duplicates: u64,
    /// Entries taken into the queue that could not be written.
    pub failed: u64,
    /// Entries and records refused because the queue was full.
    pub overloaded: u64,
    /// Groups committed.
    pub groups: u64,
    /// Groups of which nothing could be written.
    pub failed_groups: u64,
    /// How long the last group took to write and commit, in microseconds.
    pub last_commit_micros: u64,
    /// How long all groups together took, in microseconds.
    pub total_commit_micros: u64,
    /// Publications that retention removed.
    pub removed: u64,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) queued: AtomicU64,
    pub(crate) committed: AtomicU64,
    pub(crate) duplicates: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) overloaded: AtomicU64,
    pub(crate) groups: AtomicU64,
    pub(crate) failed_groups: AtomicU64,
    pub(crate) last_commit_micros: AtomicU64,
    pub(crate) total_commit_micros: AtomicU64,
    pub(crate) removed: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, by: usize) {
        counter.fetch_add(by as u64, Relaxed);
    }

    pub(crate) fn group_took(&self, time: Duration) {
        let micros = time.as_micros() as u64;
        self.last_commit_micros.store(micros, Relaxed);
        self.total_commit_micros.fetch_add(micros, Relaxed);
    }

    pub(crate) fn snapshot(&self) -> StoreStats {
        StoreStats {
            queued: self.queued.load(Relaxed),
            committed: self.committed.load(Relaxed),
            duplicates: self.duplicates.load(Relaxed),
            failed: self.failed.load(Relaxed),
            overloaded: self.overloaded.load(Relaxed),
            groups: self.groups.load(Relaxed),
            failed_groups: self.failed_groups.load(Relaxed),
            last_commit_micros: self.last_commit_micros.load(Relaxed),
            total_commit_micros: self.total_commit_micros.load(Relaxed),
            removed: self.removed.load(Relaxed),
        }
    }
}
