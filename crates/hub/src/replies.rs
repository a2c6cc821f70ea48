use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use antiphon_model::{ChannelId, Identity, Monotonic, Payload, Position};

/// An answer to a broadcast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What it says.
    pub payload: Payload,
    /// Who says it.
    pub publisher: Option<Arc<Identity>>,
}

/// What whoever collects is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyEvent {
    /// One more reply.
    Reply(Reply),
    /// No more will come: as many came as were wanted, or time is up.
    End {
        /// Whether as many came as were wanted.
        complete: bool,
    },
}

/// Where replies go. Called with a lock held, from the replier's thread: it only hands on.
pub type ReplySink = Box<dyn FnMut(ReplyEvent) + Send>;

/// How replies are collected.
pub struct Collect {
    /// For how long.
    pub timeout: Duration,
    /// Until so many came, if so many come before the time is up. [`crate::Org::expect_replies`] sets it later.
    pub until: Option<usize>,
    /// Where they go.
    pub sink: ReplySink,
}

/// Why a reply is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The broadcast does not collect replies, its time is up, or it was on another channel.
    #[error("nobody collects replies to this broadcast (any more)")]
    NobodyCollects,
    /// The broadcast has as many replies, or bytes of them, as are kept.
    #[error("this broadcast has as many replies as one may have")]
    TooMany,
}

/// Why a broadcast is not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BroadcastError {
    /// Too many broadcasts collect replies at this time.
    #[error("too many broadcasts are collecting replies in this org")]
    TooManyBroadcasts,
    /// The org has as many channels in memory as it may.
    #[error("this org has as many channels as it may have")]
    TooManyChannels,
}

/// How much may be collected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplyLimits {
    pub(crate) replies: usize,
    pub(crate) bytes: usize,
}

/// The broadcasts of an org that wait for replies.
#[derive(Default)]
pub(crate) struct Replies {
    open: HashMap<Position, Collection, foldhash::fast::RandomState>,
    deadlines: BTreeSet<(Monotonic, Position)>,
}

struct Collection {
    channel: Arc<ChannelId>,
    deadline: Monotonic,
    until: Option<usize>,
    count: usize,
    bytes: usize,
    sink: ReplySink,
}

impl Replies {
    pub(crate) fn open(
        &mut self,
        position: Position,
        channel: Arc<ChannelId>,
        collect: Collect,
        now: Monotonic,
    ) -> Monotonic {
        let Collect { timeout, until, sink } = collect;
        let deadline = now + timeout;
        self.deadlines.insert((deadline, position));
        self.open.insert(position, Collection { channel, deadline, until, count: 0, bytes: 0, sink });
        if until == Some(0) {
            self.end(position, true);
        }
        deadline
    }

    pub(crate) fn reply(
        &mut self,
        to: Position,
        channel: &ChannelId,
        reply: Reply,
        limits: ReplyLimits,
    ) -> Result<(), ReplyError> {
        let collection = self
            .open
            .get_mut(&to)
            .filter(|collection| *collection.channel == *channel)
            .ok_or(ReplyError::NobodyCollects)?;
        if collection.count >= limits.replies || collection.bytes + reply.payload.len() > limits.bytes {
            return Err(ReplyError::TooMany);
        }
        collection.count += 1;
        collection.bytes += reply.payload.len();
        (collection.sink)(ReplyEvent::Reply(reply));
        if collection.until == Some(collection.count) {
            self.end(to, true);
        }
        Ok(())
    }

    pub(crate) fn channel(&self, position: Position) -> Option<Arc<ChannelId>> {
        self.open.get(&position).map(|collection| Arc::clone(&collection.channel))
    }

    pub(crate) fn expect(&mut self, position: Position, until: usize) {
        let Some(collection) = self.open.get_mut(&position) else { return };
        collection.until = Some(until);
        if collection.count >= until {
            self.end(position, true);
        }
    }

    /// Ends a collection, whoever collected being told; nothing if it has ended.
    pub(crate) fn end(&mut self, position: Position, complete: bool) {
        if let Some(mut collection) = self.open.remove(&position) {
            self.deadlines.remove(&(collection.deadline, position));
            (collection.sink)(ReplyEvent::End { complete });
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Monotonic) {
        while let Some(&(deadline, position)) = self.deadlines.first() {
            if deadline > now {
                break;
            }
            self.end(position, false);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Monotonic> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }
}
