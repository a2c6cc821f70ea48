use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use antiphon_model::Publication;
use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::{ChannelUid, OwnLine};

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
pub struct Inbox(OwnLine<Inner>);

/// On lines of their own: inboxes are made one after the other, and each is written by every publisher and one worker.
struct Inner {
    queue: Mutex<Vec<Delivery>>,
    len: AtomicUsize,
    signal: Box<dyn Fn() + Send + Sync>,
    congestion: OnceLock<Arc<Congestion>>,
}

/// Workers whose inboxes were empty.
pub(crate) type Woken = SmallVec<[WorkerId; 8]>;

/// Where something came to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// In an empty inbox: its worker is to be signalled.
    First,
    /// Behind something: its worker has been signalled.
    Behind,
}

/// How many inboxes have more than they should. Asked before each read of a socket: one line that mostly nobody writes, in place of
/// the lengths of all inboxes, which everybody does.
#[derive(Debug)]
pub(crate) struct Congestion {
    inbox_max: usize,
    over: OwnLine<AtomicUsize>,
}

impl Congestion {
    pub(crate) fn new(inbox_max: usize) -> Congestion {
        Congestion { inbox_max, over: OwnLine::default() }
    }

    pub(crate) fn is_any(&self) -> bool {
        self.over.load(Ordering::Relaxed) > 0
    }
}

impl Inbox {
    /// An inbox that calls `signal` when it was empty and no longer is. The call comes from the publisher's
    /// thread, once it has given back the org's lock: it only wakes.
    pub fn new(signal: Box<dyn Fn() + Send + Sync>) -> Inbox {
        let (queue, len) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
        Inbox(OwnLine(Inner { queue, len, signal, congestion: OnceLock::new() }))
    }

    /// Has it counted where it has more than it should. The first call counts.
    pub(crate) fn set_congestion(&self, congestion: &Arc<Congestion>) {
        let _queue = self.0.queue.lock();
        if self.0.congestion.set(Arc::clone(congestion)).is_ok() && self.len() > congestion.inbox_max {
            congestion.over.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Puts something at the end. What the same thread published before lies before it, what it publishes after lies after it.
    /// Tasks count for [`Inbox::len`] like publications; nothing is ever refused.
    pub fn push(&self, delivery: Delivery) {
        if self.put(delivery) == Put::First {
            self.signal();
        }
    }

    /// As [`Inbox::push`], for whoever signals later: if it is the first.
    #[inline]
    pub(crate) fn put(&self, delivery: Delivery) -> Put {
        PUSHED.set(PUSHED.get().wrapping_add(1));
        let first = {
            let mut queue = self.0.queue.lock();
            queue.push(delivery);
            self.0.len.store(queue.len(), Ordering::Relaxed);
            if let Some(congestion) = self.0.congestion.get()
                && queue.len() == congestion.inbox_max.saturating_add(1)
            {
                congestion.over.fetch_add(1, Ordering::Relaxed);
            }
            queue.len() == 1
        };
        // Known under the lock: a flag beside it could stay up after a drain that took this one already, and
        // then nobody would signal what comes next.
        if first { Put::First } else { Put::Behind }
    }

    pub(crate) fn signal(&self) {
        (self.0.signal)();
    }

    /// How many deliveries the calling thread has pushed, into whatever inboxes: a worker that finds the number that it found
    /// before has put nothing of its own into its inbox meanwhile.
    pub fn pushed_by_this_thread() -> u64 {
        PUSHED.get()
    }

    /// Takes everything, in order, into `batch`, which has to be empty: its capacity is what comes next.
    pub fn drain(&self, batch: &mut Vec<Delivery>) {
        debug_assert!(batch.is_empty());
        let mut queue = self.0.queue.lock();
        std::mem::swap(&mut *queue, batch);
        // Under the lock, or a push before the swap could have the last word.
        self.0.len.store(0, Ordering::Relaxed);
        if let Some(congestion) = self.0.congestion.get()
            && batch.len() > congestion.inbox_max
        {
            congestion.over.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// About how many deliveries wait: publishers are slowed down by it.
    pub fn len(&self) -> usize {
        self.0.len.load(Ordering::Relaxed)
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
