//! Who is on the channels of an org, and telling of it.

use std::sync::Arc;
use std::time::Duration;

use antiphon_model::{ChannelId, Draft, Identity, Kind, Now, Payload, RawJson, SessionId};

use super::Org;
use super::state::State;
use crate::presence::{Arrival, PresenceEvent};
use crate::{Departure, Hold, Member, PresenceError};

impl Org {
    /// Counts a session of an identity as present.
    ///
    /// # Errors
    /// Presence is off there, or a limit is reached.
    pub fn join(
        &self,
        id: &Arc<ChannelId>,
        identity: &Arc<Identity>,
        session: SessionId,
        member_state: Option<RawJson>,
        now: Now,
    ) -> Result<(), PresenceError> {
        self.arrive(id, identity, Arrival::Session(session), member_state, now)
    }

    /// Counts an identity as present for `ttl`, for clients that have no session. To be repeated.
    ///
    /// # Errors
    /// Presence is off there, or a limit is reached.
    pub fn heartbeat(
        &self,
        id: &Arc<ChannelId>,
        identity: &Arc<Identity>,
        ttl: Duration,
        member_state: Option<RawJson>,
        now: Now,
    ) -> Result<(), PresenceError> {
        self.arrive(id, identity, Arrival::Heartbeat(now.monotonic + ttl), member_state, now)
    }

    fn arrive(
        &self,
        id: &Arc<ChannelId>,
        identity: &Arc<Identity>,
        arrival: Arrival,
        member_state: Option<RawJson>,
        now: Now,
    ) -> Result<(), PresenceError> {
        let mut state = self.state.lock();
        if !self.rule(id).presence {
            return Err(PresenceError::Off);
        }
        state.room_for(id, self).map_err(|_| PresenceError::TooManyChannels)?;
        let channel = state.open(id, self);
        let (uid, presence) = (channel.uid, &mut channel.presence);
        if presence.occupancy() >= self.shared.settings.members_max && !presence.contains(identity) {
            state.fade_if_idle(uid, now.monotonic, &self.shared);
            return Err(PresenceError::TooManyMembers);
        }
        let change = presence.join(identity, arrival, member_state);
        state.linger(uid, identity, &change, &self.shared);
        self.tell(&mut state, id, change.event, now);
        Ok(())
    }

    /// Ends a session's presence.
    pub fn leave(
        &self,
        id: &Arc<ChannelId>,
        identity: &Arc<Identity>,
        session: SessionId,
        departure: Departure,
        now: Now,
    ) {
        let mut state = self.state.lock();
        let Some(channel) = state.channels.get_mut(id) else { return };
        let uid = channel.uid;
        let change = channel.presence.leave(identity, session, departure);
        state.linger(uid, identity, &change, &self.shared);
        self.tell(&mut state, id, change.event, now);
        state.fade_if_idle(uid, now.monotonic, &self.shared);
    }

    /// Ends the presence that [`Org::heartbeat`] gave, by the client's own word.
    pub fn depart(&self, id: &Arc<ChannelId>, identity: &Arc<Identity>, now: Now) {
        let mut state = self.state.lock();
        let Some(channel) = state.channels.get_mut(id) else { return };
        let uid = channel.uid;
        let change = channel.presence.depart(identity);
        state.linger(uid, identity, &change, &self.shared);
        self.tell(&mut state, id, change.event, now);
        state.fade_if_idle(uid, now.monotonic, &self.shared);
    }

    /// Sets the state of a member.
    ///
    /// # Errors
    /// The identity is not present there.
    pub fn set_state(
        &self,
        id: &Arc<ChannelId>,
        identity: &Arc<Identity>,
        member_state: Option<RawJson>,
        now: Now,
    ) -> Result<(), PresenceError> {
        let mut state = self.state.lock();
        let channel = state.channels.get_mut(id).ok_or(PresenceError::NotPresent)?;
        let event = channel.presence.set_state(identity, member_state)?;
        self.tell(&mut state, id, Some(event), now);
        Ok(())
    }

    /// Who is on a channel: how many, and at most `limit` of them.
    pub fn members(&self, id: &ChannelId, limit: usize) -> (usize, Vec<Member>) {
        let state = self.state.lock();
        state.channels.get(id).map_or((0, Vec::new()), |channel| {
            (channel.presence.occupancy(), channel.presence.members(limit))
        })
    }

    pub(super) fn tell(&self, state: &mut State, id: &ChannelId, event: Option<PresenceEvent>, now: Now) {
        let Some(event) = event else { return };
        let mut draft = Draft::new(Arc::new(id.presence()), Payload::Json(event.payload(now)));
        draft.kind = Kind::Presence;
        draft.name = Some(event.name.into());
        draft.publisher = Some(event.identity);
        self.enter(state, draft, Hold::No, now);
    }
}
