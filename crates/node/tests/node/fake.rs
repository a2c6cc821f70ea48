use std::sync::Arc;

use antiphon_model::{OrgId, Position, Timestamp};
use antiphon_store::{
    Change, Committed, Completion, Done, Entry, MemoryStore, Page, Query, Question, Store, StoreError,
    StoreSettings, StoreStats, StoredCredential,
};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

/// A store that keeps nothing, and says what it is told to say.
#[derive(Default)]
pub(crate) struct FakeStore {
    /// What is said at once, on the caller's thread; else entries wait.
    pub(crate) answer: Mutex<Option<Result<Committed, StoreError>>>,
    pub(crate) waiting: Mutex<Vec<(Entry, Completion)>>,
    /// Changes of credentials that wait for their answer.
    pub(crate) changes: Mutex<Vec<Done>>,
}

impl FakeStore {
    pub(crate) fn new(answer: Option<Result<Committed, StoreError>>) -> Arc<FakeStore> {
        Arc::new(FakeStore { answer: Mutex::new(answer), ..FakeStore::default() })
    }

    /// Says what became of all that waits, in order; how many there were.
    pub(crate) fn complete(&self, answer: Result<Committed, StoreError>) -> usize {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        let count = waiting.len();
        waiting.into_iter().for_each(|(_, done)| done(answer.clone()));
        count
    }
}

impl Store for FakeStore {
    fn append(&self, entry: Entry, done: Completion) {
        let answer = self.answer.lock().clone();
        match answer {
            Some(answer) => done(answer),
            None => self.waiting.lock().push((entry, done)),
        }
    }

    fn read(&self, _: Query) -> BoxFuture<'static, Result<Page, StoreError>> {
        async { Ok(Page::default()) }.boxed()
    }

    fn flush(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        async { Ok(()) }.boxed()
    }

    fn sweep(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        async { Ok(()) }.boxed()
    }

    fn position_floor(&self, _: &OrgId) -> Result<Position, StoreError> {
        Ok(Position::ZERO)
    }

    fn lease_positions(&self, _: &OrgId, _: Position) {}

    fn put_record(&self, _: &OrgId, _: &str, _: Bytes, _: Timestamp) {}

    fn read_record(&self, _: &OrgId, _: &str) -> BoxFuture<'static, Result<Option<Bytes>, StoreError>> {
        async { Ok(None) }.boxed()
    }

    fn remove_record(&self, _: &OrgId, _: &str) {}

    fn credentials(&self) -> Result<Vec<StoredCredential>, StoreError> {
        Ok(Vec::new())
    }

    fn put_credential(&self, _: StoredCredential, done: Done) {
        self.changes.lock().push(done);
    }

    fn remove_credential(&self, _: &OrgId, _: &str, _: &str, done: Done) {
        self.changes.lock().push(done);
    }

    fn secret(&self, _: &str) -> Result<[u8; 32], StoreError> {
        Ok([7; 32])
    }

    fn change(&self, change: Change) {
        change.refuse(StoreError::Closed);
    }

    fn ask(&self, question: Question) {
        // As one that has nothing.
        MemoryStore::new(&StoreSettings::default()).unwrap().ask(question);
    }

    fn queue_len(&self) -> usize {
        self.waiting.lock().len()
    }

    fn stats(&self) -> StoreStats {
        StoreStats::default()
    }

    fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
