//! Threads that read, each with a connection of its own.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::database::open_for_reading;
use super::page;
use crate::{Page, Query, StoreError, StoreSettings};

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

struct Job {
    query: Query,
    answer: oneshot::Sender<Result<Page, StoreError>>,
}

impl Readers {
    pub(super) fn spawn(path: &Path, settings: &StoreSettings, run: i64) -> Result<Readers, StoreError> {
        let jobs =
            Arc::new(Jobs { state: Mutex::default(), wake: Condvar::new(), max: settings.read_queue_max });
        let readers = Readers { jobs: jobs.clone(), threads: Mutex::default() };
        let limits = page::Limits::new(settings);
        for _ in 0..settings.readers.max(1) {
            let connection = open_for_reading(path, settings)?;
            let jobs = jobs.clone();
            let thread = thread::Builder::new()
                .name("store-reader".into())
                .spawn(move || jobs.serve(&connection, limits, run))
                .map_err(|error| StoreError::Io(error.to_string().into()))?;
            readers.threads.lock().push(thread);
        }
        Ok(readers)
    }

    pub(super) fn read(&self, query: Query) -> BoxFuture<'static, Result<Page, StoreError>> {
        let (answer, answered) = oneshot::channel();
        match self.jobs.push(Job { query, answer }) {
            Ok(()) => async move { answered.await.unwrap_or(Err(StoreError::Closed)) }.boxed(),
            Err(refused) => async move { Err(refused) }.boxed(),
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
            let _ = job.answer.send(Err(StoreError::Closed));
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
    fn push(&self, job: Job) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(StoreError::Closed);
        }
        if state.waiting.len() >= self.max {
            return Err(StoreError::Overloaded);
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

    fn serve(&self, connection: &Connection, limits: page::Limits, run: i64) {
        while let Some(Job { query, answer }) = self.pop() {
            // Nobody waits for it any more.
            if !answer.is_closed() {
                let _ = answer.send(page::read(connection, &query, limits, run));
            }
        }
    }
}
