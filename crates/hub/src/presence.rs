use std::collections::HashMap;
use std::sync::Arc;

use antiphon_model::{Identity, Monotonic, Now, RawJson, SessionId};
use smallvec::SmallVec;

/// How a session goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It said so: a `leave` at once.
    Left,
    /// It broke off and may come back: a `timeout`, if it has not by this time.
    Lost {
        /// Until when it counts as present.
        until: Monotonic,
    },
}

/// Somebody who is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub identity: Arc<Identity>,
    /// In what state, if a client set one.
    pub state: Option<RawJson>,
    /// In how many sessions.
    pub sessions: usize,
}

/// Why presence cannot be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresenceError {
    /// The channel's rule says so.
    #[error("presence is off on this channel (its rule says `presence = false`)")]
    Off,
    /// The channel has as many members as it may.
    #[error("this channel has as many members as one may have")]
    TooManyMembers,
    /// Only who is present has a state.
    #[error("this identity is not present on the channel: join it first")]
    NotPresent,
    /// The org has as many channels as it may.
    #[error("this org has as many channels as it may have")]
    TooManyChannels,
}

/// Something that members and onlookers are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PresenceEvent {
    /// `join`, `leave`, `timeout` or `state`.
    pub(crate) name: &'static str,
    pub(crate) identity: Arc<Identity>,
    pub(crate) state: Option<RawJson>,
    pub(crate) occupancy: usize,
}

impl PresenceEvent {
    /// The JSON that onlookers get: `{"identity","occupancy","timestamp","state"?}`.
    pub(crate) fn payload(&self, now: Now) -> RawJson {
        let identity = serde_json::Value::from(&*self.identity.id);
        let (occupancy, timestamp) = (self.occupancy, now.wall.as_secs());
        let state =
            self.state.as_ref().map(|state| format!(",\"state\":{}", state.as_str())).unwrap_or_default();
        RawJson::from_serializer(format!(
            "{{\"identity\":{identity},\"occupancy\":{occupancy},\"timestamp\":{timestamp}{state}}}"
        ))
    }
}

/// Who is on a channel, counted by identity.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    members: HashMap<Arc<Identity>, Here, foldhash::fast::RandomState>,
}

#[derive(Debug, Default)]
struct Here {
    sessions: SmallVec<[SessionId; 1]>,
    state: Option<RawJson>,
    /// Counts as present until then, though it has no session.
    lingers: Option<Monotonic>,
}

/// Presence while a session or heartbeat is added: what changed.
pub(crate) struct Joined {
    pub(crate) event: Option<PresenceEvent>,
    /// A deadline that no longer holds.
    pub(crate) cancelled: Option<Monotonic>,
}

impl Presence {
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn occupancy(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn contains(&self, identity: &Identity) -> bool {
        self.members.contains_key(identity)
    }

    pub(crate) fn members(&self, limit: usize) -> Vec<Member> {
        let member = |(identity, here): (&Arc<Identity>, &Here)| Member {
            identity: Arc::clone(identity),
            state: here.state.clone(),
            sessions: here.sessions.len(),
        };
        let mut members: Vec<Member> = self.members.iter().take(limit).map(member).collect();
        members.sort_by(|a, b| a.identity.cmp(&b.identity));
        members
    }

    fn event(&self, name: &'static str, identity: &Arc<Identity>, state: Option<RawJson>) -> PresenceEvent {
        PresenceEvent { name, identity: Arc::clone(identity), state, occupancy: self.members.len() }
    }

    /// Adds a session, or keeps the identity here until `lingers` without one.
    pub(crate) fn join(
        &mut self,
        identity: &Arc<Identity>,
        session: Option<SessionId>,
        lingers: Option<Monotonic>,
        state: Option<RawJson>,
    ) -> Joined {
        let new = !self.contains(identity);
        let here = self.members.entry(Arc::clone(identity)).or_default();
        if let Some(session) = session
            && !here.sessions.contains(&session)
        {
            here.sessions.push(session);
        }
        let cancelled = std::mem::replace(&mut here.lingers, lingers);
        let changed = state.is_some() && here.state != state;
        if changed {
            here.state.clone_from(&state);
        }
        let event = match (new, changed) {
            (true, _) => Some(self.event("join", identity, state)),
            (false, true) => Some(self.event("state", identity, state)),
            (false, false) => None,
        };
        Joined { event, cancelled }
    }

    /// Ends a session. A deadline comes back if the identity lingers because of it.
    pub(crate) fn leave(
        &mut self,
        identity: &Arc<Identity>,
        session: SessionId,
        departure: Departure,
    ) -> (Option<PresenceEvent>, Option<Monotonic>) {
        let Some(here) = self.members.get_mut(identity) else { return (None, None) };
        let Some(at) = here.sessions.iter().position(|one| *one == session) else { return (None, None) };
        here.sessions.swap_remove(at);
        if !here.sessions.is_empty() || here.lingers.is_some() {
            return (None, None);
        }
        match departure {
            Departure::Left => (self.remove("leave", identity), None),
            Departure::Lost { until } => {
                here.lingers = Some(until);
                (None, Some(until))
            }
        }
    }

    /// Ends what keeps an identity here without a session, by its own word.
    pub(crate) fn depart(&mut self, identity: &Arc<Identity>) -> (Option<PresenceEvent>, Option<Monotonic>) {
        let Some(here) = self.members.get_mut(identity) else { return (None, None) };
        let cancelled = here.lingers.take();
        let event = if here.sessions.is_empty() { self.remove("leave", identity) } else { None };
        (event, cancelled)
    }

    /// The time `deadline` came: whoever lingered until then is gone.
    pub(crate) fn lapse(&mut self, identity: &Arc<Identity>, deadline: Monotonic) -> Option<PresenceEvent> {
        let here = self.members.get_mut(identity)?;
        if here.lingers != Some(deadline) {
            return None;
        }
        here.lingers = None;
        if here.sessions.is_empty() { self.remove("timeout", identity) } else { None }
    }

    pub(crate) fn set_state(
        &mut self,
        identity: &Arc<Identity>,
        state: Option<RawJson>,
    ) -> Result<PresenceEvent, PresenceError> {
        let here = self.members.get_mut(identity).ok_or(PresenceError::NotPresent)?;
        here.state.clone_from(&state);
        Ok(self.event("state", identity, state))
    }

    fn remove(&mut self, name: &'static str, identity: &Arc<Identity>) -> Option<PresenceEvent> {
        let here = self.members.remove(identity)?;
        Some(self.event(name, identity, here.state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_model::IdentityKind;
    use std::time::Duration;

    fn at(secs: u64) -> Monotonic {
        Monotonic(Duration::from_secs(secs))
    }

    fn ann() -> Arc<Identity> {
        Arc::new(Identity::new(IdentityKind::User, "ann"))
    }

    fn name(event: &Option<PresenceEvent>) -> Option<(&'static str, usize)> {
        event.as_ref().map(|event| (event.name, event.occupancy))
    }

    #[test]
    fn an_identity_joins_once_and_leaves_with_its_last_session() {
        let mut presence = Presence::default();
        let joined = presence.join(&ann(), Some(SessionId(1)), None, None);
        assert_eq!(name(&joined.event), Some(("join", 1)));
        assert_eq!(name(&presence.join(&ann(), Some(SessionId(2)), None, None).event), None);
        assert_eq!(name(&presence.leave(&ann(), SessionId(1), Departure::Left).0), None);
        assert_eq!(name(&presence.leave(&ann(), SessionId(1), Departure::Left).0), None);
        assert_eq!(name(&presence.leave(&ann(), SessionId(2), Departure::Left).0), Some(("leave", 0)));
    }

    #[test]
    fn who_is_lost_times_out_unless_he_returns() {
        let mut presence = Presence::default();
        let lost = Departure::Lost { until: at(10) };
        presence.join(&ann(), Some(SessionId(1)), None, None);
        assert_eq!(presence.leave(&ann(), SessionId(1), lost).1, Some(at(10)));
        let joined = presence.join(&ann(), Some(SessionId(2)), None, None);
        assert_eq!((name(&joined.event), joined.cancelled), (None, Some(at(10))));
        assert_eq!(presence.lapse(&ann(), at(10)), None);
        presence.leave(&ann(), SessionId(2), Departure::Lost { until: at(20) });
        assert_eq!(name(&presence.lapse(&ann(), at(20))), Some(("timeout", 0)));
    }

    #[test]
    fn state_is_told_when_it_changes_and_only_for_who_is_here() {
        let mut presence = Presence::default();
        let state = Some(RawJson::from_serializer("{\"mood\":1}"));
        assert_eq!(presence.set_state(&ann(), state.clone()), Err(PresenceError::NotPresent));
        let joined = presence.join(&ann(), None, Some(at(5)), state.clone());
        assert_eq!(name(&joined.event), Some(("join", 1)));
        assert_eq!(presence.join(&ann(), None, Some(at(9)), state).event, None);
        let other = Some(RawJson::from_serializer("{}"));
        assert_eq!(name(&presence.join(&ann(), None, Some(at(9)), other).event), Some(("state", 1)));
        assert_eq!(presence.lapse(&ann(), at(5)), None);
    }
}
