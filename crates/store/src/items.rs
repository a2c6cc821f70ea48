//! Items: a small ordered map in each org, of named collections.

use antiphon_model::{OrgId, Timestamp};
use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::change::{Operation, Step};
use crate::memory::State;
use crate::question::Inquiry;
use crate::sqlite::{self, Failed, Reading, Writing};
use crate::{Done, Store, StoreError};

/// A key of a collection, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The key.
    pub key: Box<str>,
    /// What it stands for.
    pub value: Bytes,
    /// When it is no longer to be shown. None: never.
    pub expires: Option<Timestamp>,
}

/// Some items of a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemPage {
    /// By key, in the order of their UTF-8 bytes.
    pub items: Vec<Item>,
    /// Whether there are more behind the last.
    pub more: bool,
}

impl dyn Store {
    /// Keeps an item until it expires or is removed; the one of the same collection and key is replaced.
    ///
    /// `done` is told [`StoreError::LimitReached`] if the org has as many in the collection as `items_max` allows.
    pub fn put_item(
        &self,
        org: &OrgId,
        collection: &str,
        key: &str,
        value: Bytes,
        expires: Option<Timestamp>,
        done: Done,
    ) {
        self.operate(PutItem { key: ItemKey::new(org, collection, key), value, expires }, done);
    }

    /// Removes an item. Tells whether there was one.
    pub fn remove_item(&self, org: &OrgId, collection: &str, key: &str, done: Done<bool>) {
        self.operate(RemoveItem { key: ItemKey::new(org, collection, key) }, done);
    }

    /// Reads one item's value, if it is there and has not expired by the store's clock. The future may be dropped.
    ///
    /// # Errors
    /// Too many reads wait, the store is closed, or the disk fails.
    pub fn item(
        &self,
        org: &OrgId,
        collection: &str,
        key: &str,
    ) -> BoxFuture<'static, Result<Option<Bytes>, StoreError>> {
        self.inquire(OneItem { key: ItemKey::new(org, collection, key) })
    }

    /// Reads the first `limit` items of a collection whose keys begin with `prefix` and come after `after_key`. A page may be shorter
    /// (`page_entries_max`, `page_bytes_max`) and says so by `more`. The future may be dropped.
    ///
    /// # Errors
    /// Too many reads wait, the store is closed, or the disk fails.
    pub fn items(
        &self,
        org: &OrgId,
        collection: &str,
        after_key: Option<&str>,
        prefix: &str,
        limit: usize,
    ) -> BoxFuture<'static, Result<ItemPage, StoreError>> {
        self.inquire(Items {
            org: org.clone(),
            collection: collection.into(),
            after_key: after_key.map(Into::into),
            prefix: prefix.into(),
            limit,
        })
    }

    /// All items of a collection, of all orgs, by org and key. Blocks; meant for the start of the process.
    ///
    /// # Errors
    /// Too many reads wait, the store is closed, or the disk fails.
    pub fn all_items(&self, collection: &str) -> Result<Vec<(OrgId, Item)>, StoreError> {
        self.inquire_blocking(AllItems { collection: collection.into() })
    }
}

/// An item among those of all orgs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ItemKey {
    pub(crate) org: OrgId,
    pub(crate) collection: Box<str>,
    pub(crate) key: Box<str>,
}

impl ItemKey {
    pub(crate) fn new(org: &OrgId, collection: &str, key: &str) -> ItemKey {
        ItemKey { org: org.clone(), collection: collection.into(), key: key.into() }
    }

    /// What it is counted with.
    pub(crate) fn counted(&self) -> (OrgId, Box<str>) {
        (self.org.clone(), self.collection.clone())
    }

    fn bytes(&self) -> usize {
        self.collection.len() + self.key.len()
    }
}

impl Item {
    pub(crate) fn bytes(&self) -> usize {
        self.key.len() + self.value.len()
    }
}

struct PutItem {
    key: ItemKey,
    value: Bytes,
    expires: Option<Timestamp>,
}

impl Operation for PutItem {
    type Outcome = ();

    fn bytes(&self) -> usize {
        self.key.bytes() + self.value.len()
    }

    fn in_memory(&mut self, state: &mut State, _: Timestamp) -> Result<Step<()>, StoreError> {
        state.put_item(&self.key, &self.value, self.expires).map(Step::Done)
    }

    fn in_sqlite(&mut self, writing: &mut Writing<'_>) -> Result<Step<()>, Failed> {
        sqlite::put_item(writing, &self.key, &self.value, self.expires).map(Step::Done)
    }
}

struct RemoveItem {
    key: ItemKey,
}

impl Operation for RemoveItem {
    type Outcome = bool;

    fn bytes(&self) -> usize {
        self.key.bytes()
    }

    fn in_memory(&mut self, state: &mut State, now: Timestamp) -> Result<Step<bool>, StoreError> {
        Ok(Step::Done(state.remove_item(&self.key, now)))
    }

    fn in_sqlite(&mut self, writing: &mut Writing<'_>) -> Result<Step<bool>, Failed> {
        sqlite::remove_item(writing, &self.key).map(Step::Done)
    }
}

struct OneItem {
    key: ItemKey,
}

impl Inquiry for OneItem {
    type Answer = Option<Bytes>;

    fn in_memory(&self, state: &State, now: Timestamp) -> Result<Option<Bytes>, StoreError> {
        Ok(state.item(&self.key, now))
    }

    fn in_sqlite(&self, reading: &Reading<'_>) -> Result<Option<Bytes>, StoreError> {
        sqlite::item(reading, &self.key)
    }
}

/// Which items of a collection.
pub(crate) struct Items {
    pub(crate) org: OrgId,
    pub(crate) collection: Box<str>,
    pub(crate) after_key: Option<Box<str>>,
    pub(crate) prefix: Box<str>,
    pub(crate) limit: usize,
}

impl Items {
    /// The key to begin at. That of `after_key` itself is to be left out.
    pub(crate) fn first_key(&self) -> &str {
        self.after_key.as_deref().unwrap_or_default().max(&self.prefix)
    }
}

impl Inquiry for Items {
    type Answer = ItemPage;

    fn in_memory(&self, state: &State, now: Timestamp) -> Result<ItemPage, StoreError> {
        Ok(state.items(self, now))
    }

    fn in_sqlite(&self, reading: &Reading<'_>) -> Result<ItemPage, StoreError> {
        sqlite::items(reading, self)
    }
}

struct AllItems {
    collection: Box<str>,
}

impl Inquiry for AllItems {
    type Answer = Vec<(OrgId, Item)>;

    fn in_memory(&self, state: &State, now: Timestamp) -> Result<Self::Answer, StoreError> {
        Ok(state.all_items(&self.collection, now))
    }

    fn in_sqlite(&self, reading: &Reading<'_>) -> Result<Self::Answer, StoreError> {
        sqlite::all_items(reading, &self.collection)
    }
}
