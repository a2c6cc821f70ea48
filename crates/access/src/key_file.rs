//! Reading the files that settings name instead of holding a key themselves.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::Secret;

const KEY_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Longer than a key could be.
    #[error("{path}: longer than {bytes_max} bytes")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// How long it may be.
        bytes_max: u64,
    },
    /// Not text.
    #[error("{0}: not UTF-8")]
    NotText(PathBuf),
}

/// The text of a key file.
pub(crate) fn read(path: &Path) -> Result<String, KeyFileError> {
    read_up_to(path, KEY_FILE_BYTES_MAX)
}

/// The text of a file that may have so many bytes.
pub(crate) fn read_up_to(path: &Path, bytes_max: u64) -> Result<String, KeyFileError> {
    let unreadable = |source| KeyFileError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > bytes_max {
        return Err(KeyFileError::TooLong { path: path.to_owned(), bytes_max });
    }
    String::from_utf8(bytes).map_err(|_| KeyFileError::NotText(path.to_owned()))
}

/// The secret in a file, without the line break that editors put at the end.
pub(crate) fn read_secret(path: &Path) -> Result<Secret, KeyFileError> {
    let text = read(path)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(text.strip_suffix('\r').unwrap_or(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_at_the_end_does_not_count() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        for (content, expected) in
            [("k", "k"), ("k\n", "k"), ("k\r\n", "k"), ("k\n\n", "k\n"), (" k ", " k ")]
        {
            std::fs::write(&path, content).unwrap();
            assert_eq!(read_secret(&path).unwrap().expose(), expected);
        }
    }

    #[test]
    fn what_cannot_be_a_key_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        assert!(matches!(read(&path), Err(KeyFileError::Unreadable { .. })));
        std::fs::write(&path, b"\xff").unwrap();
        assert!(matches!(read(&path), Err(KeyFileError::NotText(_))));
        std::fs::write(&path, vec![b'x'; KEY_FILE_BYTES_MAX as usize + 1]).unwrap();
        assert!(matches!(read(&path), Err(KeyFileError::TooLong { .. })));
    }
}
