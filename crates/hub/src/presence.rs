mod interval;

use std::collections::HashMap;
use std::sync::Arc;

use antiphon_model::{Identity, Monotonic, Now, RawJson, SessionId};
use smallvec::SmallVec;

pub(crate) use self::interval::Interval;

/// How a session goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It said so: a `leave` at once, unless another session or a heartbeat keeps the identity here.
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

/// What happened to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    Join,
    Leave,
    Timeout,
    State,
}

impl Happened {
    /// The name of the event.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Happened::Join => "join",
            Happened::Leave => "leave",
            Happened::Timeout => "timeout",
            Happened::State => "state",
        }
    }
}

/// Something that members and onlookers are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PresenceEvent {
    pub(crate) happened: Happened,
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
    /// Who came and went, as long as that is to be told in one event.
    pub(crate) interval: Option<Box<Interval>>,
}

#[derive(Debug, Default)]
struct Here {
    sessions: SmallVec<[SessionId; 1]>,
    state: Option<RawJson>,
    /// Until when a lost session may come back.
    grace: Option<Monotonic>,
    /// Until when the last heartbeat counts. Apart from `grace`: a session that returns ends only that.
    heartbeat: Option<Monotonic>,
}

impl Here {
    /// Counts as present until then, though it has no session.
    fn lingers(&self) -> Option<Monotonic> {
        self.grace.max(self.heartbeat)
    }
}

/// What makes an identity present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// A session, until it ends.
    Session(SessionId),
    /// A heartbeat, until this time.
    Heartbeat(Monotonic),
}

/// What a change did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) event: Option<PresenceEvent>,
    /// Until when the identity lingered before.
    pub(crate) before: Option<Monotonic>,
    /// Until when it does from here on.
    pub(crate) after: Option<Monotonic>,
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
        let mut members: Vec<Member> = self.members.iter().take(limit).map(member).collect();
        members.sort_by(|a, b| a.identity.cmp(&b.identity));
        members
    }

    pub(crate) fn member(&self, identity: &Identity) -> Option<Member> {
        self.members.get_key_value(identity).map(member)
    }

    fn event(&self, happened: Happened, identity: &Arc<Identity>, state: Option<RawJson>) -> PresenceEvent {
        PresenceEvent { happened, identity: Arc::clone(identity), state, occupancy: self.members.len() }
    }

    /// Adds a session, or keeps the identity here without one for a time.
    pub(crate) fn join(
        &mut self,
        identity: &Arc<Identity>,
        arrival: Arrival,
        state: Option<RawJson>,
    ) -> Change {
        let new = !self.contains(identity);
        let here = self.members.entry(Arc::clone(identity)).or_default();
        let before = here.lingers();
        match arrival {
            Arrival::Session(session) => {
                if !here.sessions.contains(&session) {
                    here.sessions.push(session);
                }
                here.grace = None;
            }
            Arrival::Heartbeat(until) => here.heartbeat = Some(until),
        }
        let after = here.lingers();
        let changed = state.is_some() && here.state != state;
        if changed {
            here.state.clone_from(&state);
        }
        let event = match (new, changed) {
            (true, _) => Some(self.event(Happened::Join, identity, state)),
            (false, true) => Some(self.event(Happened::State, identity, state)),
            (false, false) => None,
        };
        Change { event, before, after }
    }

    /// Ends a session.
    pub(crate) fn leave(
        &mut self,
        identity: &Arc<Identity>,
        session: SessionId,
        departure: Departure,
    ) -> Change {
        let Some(here) = self.members.get_mut(identity) else { return Change::default() };
        let Some(at) = here.sessions.iter().position(|one| *one == session) else { return Change::default() };
        let before = here.lingers();
        here.sessions.swap_remove(at);
        if let Departure::Lost { until } = departure {
            here.grace = here.grace.max(Some(until));
        }
        let after = here.lingers();
        let gone = here.sessions.is_empty() && after.is_none();
        let event = if gone { self.remove(Happened::Leave, identity) } else { None };
        Change { event, before, after }
    }

    /// Ends what keeps an identity here without a session, by its own word.
    pub(crate) fn depart(&mut self, identity: &Arc<Identity>) -> Change {
        let Some(here) = self.members.get_mut(identity) else { return Change::default() };
        let before = here.lingers();
        (here.grace, here.heartbeat) = (None, None);
        let event = if here.sessions.is_empty() { self.remove(Happened::Leave, identity) } else { None };
        Change { event, before, after: None }
    }

    /// The time `deadline` came: whoever lingered until then is gone.
    pub(crate) fn lapse(&mut self, identity: &Arc<Identity>, deadline: Monotonic) -> Option<PresenceEvent> {
        let here = self.members.get_mut(identity)?;
        if here.lingers() != Some(deadline) {
            return None;
        }
        (here.grace, here.heartbeat) = (None, None);
        if here.sessions.is_empty() { self.remove(Happened::Timeout, identity) } else { None }
    }

    pub(crate) fn set_state(
        &mut self,
        identity: &Arc<Identity>,
        state: Option<RawJson>,
    ) -> Result<PresenceEvent, PresenceError> {
        let here = self.members.get_mut(identity).ok_or(PresenceError::NotPresent)?;
        here.state.clone_from(&state);
        Ok(self.event(Happened::State, identity, state))
    }

    fn remove(&mut self, happened: Happened, identity: &Arc<Identity>) -> Option<PresenceEvent> {
        let here = self.members.remove(identity)?;
        Some(self.event(happened, identity, here.state))
    }
}

fn member((identity, here): (&Arc<Identity>, &Here)) -> Member {
    Member { identity: Arc::clone(identity), state: here.state.clone(), sessions: here.sessions.len() }
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
        event.as_ref().map(|event| (event.happened.as_str(), event.occupancy))
    }

    const FIRST: Arrival = Arrival::Session(SessionId(1));
    const SECOND: Arrival = Arrival::Session(SessionId(2));

    #[test]
    fn an_identity_joins_once_and_leaves_with_its_last_session() {
        let mut presence = Presence::default();
        assert_eq!(name(&presence.join(&ann(), FIRST, None).event), Some(("join", 1)));
        assert_eq!(name(&presence.join(&ann(), SECOND, None).event), None);
        assert_eq!(name(&presence.leave(&ann(), SessionId(1), Departure::Left).event), None);
        assert_eq!(name(&presence.leave(&ann(), SessionId(1), Departure::Left).event), None);
        assert_eq!(name(&presence.leave(&ann(), SessionId(2), Departure::Left).event), Some(("leave", 0)));
    }

    #[test]
    fn who_is_lost_times_out_unless_he_returns() {
        let mut presence = Presence::default();
        let lost = Departure::Lost { until: at(10) };
        presence.join(&ann(), FIRST, None);
        assert_eq!(presence.leave(&ann(), SessionId(1), lost).after, Some(at(10)));
        let joined = presence.join(&ann(), SECOND, None);
        assert_eq!((name(&joined.event), joined.before, joined.after), (None, Some(at(10)), None));
        assert_eq!(presence.lapse(&ann(), at(10)), None);
        presence.leave(&ann(), SessionId(2), Departure::Lost { until: at(20) });
        assert_eq!(name(&presence.lapse(&ann(), at(20))), Some(("timeout", 0)));
    }

    #[test]
    fn who_is_lost_in_one_session_stays_when_the_other_leaves() {
        let mut presence = Presence::default();
        presence.join(&ann(), FIRST, None);
        presence.join(&ann(), SECOND, None);
        presence.leave(&ann(), SessionId(1), Departure::Lost { until: at(10) });
        assert_eq!(presence.leave(&ann(), SessionId(2), Departure::Left).event, None);
        assert_eq!(name(&presence.lapse(&ann(), at(10))), Some(("timeout", 0)));
    }

    #[test]
    fn of_several_lost_sessions_the_longest_grace_counts() {
        let mut presence = Presence::default();
        presence.join(&ann(), FIRST, None);
        presence.join(&ann(), SECOND, None);
        presence.leave(&ann(), SessionId(1), Departure::Lost { until: at(10) });
        let lost = presence.leave(&ann(), SessionId(2), Departure::Lost { until: at(5) });
        assert_eq!(lost.after, Some(at(10)));
    }

    #[test]
    fn a_session_and_a_heartbeat_each_keep_the_identity_here() {
        let mut presence = Presence::default();
        presence.join(&ann(), Arrival::Heartbeat(at(10)), None);
        presence.join(&ann(), FIRST, None);
        assert_eq!(presence.leave(&ann(), SessionId(1), Departure::Left).event, None);
        presence.join(&ann(), SECOND, None);
        let lost = presence.leave(&ann(), SessionId(2), Departure::Lost { until: at(30) });
        assert_eq!((lost.before, lost.after), (Some(at(10)), Some(at(30))));
        assert_eq!(presence.lapse(&ann(), at(10)), None);
        assert_eq!(name(&presence.depart(&ann()).event), Some(("leave", 0)));
    }

    #[test]
    fn state_is_told_when_it_changes_and_only_for_who_is_here() {
        let mut presence = Presence::default();
        let state = Some(RawJson::from_serializer("{\"mood\":1}"));
        let beat = Arrival::Heartbeat(at(9));
        assert_eq!(presence.set_state(&ann(), state.clone()), Err(PresenceError::NotPresent));
        let joined = presence.join(&ann(), Arrival::Heartbeat(at(5)), state.clone());
        assert_eq!(name(&joined.event), Some(("join", 1)));
        assert_eq!(presence.join(&ann(), beat, state).event, None);
        let other = Some(RawJson::from_serializer("{}"));
        assert_eq!(name(&presence.join(&ann(), beat, other).event), Some(("state", 1)));
        assert_eq!(presence.lapse(&ann(), at(5)), None);
    }
}
