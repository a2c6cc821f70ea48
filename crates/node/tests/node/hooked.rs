use std::sync::Arc;

use antiphon_model::{OrgId, Position, Timestamp};
use antiphon_store::{
    Change, Completion, Done, Entry, MemoryStore, Page, Query, Question, Store, StoreError, StoreStats,
    StoredCredential,
};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

type Hook = Box<dyn FnOnce() + Send>;

/// The store in memory, with something that happens after it has read and before it answers.
pub(crate) struct HookedStore {
    store: Arc<MemoryStore>,
    hook: Arc<Mutex<Option<Hook>>>,
}

impl HookedStore {
    pub(crate) fn new(store: MemoryStore) -> HookedStore {
        HookedStore { store: Arc::new(store), hook: Arc::default() }
    }

    /// What happens at the next read.
    pub(crate) fn at_next_read(&self, hook: impl FnOnce() + Send + 'static) {
        *self.hook.lock() = Some(Box::new(hook));
    }
}

impl Store for HookedStore {
    fn append(&self, entry: Entry, done: Completion) {
        self.store.append(entry, done);
    }

    fn read(&self, query: Query) -> BoxFuture<'static, Result<Page, StoreError>> {
        let (read, hook) = (self.store.read(query), Arc::clone(&self.hook));
        async move {
            let page = read.await;
            let hook = hook.lock().take();
            if let Some(hook) = hook {
                hook();
            }
            page
        }
        .boxed()
    }

    fn flush(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.store.flush()
    }

    fn sweep(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.store.sweep()
    }

    fn position_floor(&self, org: &OrgId) -> Result<Position, StoreError> {
        self.store.position_floor(org)
    }

    fn lease_positions(&self, org: &OrgId, upto: Position) {
        self.store.lease_positions(org, upto);
    }

    fn put_record(&self, org: &OrgId, key: &str, value: Bytes, expires: Timestamp) {
        self.store.put_record(org, key, value, expires);
    }

    fn read_record(&self, org: &OrgId, key: &str) -> BoxFuture<'static, Result<Option<Bytes>, StoreError>> {
        self.store.read_record(org, key)
    }

    fn remove_record(&self, org: &OrgId, key: &str) {
        self.store.remove_record(org, key);
    }

    fn credentials(&self) -> Result<Vec<StoredCredential>, StoreError> {
        self.store.credentials()
    }

    fn put_credential(&self, credential: StoredCredential, done: Done) {
        self.store.put_credential(credential, done);
    }

    fn remove_credential(&self, org: &OrgId, kind: &str, name: &str, done: Done) {
        self.store.remove_credential(org, kind, name, done);
    }

    fn secret(&self, name: &str) -> Result<[u8; 32], StoreError> {
        self.store.secret(name)
    }

    fn change(&self, change: Change) {
        self.store.change(change);
    }

    fn ask(&self, question: Question) {
        self.store.ask(question);
    }

    fn queue_len(&self) -> usize {
        self.store.queue_len()
    }

    fn stats(&self) -> StoreStats {
        self.store.stats()
    }

    fn close(&self) -> Result<(), StoreError> {
        self.store.close()
    }
}
