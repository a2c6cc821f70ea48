//! A store whose records can be read when the test says so.

use std::sync::Arc;

use antiphon_model::{OrgId, Position, Timestamp};
use antiphon_store::{
    Change, Completion, Done, Entry, MemoryStore, Page, Query, Question, Store, StoreError, StoreSettings,
    StoreStats, StoredCredential,
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

pub(crate) struct SlowStore {
    store: MemoryStore,
    answers: watch::Sender<bool>,
}

impl SlowStore {
    pub(crate) fn new() -> Arc<SlowStore> {
        let store = MemoryStore::new(&StoreSettings::default()).unwrap();
        Arc::new(SlowStore { store, answers: watch::Sender::new(false) })
    }

    /// Answers those that wait, and from here on at once.
    pub(crate) fn answer(&self) {
        self.answers.send_replace(true);
    }
}

impl Store for SlowStore {
    fn read_record(&self, org: &OrgId, key: &str) -> BoxFuture<'static, Result<Option<Bytes>, StoreError>> {
        let (read, mut answers) = (self.store.read_record(org, key), self.answers.subscribe());
        Box::pin(async move {
            let _ = answers.wait_for(|answers| *answers).await;
            read.await
        })
    }

    fn append(&self, entry: Entry, done: Completion) {
        self.store.append(entry, done);
    }

    fn read(&self, query: Query) -> BoxFuture<'static, Result<Page, StoreError>> {
        self.store.read(query)
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
