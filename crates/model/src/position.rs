use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Timestamp;

/// Where a publication stands in the order of its org: a timetoken, 100 ns units since the epoch.
///
/// Unique in an org and strictly rising in the order of delivery. Written as decimal digits, in JSON as a
/// string, because 17 digits do not fit a JavaScript number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl Position {
    /// Before every publication.
    pub const ZERO: Position = Position(0);

    /// The wall-clock time this position was given at (to the extent that the clock did not step back).
    pub fn timestamp(self) -> Timestamp {
        Timestamp(self.0)
    }

    /// The position right after this one.
    pub fn next(self) -> Position {
        Position(self.0 + 1)
    }
}

/// The text is not a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a position is 1 to 19 decimal digits, like 17325678901234567")]
pub struct InvalidPosition;

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Position, InvalidPosition> {
        // 19 digits always fit a u64; `parse` alone would also take a sign.
        if text.is_empty() || text.len() > 19 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidPosition);
        }
        text.parse().map(Position).map_err(|_| InvalidPosition)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Position, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_junk_is_refused() {
        let position: Position = "17325678901234567".parse().unwrap();
        assert_eq!(position.to_string(), "17325678901234567");
        for junk in ["", "+1", "-1", "1a", "12345678901234567890", " 1", "٣"] {
            assert_eq!(junk.parse::<Position>(), Err(InvalidPosition), "{junk:?}");
        }
        assert_eq!(serde_json::to_string(&position).unwrap(), "\"17325678901234567\"");
    }
}
