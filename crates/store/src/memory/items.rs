use std::collections::{BTreeMap, BTreeSet, HashMap};

use antiphon_model::{OrgId, Timestamp};
use bytes::Bytes;

use super::State;
use crate::items::{ItemKey, Items};
use crate::{Item, ItemPage, StoreError};

/// The items of all orgs.
#[derive(Default)]
pub(super) struct ItemMap {
    by_key: BTreeMap<ItemKey, Stored>,
    expiries: BTreeSet<(Timestamp, ItemKey)>,
    /// By org and collection.
    counts: HashMap<(OrgId, Box<str>), usize>,
}

struct Stored {
    value: Bytes,
    expires: Option<Timestamp>,
}

impl Stored {
    fn is_shown(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }

    fn item(&self, key: &ItemKey) -> Item {
        Item { key: key.key.clone(), value: self.value.clone(), expires: self.expires }
    }
}

impl ItemMap {
    fn remove(&mut self, key: &ItemKey) -> Option<Stored> {
        let removed = self.by_key.remove(key)?;
        if let Some(expires) = removed.expires {
            self.expiries.remove(&(expires, key.clone()));
        }
        if let Some(count) = self.counts.get_mut(&key.counted()) {
            *count -= 1;
        }
        Some(removed)
    }

    fn insert(&mut self, key: ItemKey, stored: Stored) {
        if let Some(expires) = stored.expires {
            self.expiries.insert((expires, key.clone()));
        }
        *self.counts.entry(key.counted()).or_default() += 1;
        self.by_key.insert(key, stored);
    }

    pub(super) fn remove_expired(&mut self, now: Timestamp) {
        while let Some((expires, key)) = self.expiries.first()
            && *expires <= now
        {
            let key = key.clone();
            self.remove(&key);
        }
    }
}

impl State {
    pub(crate) fn put_item(
        &mut self,
        key: &ItemKey,
        value: &Bytes,
        expires: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let items = &mut self.items;
        let count = items.counts.get(&key.counted()).copied().unwrap_or(0);
        if count >= self.settings.items_max && !items.by_key.contains_key(key) {
            return Err(StoreError::LimitReached("items_max"));
        }
        items.remove(key);
        items.insert(key.clone(), Stored { value: value.clone(), expires });
        Ok(())
    }

    /// Whether there was one to be shown.
    pub(crate) fn remove_item(&mut self, key: &ItemKey, now: Timestamp) -> bool {
        self.items.remove(key).is_some_and(|removed| removed.is_shown(now))
    }

    pub(crate) fn item(&self, key: &ItemKey, now: Timestamp) -> Option<Bytes> {
        let found = self.items.by_key.get(key)?;
        found.is_shown(now).then(|| found.value.clone())
    }

    pub(crate) fn items(&self, query: &Items, now: Timestamp) -> ItemPage {
        let first = ItemKey::new(&query.org, &query.collection, query.first_key());
        let of_prefix = |(key, _): &(&ItemKey, &Stored)| {
            key.org == query.org && key.collection == query.collection && key.key.starts_with(&*query.prefix)
        };
        let found = self.items.by_key.range(first..).take_while(of_prefix);
        let limit = query.limit.min(self.settings.page_entries_max.max(1));
        let mut page = ItemPage::default();
        let mut bytes = 0;
        for (key, stored) in found {
            if Some(&key.key) == query.after_key.as_ref() || !stored.is_shown(now) {
                continue;
            }
            let item = stored.item(key);
            bytes += item.bytes();
            let full = bytes > self.settings.page_bytes_max && !page.items.is_empty();
            if full || page.items.len() == limit {
                page.more = true;
                break;
            }
            page.items.push(item);
        }
        page
    }

    pub(crate) fn all_items(&self, collection: &str, now: Timestamp) -> Vec<(OrgId, Item)> {
        let of_collection = self
            .items
            .by_key
            .iter()
            .filter(|(key, item)| *key.collection == *collection && item.is_shown(now));
        of_collection.map(|(key, stored)| (key.org.clone(), stored.item(key))).collect()
    }
}
