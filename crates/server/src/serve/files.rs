//! Where the files are that clients share.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::config::{Settings, StoreKind};
use crate::failure::Failure;

/// The directory of the files: it lives as long as the store that knows of them.
pub(crate) enum Files {
    /// Beside the database.
    Kept(PathBuf),
    /// With a store in memory: gone with the server.
    Temporary(TempDir),
}

impl Files {
    /// The directory for a store of the settings' kind. It is made when the first file comes, unless it is a temporary one.
    ///
    /// # Errors
    /// A temporary one cannot be made.
    pub(crate) fn of(settings: &Settings) -> Result<Files, Failure> {
        match settings.store.kind {
            StoreKind::Sqlite => Ok(Files::Kept(settings.data_dir.join("files"))),
            StoreKind::Memory => TempDir::with_prefix("antiphon-files-")
                .map(Files::Temporary)
                .map_err(|error| Failure::new(format!("no temporary directory for files: {error}"))),
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        match self {
            Files::Kept(path) => path,
            Files::Temporary(directory) => directory.path(),
        }
    }
}
