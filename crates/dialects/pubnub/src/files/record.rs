use antiphon_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::FileId;

/// What files are called in the store; a key is a channel and an id with [`BETWEEN`] between them.
pub(crate) const COLLECTION: &str = "pubnub.files";

/// Between a channel and an id. No channel's name has a control character.
const BETWEEN: char = '\n';

/// What is known about a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// What its client calls it.
    pub(crate) name: String,
    /// How many bytes it has.
    pub(crate) size: u64,
    /// What its client says it is.
    #[serde(rename = "type")]
    pub(crate) content_type: Option<String>,
    #[serde(with = "ticks")]
    pub(crate) created: Timestamp,
    /// When it is over, in seconds since the epoch; 0: never.
    pub(crate) expires: u64,
}

/// By what a file is kept.
pub(crate) fn key(channel: &str, id: FileId) -> String {
    format!("{channel}{BETWEEN}{id}")
}

/// What the keys of a channel's files begin with.
pub(crate) fn key_prefix(channel: &str) -> String {
    format!("{channel}{BETWEEN}")
}

/// The id in a key.
pub(crate) fn id_of(key: &str) -> Option<FileId> {
    key.rsplit_once(BETWEEN)?.1.parse().ok()
}

impl Record {
    /// What the store has kept; none if it is no record.
    pub(crate) fn parse(value: &[u8]) -> Option<Record> {
        serde_json::from_slice(value).ok()
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers are JSON")
    }
}

mod ticks {
    use super::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(time.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        u64::deserialize(deserializer).map(Timestamp)
    }
}
