//! What the writer thread does to the database.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::change::{Counts, Writing};
use super::channels::Channels;
use super::checkpoint::Checkpoints;
use super::database::sqlite_error;
use super::group::Group;
use super::history::Histories;
use super::place::Place;
use super::records::Records;
use super::retention::{Retention, Step};
use super::row::clamp;
use super::vault;
use crate::change::Step as Made;
use crate::queue::Notes;
use crate::stats::Counters;
use crate::vault::VaultChange;
use crate::writer::{Backend, Outcomes, Progress};
use crate::{Change, Clock, Doubt, Entry, StoreError, StoreSettings};

/// A database that is open for writing.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) place: Place,
    pub(super) run: i64,
    pub(super) lock: File,
}

pub(super) struct SqliteBackend {
    connection: Connection,
    place: Place,
    channels: Channels,
    histories: Histories,
    records: Records,
    counts: Counts,
    retention: Retention,
    checkpoints: Checkpoints,
    counters: Arc<Counters>,
    settings: StoreSettings,
    clock: Clock,
    doubt: Doubt,
    run: i64,
    /// Let go last, after the connection is closed.
    _lock: File,
}

impl SqliteBackend {
    pub(super) fn new(
        opened: Opened,
        checkpoints: Checkpoints,
        counters: Arc<Counters>,
        settings: &StoreSettings,
        clock: Clock,
        doubt: Doubt,
    ) -> SqliteBackend {
        let Opened { connection, place, run, lock } = opened;
        SqliteBackend {
            connection,
            place,
            channels: Channels::new(settings.channel_cache),
            histories: Histories::new(settings.channel_cache),
            records: Records::new(settings.records_max),
            counts: Counts::default(),
            retention: Retention::default(),
            checkpoints,
            counters,
            settings: settings.clone(),
            clock,
            doubt,
            run,
            _lock: lock,
        }
    }

    fn write(&mut self, entries: &[Entry], notes: &Notes) -> rusqlite::Result<Outcomes> {
        let transaction = begin(&self.connection)?;
        let keep = (self.settings.idempotency_keep().as_nanos() / 100) as u64;
        let group = Group::new(&self.connection, &mut self.channels, &mut self.histories, self.run, keep)?;
        let outcomes = group.write(entries, notes, &mut self.records)?;
        transaction.commit()?;
        Ok(outcomes)
    }

    fn change_vault(&mut self, changes: &[VaultChange]) -> rusqlite::Result<()> {
        let transaction = begin(&self.connection)?;
        vault::apply(&self.connection, &mut self.channels, changes)?;
        transaction.commit()
    }

    fn make(&mut self, changes: &mut [Change]) -> rusqlite::Result<Vec<Made<()>>> {
        let transaction = begin(&self.connection)?;
        let mut writing = Writing {
            connection: &self.connection,
            channels: &mut self.channels,
            histories: &mut self.histories,
            counts: &mut self.counts,
            settings: &self.settings,
            now: (self.clock)(),
        };
        let steps =
            changes.iter_mut().map(|change| change.in_sqlite(&mut writing)).collect::<Result<_, _>>()?;
        transaction.commit()?;
        Ok(steps)
    }

    fn remove(&mut self, deadline: Instant) -> rusqlite::Result<Progress> {
        let transaction = begin(&self.connection)?;
        let now = self.doubt.time((self.clock)(), Instant::now());
        let forget = now.earlier_by(self.settings.forget_channel_after());
        let mut removed = 0;
        let progress = loop {
            let (histories, records, counts) = (&mut self.histories, &mut self.records, &mut self.counts);
            let (now, forget) = (clamp(now.0), clamp(forget.0));
            match self.retention.step(&self.connection, histories, records, counts, now, forget)? {
                Step::Nothing => break Progress::Done,
                Step::Removed(rows) => removed += rows,
                Step::Forgot => {
                    self.channels.clear();
                    self.histories.clear();
                }
            }
            if Instant::now() >= deadline {
                break Progress::More;
            }
        };
        transaction.commit()?;
        Counters::add(&self.counters.removed, removed as usize);
        Ok(progress)
    }

    fn after_commit<T>(&mut self, result: rusqlite::Result<T>) -> Result<T, StoreError> {
        let result = result.map_err(|error| self.forget(error));
        match &result {
            Ok(_) => self.checkpoints.after_commit(&self.connection),
            Err(StoreError::DiskFull) => self.checkpoints.when_full(&self.connection),
            Err(_) => {}
        }
        // What went to files that nobody will find again is not kept.
        result.and_then(|done| self.place.check().map(|()| done))
    }

    /// Rows that a transaction made and then took back must not be remembered.
    fn forget(&mut self, error: rusqlite::Error) -> StoreError {
        self.channels.clear();
        self.histories.clear();
        self.records.recount();
        self.counts.clear();
        sqlite_error(error)
    }
}

/// Begins a transaction that is rolled back when dropped.
fn begin(connection: &Connection) -> rusqlite::Result<Transaction<'_>> {
    Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
}

impl Backend for SqliteBackend {
    fn commit(&mut self, entries: &[Entry], notes: &Notes) -> Result<Outcomes, StoreError> {
        self.place.check_if_lost()?;
        let outcomes = self.write(entries, notes);
        self.after_commit(outcomes)
    }

    fn keep(&mut self, changes: &[VaultChange]) -> Result<(), StoreError> {
        self.place.check_if_lost()?;
        let kept = self.change_vault(changes);
        self.after_commit(kept)
    }

    fn change(&mut self, changes: &mut [Change]) -> Result<Vec<Made<()>>, StoreError> {
        self.place.check_if_lost()?;
        let made = self.make(changes);
        self.after_commit(made)
    }

    fn begin_pass(&mut self) {
        self.retention.begin_pass();
        self.histories.begin_pass();
    }

    fn retain(&mut self, budget: Duration) -> Result<Progress, StoreError> {
        if !self.retention.is_due() && !self.histories.is_due() {
            return Ok(Progress::Done);
        }
        let progress = self.remove(Instant::now() + budget).map_err(|error| self.forget(error))?;
        self.checkpoints.after_commit(&self.connection);
        Ok(progress)
    }

    fn close(&mut self) -> Result<(), StoreError> {
        self.checkpoints.close();
        self.connection
            .pragma_update_and_check(None, "wal_checkpoint", "truncate", |_| Ok(()))
            .map_err(sqlite_error)
    }
}
