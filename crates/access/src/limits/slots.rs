use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::OnceLock;

use parking_lot::Mutex;

/// How many slots a key can be in.
const WAYS: usize = 8;

/// One number for each of many keys, of which those with the lowest numbers are forgotten for others: zero is as good as not being there.
///
/// Takes 16 bytes a key, and none before the first comes. Keys are known by a keyed hash of 64 bits alone, so that what peers send is
/// not kept, and none can choose with whom he shares a slot.
#[derive(Debug)]
pub(super) struct Slots {
    sets: usize,
    hasher: RandomState,
    table: OnceLock<Box<[Mutex<Set>]>>,
}

/// What stands for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(u64);

type Set = [Slot; WAYS];

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    mark: u64,
    number: u64,
}

impl Slots {
    /// Room for about `capacity` keys.
    pub(super) fn new(capacity: usize) -> Slots {
        Slots { sets: capacity.div_ceil(WAYS).max(1), hasher: RandomState::new(), table: OnceLock::new() }
    }

    pub(super) fn mark(&self, key: &impl Hash) -> Mark {
        Mark(self.hasher.hash_one(key))
    }

    /// Whether nothing was ever put in.
    pub(super) fn is_untouched(&self) -> bool {
        self.table.get().is_none()
    }

    /// A key's number; zero if it is not there.
    pub(super) fn number(&self, mark: Mark) -> u64 {
        let Some(table) = self.table.get() else { return 0 };
        let set = table[self.set(mark)].lock();
        set.iter().find(|slot| slot.mark == mark.0).map_or(0, |slot| slot.number)
    }

    /// Changes a key's number, which is zero if it is not there. Nobody else changes it meanwhile.
    pub(super) fn change<R>(&self, mark: Mark, change: impl FnOnce(&mut u64) -> R) -> R {
        let table = self.table.get_or_init(|| (0..self.sets).map(|_| Mutex::default()).collect());
        let mut set = table[self.set(mark)].lock();
        let at = set.iter().position(|slot| slot.mark == mark.0);
        let mut number = at.map_or(0, |at| set[at].number);
        let result = change(&mut number);
        let lowest = || (0..WAYS).min_by_key(|at| set[*at].number).unwrap_or(0);
        let at = at.unwrap_or_else(lowest);
        set[at] = Slot { mark: mark.0, number };
        result
    }

    fn set(&self, Mark(mark): Mark) -> usize {
        (mark % self.sets as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_by_key() {
        let slots = Slots::new(1000);
        assert!(slots.is_untouched());
        assert_eq!(slots.number(slots.mark(&"a")), 0);
        for key in 0..100_u64 {
            slots.change(slots.mark(&key), |number| *number = key + 1);
        }
        for key in 0..100_u64 {
            assert_eq!(slots.number(slots.mark(&key)), key + 1);
        }
        assert!(!slots.is_untouched());
    }

    #[test]
    fn the_lowest_are_forgotten_when_there_is_no_room() {
        let slots = Slots::new(1);
        for key in 1..=WAYS as u64 {
            slots.change(slots.mark(&key), |number| *number = key * 10);
        }
        slots.change(slots.mark(&"one more"), |number| *number = 1000);
        assert_eq!(slots.number(slots.mark(&1_u64)), 0);
        for key in 2..=WAYS as u64 {
            assert_eq!(slots.number(slots.mark(&key)), key * 10);
        }
        // What comes and goes costs the same slot again and again.
        slots.change(slots.mark(&"low"), |number| *number = 1);
        slots.change(slots.mark(&"lower"), |number| *number = 1);
        assert_eq!(slots.number(slots.mark(&"one more")), 1000);
    }
}
