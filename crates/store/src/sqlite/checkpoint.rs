//! Merges the write-ahead log into the database, mostly on a thread of its own.
//!
//! A checkpoint waits for the disk, so on the writer's thread it would stall every publication behind it. Another
//! thread can run it beside the writer, but as long as the writer goes on writing, it never gets to the very end,
//! where the log could start anew. So past the limit the writer finishes it: little is left to do then. If the other
//! thread is at it for so long that the log has grown to twice the limit, the writer waits for it: the disk does not
//! keep up.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::database::{PAGE_BYTES, open_for_writing};
use crate::complaint::Complaints;
use crate::{StoreError, StoreSettings};

static COMPLAINTS: Mutex<Complaints> = Mutex::new(Complaints::new());

pub(super) struct Checkpoints {
    /// Pages in the log as of the last commit.
    log_pages: Arc<AtomicU64>,
    pages_max: u64,
    background_pages: u64,
    /// Pages in the log when the thread was last asked.
    asked_at: u64,
    /// Held by the thread while it merges.
    running: Arc<Mutex<()>>,
    ask: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Takes over the checkpoints of the writer's connection to the database at `path`.
    pub(super) fn spawn(
        writer: &mut Connection,
        path: &Path,
        settings: &StoreSettings,
    ) -> Result<Checkpoints, StoreError> {
        let log_pages = Arc::new(AtomicU64::new(0));
        let seen = log_pages.clone();
        let hook = move |_: &mut Wal, pages: std::ffi::c_int| {
            seen.store(u64::try_from(pages).unwrap_or(0), Relaxed);
            Ok(())
        };
        let connection = open_for_writing(path, settings)?;
        writer.wal_hook(Some(hook)).map_err(super::database::sqlite_error)?;
        let running = Arc::new(Mutex::new(()));
        let held = running.clone();
        // One request may wait while another is served; more would ask for the same.
        let (ask, asked) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("store-checkpoint".into())
            .spawn(move || serve(&connection, &asked, &held))
            .map_err(|error| StoreError::Io(error.to_string().into()))?;
        let pages_max = (settings.wal_bytes_max / PAGE_BYTES).max(16);
        Ok(Checkpoints {
            log_pages,
            pages_max,
            background_pages: pages_max / 4,
            asked_at: 0,
            running,
            ask: Some(ask),
            thread: Some(thread),
        })
    }

    /// Called on the writer's thread, outside of a transaction.
    pub(super) fn after_commit(&mut self, writer: &Connection) {
        let pages = self.log_pages.load(Relaxed);
        if pages < self.asked_at {
            self.asked_at = 0;
        }
        if pages >= 2 * self.pages_max {
            // SQLite does not wait for another checkpoint, it gives up.
            let _none_runs = self.running.lock();
            checkpoint(writer);
        } else if pages >= self.pages_max {
            checkpoint(writer);
        } else if pages >= self.asked_at + self.background_pages {
            self.asked_at = pages;
            if let Some(ask) = &self.ask {
                let _ = ask.try_send(());
            }
        }
    }

    /// Called on the writer's thread when the disk is full: a log that is merged can be written from its beginning
    /// again, which takes no more space.
    pub(super) fn when_full(&mut self, writer: &Connection) {
        checkpoint(writer);
    }

    pub(super) fn close(&mut self) {
        self.ask = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the checkpoint thread panicked");
        }
    }
}

fn serve(connection: &Connection, asked: &Receiver<()>, running: &Mutex<()>) {
    while asked.recv().is_ok() {
        let _running = running.lock();
        checkpoint(connection);
    }
}

/// Merges what can be merged without waiting for readers.
fn checkpoint(connection: &Connection) {
    let result = connection.pragma_update_and_check(None, "wal_checkpoint", "passive", |_| Ok(()));
    if let Err(error) = result
        && let Some(left_out) = COMPLAINTS.lock().due(Instant::now())
    {
        tracing::warn!(%error, left_out, "the write-ahead log could not be merged and grows on");
    }
}
