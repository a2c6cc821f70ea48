use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What sort of client an identity is; channel flags treat them differently.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum IdentityKind {
    /// A person, or a program that acts for one.
    #[default]
    User,
    /// A device of a fleet.
    Device,
    /// An app for the public: consumer channels only.
    ConsumerApp,
    /// The server itself, or whoever holds an admin key: may publish on system channels.
    Server,
}

/// Who a client is within its org: presence counts by it, publications name it as their publisher.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// What sort of client.
    pub kind: IdentityKind,
    /// Its name, unique among identities of its kind.
    pub id: Arc<str>,
}

impl Identity {
    /// Names an identity.
    pub fn new(kind: IdentityKind, id: &str) -> Identity {
        Identity { kind, id: id.into() }
    }
}
