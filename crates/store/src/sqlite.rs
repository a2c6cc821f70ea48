//! The SQLite backend: one file, one thread that writes, some that read.
//!
//! The database is in write-ahead mode: readers and the writer do not wait for each other. Space that retention
//! frees is used again, the file does not shrink.

mod actions;
mod backend;
mod cache;
mod change;
mod channels;
mod checkpoint;
mod database;
mod deletion;
mod group;
mod history;
mod items;
mod listing;
mod memberships;
mod objects;
mod page;
mod parts;
mod place;
mod reader;
mod records;
mod retention;
mod row;
mod vault;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use antiphon_model::{OrgId, Position, Timestamp};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rusqlite::Connection;

pub(crate) use self::actions::{actions, add_action, remove_action};
use self::backend::{Opened, SqliteBackend};
pub(crate) use self::change::{Failed, Writing};
use self::checkpoint::Checkpoints;
pub use self::database::{DATABASE_FILE, LOCK_FILE};
pub(crate) use self::deletion::{count, delete};
pub(crate) use self::items::{all_items, item, items, put_item, remove_item};
pub(crate) use self::memberships::{memberships, set_memberships};
pub(crate) use self::objects::{object, objects, remove_object, set_object};
use self::place::Place;
use self::reader::Readers;
pub(crate) use self::reader::Reading;
use crate::queue::Queue;
use crate::records::{Record, RecordKey};
use crate::writer::Writer;
use crate::{
    Change, Clock, Completion, Done, Doubt, Entry, Page, Query, Question, Store, StoreError, StoreSettings,
    StoreStats, StoredCredential, system_clock,
};

/// Keeps publications in a SQLite database. Dropping it closes it.
pub struct SqliteStore {
    readers: Readers,
    writer: Writer,
    path: PathBuf,
    settings: StoreSettings,
    clock: Clock,
}

impl SqliteStore {
    /// Opens the store in a data directory, creating either if need be.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if another server has it open, [`StoreError::NewerSchema`] if a newer version wrote it,
    /// [`StoreError::ReadOnly`] if it cannot be written to, and all that a disk can have.
    pub fn open(directory: &Path, settings: &StoreSettings) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_doubting(directory, settings, system_clock(), settings.clock_doubt())
    }

    /// Opens the store with a clock of the caller's, by which retention goes without doubting it.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_with_clock(
        directory: &Path,
        settings: &StoreSettings,
        clock: Clock,
    ) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_doubting(directory, settings, clock, Duration::ZERO)
    }

    fn open_doubting(
        directory: &Path,
        settings: &StoreSettings,
        clock: Clock,
        doubt: Duration,
    ) -> Result<SqliteStore, StoreError> {
        let lock = database::lock(directory)?;
        let path = directory.join(DATABASE_FILE);
        let mut connection = database::open_for_writing(&path, settings)?;
        let run = database::begin_run(&connection)?;
        let queue = Arc::new(Queue::new(settings));
        let checkpoints = Checkpoints::spawn(&mut connection, &path, settings)?;
        let readers = Readers::spawn(&path, settings, run)?;
        let counters = queue.counters.clone();
        let opened = Opened { connection, place: Place::of(&path), run, lock };
        let backend =
            SqliteBackend::new(opened, checkpoints, counters, settings, clock.clone(), Doubt::new(doubt));
        let writer = Writer::spawn(settings, queue, backend)?;
        Ok(SqliteStore { readers, writer, path, settings: settings.clone(), clock })
    }
}

impl SqliteStore {
    /// A connection of its own for what is read at the start of the process.
    fn reading(&self) -> Result<Connection, StoreError> {
        if self.writer.queue.is_closed() {
            return Err(StoreError::Closed);
        }
        database::open_for_reading(&self.path, &self.settings)
    }
}

impl Store for SqliteStore {
    fn append(&self, entry: Entry, done: Completion) {
        self.writer.append(entry, done);
    }

    fn read(&self, query: Query) -> BoxFuture<'static, Result<Page, StoreError>> {
        self.readers.read(query)
    }

    fn flush(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.writer.flush()
    }

    fn sweep(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.writer.sweep()
    }

    fn position_floor(&self, org: &OrgId) -> Result<Position, StoreError> {
        page::floor(&database::open_for_reading(&self.path, &self.settings)?, org)
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
        match self.writer.queue.find_record(&key) {
            Ok(None) => self.readers.read_record(key, now),
            last_word => {
                let value = last_word.map(|word| word.flatten().and_then(|record| record.shown(now)));
                async move { value }.boxed()
            }
        }
    }

    fn remove_record(&self, org: &OrgId, key: &str) {
        self.writer.queue.change(RecordKey::new(org, key), None);
    }

    fn credentials(&self) -> Result<Vec<StoredCredential>, StoreError> {
        vault::credentials(&self.reading()?)
    }

    fn put_credential(&self, credential: StoredCredential, done: Done) {
        self.writer.queue.put_credential(credential, done);
    }

    fn remove_credential(&self, org: &OrgId, kind: &str, name: &str, done: Done) {
        self.writer.queue.remove_credential(org, kind, name, done);
    }

    fn secret(&self, name: &str) -> Result<[u8; 32], StoreError> {
        self.writer.queue.secret(name, || vault::secret(&self.reading()?, name))
    }

    fn change(&self, change: Change) {
        self.writer.queue.push_change(change);
    }

    fn ask(&self, question: Question) {
        self.readers.ask_question(question, (self.clock)());
    }

    fn queue_len(&self) -> usize {
        self.writer.queue.len()
    }

    fn stats(&self) -> StoreStats {
        self.writer.queue.counters.snapshot()
    }

    fn close(&self) -> Result<(), StoreError> {
        self.readers.close();
        self.writer.close()
    }
}
