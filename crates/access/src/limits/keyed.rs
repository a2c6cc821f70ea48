use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use antiphon_model::{Identity, Monotonic};
use parking_lot::Mutex;

use crate::AtomicGcra;

/// How long a full table waits before it looks for idle limiters again: what a flood of keys can make us search.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The limiters of an org's identities.
pub type IdentityLimits = KeyedLimits<Identity>;

/// A limiter for each key: an identity or an address. It is shared by all that one of them does.
///
/// Bounded: a limiter is forgotten when nobody holds it and it would decide like a fresh one. When there are
/// as many as there may be and none can be forgotten, further keys share one limiter, so that a client
/// that changes its name with each request gains nothing by it.
#[derive(Debug)]
pub struct KeyedLimits<K> {
    capacity: usize,
    overflow: Arc<AtomicGcra>,
    table: Mutex<Table<K>>,
}

#[derive(Debug)]
struct Table<K> {
    limiters: HashMap<K, Arc<AtomicGcra>>,
    sweep_from: Monotonic,
}

impl<K: Clone + Eq + Hash> KeyedLimits<K> {
    /// Limiters for at most `capacity` keys at once.
    pub fn new(capacity: usize) -> KeyedLimits<K> {
        let table = Table { limiters: HashMap::new(), sweep_from: Monotonic::default() };
        KeyedLimits { capacity, overflow: Arc::default(), table: Mutex::new(table) }
    }

    /// The limiter of `key`. Who keeps it asks once.
    pub fn limiter(&self, key: &K, now: Monotonic) -> Arc<AtomicGcra> {
        let mut table = self.table.lock();
        if let Some(limiter) = table.limiters.get(key) {
            return Arc::clone(limiter);
        }
        if table.limiters.len() >= self.capacity {
            table.sweep(now);
        }
        if table.limiters.len() >= self.capacity {
            return Arc::clone(&self.overflow);
        }
        let limiter = Arc::<AtomicGcra>::default();
        table.limiters.insert(key.clone(), Arc::clone(&limiter));
        limiter
    }

    /// How many keys have their own limiter.
    pub fn len(&self) -> usize {
        self.table.lock().limiters.len()
    }

    /// Whether no key has one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K: Eq + Hash> Table<K> {
    fn sweep(&mut self, now: Monotonic) {
        if now < self.sweep_from {
            return;
        }
        self.sweep_from = now + SWEEP_EVERY;
        // Under the table's lock nobody can take a second reference to a limiter that has only this one.
        self.limiters.retain(|_, limiter| Arc::strong_count(limiter) > 1 || !limiter.is_idle(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rate;
    use antiphon_model::IdentityKind;

    fn identity(name: &str) -> Identity {
        Identity::new(IdentityKind::User, name)
    }

    fn at(millis: u64) -> Monotonic {
        Monotonic(Duration::from_millis(millis))
    }

    #[test]
    fn an_identity_has_one_limiter_over_all_its_sessions() {
        let limits = IdentityLimits::new(10);
        let rate = Rate::new(1.0, 1).unwrap();
        assert!(limits.limiter(&identity("a"), at(0)).check(at(0), rate, 1).is_ok());
        assert!(limits.limiter(&identity("a"), at(0)).check(at(0), rate, 1).is_err());
        assert!(limits.limiter(&identity("b"), at(0)).check(at(0), rate, 1).is_ok());
        let device = Identity::new(IdentityKind::Device, "a");
        assert!(limits.limiter(&device, at(0)).check(at(0), rate, 1).is_ok());
    }

    #[test]
    fn a_full_table_forgets_the_idle_and_makes_the_rest_share() {
        let limits = IdentityLimits::new(2);
        let rate = Rate::new(1.0, 1).unwrap();
        let held = limits.limiter(&identity("held"), at(0));
        limits.limiter(&identity("busy"), at(0)).check(at(0), rate, 1).unwrap();

        // Neither can go: new names share, and together get one.
        assert!(limits.limiter(&identity("x"), at(10)).check(at(10), rate, 1).is_ok());
        assert!(limits.limiter(&identity("y"), at(10)).check(at(10), rate, 1).is_err());
        assert_eq!(limits.len(), 2);

        // A second later `busy` is idle, and its place is free.
        let own = limits.limiter(&identity("x"), at(1010));
        assert!(!Arc::ptr_eq(&own, &limits.overflow));
        assert!(Arc::ptr_eq(&held, &limits.limiter(&identity("held"), at(1010))));
        assert_eq!(limits.len(), 2);
    }

    #[test]
    fn a_flood_of_names_is_searched_once_a_second() {
        let limits = IdentityLimits::new(1);
        let held = limits.limiter(&identity("held"), at(0));
        let _ = limits.limiter(&identity("x"), at(0));
        drop(held);
        assert!(Arc::ptr_eq(&limits.overflow, &limits.limiter(&identity("x"), at(999))));
        assert!(!Arc::ptr_eq(&limits.overflow, &limits.limiter(&identity("x"), at(1000))));
    }
}
