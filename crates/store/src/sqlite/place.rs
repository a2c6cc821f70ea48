//! Whether the files that the server writes to are still those that a restart would find.
//!
//! Files that are removed or replaced below a process go on taking what it writes, and take it with them when it ends. SQLite does not
//! look, so what is acknowledged would be lost; a look at two names for each group costs some microseconds.

use std::path::{Path, PathBuf};

use crate::StoreError;

/// The database's files by their names, and which files those were when it was opened.
pub(super) struct Place {
    files: Vec<(PathBuf, Identity)>,
    /// Whether they were somewhere else when somebody last looked.
    lost: bool,
}

/// A device, and a file on it.
type Identity = (u64, u64);

impl Place {
    /// Where a database is that is open for writing.
    pub(super) fn of(path: &Path) -> Place {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let known = |path: PathBuf| Some((identity(&path)?, path));
        let files = [path.to_owned(), log.into()].into_iter().filter_map(known);
        Place { files: files.map(|(identity, path)| (path, identity)).collect(), lost: false }
    }

    /// Whether it is not there any more, as far as is known. Whether it came back is looked at.
    pub(super) fn check_if_lost(&mut self) -> Result<(), StoreError> {
        if self.lost { self.check() } else { Ok(()) }
    }

    /// Whether what was written is where a restart would look for it.
    ///
    /// # Errors
    /// [`StoreError::Io`]: a file is not there, or is another.
    pub(super) fn check(&mut self) -> Result<(), StoreError> {
        let moved = self.files.iter().find(|(path, opened)| identity(path) != Some(*opened));
        self.lost = moved.is_some();
        match moved {
            None => Ok(()),
            Some((path, _)) => {
                let path = path.display();
                let text = format!("{path} was removed or replaced below the running server; start it again");
                Err(StoreError::Io(text.into()))
            }
        }
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;

    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Open files cannot be removed there.
#[cfg(not(unix))]
fn identity(_: &Path) -> Option<Identity> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_goes_or_is_another_is_noticed_and_so_is_one_that_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let (path, aside) = (directory.path().join("a.db"), directory.path().join("aside"));
        std::fs::write(&path, "one").unwrap();
        let mut place = Place::of(&path);
        assert_eq!((place.check(), place.check_if_lost()), (Ok(()), Ok(())));
        std::fs::rename(&path, &aside).unwrap();
        assert_eq!(place.check_if_lost(), Ok(()), "nobody has looked");
        assert!(matches!(place.check(), Err(StoreError::Io(_))));
        std::fs::write(&path, "another").unwrap();
        assert!(matches!(place.check_if_lost(), Err(StoreError::Io(_))));
        std::fs::rename(&aside, &path).unwrap();
        assert_eq!((place.check_if_lost(), place.check()), (Ok(()), Ok(())));
    }
}
