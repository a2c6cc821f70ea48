//! The past of a channel as a range of positions: read, counted, deleted.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use antiphon_access::{Caller, Permission};
use antiphon_model::{ChannelId, Kind, Position, Publication};
use antiphon_store::{Range, StoreError};
use tokio::sync::oneshot;

use crate::history::undisturbed;
use crate::{DeleteFailed, End, Node, NodeOrg, ReadError};

/// A range of a channel's past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Between {
    /// Exclusive.
    pub after: Position,
    /// Inclusive.
    pub until: Position,
    /// Which end of it is wanted, where there is more than is asked for.
    pub from: End,
}

/// What was published on a channel in a range.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Messages and files, oldest first.
    pub publications: Vec<Arc<Publication>>,
    /// Whether the range has more: newer ones than the last if it was read from the oldest, older ones than the first if from the
    /// newest. Then there is at least one.
    pub more: bool,
}

impl Node {
    /// Reads a range of a channel's past: what is stored or, on a channel that is not stored, what memory has. At most `limit`, and fewer
    /// where the store gives fewer at a time.
    ///
    /// # Errors
    /// The caller has no permission to read history, or the store does not answer.
    pub async fn history_between(
        &self,
        caller: &Caller,
        channel: &Arc<ChannelId>,
        between: Between,
        limit: usize,
    ) -> Result<Past, ReadError> {
        caller.may(Permission::History, channel)?;
        let org = self.org(&caller.org);
        let limit = limit.max(1);
        if !org.hub.rule(channel).persist {
            return Ok(self.past_in_memory(org, channel, between, limit));
        }
        self.settled().await?;
        let Between { after, until, from } = between;
        let range = Range::Between { after, until, from };
        let page = undisturbed(org, async || self.read(org, channel, range, limit).await).await?;
        Ok(Past { more: page.more, publications: page.publications })
    }

    fn past_in_memory(&self, org: &NodeOrg, channel: &ChannelId, between: Between, limit: usize) -> Past {
        let recent = org.hub.recent(channel, between.after, usize::MAX, self.now());
        let mut publications = recent.publications;
        publications.retain(|one| one.position <= between.until && is_past(one.kind));
        let excess = publications.len().saturating_sub(limit);
        match between.from {
            End::Oldest => publications.truncate(limit),
            End::Newest => drop(publications.drain(..excess)),
        }
        Past { publications, more: excess > 0 }
    }

    /// How many messages and files a channel's history has after a position; the store does not count without end.
    ///
    /// # Errors
    /// The caller has no permission to read history, or the store does not answer.
    pub async fn count_since(
        &self,
        caller: &Caller,
        channel: &Arc<ChannelId>,
        after: Position,
    ) -> Result<u64, ReadError> {
        caller.may(Permission::History, channel)?;
        let org = self.org(&caller.org);
        if !org.hub.rule(channel).persist {
            let between = Between { after, until: Position(u64::MAX), from: End::Oldest };
            return Ok(self.past_in_memory(org, channel, between, usize::MAX).publications.len() as u64);
        }
        self.settled().await?;
        Ok(self.store.count(org.hub.id(), channel, after).await?)
    }

    /// Deletes what was published on a channel in a range, up to this moment: from the store and from memory, so that nobody who comes
    /// back is given it either. How many there were. It is done though the caller does not wait for the end.
    ///
    /// # Errors
    /// The caller may not both read the channel's history and publish there, or the store does not do it, or not all of it.
    pub async fn delete_history(
        &self,
        caller: &Caller,
        channel: &Arc<ChannelId>,
        after: Position,
        until: Position,
    ) -> Result<u64, DeleteFailed> {
        caller.may(Permission::History, channel)?;
        caller.may(Permission::Publish, channel)?;
        if self.is_closing() {
            return Err(DeleteFailed::Closing);
        }
        let org = Arc::clone(self.org(&caller.org));
        let hub = &org.hub;
        // What comes later is not meant, whatever the clock that the range was made by.
        let until = until.min(hub.last_position());
        if until <= after {
            return Ok(0);
        }
        if !hub.rule(channel).persist {
            return Ok(hub.delete(channel, after, until) as u64);
        }
        let (sender, receiver) = oneshot::channel();
        let (id, of) = (hub.id().clone(), Arc::clone(channel));
        // Memory comes second: it may have got something meanwhile that was on its way to the store.
        let done = move |deleted: Result<u64, StoreError>| {
            if deleted.is_ok() {
                org.hub.delete(&of, after, until);
            }
            // Also where it went wrong half-way.
            org.deletions.fetch_add(1, Ordering::Release);
            // Whoever asked may have gone.
            let _ = sender.send(deleted);
        };
        self.store.delete(&id, channel, after, until, Box::new(done));
        Ok(receiver.await.unwrap_or(Err(StoreError::Closed))?)
    }
}

/// Whether it is of a channel's past, and not of the moment or about something else.
pub(crate) fn is_past(kind: Kind) -> bool {
    matches!(kind, Kind::Message | Kind::File)
}
