use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use antiphon_model::Timestamp;
use parking_lot::Mutex;

use super::FileId;

/// The bytes of all files. What it does blocks.
pub(crate) struct Disk {
    root: PathBuf,
    /// How many bytes are kept or coming.
    used: AtomicU64,
    bytes_max: u64,
    under_way: Mutex<HashSet<FileId>>,
    uploads_max: usize,
}

/// An upload is not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CannotKeep {
    /// There is a file of this id, or one is coming.
    #[error("The file has been uploaded already.")]
    Taken,
    /// As many are coming as may.
    #[error("Too many files are being uploaded, try again later.")]
    TooMany,
    /// The file is longer than it may be.
    #[error("Your proposed upload exceeds the maximum allowed size")]
    TooLarge,
    /// All files together would be more than may be.
    #[error("There is no room for more files.")]
    Full,
    #[error("The file cannot be kept.")]
    Io(#[from] io::Error),
}

/// What is kept while it comes.
const INCOMING: &str = "incoming";

/// What is all there, in 256 directories by the last two digits of the id.
const KEPT: &str = "kept";

impl Disk {
    /// Opens a directory, which is made if it is not there. What an earlier process was about to keep is removed.
    pub(super) fn open(root: &Path, bytes_max: u64, uploads_max: usize) -> io::Result<Disk> {
        let incoming = root.join(INCOMING);
        for dir in [&incoming, &root.join(KEPT)] {
            fs::create_dir_all(dir)?;
        }
        for entry in fs::read_dir(&incoming)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(|name| name.parse::<FileId>().is_ok()) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Disk {
            root: root.to_owned(),
            used: AtomicU64::new(0),
            bytes_max,
            under_way: Mutex::default(),
            uploads_max,
        })
    }

    /// Removes all files but those that are known and not over; counts what is left. Says how many were removed.
    pub(super) fn keep_only(&self, known: &HashSet<FileId>, now: Timestamp) -> io::Result<u64> {
        let mut removed = 0;
        self.each(|path, stored| {
            let bytes = fs::metadata(path)?.len();
            self.used.fetch_add(bytes, Ordering::Relaxed);
            if !known.contains(&stored.id) || stored.is_over(now) {
                self.unlink(path, bytes)?;
                removed += 1;
            }
            Ok(())
        })?;
        Ok(removed)
    }

    /// Removes the files that are over.
    pub(super) fn sweep(&self, now: Timestamp) -> io::Result<()> {
        self.each(|path, stored| {
            if stored.is_over(now) {
                let bytes = fs::metadata(path)?.len();
                self.unlink(path, bytes)?;
            }
            Ok(())
        })
    }

    fn each(&self, mut then: impl FnMut(&Path, Stored) -> io::Result<()>) -> io::Result<()> {
        for dir in fs::read_dir(self.root.join(KEPT))? {
            let dir = dir?;
            if !dir.file_type()?.is_dir() {
                continue;
            }
            for entry in fs::read_dir(dir.path())? {
                let entry = entry?;
                // What has another name was put there by somebody else.
                let Some(stored) = entry.file_name().to_str().and_then(Stored::parse) else { continue };
                match then(&entry.path(), stored) {
                    // Somebody has removed it meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    outcome => outcome?,
                }
            }
        }
        Ok(())
    }

    /// Begins to keep a file.
    pub(crate) fn begin(
        self: &Arc<Self>,
        id: FileId,
        expires: Option<Timestamp>,
        bytes_max: u64,
    ) -> Result<Incoming, CannotKeep> {
        let stored = Stored { id, expires: expires.map_or(0, |time| time.0.div_ceil(Timestamp::PER_SECOND)) };
        let kept = self.directory(id);
        fs::create_dir_all(&kept)?;
        {
            let mut under_way = self.under_way.lock();
            if under_way.len() >= self.uploads_max {
                return Err(CannotKeep::TooMany);
            }
            if !under_way.insert(id) {
                return Err(CannotKeep::Taken);
            }
        }
        // From here on, dropping it undoes all.
        let path = self.root.join(INCOMING).join(id.to_string());
        let mut incoming =
            Incoming { disk: Arc::clone(self), stored, bytes: 0, bytes_max, path: None, file: None };
        let taken = fs::read_dir(&kept)?.filter_map(Result::ok).any(|entry| {
            entry.file_name().to_str().and_then(Stored::parse).is_some_and(|other| other.id == id)
        });
        if taken {
            return Err(CannotKeep::Taken);
        }
        incoming.file = Some(OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?);
        incoming.path = Some(path);
        Ok(incoming)
    }

    /// Opens a file, and says how many bytes it has.
    pub(crate) fn read(&self, id: FileId, expires: u64) -> io::Result<(File, u64)> {
        let file = File::open(self.path(Stored { id, expires }))?;
        let bytes = file.metadata()?.len();
        Ok((file, bytes))
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, id: FileId, expires: u64) -> io::Result<()> {
        let path = self.path(Stored { id, expires });
        match fs::metadata(&path).and_then(|metadata| self.unlink(&path, metadata.len())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }

    /// Of two who remove a file only one is told that it went.
    fn unlink(&self, path: &Path, bytes: u64) -> io::Result<()> {
        fs::remove_file(path)?;
        self.give_back(bytes);
        Ok(())
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn take(&self, bytes: u64) -> Result<(), CannotKeep> {
        let more = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.bytes_max);
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.map(|_| ()).map_err(|_| CannotKeep::Full)
    }

    /// How many bytes are kept or coming.
    #[cfg(test)]
    fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    fn directory(&self, id: FileId) -> PathBuf {
        self.root.join(KEPT).join(format!("{:02x}", id.last()))
    }

    fn path(&self, stored: Stored) -> PathBuf {
        self.directory(stored.id).join(stored.to_string())
    }
}

/// What a kept file is called on the disk: its id, and the second in which it is over, so that no store has to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stored {
    id: FileId,
    /// 0: never.
    expires: u64,
}

impl Stored {
    fn parse(name: &str) -> Option<Stored> {
        let (id, expires) = name.split_once('.')?;
        let stored = Stored { id: id.parse().ok()?, expires: expires.parse().ok()? };
        (stored.to_string() == name).then_some(stored)
    }

    fn is_over(self, now: Timestamp) -> bool {
        self.expires != 0 && self.expires <= now.as_secs()
    }
}

impl std::fmt::Display for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.id, self.expires)
    }
}

/// A file that comes. Dropped before it is kept, nothing is left of it.
pub(crate) struct Incoming {
    disk: Arc<Disk>,
    stored: Stored,
    bytes: u64,
    bytes_max: u64,
    /// Where it is, unless it was moved to where it belongs.
    path: Option<PathBuf>,
    file: Option<File>,
}

impl Incoming {
    /// Writes some more of it.
    ///
    /// # Errors
    /// It is too long, there is no room, or the disk fails.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), CannotKeep> {
        let more = bytes.len() as u64;
        if self.bytes + more > self.bytes_max {
            return Err(CannotKeep::TooLarge);
        }
        self.disk.take(more)?;
        self.bytes += more;
        if let Some(file) = &mut self.file {
            file.write_all(bytes)?;
        }
        Ok(())
    }

    /// Keeps it. Says how many bytes it has, and when it is over.
    ///
    /// # Errors
    /// The disk fails.
    pub(crate) fn keep(mut self) -> Result<Kept, CannotKeep> {
        if let Some(file) = self.file.take() {
            file.sync_all()?;
        }
        if let Some(path) = &self.path {
            fs::rename(path, self.disk.path(self.stored))?;
            self.path = None;
        }
        Ok(Kept { size: std::mem::take(&mut self.bytes), expires: self.stored.expires })
    }
}

/// A file that is all there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) size: u64,
    pub(crate) expires: u64,
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            let _ = fs::remove_file(path);
        }
        self.disk.give_back(self.bytes);
        self.disk.under_way.lock().remove(&self.stored.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> FileId {
        FileId::new(Timestamp(17_000_000_000_000_000)).unwrap()
    }

    fn names(dir: &Path) -> usize {
        let count = |dir: PathBuf| fs::read_dir(dir).unwrap().count();
        let shards = fs::read_dir(dir.join(KEPT)).unwrap().map(|dir| dir.unwrap().path());
        count(dir.join(INCOMING)) + shards.filter(|path| path.is_dir()).map(count).sum::<usize>()
    }

    fn opened(bytes_max: u64) -> (tempfile::TempDir, Arc<Disk>) {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(Disk::open(dir.path(), bytes_max, 2).unwrap());
        (dir, disk)
    }

    fn kept(disk: &Arc<Disk>, id: FileId, bytes: &[u8], expires: Option<Timestamp>) -> Kept {
        let mut incoming = disk.begin(id, expires, 100).unwrap();
        incoming.write(bytes).unwrap();
        incoming.keep().unwrap()
    }

    #[test]
    fn what_is_kept_can_be_read_and_removed() {
        let (dir, disk) = opened(10);
        let id = id();
        let mut incoming = disk.begin(id, None, 10).unwrap();
        incoming.write(b"abc").unwrap();
        assert!(disk.read(id, 0).is_err(), "not before all of it is there");
        incoming.write(b"def").unwrap();
        assert_eq!(incoming.keep().unwrap(), Kept { size: 6, expires: 0 });
        let (file, bytes) = disk.read(id, 0).unwrap();
        assert_eq!((io::read_to_string(file).unwrap(), bytes, disk.used()), ("abcdef".into(), 6, 6));
        assert!(matches!(disk.begin(id, None, 10), Err(CannotKeep::Taken)));
        disk.remove(id, 0).unwrap();
        disk.remove(id, 0).unwrap();
        assert_eq!((names(dir.path()), disk.used()), (0, 0));
    }

    #[test]
    fn nothing_is_left_of_what_is_given_up() {
        let (dir, disk) = opened(10);
        let (one, other) = (id(), id());
        let mut incoming = disk.begin(one, None, 5).unwrap();
        incoming.write(b"abc").unwrap();
        assert!(matches!(disk.begin(one, None, 5), Err(CannotKeep::Taken)));
        assert!(matches!(incoming.write(b"def"), Err(CannotKeep::TooLarge)));
        let mut second = disk.begin(other, None, 100).unwrap();
        assert!(matches!(disk.begin(id(), None, 5), Err(CannotKeep::TooMany)));
        assert!(matches!(second.write(b"12345678"), Err(CannotKeep::Full)));
        second.write(b"1234567").unwrap();
        drop((incoming, second));
        assert_eq!((names(dir.path()), disk.used()), (0, 0));
        kept(&disk, one, b"again", None);
    }

    #[test]
    fn nothing_is_left_where_the_disk_fails() {
        let (dir, disk) = opened(100);
        let mut incoming = disk.begin(id(), None, 100).unwrap();
        incoming.write(b"abc").unwrap();
        fs::remove_dir_all(dir.path().join(KEPT)).unwrap();
        assert!(matches!(incoming.keep(), Err(CannotKeep::Io(_))));
        fs::create_dir(dir.path().join(KEPT)).unwrap();
        assert_eq!((names(dir.path()), disk.used(), disk.under_way.lock().len()), (0, 0, 0));
    }

    #[test]
    fn a_start_removes_what_nothing_refers_to() {
        let (dir, disk) = opened(100);
        let (known, orphan, over, half) = (id(), id(), id(), id());
        kept(&disk, known, b"known", None);
        kept(&disk, orphan, b"orphan", None);
        kept(&disk, over, b"over", Some(Timestamp(5 * Timestamp::PER_SECOND)));
        std::mem::forget(disk.begin(half, None, 10).unwrap());
        fs::write(dir.path().join(KEPT).join("readme"), "not ours").unwrap();
        let disk = Disk::open(dir.path(), 100, 2).unwrap();
        let removed = disk.keep_only(&HashSet::from([known, over]), Timestamp(9 * Timestamp::PER_SECOND));
        assert_eq!((removed.unwrap(), names(dir.path()), disk.used()), (2, 1, 5));
    }

    #[test]
    fn what_is_over_is_swept() {
        let (dir, disk) = opened(100);
        kept(&disk, id(), b"for ever", None);
        let short = kept(&disk, id(), b"short", Some(Timestamp(5 * Timestamp::PER_SECOND)));
        assert_eq!(short.expires, 5);
        disk.sweep(Timestamp(5 * Timestamp::PER_SECOND - 1)).unwrap();
        assert_eq!(names(dir.path()), 2);
        disk.sweep(Timestamp(5 * Timestamp::PER_SECOND)).unwrap();
        assert_eq!((names(dir.path()), disk.used()), (1, 8));
    }
}
