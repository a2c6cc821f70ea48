use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use antiphon_model::CHANNEL_NAME_BYTES_MAX;
use serde_json::{Map, Value};

use super::patterns::Patterns;
use super::{Bits, GrantError};
use crate::name;

/// How many minutes a token may be valid.
const TTL_MINUTES: RangeInclusive<u64> = 1..=43_200;

/// What a token is to say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenGrant {
    /// How long it is valid, in minutes: 1 to 43,200.
    pub ttl_minutes: u64,
    /// What its bearer may do, by names.
    pub resources: Scopes,
    /// What its bearer may do, by regular expressions that have to match the whole name.
    pub patterns: Scopes,
    /// What an application says in it, for its own use.
    pub meta: Map<String, Value>,
    /// The only user who may use it. None: whoever has it.
    pub uuid: Option<Box<str>>,
}

/// Permissions, by name or pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    /// On channels.
    pub channels: BTreeMap<Box<str>, Bits>,
    /// On channel groups.
    pub groups: BTreeMap<Box<str>, Bits>,
    /// On the metadata of users.
    pub uuids: BTreeMap<Box<str>, Bits>,
}

/// What sort of thing a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A channel.
    Channel,
    /// A channel group.
    Group,
    /// A user.
    Uuid,
}

impl TokenGrant {
    /// Checks all but whether the patterns can be compiled.
    pub(super) fn check(&self) -> Result<(), GrantError> {
        if !TTL_MINUTES.contains(&self.ttl_minutes) {
            return Err(GrantError::Ttl);
        }
        if self.uuid.as_deref().is_some_and(|uuid| !name::is_identity(uuid)) {
            return Err(GrantError::Uuid);
        }
        for (kind, scope) in self.resources.by_kind() {
            if let Some(name) = scope.keys().find(|name| !is_name(name)) {
                return Err(GrantError::Name { kind, name: name.clone() });
            }
        }
        let scopes = self.resources.by_kind().into_iter().chain(self.patterns.by_kind());
        let nothing = scopes.flat_map(|(_, scope)| scope.values()).all(|bits| bits.is_empty());
        if nothing { Err(GrantError::Nothing) } else { Ok(()) }
    }

    /// Compiles the patterns to see whether it can be done.
    pub(super) fn check_patterns(&self, mut bytes_max: usize) -> Result<(), GrantError> {
        for (kind, scope) in self.patterns.by_kind() {
            let patterns = Patterns::compile(scope, &mut bytes_max);
            patterns.map_err(|(pattern, problem)| GrantError::Pattern { kind, pattern, problem })?;
        }
        Ok(())
    }
}

impl Scopes {
    /// The three of them, each with what its names are of.
    pub fn by_kind(&self) -> [(Kind, &BTreeMap<Box<str>, Bits>); 3] {
        [(Kind::Channel, &self.channels), (Kind::Group, &self.groups), (Kind::Uuid, &self.uuids)]
    }
}

impl fmt::Display for Kind {
    /// The word for it in a grant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Channel => "channels",
            Kind::Group => "groups",
            Kind::Uuid => "uuids",
        })
    }
}

pub(super) fn is_name(name: &str) -> bool {
    (1..=CHANNEL_NAME_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
}
