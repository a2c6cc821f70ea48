use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use antiphon_model::Timestamp;
use antiphon_store::Doubt;

use super::Disk;

/// How often files are looked for that are over. They are not shown any more, but take room until then.
const INTERVAL: Duration = Duration::from_secs(600);

/// A thread that removes files which are over. It ends when this is dropped.
pub(super) struct Sweeper(#[allow(dead_code)] Sender<()>);

impl Sweeper {
    pub(super) fn start(disk: Arc<Disk>) -> io::Result<Sweeper> {
        let (sender, stopped) = mpsc::channel();
        let sweep = move || {
            // A clock that is ahead at one look only was wrong.
            let mut doubt = Doubt::new(INTERVAL);
            doubt.time(now(), Instant::now());
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = disk.sweep(doubt.time(now(), Instant::now())) {
                    tracing::warn!(%error, "files that are over cannot be removed");
                }
            }
        };
        thread::Builder::new().name("files".into()).spawn(sweep)?;
        Ok(Sweeper(sender))
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(0).later_by(since)
}
