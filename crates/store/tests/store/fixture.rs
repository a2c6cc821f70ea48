use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc;

use antiphon_model::{
    ChannelFlags, ChannelId, Draft, OrgId, Payload, Position, Publication, RawJson, Timestamp,
};
use antiphon_store::{
    Clock, Committed, Done, Entry, MemoryStore, Page, Query, Range, SqliteStore, Store, StoreError,
    StoreSettings,
};
use tempfile::TempDir;

/// A backend to open stores of, and the time they live in.
pub(crate) struct Fixture {
    pub(crate) backend: Backend,
    pub(crate) now: Arc<AtomicU64>,
}

pub(crate) enum Backend {
    Memory,
    Sqlite(TempDir),
}

pub(crate) const SECOND: u64 = Timestamp::PER_SECOND;

impl Fixture {
    pub(crate) fn memory() -> Fixture {
        Fixture { backend: Backend::Memory, now: Arc::new(AtomicU64::new(0)) }
    }

    pub(crate) fn sqlite() -> Fixture {
        Fixture { backend: Backend::Sqlite(tempfile::tempdir().unwrap()), now: Arc::new(AtomicU64::new(0)) }
    }

    pub(crate) fn directory(&self) -> &std::path::Path {
        match &self.backend {
            Backend::Sqlite(directory) => directory.path(),
            Backend::Memory => panic!("the memory backend has no directory"),
        }
    }

    pub(crate) fn open(&self) -> Arc<dyn Store> {
        self.open_with(&StoreSettings::default())
    }

    pub(crate) fn open_with(&self, settings: &StoreSettings) -> Arc<dyn Store> {
        self.try_open(settings).unwrap()
    }

    pub(crate) fn try_open(&self, settings: &StoreSettings) -> Result<Arc<dyn Store>, StoreError> {
        let now = self.now.clone();
        let clock: Clock = Arc::new(move || Timestamp(now.load(SeqCst)));
        Ok(match &self.backend {
            Backend::Memory => Arc::new(MemoryStore::with_clock(settings, clock)?),
            Backend::Sqlite(directory) => {
                Arc::new(SqliteStore::open_with_clock(directory.path(), settings, clock)?)
            }
        })
    }

    pub(crate) fn set_now(&self, now: u64) {
        self.now.store(now, SeqCst);
    }
}

pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(crate) fn org() -> OrgId {
    OrgId::new("org")
}

pub(crate) fn channel(name: &str) -> Arc<ChannelId> {
    Arc::new(ChannelId::new(name, ChannelFlags::NONE).unwrap())
}

pub(crate) fn json(text: &str) -> RawJson {
    RawJson::new(text.to_owned().into()).unwrap()
}

pub(crate) fn plain(channel: &Arc<ChannelId>, position: u64) -> Entry {
    let payload = Payload::Json(json(&format!("{{\"n\":{position}}}")));
    entry(Draft::new(channel.clone(), payload).at(Position(position)))
}

pub(crate) fn entry(publication: Publication) -> Entry {
    Entry { org: org(), publication: Arc::new(publication), idempotency_key: None, expires: None, keep: None }
}

/// Appends and waits for the completion.
pub(crate) fn append(store: &Arc<dyn Store>, entry: Entry) -> Result<Committed, StoreError> {
    let (done, completed) = mpsc::channel();
    store.append(entry, Box::new(move |outcome| done.send(outcome).unwrap()));
    completed.recv().unwrap()
}

/// Makes a change and waits for what becomes of it.
pub(crate) fn done<T: Send + 'static>(change: impl FnOnce(Done<T>)) -> Result<T, StoreError> {
    let (done, outcome) = mpsc::channel();
    change(Box::new(move |result| done.send(result).unwrap()));
    outcome.recv().unwrap()
}

/// Appends and leaves the completion to itself.
pub(crate) fn append_and_forget(store: &Arc<dyn Store>, entry: Entry) {
    store.append(entry, Box::new(|_| ()));
}

/// Reads with everything at its most ordinary.
pub(crate) fn read(store: &Arc<dyn Store>, channel: &Arc<ChannelId>, range: Range) -> Page {
    read_at(store, channel, range, usize::MAX, 0)
}

pub(crate) fn read_at(
    store: &Arc<dyn Store>,
    channel: &Arc<ChannelId>,
    range: Range,
    limit: usize,
    now: u64,
) -> Page {
    let query = Query { org: org(), channel: channel.clone(), range, limit, now: Timestamp(now) };
    wait(store.read(query)).unwrap()
}

pub(crate) fn positions(page: &Page) -> Vec<u64> {
    page.publications.iter().map(|publication| publication.position.0).collect()
}

pub(crate) fn everything() -> Range {
    Range::After(Position::ZERO)
}
