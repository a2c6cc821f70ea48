//! Grants to auth keys as the store keeps them: `channel/{digest}/{name}`, with `*` for the digest of everybody and
//! `everything/{digest}/`, and JSON.

use antiphon_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::{Bits, Kind};
use super::table::Entry;
use super::{Key, Scope};
use crate::digest::Digest;

/// What the store is to keep or to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantChange {
    /// What it is kept by.
    pub key: Box<str>,
    /// What is to be kept. None: nothing any longer.
    pub value: Option<Vec<u8>>,
    /// When it need not be kept any longer. None: never.
    pub expires: Option<Timestamp>,
}

/// What the store has kept is no grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what is stored is no grant to an auth key")]
pub struct UnreadableGrant;

/// A grant and what it is kept by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) key: Key,
    pub(super) entry: Option<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Value {
    bits: u64,
    until: Option<u64>,
}

impl Stored {
    pub(super) fn parse(key: &str, value: &[u8]) -> Result<Stored, UnreadableGrant> {
        let mut parts = key.splitn(3, '/');
        let (kind, auth, name) = (parts.next(), parts.next(), parts.next());
        let (auth, name) = auth.zip(name).ok_or(UnreadableGrant)?;
        let named = |kind| Scope::Named(kind, name.into());
        let scope = match kind {
            Some("everything") if name.is_empty() => Scope::Everything,
            Some("channel") => named(Kind::Channel),
            Some("group") => named(Kind::Group),
            Some("uuid") => named(Kind::Uuid),
            _ => return Err(UnreadableGrant),
        };
        let auth = match auth {
            "*" => None,
            digest => Some(Digest::parse(digest).ok_or(UnreadableGrant)?),
        };
        let Value { bits, until } = serde_json::from_slice(value).map_err(|_| UnreadableGrant)?;
        let bits = Bits::from_bits(bits).ok_or(UnreadableGrant)?;
        let entry = Some(Entry { bits, until: until.map(Timestamp) });
        Ok(Stored { key: Key { scope, auth }, entry })
    }
}

impl From<Stored> for GrantChange {
    fn from(stored: Stored) -> GrantChange {
        let Key { scope, auth } = &stored.key;
        let auth = auth.map_or_else(|| "*".into(), |digest| digest.to_string());
        let key = match scope {
            Scope::Everything => format!("everything/{auth}/"),
            Scope::Named(Kind::Channel, name) => format!("channel/{auth}/{name}"),
            Scope::Named(Kind::Group, name) => format!("group/{auth}/{name}"),
            Scope::Named(Kind::Uuid, name) => format!("uuid/{auth}/{name}"),
        };
        let value = stored.entry.map(|entry| {
            let value = Value { bits: entry.bits.bits().into(), until: entry.until.map(|until| until.0) };
            serde_json::to_vec(&value).expect("numbers are JSON")
        });
        let expires = stored.entry.and_then(|entry| entry.until);
        GrantChange { key: key.into(), value, expires }
    }
}
