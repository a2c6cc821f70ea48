use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use antiphon_model::Publication;
use parking_lot::Mutex;

use crate::ChannelUid;

/// A worker, by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub u16);

/// A publication on its way to a worker.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The channel, as the worker's [`crate::Fanout`] knows it.
    pub channel: ChannelUid,
    /// The publication, shared with every other worker.
    pub publication: Arc<Publication>,
}

/// Where the hub puts what a worker has to deliver. One push for each publication, however many listen.
pub struct Inbox {
    queue: Mutex<Vec<Delivery>>,
    len: AtomicUsize,
    signal: Box<dyn Fn() + Send + Sync>,
}

impl Inbox {
    /// An inbox that calls `signal` when it was empty and no longer is. The call comes from the publisher's
    /// thread, under the org's lock: it only wakes.
    pub fn new(signal: Box<dyn Fn() + Send + Sync>) -> Inbox {
        Inbox { queue: Mutex::new(Vec::new()), len: AtomicUsize::new(0), signal }
    }

    pub(crate) fn push(&self, delivery: Delivery) {
        let first = {
            let mut queue = self.queue.lock();
            queue.push(delivery);
            self.len.store(queue.len(), Ordering::Relaxed);
            queue.len() == 1
        };
        // Known under the lock: a flag beside it could stay up after a drain that took this one already, and
        // then nobody would signal what comes next.
        if first {
            (self.signal)();
        }
    }

    /// Takes everything, in order, into `batch`, which has to be empty: its capacity is what comes next.
    pub fn drain(&self, batch: &mut Vec<Delivery>) {
        debug_assert!(batch.is_empty());
        let mut queue = self.queue.lock();
        std::mem::swap(&mut *queue, batch);
        // Under the lock, or a push before the swap could have the last word.
        self.len.store(0, Ordering::Relaxed);
    }

    /// About how many deliveries wait: publishers are slowed down by it.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").field("len", &self.len()).finish_non_exhaustive()
    }
}
