use std::sync::Arc;

use antiphon_access::{Caller, Permission};
use antiphon_model::{ChannelId, Position, Publication};
use antiphon_store::{Query, Range, StoreError};

use crate::{Node, NodeOrg, ReadError};

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
        if !self.org(&caller.org).hub.rule(channel).subscribers.contains(kind) {
            return Err(ReadError::KindRefused(kind));
        }
        Ok(())
    }

    /// Reads a channel: from memory, and from the store where memory does not go back far enough.
    ///
    /// Reading on from a position is listening by other means and needs `subscribe`; reading back (from zero, or the
    /// newest) needs `history`.
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
        match window {
            Window::After(position) if position > Position::ZERO => self.may_listen(caller, channel)?,
            _ => caller.may(Permission::History, channel)?,
        }
        let org = self.org(&caller.org);
        match window {
            Window::After(position) => self.after(org, channel, position, limit).await,
            Window::Newest => self.newest(org, channel, limit).await,
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
        if publications.len() < limit && org.hub.rule(channel).persist {
            let before = publications.first().map_or(recent.delivered.next(), |first| first.position);
            let room = limit - publications.len();
            let stored = self.read(org, channel, Range::Before(before), room).await?;
            more = stored.more;
            publications.splice(..0, stored.publications);
        }
        Ok(History { publications, position: recent.delivered, gap: false, more })
    }

    /// What a listener missed between a position and where memory begins.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn missed_in_store(
        &self,
        caller: &Caller,
        channel: &Arc<ChannelId>,
        since: Position,
        floor: Position,
    ) -> Result<MissedInStore, StoreError> {
        let org = self.org(&caller.org);
        self.settled().await?;
        let mut missed = MissedInStore::default();
        let mut after = since;
        loop {
            let range = Range::AfterUntil { after, until: floor };
            let page = self.read(org, channel, range, 1000).await?;
            if after == since && since != Position::ZERO && page.trimmed_to > since {
                missed.gap = true;
            }
            let Some(last) = page.publications.last() else { return Ok(missed) };
            after = last.position;
            missed.publications.extend(page.publications);
            let excess = missed.publications.len().saturating_sub(self.settings.recovery_max);
            if excess > 0 {
                missed.publications.drain(..excess);
                missed.gap = true;
            }
            if !page.more {
                return Ok(missed);
            }
        }
    }

    /// Waits for the commits that are under way: what was delivered before its own may have left memory already.
    async fn settled(&self) -> Result<(), StoreError> {
        if self.store.queue_len() == 0 { Ok(()) } else { self.store.flush().await }
    }

    async fn read(
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

/// A page that goes on where it ends, or after all that was delivered if that is where it ends.
fn page(publications: Vec<Arc<Publication>>, delivered: Position, gap: bool, more: bool) -> History {
    let last = publications.last().map(|last| last.position);
    let position = match last {
        Some(last) if more => last,
        _ => delivered,
    };
    History { publications, position, gap, more }
}
