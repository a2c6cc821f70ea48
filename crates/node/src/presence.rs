use std::sync::Arc;
use std::time::Duration;

use antiphon_access::{Caller, Permission, Refused};
use antiphon_hub::{Departure, Member};
use antiphon_model::{ChannelId, Identity, RawJson, SessionId};

use crate::{Node, PresenceFailed};

impl Node {
    /// Who is on a channel: how many, and at most `limit` of them.
    ///
    /// # Errors
    /// The caller may not see it.
    pub fn members(
        &self,
        caller: &Caller,
        channel: &ChannelId,
        limit: usize,
    ) -> Result<(usize, Vec<Member>), Refused> {
        caller.may(Permission::Presence, channel)?;
        Ok(self.org(&caller.org).hub.members(channel, limit))
    }

    /// A member of a channel; none if the identity is not present there.
    ///
    /// # Errors
    /// The caller may not see it.
    pub fn member(
        &self,
        caller: &Caller,
        channel: &ChannelId,
        identity: &Identity,
    ) -> Result<Option<Member>, Refused> {
        caller.may(Permission::Presence, channel)?;
        Ok(self.org(&caller.org).hub.member(channel, identity))
    }

    /// The channels on which an identity is present: at most `limit` of those whose presence the caller may see.
    pub fn channels_of(&self, caller: &Caller, identity: &Identity, limit: usize) -> Vec<Arc<ChannelId>> {
        let shown = |channel: &ChannelId| caller.may(Permission::Presence, channel).is_ok();
        self.org(&caller.org).hub.channels_of(identity, limit, shown)
    }

    /// The channels on which somebody is present, and how many are: at most `limit` of those whose presence the caller may see.
    pub fn occupied(&self, caller: &Caller, limit: usize) -> Vec<(Arc<ChannelId>, usize)> {
        let shown = |channel: &ChannelId| caller.may(Permission::Presence, channel).is_ok();
        self.org(&caller.org).hub.occupied(limit, shown)
    }

    /// Counts a session as present.
    ///
    /// # Errors
    /// The caller may not be, or the channel counts nobody (more).
    pub fn join(
        &self,
        caller: &Caller,
        channel: &Arc<ChannelId>,
        session: SessionId,
        state: Option<RawJson>,
    ) -> Result<(), PresenceFailed> {
        permit(caller, channel, state.as_ref())?;
        let hub = &self.org(&caller.org).hub;
        Ok(hub.join(channel, &caller.identity, session, state, self.now())?)
    }

    /// Ends a session's presence, by its word.
    pub fn leave(&self, caller: &Caller, channel: &Arc<ChannelId>, session: SessionId) {
        let hub = &self.org(&caller.org).hub;
        hub.leave(channel, &caller.identity, session, Departure::Left, self.now());
    }

    /// A session has broken off: it counts as present for the grace time.
    pub fn lost(&self, caller: &Caller, channel: &Arc<ChannelId>, session: SessionId) {
        let now = self.now();
        let until = now.monotonic + self.settings.presence_grace;
        let hub = &self.org(&caller.org).hub;
        hub.leave(channel, &caller.identity, session, Departure::Lost { until }, now);
    }

    /// Counts an identity as present for `ttl`, without a session.
    ///
    /// # Errors
    /// The caller may not be, or the channel counts nobody (more).
    pub fn heartbeat(
        &self,
        caller: &Caller,
        channel: &Arc<ChannelId>,
        ttl: Duration,
        state: Option<RawJson>,
    ) -> Result<(), PresenceFailed> {
        permit(caller, channel, state.as_ref())?;
        let hub = &self.org(&caller.org).hub;
        Ok(hub.heartbeat(channel, &caller.identity, ttl, state, self.now())?)
    }

    /// Ends what [`Node::heartbeat`] began.
    ///
    /// # Errors
    /// The caller may not.
    pub fn depart(&self, caller: &Caller, channel: &Arc<ChannelId>) -> Result<(), PresenceFailed> {
        permit(caller, channel, None)?;
        self.org(&caller.org).hub.depart(channel, &caller.identity, self.now());
        Ok(())
    }

    /// Sets the state of a member; none clears it.
    ///
    /// # Errors
    /// The caller may not, is not present, or the state is too long.
    pub fn set_state(
        &self,
        caller: &Caller,
        channel: &Arc<ChannelId>,
        state: Option<RawJson>,
    ) -> Result<(), PresenceFailed> {
        permit(caller, channel, state.as_ref())?;
        let hub = &self.org(&caller.org).hub;
        Ok(hub.set_state(channel, &caller.identity, state, self.now())?)
    }
}

fn permit(caller: &Caller, channel: &ChannelId, state: Option<&RawJson>) -> Result<(), PresenceFailed> {
    caller.may(Permission::Presence, channel)?;
    let max = caller.limits.presence_state_bytes_max;
    match state.map(|state| state.as_bytes().len()) {
        Some(bytes) if bytes > max => Err(PresenceFailed::StateTooLarge { bytes, max }),
        _ => Ok(()),
    }
}
