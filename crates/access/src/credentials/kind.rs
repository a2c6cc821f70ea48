use std::fmt;
use std::str::FromStr;

use antiphon_model::IdentityKind;
use serde::{Deserialize, Serialize};

/// What sort of client logs in with a credential.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// A device, which signs its logins.
    Device,
    /// An app for the public, which signs its logins.
    ConsumerApp,
    /// A person with a password.
    User,
}

/// The word is none for a kind of credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a credential's kind is device, consumer_app or user")]
pub struct InvalidCredentialKind;

impl CredentialKind {
    /// Every kind.
    pub const ALL: [CredentialKind; 3] =
        [CredentialKind::Device, CredentialKind::ConsumerApp, CredentialKind::User];

    /// The word for it in settings, paths and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            CredentialKind::Device => "device",
            CredentialKind::ConsumerApp => "consumer_app",
            CredentialKind::User => "user",
        }
    }

    /// What kind of identity its clients have.
    pub fn identity_kind(self) -> IdentityKind {
        match self {
            CredentialKind::Device => IdentityKind::Device,
            CredentialKind::ConsumerApp => IdentityKind::ConsumerApp,
            CredentialKind::User => IdentityKind::User,
        }
    }
}

impl FromStr for CredentialKind {
    type Err = InvalidCredentialKind;

    fn from_str(word: &str) -> Result<CredentialKind, InvalidCredentialKind> {
        CredentialKind::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or(InvalidCredentialKind)
    }
}

impl fmt::Display for CredentialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_everywhere() {
        for kind in CredentialKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(serde_json::to_value(kind.identity_kind()).unwrap(), kind.as_str());
        }
        assert_eq!("server".parse::<CredentialKind>(), Err(InvalidCredentialKind));
    }
}
