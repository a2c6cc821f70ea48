use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};

use antiphon_model::{OrgId, RawJson};
use parking_lot::Mutex;

/// States that were set before their member came: it has them when it does.
pub(crate) struct States {
    kept: Mutex<Kept>,
    /// How many there are, for those who would look for one: mostly none.
    count: AtomicUsize,
    max: usize,
}

#[derive(Default)]
struct Kept {
    states: HashMap<Key, RawJson, foldhash::fast::RandomState>,
    /// The oldest first; some of them may be gone.
    order: VecDeque<Key>,
}

/// Whose state, and where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    org: OrgId,
    channel: Box<str>,
    uuid: Box<str>,
}

impl States {
    /// Keeps so many; beyond them the oldest are forgotten.
    pub(crate) fn new(max: usize) -> States {
        States { kept: Mutex::default(), count: AtomicUsize::new(0), max }
    }

    pub(crate) fn keep(&self, org: &OrgId, channel: &str, uuid: &str, state: RawJson) {
        let key = Key { org: org.clone(), channel: channel.into(), uuid: uuid.into() };
        let mut kept = self.kept.lock();
        let Kept { states, order } = &mut *kept;
        if states.insert(key.clone(), state).is_none() {
            order.push_back(key);
        }
        while states.len() > self.max || order.len() > 2 * self.max {
            let Some(oldest) = order.pop_front() else { break };
            states.remove(&oldest);
        }
        self.count.store(states.len(), Ordering::Relaxed);
    }

    pub(crate) fn of(&self, org: &OrgId, channel: &str, uuid: &str) -> Option<RawJson> {
        self.look(org, channel, uuid, |kept, key| kept.states.get(key).cloned())
    }

    pub(crate) fn take(&self, org: &OrgId, channel: &str, uuid: &str) -> Option<RawJson> {
        self.look(org, channel, uuid, |kept, key| {
            let taken = kept.states.remove(key);
            self.count.store(kept.states.len(), Ordering::Relaxed);
            taken
        })
    }

    fn look(
        &self,
        org: &OrgId,
        channel: &str,
        uuid: &str,
        look: impl FnOnce(&mut Kept, &Key) -> Option<RawJson>,
    ) -> Option<RawJson> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let key = Key { org: org.clone(), channel: channel.into(), uuid: uuid.into() };
        look(&mut self.kept.lock(), &key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(number: usize) -> RawJson {
        RawJson::from_serializer(format!("{{\"n\":{number}}}"))
    }

    #[test]
    fn a_state_is_kept_until_it_is_taken() {
        let (states, org) = (States::new(10), OrgId::new("demo"));
        assert_eq!(states.of(&org, "a", "ann"), None);
        states.keep(&org, "a", "ann", state(1));
        states.keep(&org, "a", "ann", state(2));
        assert_eq!(states.of(&org, "a", "ann"), Some(state(2)));
        assert_eq!(states.of(&org, "a", "bob"), None);
        assert_eq!(states.take(&OrgId::new("other"), "a", "ann"), None);
        assert_eq!(states.take(&org, "a", "ann"), Some(state(2)));
        assert_eq!(states.take(&org, "a", "ann"), None);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let (states, org) = (States::new(2), OrgId::new("demo"));
        for number in 0..100 {
            states.keep(&org, "a", &number.to_string(), state(number));
            if number % 3 == 0 {
                states.take(&org, "a", &number.to_string());
            }
        }
        let kept = states.kept.lock();
        assert!(kept.states.len() <= 2 && kept.order.len() <= 4);
        assert!(kept.states.values().any(|kept| *kept == state(98)));
    }
}
