use std::sync::Arc;
use std::sync::atomic::Ordering;

use antiphon_access::{Caller, Permission};
use antiphon_model::{ChannelId, Position, Publication};
use antiphon_store::{Query, Range, StoreError};

use crate::{Node, NodeOrg, ReadError};

/// How many publications are read from the store at a time.
const PAGE: usize = 1000;

/// How often something is read at most, because something was deleted meanwhile.
const READ_ATTEMPTS_MAX: usize = 5;

/// Which publications of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The oldest after this position.
    After(Position),
    /// The newest.
    Newest,
}

/// Publications of a channel, oldest first.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The publications.
    pub publications: Vec<Arc<Publication>>,
    /// Whoever asks for what came after this gets what comes next.
    pub position: Position,
    /// Whether something after the position asked for is no longer kept.
    pub gap: bool,
    /// Whether there are more than were asked for.
    pub more: bool,
}

/// What the store has of what a listener missed.
#[derive(Clone, Debug, Default)]
pub struct MissedInStore {
    /// The publications, oldest first.
    pub publications: Vec<Arc<Publication>>,
    /// Whether more was missed than is kept, or is sent.
    pub gap: bool,
}

impl Node {
    /// Checks that a caller may listen on a channel.
    ///
    /// # Errors
    /// It may not.
    pub fn may_listen(&self, caller: &Caller, channel: &ChannelId) -> Result<(), ReadError> {
        caller.may(Permission::Subscribe, channel)?;
        let kind = caller.identity.kind;
        if !self.org(&caller.org).hub.subscribers(channel).contains(kind) {
            return Err(ReadError::KindRefused(kind));
        }
        Ok(())
    }

    /// From where a caller who listens may be sent what he missed: from where he says, but without the `history`
    /// permission from no earlier than the recovery window. A position proves nothing: anybody can name an early one.
    pub fn recover_from(&self, caller: &Caller, channel: &ChannelId, since: Position) -> Position {
        if caller.may(Permission::History, channel).is_ok() {
            return since;
        }
        let window = self.now().wall.earlier_by(self.settings.recovery_without_history);
        since.max(Position(window.0))
    }

    /// Reads a channel: from memory, and from the store where memory does not go back far enough.
    ///
    /// Reading on from a position is listening by other means: it needs `subscribe`, and goes back as far as
    /// [`Node::recover_from`] says. Reading the newest needs `history`.
    ///
    /// # Errors
    /// The caller may not, or the store does not answer.
    pub async fn history(
        &self,
        caller: &Caller,
        channel: &Arc<ChannelId>,
        window: Window,
        limit: usize,
    ) -> Result<History, ReadError> {
        let org = self.org(&caller.org);
        // A page of nothing would have no position to go on from.
        let limit = limit.max(1);
        match window {
            Window::After(asked) => {
                self.may_listen(caller, channel)?;
                let since = self.recover_from(caller, channel, asked);
                let mut history =
                    undisturbed(org, async || self.after(org, channel, since, limit).await).await?;
                history.gap |= since != asked && asked != Position::ZERO;
                Ok(history)
            }
            Window::Newest => {
                caller.may(Permission::History, channel)?;
                undisturbed(org, async || self.newest(org, channel, limit).await).await
            }
        }
    }

    async fn after(
        &self,
        org: &NodeOrg,
        channel: &Arc<ChannelId>,
        since: Position,
        limit: usize,
    ) -> Result<History, ReadError> {
        let recent = org.hub.recent(channel, since, limit, self.now());
        let persist = org.hub.rule(channel).persist;
        // A position that was never given out: there can be nothing to go on from.
        let beyond = since > org.hub.last_position();
        // One that was given but is not delivered yet is no reason to go back.
        let delivered = if beyond { recent.delivered } else { recent.delivered.max(since) };
        if since >= recent.floor || !persist {
            let gap = beyond || (since != Position::ZERO && since < recent.floor);
            return Ok(page(recent.publications, delivered, gap, recent.more));
        }
        let until = recent.floor;
        self.settled().await?;
        let stored = self.read(org, channel, Range::AfterUntil { after: since, until }, limit).await?;
        let gap = since != Position::ZERO && stored.trimmed_to > since;
        let mut publications = stored.publications;
        if stored.more || publications.len() >= limit {
            let more = stored.more || !recent.publications.is_empty();
            return Ok(page(publications, delivered, gap, more));
        }
        let room = limit - publications.len();
        let more = recent.more || recent.publications.len() > room;
        publications.extend(recent.publications.into_iter().filter(|p| p.position > until).take(room));
        Ok(page(publications, delivered, gap, more))
    }

    async fn newest(
        &self,
        org: &NodeOrg,
        channel: &Arc<ChannelId>,
        limit: usize,
    ) -> Result<History, ReadError> {
        let recent = org.hub.recent(channel, Position::ZERO, usize::MAX, self.now());
        let mut publications = recent.publications;
        let mut more = publications.len() > limit;
        publications.drain(..publications.len().saturating_sub(limit));
        if !more && org.hub.rule(channel).persist {
            let before = publications.first().map_or(recent.delivered.next(), |first| first.position);
            let room = limit - publications.len();
            self.settled().await?;
            // Without room one is read to know whether there is more.
            let stored = self.read(org, channel, Range::Before(before), room.max(1)).await?;
            let excess = stored.publications.len().saturating_sub(room);
            more = stored.more || excess > 0;
            publications.splice(..0, stored.publications.into_iter().skip(excess));
        }
        Ok(History { publications, position: recent.delivered, gap: false, more })
    }

    /// What a listener missed between a position and where memory begins: the newest of it, up to `recovery_max` and about
    /// `bytes_max`.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn missed_in_store(
        &self,
        caller: &Caller,
        channel: &Arc<ChannelId>,
        since: Position,
        floor: Position,
        bytes_max: usize,
    ) -> Result<MissedInStore, StoreError> {
        let org = self.org(&caller.org);
        undisturbed(org, async || self.read_missed(org, channel, since, floor, bytes_max).await).await
    }

    async fn read_missed(
        &self,
        org: &NodeOrg,
        channel: &Arc<ChannelId>,
        since: Position,
        floor: Position,
        bytes_max: usize,
    ) -> Result<MissedInStore, StoreError> {
        self.settled().await?;
        let count_max = self.settings.recovery_max;
        let (mut pages, mut count, mut bytes, mut gap) = (Vec::new(), 0, 0, false);
        let mut before = floor.next();
        // From the end: who missed more than is sent costs no more than what is sent.
        loop {
            // One more than is sent tells whether there are more.
            let limit = (count_max - count).saturating_add(1).min(PAGE);
            let page = self.read(org, channel, Range::Before(before), limit).await?;
            gap |= since != Position::ZERO && page.trimmed_to > since;
            let mut publications = page.publications;
            let old = publications.partition_point(|publication| publication.position <= since);
            publications.drain(..old);
            let complete = old > 0 || !page.more || publications.is_empty();
            let excess = (count + publications.len()).saturating_sub(count_max);
            publications.drain(..excess);
            count += publications.len();
            bytes += publications.iter().map(|publication| publication.memory_bytes()).sum::<usize>();
            before = publications.first().map_or(before, |first| first.position);
            pages.push(publications);
            gap |= excess > 0 || (!complete && bytes > bytes_max);
            if complete || excess > 0 || bytes > bytes_max {
                return Ok(MissedInStore { publications: pages.into_iter().rev().flatten().collect(), gap });
            }
        }
    }

    /// Waits for the commits that are under way: what was delivered before its own may have left memory already.
    pub(crate) async fn settled(&self) -> Result<(), StoreError> {
        if self.store.queue_len() == 0 { Ok(()) } else { self.store.flush().await }
    }

    pub(crate) async fn read(
        &self,
        org: &NodeOrg,
        channel: &Arc<ChannelId>,
        range: Range,
        limit: usize,
    ) -> Result<antiphon_store::Page, StoreError> {
        let query = Query {
            org: org.hub.id().clone(),
            channel: Arc::clone(channel),
            range,
            limit,
            now: self.now().wall,
        };
        self.store.read(query).await
    }
}

/// Reads, and again if something was deleted meanwhile: it may be among what was read, and whoever deleted it has been told that it
/// is gone.
pub(crate) async fn undisturbed<T, E>(
    org: &NodeOrg,
    mut read: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, E> {
    let mut attempts = 1;
    loop {
        let deletions = org.deletions.load(Ordering::Acquire);
        let result = read().await;
        if org.deletions.load(Ordering::Acquire) == deletions || attempts == READ_ATTEMPTS_MAX {
            return result;
        }
        attempts += 1;
    }
}

/// A page that goes on where it ends, or after all that was delivered if that is where it ends.
fn page(publications: Vec<Arc<Publication>>, delivered: Position, gap: bool, more: bool) -> History {
    let last = publications.last().map(|last| last.position);
    let position = match last {
        Some(last) if more => last,
        _ => delivered,
    };
    History { publications, position, gap, more }
}
