use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

/// A map that keeps at most about `capacity` of the entries used last.
///
/// It has a young and an old half: what is used moves to the young one, and when that is full the old one is
/// dropped whole. That costs a move now and then where an exact order of use would cost on every use.
pub(super) struct RecentMap<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Eq + Hash + Clone, V> RecentMap<K, V> {
    pub(super) fn new(capacity: usize) -> RecentMap<K, V> {
        RecentMap { young: HashMap::new(), old: HashMap::new(), half: (capacity / 2).max(1) }
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.half {
            self.old = mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    pub(super) fn use_mut(&mut self, key: &K) -> Option<&mut V> {
        if let Some(value) = self.old.remove(key) {
            self.insert(key.clone(), value);
        }
        self.young.get_mut(key)
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_size_is_bounded() {
        let mut map = RecentMap::new(10);
        map.insert("kept", 0);
        let names: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        for name in &names {
            map.insert(name, 1);
            assert!(map.use_mut(&"kept").is_some());
            assert!(map.young.len() + map.old.len() <= 10);
        }
        assert!(map.use_mut(&"0").is_none());
        map.remove(&"kept");
        assert!(map.use_mut(&"kept").is_none());
    }
}
