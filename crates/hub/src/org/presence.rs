//! Who is on the channels of an org, and telling of it.

use std::sync::Arc;
use std::time::Duration;

use antiphon_model::{ChannelId, Draft, Identity, Kind, Now, Payload, RawJson, SessionId};

use super::Org;
use super::state::State;
use crate::presence::{Arrival, Happened, PresenceEvent};
use crate::{ChannelUid, Departure, Hold, Member, PresenceError};

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
        let mut state = self.lock();
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
        self.tell(&mut state, uid, change.event, now);
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
        let mut state = self.lock();
        let Some(channel) = state.channels.get_mut(id) else { return };
        let uid = channel.uid;
        let change = channel.presence.leave(identity, session, departure);
        state.linger(uid, identity, &change, &self.shared);
        self.tell(&mut state, uid, change.event, now);
        state.fade_if_idle(uid, now.monotonic, &self.shared);
    }

    /// Ends the presence that [`Org::heartbeat`] gave, by the client's own word.
    pub fn depart(&self, id: &Arc<ChannelId>, identity: &Arc<Identity>, now: Now) {
        let mut state = self.lock();
        let Some(channel) = state.channels.get_mut(id) else { return };
        let uid = channel.uid;
        let change = channel.presence.depart(identity);
        state.linger(uid, identity, &change, &self.shared);
        self.tell(&mut state, uid, change.event, now);
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
        let mut state = self.lock();
        let channel = state.channels.get_mut(id).ok_or(PresenceError::NotPresent)?;
        let uid = channel.uid;
        let event = channel.presence.set_state(identity, member_state)?;
        self.tell(&mut state, uid, Some(event), now);
        Ok(())
    }

    /// Who is on a channel: how many, and at most `limit` of them.
    pub fn members(&self, id: &ChannelId, limit: usize) -> (usize, Vec<Member>) {
        let state = self.lock();
        state.channels.get(id).map_or((0, Vec::new()), |channel| {
            (channel.presence.occupancy(), channel.presence.members(limit))
        })
    }

    /// Notes what happened to a member, and tells of it: at once, or on a crowded channel with what else happens within some time.
    pub(super) fn tell(&self, state: &mut State, uid: ChannelUid, event: Option<PresenceEvent>, now: Now) {
        let Some(event) = event else { return };
        match event.happened {
            Happened::Join => state.whereabouts.came(&event.identity, uid),
            Happened::Leave | Happened::Timeout => {
                state.whereabouts.went(&event.identity, uid, event.occupancy);
            }
            Happened::State => {}
        }
        let Some(channel) = state.by_uid(uid) else { return };
        let settings = &self.shared.settings;
        // What is told together is told before what comes after it.
        let crowded = event.occupancy > settings.presence_announce_max || channel.presence.interval.is_some();
        if crowded && event.happened != Happened::State {
            let first = channel.presence.interval.is_none();
            let interval = channel.presence.interval.get_or_insert_default();
            interval.note(&event.identity, event.happened, settings.presence_interval_bytes_max);
            if first {
                let due = now.monotonic + settings.presence_interval;
                state.intervals.push_back((due, uid));
                self.shared.note_deadline(due);
            }
            return;
        }
        let mut draft = Draft::new(Arc::new(channel.id.presence()), Payload::Json(event.payload(now)));
        draft.kind = Kind::Presence;
        draft.name = Some(event.happened.as_str().into());
        draft.publisher = Some(event.identity);
        self.enter(state, draft, Hold::No, now);
    }

    /// Tells who came and went on crowded channels.
    pub(super) fn tell_intervals(&self, state: &mut State, now: Now) {
        while let Some((_, uid)) = state.intervals.pop_front_if(|(due, _)| *due <= now.monotonic) {
            let Some(channel) = state.by_uid(uid) else { continue };
            let Some(interval) = channel.presence.interval.take() else { continue };
            if let Some(payload) = interval.payload(channel.presence.occupancy(), now) {
                let mut draft = Draft::new(Arc::new(channel.id.presence()), Payload::Json(payload));
                draft.kind = Kind::Presence;
                draft.name = Some("interval".into());
                self.enter(state, draft, Hold::No, now);
            }
            state.fade_if_idle(uid, now.monotonic, &self.shared);
        }
    }
}
