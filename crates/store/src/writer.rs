//! The one thread that writes: takes what is queued, commits it in groups, calls completions, runs retention.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::change::Step;
use crate::complaint::Complaints;
use crate::queue::{Answer, Barrier, Notes, Queue, Taken, Work};
use crate::stats::Counters;
use crate::store::Done;
use crate::vault::VaultChange;
use crate::{Change, Committed, Completion, Entry, StoreError, StoreSettings};

/// Changes in one transaction at most: each may be a step of one that takes long.
const CHANGES_AT_ONCE: usize = 64;

/// After so long it is the turn of entries again.
const CHANGES_BUDGET: Duration = Duration::from_millis(5);

/// What became of each entry of a group, in order.
pub(crate) type Outcomes = Vec<Result<Committed, StoreError>>;

/// What is behind a writer. Called on its thread only.
pub(crate) trait Backend: Send + 'static {
    /// Writes a group, all of it that can be written. An error means that nothing was, notes included.
    fn commit(&mut self, entries: &[Entry], notes: &Notes) -> Result<Outcomes, StoreError>;

    /// Makes changes of the vault, all or none.
    fn keep(&mut self, changes: &[VaultChange]) -> Result<(), StoreError>;

    /// Makes changes, or the next step of each; which of them there is more of. An error means that nothing was done.
    fn change(&mut self, changes: &mut [Change]) -> Result<Vec<Step<()>>, StoreError>;

    /// Marks all retention as due.
    fn begin_pass(&mut self);

    /// Does what retention is due, for about as long as `budget`.
    fn retain(&mut self, budget: Duration) -> Result<Progress, StoreError>;

    /// Closes in good order.
    fn close(&mut self) -> Result<(), StoreError>;
}

/// How far retention got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There is more to remove.
    More,
    /// Nothing is due.
    Done,
}

/// The handle to a writer thread. Dropping it closes it.
pub(crate) struct Writer {
    pub(crate) queue: Arc<Queue>,
    id: ThreadId,
    thread: Mutex<Option<JoinHandle<Result<(), StoreError>>>>,
}

impl Writer {
    pub(crate) fn spawn(
        settings: &StoreSettings,
        queue: Arc<Queue>,
        backend: impl Backend,
    ) -> Result<Writer, StoreError> {
        let driver = Driver {
            queue: queue.clone(),
            counters: queue.counters.clone(),
            backend,
            settings: settings.clone(),
            changes: Vec::new(),
            sweepers: Vec::new(),
            retention: Progress::Done,
            retention_failed: false,
            complaints: Complaints::new(),
        };
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || driver.run())
            .map_err(|error| StoreError::Io(error.to_string().into()))?;
        Ok(Writer { queue, id: thread.thread().id(), thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn append(&self, entry: Entry, done: Completion) {
        self.queue.append(entry, done);
    }

    pub(crate) fn flush(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.wait(Barrier::Flush)
    }

    pub(crate) fn sweep(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.wait(Barrier::Sweep)
    }

    fn wait(&self, barrier: fn(Answer) -> Barrier) -> BoxFuture<'static, Result<(), StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.queue.wait_behind(barrier(answer));
        async move { answered.await.unwrap_or(Err(StoreError::Closed)) }.boxed()
    }

    pub(crate) fn close(&self) -> Result<(), StoreError> {
        self.queue.close();
        // The writer's own thread is here when a completion closes the store; it cannot wait for itself.
        if thread::current().id() == self.id {
            return Ok(());
        }
        let mut thread = self.thread.lock();
        match thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(closed)) => closed,
            Some(Err(_)) => Err(StoreError::Internal("the writer thread panicked".into())),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "the store was not closed in good order");
        }
    }
}

struct Driver<B> {
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    backend: B,
    settings: StoreSettings,
    /// Changes whose turn has come, or that are not yet made to the end.
    changes: Vec<Change>,
    sweepers: Vec<Answer>,
    retention: Progress,
    /// A disk that refuses is left alone until the next pass: waiting for its lock would stall the groups.
    retention_failed: bool,
    /// Of groups and changes that could not be stored.
    complaints: Complaints,
}

impl<B: Backend> Driver<B> {
    fn run(mut self) -> Result<(), StoreError> {
        let interval = Duration::from_micros(self.settings.group_interval_micros);
        let pass = Duration::from_millis(self.settings.retention_interval_millis.max(1));
        let mut work = Work::default();
        let mut group_at = Instant::now();
        let mut pass_at = Instant::now() + pass;
        loop {
            let tick_at = match self.retention {
                Progress::Done if self.changes.is_empty() => pass_at,
                _ => Instant::now(),
            };
            let taken = self.queue.take(group_at, tick_at, &mut work);
            let started = Instant::now();
            match taken {
                Taken::Work => self.work_off(&mut work),
                Taken::Tick => self.change(),
                Taken::Closed => break,
            }
            group_at = started + interval;
            if started >= pass_at {
                pass_at = started + pass;
                self.begin_pass();
            }
            self.retain(started.elapsed());
        }
        self.change_all();
        let Driver { mut backend, sweepers, .. } = self;
        for sweeper in sweepers {
            let _ = sweeper.send(Err(StoreError::Closed));
        }
        backend.close()
    }

    fn work_off(&mut self, work: &mut Work) {
        self.keep(&mut work.vault);
        let mut completions = work.completions.drain(..);
        let mut changes = work.changes.drain(..).peekable();
        let mut barriers = work.barriers.drain(..).peekable();
        let mut sweepers = Vec::new();
        let mut done = 0;
        loop {
            let (entries, bytes) = next_group(&work.entries[done..], &self.settings);
            if entries > 0 || !work.notes.is_empty() {
                let notes = std::mem::take(&mut work.notes);
                let outcomes = self.commit(&work.entries[done..done + entries], notes);
                for (outcome, completion) in outcomes.into_iter().zip(completions.by_ref()) {
                    complete(|| completion(outcome));
                }
                self.queue.completed(entries, bytes);
                done += entries;
            }
            while let Some((_, change)) = changes.next_if(|(behind, _)| *behind <= done) {
                self.changes.push(change);
            }
            self.change();
            if barriers.peek().is_some_and(|(behind, _)| *behind <= done) {
                self.change_all();
            }
            while let Some((_, barrier)) = barriers.next_if(|(behind, _)| *behind <= done) {
                match barrier {
                    Barrier::Flush(answer) => {
                        let _ = answer.send(Ok(()));
                    }
                    Barrier::Sweep(answer) => {
                        sweepers.push(answer);
                    }
                }
            }
            if !sweepers.is_empty() {
                self.begin_pass();
                self.sweepers.append(&mut sweepers);
            }
            if done == work.entries.len() {
                break;
            }
            if self.retention == Progress::More {
                self.retain(Duration::ZERO);
            }
        }
        drop((completions, changes, barriers));
        work.entries.clear();
        // A burst should not hold its memory for ever.
        work.entries.shrink_to(4 * self.settings.group_entries_max);
        work.completions.shrink_to(4 * self.settings.group_entries_max);
        work.changes.shrink_to(self.settings.group_entries_max);
    }

    /// Makes the changes whose turn has come, to the end.
    fn change_all(&mut self) {
        while !self.changes.is_empty() {
            self.change();
        }
    }

    /// Makes the changes whose turn has come, or a step of those that take long, for about as long as [`CHANGES_BUDGET`].
    fn change(&mut self) {
        let started = Instant::now();
        let mut unfinished = Vec::new();
        while !self.changes.is_empty() && started.elapsed() < CHANGES_BUDGET {
            let count = self.changes.len().min(CHANGES_AT_ONCE);
            let batch = self.changes.drain(..count).collect();
            unfinished.append(&mut self.change_batch(batch));
        }
        // Behind those that have not begun, so that none waits for the end of another.
        self.changes.append(&mut unfinished);
    }

    /// Makes changes in one transaction; those of which there is more come back.
    fn change_batch(&mut self, mut batch: Vec<Change>) -> Vec<Change> {
        let result = catch_unwind(AssertUnwindSafe(|| self.backend.change(&mut batch)))
            .unwrap_or_else(|_| Err(StoreError::Internal("making changes panicked".into())));
        let (mut bytes, mut finished, mut unfinished) = (0, 0, Vec::new());
        match result {
            Ok(steps) => {
                debug_assert_eq!(steps.len(), batch.len());
                for (change, step) in batch.into_iter().zip(steps) {
                    if step == Step::More {
                        unfinished.push(change);
                        continue;
                    }
                    bytes += change.memory_bytes();
                    finished += 1;
                    complete(|| change.committed());
                }
            }
            Err(error) => {
                if let Some(left_out) = self.complaints.due(Instant::now()) {
                    tracing::error!(%error, changes = batch.len(), left_out, "changes could not be stored");
                }
                for change in batch {
                    bytes += change.memory_bytes();
                    finished += 1;
                    complete(|| change.refuse(error.clone()));
                }
            }
        }
        self.queue.completed(finished, bytes);
        unfinished
    }

    /// Makes changes of the vault before the groups that came with them: there are few, and somebody waits for each.
    fn keep(&mut self, vault: &mut Vec<(VaultChange, Done)>) {
        while !vault.is_empty() {
            let batch = vault.len().min(self.settings.group_entries_max.max(1));
            let (changes, dones): (Vec<_>, Vec<_>) = vault.drain(..batch).unzip();
            let result = catch_unwind(AssertUnwindSafe(|| self.backend.keep(&changes)))
                .unwrap_or_else(|_| Err(StoreError::Internal("changing credentials panicked".into())));
            if let Err(error) = &result {
                tracing::error!(%error, changes = batch, "credentials could not be changed");
            }
            for done in dones {
                complete(|| done(result.clone()));
            }
            self.queue.completed(batch, changes.iter().map(VaultChange::memory_bytes).sum());
        }
        // A burst should not hold its memory for ever.
        vault.shrink_to(self.settings.group_entries_max);
    }

    fn begin_pass(&mut self) {
        self.backend.begin_pass();
        self.retention = Progress::More;
        self.retention_failed = false;
    }

    fn commit(&mut self, entries: &[Entry], notes: Notes) -> Outcomes {
        let started = Instant::now();
        // A panic in here would leave every completion uncalled, and with them whoever waits.
        let result = catch_unwind(AssertUnwindSafe(|| self.backend.commit(entries, &notes)))
            .unwrap_or_else(|_| Err(StoreError::Internal("writing a group panicked".into())));
        let counters = &self.counters;
        counters.group_took(started.elapsed());
        match result {
            Ok(outcomes) => {
                debug_assert_eq!(outcomes.len(), entries.len());
                self.queue.noted(&notes);
                let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
                let stored = outcomes.iter().filter(|o| matches!(o, Ok(Committed::Stored))).count();
                Counters::add(&counters.groups, 1);
                Counters::add(&counters.failed, failed);
                Counters::add(&counters.committed, stored);
                Counters::add(&counters.duplicates, outcomes.len() - stored - failed);
                outcomes
            }
            Err(error) => {
                Counters::add(&counters.failed_groups, 1);
                Counters::add(&counters.failed, entries.len());
                if let Some(left_out) = self.complaints.due(Instant::now()) {
                    tracing::error!(%error, entries = entries.len(), left_out, "a group could not be stored");
                }
                self.queue.put_back(notes);
                vec![Err(error); entries.len()]
            }
        }
    }

    /// Runs retention for its setting's time, or a quarter of what the groups before it took: it is not to fall
    /// behind a writer that is always busy.
    fn retain(&mut self, groups_took: Duration) {
        if self.retention_failed {
            return;
        }
        let budget = self.settings.retention_step().max(groups_took / 4);
        let result = catch_unwind(AssertUnwindSafe(|| self.backend.retain(budget)))
            .unwrap_or_else(|_| Err(StoreError::Internal("retention panicked".into())));
        let answer = match result {
            Ok(Progress::More) => {
                self.retention = Progress::More;
                return;
            }
            Ok(Progress::Done) => Ok(()),
            Err(error) => {
                tracing::warn!(%error, "retention failed and is tried again in the next pass");
                self.retention_failed = true;
                Err(error)
            }
        };
        self.retention = Progress::Done;
        for sweeper in self.sweepers.drain(..) {
            let _ = sweeper.send(answer.clone());
        }
    }
}

/// How many of `entries` make up the next group, and their bytes.
fn next_group(entries: &[Entry], settings: &StoreSettings) -> (usize, usize) {
    let mut bytes = 0;
    let mut count = 0;
    for entry in entries.iter().take(settings.group_entries_max.max(1)) {
        let size = entry.memory_bytes();
        if count > 0 && bytes + size > settings.group_bytes_max {
            break;
        }
        bytes += size;
        count += 1;
    }
    (count, bytes)
}

fn complete(completion: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(completion)).is_err() {
        tracing::error!("a completion of the store panicked");
    }
}
