//! Threads that read, each with a connection of its own.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use antiphon_model::Timestamp;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::database::{open_for_reading, sqlite_error};
use super::listing::Deadline;
use super::{page, records};
use crate::records::RecordKey;
use crate::{Page, Query, Question, StoreError, StoreSettings};

pub(super) struct Readers {
    jobs: Arc<Jobs>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Jobs {
    state: Mutex<State>,
    wake: Condvar,
    max: usize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    closed: bool,
}

/// What to read, and for whom.
enum Job {
    Page(Query, Answer<Page>),
    Record(RecordKey, Timestamp, Answer<Option<Bytes>>),
    Question(Question, Timestamp),
}

/// What a question is answered with.
pub(crate) struct Reading<'a> {
    pub(super) connection: &'a Connection,
    pub(super) limits: page::Limits,
    pub(super) list_millis_max: u64,
    pub(super) deadline: &'a Deadline,
    pub(super) now: Timestamp,
}

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// What a thread reads with.
struct Reader {
    connection: Connection,
    deadline: Deadline,
    limits: page::Limits,
    list_millis_max: u64,
    run: i64,
}

impl Job {
    fn run(self, reader: &Reader) {
        let Reader { connection, deadline, limits, list_millis_max, run } = reader;
        // Nobody may wait for it any more.
        match self {
            Job::Page(query, answer) if !answer.is_closed() => {
                let _ = answer.send(page::read(connection, &query, *limits, *run));
            }
            Job::Record(key, now, answer) if !answer.is_closed() => {
                let _ = answer.send(records::read(connection, &key, now));
            }
            Job::Question(question, now) => {
                let (limits, list_millis_max) = (*limits, *list_millis_max);
                question.in_sqlite(&Reading { connection, limits, list_millis_max, deadline, now });
            }
            Job::Page(..) | Job::Record(..) => {}
        }
    }

    fn refuse(self, error: StoreError) {
        match self {
            Job::Page(_, answer) => drop(answer.send(Err(error))),
            Job::Record(_, _, answer) => drop(answer.send(Err(error))),
            Job::Question(question, _) => question.refuse(error),
        }
    }
}

impl Readers {
    pub(super) fn spawn(path: &Path, settings: &StoreSettings, run: i64) -> Result<Readers, StoreError> {
        let jobs =
            Arc::new(Jobs { state: Mutex::default(), wake: Condvar::new(), max: settings.read_queue_max });
        let readers = Readers { jobs: jobs.clone(), threads: Mutex::default() };
        let (limits, list_millis_max) = (page::Limits::new(settings), settings.list_millis_max);
        for _ in 0..settings.readers.max(1) {
            let mut connection = open_for_reading(path, settings)?;
            let deadline = Deadline::of(&mut connection).map_err(sqlite_error)?;
            let reader = Reader { connection, deadline, limits, list_millis_max, run };
            let jobs = jobs.clone();
            let thread = thread::Builder::new()
                .name("store-reader".into())
                .spawn(move || jobs.serve(&reader))
                .map_err(|error| StoreError::Io(error.to_string().into()))?;
            readers.threads.lock().push(thread);
        }
        Ok(readers)
    }

    pub(super) fn read(&self, query: Query) -> BoxFuture<'static, Result<Page, StoreError>> {
        self.ask(|answer| Job::Page(query, answer))
    }

    pub(super) fn read_record(
        &self,
        key: RecordKey,
        now: Timestamp,
    ) -> BoxFuture<'static, Result<Option<Bytes>, StoreError>> {
        self.ask(|answer| Job::Record(key, now, answer))
    }

    pub(super) fn ask_question(&self, question: Question, now: Timestamp) {
        if let Err((job, refused)) = self.jobs.push(Job::Question(question, now)) {
            job.refuse(refused);
        }
    }

    fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(Answer<T>) -> Job,
    ) -> BoxFuture<'static, Result<T, StoreError>> {
        let (answer, answered) = oneshot::channel();
        match self.jobs.push(job(answer)) {
            Ok(()) => async move { answered.await.unwrap_or(Err(StoreError::Closed)) }.boxed(),
            Err((_, refused)) => async move { Err(refused) }.boxed(),
        }
    }

    /// Lets reads that have begun come to their end; those that wait fail.
    pub(super) fn close(&self) {
        let waiting = {
            let mut state = self.jobs.state.lock();
            state.closed = true;
            std::mem::take(&mut state.waiting)
        };
        self.jobs.wake.notify_all();
        for job in waiting {
            job.refuse(StoreError::Closed);
        }
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a reader thread panicked");
            }
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.close();
    }
}

impl Jobs {
    /// Queues a job, or gives it back.
    fn push(&self, job: Job) -> Result<(), (Job, StoreError)> {
        let mut state = self.state.lock();
        if state.closed {
            return Err((job, StoreError::Closed));
        }
        if state.waiting.len() >= self.max {
            return Err((job, StoreError::Overloaded));
        }
        state.waiting.push_back(job);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    fn pop(&self) -> Option<Job> {
        let mut state = self.state.lock();
        while state.waiting.is_empty() && !state.closed {
            self.wake.wait(&mut state);
        }
        state.waiting.pop_front()
    }

    fn serve(&self, reader: &Reader) {
        while let Some(job) = self.pop() {
            job.run(reader);
        }
    }
}
