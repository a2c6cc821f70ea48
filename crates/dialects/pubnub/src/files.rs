//! Files that clients share: their bytes in a directory of ours, what is known about them among the store's items.
//!
//! An upload is written to `incoming`, and moved to `kept` when all of it is there; then it is recorded in the store, and only
//! then told to be there. What a crash leaves between these steps is removed at the next start. Names are the clients' and are nowhere a path:
//! on the disk a file is called by its id, which is ours.

mod disk;
mod id;
mod record;
mod sweeper;
mod tickets;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use antiphon_model::Timestamp;
use antiphon_node::{Node, StoreError};

use crate::PubNubSettings;
use sweeper::Sweeper;

pub(crate) use disk::{CannotKeep, Disk, Incoming};
pub(crate) use id::FileId;
pub(crate) use record::{COLLECTION, Record, key, key_prefix};
pub(crate) use tickets::{BadTicket, Ticket, Tickets, Use};

/// The files of all keysets.
#[derive(Default)]
pub(crate) struct Files {
    dir: Option<PathBuf>,
    opened: OnceLock<Opened>,
}

/// What is there once the directory is opened.
pub(crate) struct Opened {
    pub(crate) disk: Arc<Disk>,
    pub(crate) tickets: Tickets,
    _sweeper: Sweeper,
}

impl Files {
    pub(crate) fn new(dir: Option<PathBuf>) -> Files {
        Files { dir, opened: OnceLock::new() }
    }

    /// Where files are kept. None: they are not.
    pub(crate) fn opened(&self) -> Option<&Opened> {
        self.opened.get()
    }

    /// Opens the directory, and removes from it what the store knows nothing of. Blocks.
    ///
    /// # Errors
    /// The store cannot be read, or the directory not be used.
    pub(crate) fn restore(&self, settings: &PubNubSettings, node: &Node) -> Result<(), StoreError> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let items = node.store().all_items(COLLECTION)?;
        let known: HashSet<FileId> = items.iter().filter_map(|(_, item)| record::id_of(&item.key)).collect();
        let unusable = |error| StoreError::Io(format!("{}: {error}", dir.display()).into());
        let disk = Disk::open(dir, settings.files_bytes_max, settings.uploads_max).map_err(unusable)?;
        let orphans = disk.keep_only(&known, node.now().wall).map_err(unusable)?;
        if orphans > 0 {
            tracing::info!(files = orphans, "removed files that nothing refers to");
        }
        let tickets = Tickets::load(dir).map_err(unusable)?;
        let disk = Arc::new(disk);
        let sweeper = Sweeper::start(Arc::clone(&disk)).map_err(unusable)?;
        // Whoever restores twice keeps the first.
        let _ = self.opened.set(Opened { disk, tickets, _sweeper: sweeper });
        Ok(())
    }
}

/// When a file is over that is uploaded now.
pub(crate) fn expires(settings: &PubNubSettings, now: Timestamp) -> Option<Timestamp> {
    (!settings.files_keep.is_zero()).then(|| now.later_by(settings.files_keep))
}
