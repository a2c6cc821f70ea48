//! The memory backend: for tests, and for servers that need not remember a restart.

mod actions;
mod channel;
mod items;
mod keys;
mod listing;
mod objects;
mod records;
mod state;
mod vault;

use std::sync::Arc;
use std::time::Duration;

use antiphon_model::{OrgId, Position, Timestamp};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::RwLock;

pub(crate) use self::state::State;
use crate::change::Step;
use crate::queue::{Notes, Queue};
use crate::records::{Record, RecordKey};
use crate::stats::Counters;
use crate::vault::VaultChange;
use crate::writer::{Backend, Outcomes, Progress, Writer};
use crate::{
    Change, Clock, Completion, Done, Entry, Page, Query, Question, Store, StoreError, StoreSettings,
    StoreStats, StoredCredential, system_clock,
};

/// Keeps publications in memory, as many as `memory_entries_max`. Dropping it closes it, and all is gone.
pub struct MemoryStore {
    writer: Writer,
    state: Arc<RwLock<State>>,
    clock: Clock,
}

impl MemoryStore {
    /// Makes an empty store.
    ///
    /// # Errors
    /// The operating system refuses a thread.
    pub fn new(settings: &StoreSettings) -> Result<MemoryStore, StoreError> {
        MemoryStore::with_clock(settings, system_clock())
    }

    /// Makes an empty store with a clock of the caller's, by which retention goes.
    ///
    /// # Errors
    /// As [`MemoryStore::new`].
    pub fn with_clock(settings: &StoreSettings, clock: Clock) -> Result<MemoryStore, StoreError> {
        let state = Arc::new(RwLock::new(State::new(settings)));
        let queue = Arc::new(Queue::new(settings));
        let backend = MemoryBackend {
            state: state.clone(),
            counters: queue.counters.clone(),
            settings: settings.clone(),
            clock: clock.clone(),
            retention: Progress::Done,
        };
        Ok(MemoryStore { writer: Writer::spawn(settings, queue, backend)?, state, clock })
    }
}

impl Store for MemoryStore {
    fn append(&self, entry: Entry, done: Completion) {
        self.writer.append(entry, done);
    }

    fn read(&self, query: Query) -> BoxFuture<'static, Result<Page, StoreError>> {
        let page = self.state.read().page(&query);
        async move { page }.boxed()
    }

    fn flush(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.writer.flush()
    }

    fn sweep(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.writer.sweep()
    }

    fn position_floor(&self, org: &OrgId) -> Result<Position, StoreError> {
        Ok(self.state.read().floor(org))
    }

    fn lease_positions(&self, org: &OrgId, upto: Position) {
        self.writer.queue.lease(org, upto);
    }

    fn put_record(&self, org: &OrgId, key: &str, value: Bytes, expires: Timestamp) {
        self.writer.queue.change(RecordKey::new(org, key), Some(Record { value, expires }));
    }

    fn read_record(&self, org: &OrgId, key: &str) -> BoxFuture<'static, Result<Option<Bytes>, StoreError>> {
        let key = RecordKey::new(org, key);
        let now = (self.clock)();
        let found = self.writer.queue.find_record(&key);
        let found = found.map(|last_word| last_word.unwrap_or_else(|| self.state.read().record(&key)));
        async move { Ok(found?.and_then(|record| record.shown(now))) }.boxed()
    }

    fn remove_record(&self, org: &OrgId, key: &str) {
        self.writer.queue.change(RecordKey::new(org, key), None);
    }

    fn credentials(&self) -> Result<Vec<StoredCredential>, StoreError> {
        Ok(self.state.read().vault()?.credentials())
    }

    fn put_credential(&self, credential: StoredCredential, done: Done) {
        self.writer.queue.put_credential(credential, done);
    }

    fn remove_credential(&self, org: &OrgId, kind: &str, name: &str, done: Done) {
        self.writer.queue.remove_credential(org, kind, name, done);
    }

    fn secret(&self, name: &str) -> Result<[u8; 32], StoreError> {
        self.writer.queue.secret(name, || Ok(self.state.read().vault()?.secret(name)))
    }

    fn change(&self, change: Change) {
        self.writer.queue.push_change(change);
    }

    fn ask(&self, question: Question) {
        let now = (self.clock)();
        let state = self.state.read();
        match state.open() {
            Ok(state) => question.in_memory(state, now),
            Err(closed) => question.refuse(closed),
        }
    }

    fn queue_len(&self) -> usize {
        self.writer.queue.len()
    }

    fn stats(&self) -> StoreStats {
        self.writer.queue.counters.snapshot()
    }

    fn close(&self) -> Result<(), StoreError> {
        let closed = self.writer.close();
        self.state.write().close();
        closed
    }
}

struct MemoryBackend {
    state: Arc<RwLock<State>>,
    counters: Arc<Counters>,
    settings: StoreSettings,
    clock: Clock,
    retention: Progress,
}

impl Backend for MemoryBackend {
    fn commit(&mut self, entries: &[Entry], notes: &Notes) -> Result<Outcomes, StoreError> {
        let mut state = self.state.write();
        let (outcomes, removed) = state.commit(entries, notes);
        Counters::add(&self.counters.removed, removed);
        Ok(outcomes)
    }

    fn keep(&mut self, changes: &[VaultChange]) -> Result<(), StoreError> {
        self.state.write().keep(changes);
        Ok(())
    }

    fn change(&mut self, changes: &mut [Change]) -> Result<Vec<Step<()>>, StoreError> {
        let now = (self.clock)();
        let mut state = self.state.write();
        Ok(changes.iter_mut().map(|change| change.in_memory(&mut state, now)).collect())
    }

    fn begin_pass(&mut self) {
        self.retention = Progress::More;
    }

    fn retain(&mut self, _: Duration) -> Result<Progress, StoreError> {
        if self.retention == Progress::More {
            let now = (self.clock)();
            let forget = now.earlier_by(self.settings.forget_channel_after());
            let (removed, progress) = self.state.write().retain(now, forget);
            Counters::add(&self.counters.removed, removed);
            self.retention = progress;
        }
        Ok(self.retention)
    }

    fn close(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}
