use std::fmt;
use std::str::FromStr;

use antiphon_model::Timestamp;

/// What a file is called by: a UUID of version 7, so that files are listed in the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FileId([u8; 16]);

/// A text is not the id of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidFileId;

/// Where the hyphens stand.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

impl FileId {
    /// A new one; none if the system gives no random numbers.
    pub(crate) fn new(now: Timestamp) -> Option<FileId> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes[6..]).ok()?;
        let millis = now.0 / (Timestamp::PER_SECOND / 1000);
        bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        bytes[6] = bytes[6] & 0x0f | 0x70;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Some(FileId(bytes))
    }

    /// Its last byte, which is random.
    pub(super) fn last(self) -> u8 {
        self.0[15]
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if [4, 6, 8, 10].contains(&at) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for FileId {
    type Err = InvalidFileId;

    /// Takes what it is written as, and nothing else: lower case, with hyphens.
    fn from_str(text: &str) -> Result<FileId, InvalidFileId> {
        let text = text.as_bytes();
        if text.len() != 36 || HYPHENS.iter().any(|at| text[*at] != b'-') {
            return Err(InvalidFileId);
        }
        let mut digits =
            text.iter().enumerate().filter(|(at, _)| !HYPHENS.contains(at)).map(|(_, digit)| *digit);
        let mut digit = || match digits.next() {
            Some(digit @ b'0'..=b'9') => Ok(digit - b'0'),
            Some(digit @ b'a'..=b'f') => Ok(digit - b'a' + 10),
            _ => Err(InvalidFileId),
        };
        let mut bytes = [0; 16];
        for byte in &mut bytes {
            *byte = digit()? << 4 | digit()?;
        }
        Ok(FileId(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_are_uuids_in_the_order_of_time() {
        let first = FileId::new(Timestamp(16_000_000_000_000_000)).unwrap();
        let second = FileId::new(Timestamp(16_000_000_000_010_000)).unwrap();
        assert!(first < second && first.to_string() < second.to_string());
        let text = first.to_string();
        assert_eq!(text.as_bytes()[14], b'7');
        assert!(b"89ab".contains(&text.as_bytes()[19]));
        assert_eq!(text.parse(), Ok(first));
        assert_eq!(text.to_uppercase().parse::<FileId>(), Err(InvalidFileId));
    }

    proptest! {
        #[test]
        fn nothing_else_is_one(text in "[0-9a-f-]{30,40}", any: String) {
            for text in [text, any] {
                if let Ok(id) = text.parse::<FileId>() {
                    prop_assert_eq!(id.to_string(), text);
                }
            }
        }
    }
}
