//! Deleting and counting publications.

use std::sync::Arc;

use antiphon_model::{ChannelId, OrgId, Position, Timestamp};
use futures_util::future::BoxFuture;

use crate::change::{Operation, Step};
use crate::memory::State;
use crate::question::Inquiry;
use crate::sqlite::{self, Failed, Reading, Writing};
use crate::store::{ChannelKey, between};
use crate::{Done, Store, StoreError};

impl dyn Store {
    /// Deletes the publications of a channel after one position and not after another, and the actions on them. Tells how many there were.
    ///
    /// Where they are the oldest of the channel, who asks from before them has a gap. Many go in steps: if the process ends or the
    /// disk fails before the last, some are deleted and some are not.
    pub fn delete(
        &self,
        org: &OrgId,
        channel: &Arc<ChannelId>,
        after: Position,
        until: Position,
        done: Done<u64>,
    ) {
        let channel = ChannelKey { org: org.clone(), channel: Arc::clone(channel) };
        self.operate(Delete { channel, after, until, deleted: 0 }, done);
    }

    /// How many publications of a channel come after a position and have not expired by the store's clock. Counts no further than
    /// `page_entries_max`. The future may be dropped.
    ///
    /// # Errors
    /// Too many reads wait, the store is closed, or the disk fails.
    pub fn count(
        &self,
        org: &OrgId,
        channel: &Arc<ChannelId>,
        after: Position,
    ) -> BoxFuture<'static, Result<u64, StoreError>> {
        let channel = ChannelKey { org: org.clone(), channel: Arc::clone(channel) };
        self.inquire(Count { channel, after })
    }
}

struct Delete {
    channel: ChannelKey,
    after: Position,
    until: Position,
    deleted: u64,
}

impl Operation for Delete {
    type Outcome = u64;

    fn bytes(&self) -> usize {
        self.channel.channel.name().len()
    }

    fn in_memory(&mut self, state: &mut State, _: Timestamp) -> Result<Step<u64>, StoreError> {
        Ok(Step::Done(state.delete(&self.channel, between(self.after, self.until))))
    }

    fn in_sqlite(&mut self, writing: &mut Writing<'_>) -> Result<Step<u64>, Failed> {
        let step = sqlite::delete(writing, &self.channel, between(self.after, self.until))?;
        self.deleted += step.deleted;
        Ok(if step.is_last { Step::Done(self.deleted) } else { Step::More })
    }
}

struct Count {
    channel: ChannelKey,
    after: Position,
}

impl Inquiry for Count {
    type Answer = u64;

    fn in_memory(&self, state: &State, now: Timestamp) -> Result<u64, StoreError> {
        Ok(state.count(&self.channel, self.after, now))
    }

    fn in_sqlite(&self, reading: &Reading<'_>) -> Result<u64, StoreError> {
        sqlite::count(reading, &self.channel, self.after)
    }
}
