//! Who comes and goes, and where they are known to be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use antiphon_hub::{Departure, PresenceError};
use antiphon_model::{ChannelId, RawJson, SessionId};

use super::World;
use crate::operation::Presence;

impl World {
    pub(super) fn presence(&mut self, chan: usize, who: usize, what: Presence) {
        let (id, identity, now) = (&self.ids[chan], &self.identities[who], self.now);
        let (reference, key) = (&mut self.reference, (chan, who));
        let off = !reference.specs[chan].presence;
        let allowed = |result| assert_eq!(result, if off { Err(PresenceError::Off) } else { Ok(()) });
        match what {
            Presence::Join { session, state } => {
                allowed(self.org.join(id, identity, SessionId(session), state.map(json), now));
                if !off {
                    reference.arrive(key, Some(session), None, state.map(|n| n.to_string()), now);
                }
            }
            Presence::Heartbeat { millis, state } => {
                let ttl = Duration::from_millis(millis);
                allowed(self.org.heartbeat(id, identity, ttl, state.map(json), now));
                if !off {
                    let until = Some(now.monotonic + ttl);
                    reference.arrive(key, None, until, state.map(|n| n.to_string()), now);
                }
            }
            Presence::Leave { session } => {
                self.org.leave(id, identity, SessionId(session), Departure::Left, now);
                reference.leave(key, session, None, now);
            }
            Presence::Lose { session, millis } => {
                let until = now.monotonic + Duration::from_millis(millis);
                self.org.leave(id, identity, SessionId(session), Departure::Lost { until }, now);
                reference.leave(key, session, Some(until), now);
            }
            Presence::Depart => {
                self.org.depart(id, identity, now);
                reference.depart(key, now);
            }
            Presence::State(state) => {
                let result = self.org.set_state(id, identity, state.map(json), now);
                let here = reference.set_state(key, state.map(|n| n.to_string()), now);
                assert_eq!(result, if here { Ok(()) } else { Err(PresenceError::NotPresent) });
            }
        }
    }

    pub(super) fn check_whereabouts(&self) {
        let reference = &self.reference;
        let chan = |id: &Arc<ChannelId>| self.ids.iter().position(|one| one == id).unwrap();
        for (who, identity) in self.identities.iter().enumerate() {
            let got = self.org.channels_of(identity, usize::MAX, |_| true);
            let got: BTreeSet<_> = got.iter().map(chan).collect();
            let expected = reference.present.keys().filter(|(_, one)| *one == who).map(|(on, _)| *on);
            assert_eq!(got, expected.collect(), "where {who} is");
            let first = got.first().copied();
            let only = |id: &ChannelId| first.is_some_and(|first| *id == *self.ids[first]);
            assert_eq!(self.org.channels_of(identity, 1, only).iter().map(chan).next(), first);
            for on in 0..self.ids.len() {
                let member = self.org.member(&self.ids[on], identity);
                let expected = reference.present.get(&(on, who));
                assert_eq!(
                    member.map(|member| member.state.map(|state| state.as_str().to_owned())),
                    expected.map(|member| member.state.clone())
                );
            }
        }
        let occupied = self.org.occupied(usize::MAX, |_| true);
        let got: BTreeMap<_, _> = occupied.iter().map(|(id, occupancy)| (chan(id), *occupancy)).collect();
        let here = |on| (on, reference.here(on).len());
        let expected = (0..self.ids.len()).map(here).filter(|(_, occupancy)| *occupancy > 0);
        assert_eq!(got, expected.collect());
        assert_eq!(self.org.occupied(1, |_| true).len(), got.len().min(1));
    }
}

fn json(number: u8) -> RawJson {
    RawJson::from_serializer(number.to_string())
}
