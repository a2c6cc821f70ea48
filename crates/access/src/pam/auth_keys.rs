//! Grants to auth keys: words that an application has made up, and that its clients present.
//!
//! A grant is for all of the keyset, for a channel, a group or a user, and for one auth key or everybody; what a
//! request may do is what all those that concern it permit together. Auth keys are known by their digests only.

mod stored;
mod table;

use std::fmt;
use std::time::Duration;

use antiphon_model::Timestamp;

pub use stored::{GrantChange, UnreadableGrant};

use super::grant::is_name;
use super::{Bits, GrantError, Kind, Resource};
use crate::digest::Digest;
use stored::Stored;
use table::{Entry, Table};

const TTL_MINUTES_DEFAULT: u64 = 24 * 60;
const TTL_MINUTES_MAX: u64 = 365 * 24 * 60;
const AUTH_KEY_BYTES_MAX: usize = 512;

/// What auth keys are to be granted.
#[derive(Clone, Default)]
pub struct AuthKeyGrant {
    /// What they may do. Nothing takes a grant back.
    pub bits: Bits,
    /// With which channels. `a.*` stands for all whose name begins with `a.`, and `*` for all.
    pub channels: Vec<Box<str>>,
    /// With which channel groups. None of these three: with everything in the keyset.
    pub groups: Vec<Box<str>>,
    /// With which users. They need auth keys, and are granted alone.
    pub uuids: Vec<Box<str>>,
    /// Which auth keys. None: everybody.
    pub auths: Vec<Box<str>>,
    /// For how many minutes: 1 to 525,600, or 0 for ever. None: a day.
    pub ttl_minutes: Option<u64>,
}

/// What auth keys were granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthKeyGranted {
    /// What it concerns.
    pub level: Level,
    /// For how many minutes; 0 is for ever.
    pub ttl_minutes: u64,
    /// What the store is to keep and to remove.
    pub changes: Vec<GrantChange>,
}

/// What a grant concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// Everything in the keyset.
    Subkey,
    /// Channels, for everybody.
    Channel,
    /// Channel groups, for everybody.
    ChannelGroup,
    /// Channels, for auth keys.
    User,
    /// Channel groups, for auth keys.
    ChannelGroupUser,
    /// Users, for auth keys.
    Uuid,
}

/// The grants to auth keys of an org.
#[derive(Default)]
pub(super) struct AuthKeys {
    table: Table,
}

impl AuthKeys {
    pub(super) fn bits_of(&self, resource: Resource<'_>, auth: Option<Digest>, now: Timestamp) -> Bits {
        self.table.bits_of(resource, auth, now)
    }

    pub(super) fn grant(
        &mut self,
        grant: &AuthKeyGrant,
        max: usize,
        now: Timestamp,
    ) -> Result<AuthKeyGranted, GrantError> {
        grant.check()?;
        let ttl_minutes = grant.ttl_minutes.unwrap_or(TTL_MINUTES_DEFAULT);
        let ttl = Duration::from_secs(ttl_minutes.saturating_mul(60));
        let until = (ttl_minutes > 0).then(|| now.later_by(ttl));
        let keys = grant.keys();
        if !grant.bits.is_empty() && !self.table.has_room(keys.len(), max, now) {
            return Err(GrantError::TooMany);
        }
        let entry = (!grant.bits.is_empty()).then_some(Entry { bits: grant.bits, until });
        let mut changes = Vec::with_capacity(keys.len());
        for key in keys {
            changes.push(Stored { key: key.clone(), entry }.into());
            self.table.set(key, entry);
        }
        Ok(AuthKeyGranted { level: grant.level(), ttl_minutes, changes })
    }

    pub(super) fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), UnreadableGrant> {
        let Stored { key, entry } = Stored::parse(key, value)?;
        self.table.set(key, entry);
        Ok(())
    }
}

/// What one grant is for, and for whom: none is everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    scope: Scope,
    auth: Option<Digest>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scope {
    Everything,
    Named(Kind, Box<str>),
}

impl AuthKeyGrant {
    fn check(&self) -> Result<(), GrantError> {
        if self.ttl_minutes.is_some_and(|minutes| minutes > TTL_MINUTES_MAX) {
            return Err(GrantError::Ttl);
        }
        for (kind, name) in self.names() {
            if !is_name(name) {
                return Err(GrantError::Name { kind, name: name.into() });
            }
        }
        let is_auth_key = |auth: &str| {
            (1..=AUTH_KEY_BYTES_MAX).contains(&auth.len()) && !auth.chars().any(char::is_control)
        };
        if !self.auths.iter().all(|auth| is_auth_key(auth)) {
            return Err(GrantError::AuthKey);
        }
        let others = !self.channels.is_empty() || !self.groups.is_empty();
        if !self.uuids.is_empty() && (self.auths.is_empty() || others) {
            return Err(GrantError::Combination);
        }
        Ok(())
    }

    fn names(&self) -> impl Iterator<Item = (Kind, &str)> {
        let channels = self.channels.iter().map(|name| (Kind::Channel, &**name));
        let groups = self.groups.iter().map(|name| (Kind::Group, &**name));
        let uuids = self.uuids.iter().map(|name| (Kind::Uuid, &**name));
        channels.chain(groups).chain(uuids)
    }

    fn keys(&self) -> Vec<Key> {
        let mut scopes: Vec<Scope> =
            self.names().map(|(kind, name)| Scope::Named(kind, name.into())).collect();
        if scopes.is_empty() {
            scopes.push(Scope::Everything);
        }
        let mut auths: Vec<Option<Digest>> =
            self.auths.iter().map(|auth| Some(Digest::of(auth.as_bytes()))).collect();
        if auths.is_empty() {
            auths.push(None);
        }
        let keys = scopes.iter().flat_map(|scope| auths.iter().map(move |auth| (scope, auth)));
        keys.map(|(scope, auth)| Key { scope: scope.clone(), auth: *auth }).collect()
    }

    fn level(&self) -> Level {
        let everybody = self.auths.is_empty();
        if !self.uuids.is_empty() {
            Level::Uuid
        } else if !self.groups.is_empty() {
            if everybody { Level::ChannelGroup } else { Level::ChannelGroupUser }
        } else if !self.channels.is_empty() {
            if everybody { Level::Channel } else { Level::User }
        } else {
            Level::Subkey
        }
    }
}

impl fmt::Display for Level {
    /// The word for it in an answer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Subkey => "subkey",
            Level::Channel => "channel",
            Level::ChannelGroup => "channel-group",
            Level::User => "user",
            Level::ChannelGroupUser => "channel-group+auth",
            Level::Uuid => "uuid",
        })
    }
}

impl fmt::Debug for AuthKeyGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthKeyGrant")
            .field("bits", &self.bits)
            .field("channels", &self.channels)
            .field("groups", &self.groups)
            .field("uuids", &self.uuids)
            .field("auths", &self.auths.len())
            .field("ttl_minutes", &self.ttl_minutes)
            .finish()
    }
}
