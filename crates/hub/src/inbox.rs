use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use antiphon_model::Publication;
use parking_lot::Mutex;

use crate::ChannelUid;

/// A worker, by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub u16);

/// Something for a worker to do between two publications, which only the worker knows how to read.
pub type Task = Box<dyn Any + Send>;

/// What a worker gets, in the order in which it is to take it.
pub enum Delivery {
    /// A publication to be spread over the worker's subscribers.
    Publication {
        /// The channel, as the worker's [`crate::Fanout`] knows it.
        channel: ChannelUid,
        /// The publication, shared with every other worker.
        publication: Arc<Publication>,
        /// Who listens to one of these does not get it: [`Publication::except_listeners_of`] as far as those channels are in
        /// memory. To be asked of subscribers there who began before this publication's position.
        except: Option<Arc<[ChannelUid]>>,
    },
    /// A task.
    Task(Task),
}

impl Delivery {
    /// The publication, if it is one.
    pub fn publication(&self) -> Option<&Arc<Publication>> {
        match self {
            Delivery::Publication { publication, .. } => Some(publication),
            Delivery::Task(_) => None,
        }
    }

    /// The channel of the publication, if it is one.
    pub fn channel(&self) -> Option<ChannelUid> {
        match self {
            Delivery::Publication { channel, .. } => Some(*channel),
            Delivery::Task(_) => None,
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Delivery::Publication { channel, publication, except } => f
                .debug_struct("Publication")
                .field("channel", channel)
                .field("publication", publication)
                .field("except", except)
                .finish(),
            Delivery::Task(_) => f.write_str("Task"),
        }
    }
}

thread_local! {
    /// How many deliveries this thread has pushed, into whatever inbox.
    static PUSHED: Cell<u64> = const { Cell::new(0) };
}

/// Where the hub puts what a worker has to deliver: one push for each publication, however many listen. Others put tasks
/// between.
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

    /// Puts something at the end. What the same thread published before lies before it, what it publishes after lies after it.
    /// Tasks count for [`Inbox::len`] like publications; nothing is ever refused.
    pub fn push(&self, delivery: Delivery) {
        PUSHED.set(PUSHED.get().wrapping_add(1));
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

    /// How many deliveries the calling thread has pushed, into whatever inboxes: a worker that finds the number that it found
    /// before has put nothing of its own into its inbox meanwhile.
    pub fn pushed_by_this_thread() -> u64 {
        PUSHED.get()
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

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("len", &self.len()).finish_non_exhaustive()
    }
}
