use std::borrow::Cow;

use antiphon_model::{CHANNEL_NAME_BYTES_MAX, ChannelPattern};
use serde::{Deserialize, Serialize};

use super::proof::{self, Proof};
use crate::password::{HashError, PasswordHash};
use crate::settings::all_channels;
use crate::settings::credentials::client;
use crate::{CredentialKind, Permission, Secret, name};

/// What clients send for a uuid or a secret that they have not got.
pub(crate) const NO_NAME: &str = "_";

/// How many patterns one credential may have.
const CHANNELS_MAX: usize = 100;

/// What a device, a consumer app or a user logs in with, and what it then may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub(crate) kind: CredentialKind,
    pub(crate) name: Box<str>,
    pub(crate) proof: Proof,
    pub(crate) allow: Vec<Permission>,
    pub(crate) channels: Vec<ChannelPattern>,
}

/// There can be no such credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCredential {
    /// The name is none an identity can have.
    #[error("a name has 1 to {max} bytes and no control characters", max = crate::IDENTITY_BYTES_MAX)]
    Name,
    /// `_` stands for a uuid that is missing.
    #[error("\"_\" stands for a uuid that is missing")]
    NoName,
    /// What a device or an app signs with.
    #[error("a secret is 8 to 512 printable ASCII characters without spaces")]
    Secret,
    /// A user's password.
    #[error("a password has 8 to 512 bytes and no control characters")]
    Password,
    /// The hash of a password.
    #[error("the password hash cannot be used: {0}")]
    PasswordHash(#[from] HashError),
    /// Too many patterns, or one that no channel name could match in full.
    #[error("a credential has at most {CHANNELS_MAX} channel patterns of {CHANNEL_NAME_BYTES_MAX} bytes")]
    Channels,
    /// The store holds something else under this name.
    #[error("what is stored is no credential of this kind")]
    Stored,
    /// The system gives no random numbers for a salt.
    #[error("no random numbers are available")]
    NoRandomness,
}

/// A credential as the store keeps it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Stored<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_hash: Option<Cow<'a, str>>,
    allow: Vec<Permission>,
    channels: Vec<ChannelPattern>,
}

impl Credential {
    /// Makes a credential with a device's secret, an app's API key or a user's password. Without `allow` it may
    /// publish, subscribe, read history and see presence; without `channels`, on all of them.
    ///
    /// A password is hashed here, which takes tens of milliseconds and 19 MiB of memory.
    ///
    /// # Errors
    /// There can be no such credential.
    pub fn new(
        kind: CredentialKind,
        name: &str,
        secret: &Secret,
        allow: Option<Vec<Permission>>,
        channels: Option<Vec<ChannelPattern>>,
    ) -> Result<Credential, InvalidCredential> {
        // The name and the patterns first: a hash is dear.
        let unproven = Credential {
            kind,
            name: name.into(),
            proof: Proof::Password(secret.clone()),
            allow: allow.unwrap_or_else(client),
            channels: channels.unwrap_or_else(all_channels),
        };
        unproven.check_all_but_proof()?;
        let proof = match kind {
            CredentialKind::Device | CredentialKind::ConsumerApp => Proof::secret(secret.clone())?,
            CredentialKind::User if !proof::is_password(secret) => return Err(InvalidCredential::Password),
            CredentialKind::User => Proof::PasswordHash(PasswordHash::of(secret)?),
        };
        Ok(Credential { proof, ..unproven })
    }

    /// Checks a credential that is put together from its parts.
    pub(crate) fn checked(self) -> Result<Credential, InvalidCredential> {
        self.check_all_but_proof()?;
        Ok(self)
    }

    /// What sort of client has it.
    pub fn kind(&self) -> CredentialKind {
        self.kind
    }

    /// The uuid of a device or an app, the user name of a user.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the store keeps of it beside kind and name: JSON, with the secret or the password's hash in it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (secret, password_hash) = match &self.proof {
            Proof::Secret(secret) => (Some(secret.expose().into()), None),
            Proof::PasswordHash(hash) => (None, Some(hash.as_str().into())),
            // Only the configuration has such, and that is not stored.
            Proof::Password(_) => (None, None),
        };
        let (allow, channels) = (self.allow.clone(), self.channels.clone());
        let stored = Stored { secret, password_hash, allow, channels };
        serde_json::to_vec(&stored).expect("strings and lists of strings are JSON")
    }

    /// Reads what [`Credential::to_bytes`] gave.
    ///
    /// # Errors
    /// The bytes are no credential of this kind.
    pub fn from_bytes(
        kind: CredentialKind,
        name: &str,
        bytes: &[u8],
    ) -> Result<Credential, InvalidCredential> {
        let stored: Stored<'_> = serde_json::from_slice(bytes).map_err(|_| InvalidCredential::Stored)?;
        let proof = match (kind, stored.secret, stored.password_hash) {
            (CredentialKind::User, None, Some(hash)) => Proof::PasswordHash(PasswordHash::parse(&hash)?),
            (CredentialKind::Device | CredentialKind::ConsumerApp, Some(secret), None) => {
                Proof::secret(Secret::new(&secret))?
            }
            _ => return Err(InvalidCredential::Stored),
        };
        let Stored { allow, channels, .. } = stored;
        Credential { kind, name: name.into(), proof, allow, channels }.checked()
    }

    fn check_all_but_proof(&self) -> Result<(), InvalidCredential> {
        if !name::is_identity(&self.name) {
            return Err(InvalidCredential::Name);
        }
        if self.kind != CredentialKind::User && &*self.name == NO_NAME {
            return Err(InvalidCredential::NoName);
        }
        let too_long = |pattern: &ChannelPattern| pattern.as_str().len() > CHANNEL_NAME_BYTES_MAX;
        if self.channels.len() > CHANNELS_MAX || self.channels.iter().any(too_long) {
            return Err(InvalidCredential::Channels);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CredentialKind::{ConsumerApp, Device, User};

    fn new(kind: CredentialKind, name: &str, secret: &str) -> Result<Credential, InvalidCredential> {
        Credential::new(kind, name, &Secret::new(secret), None, None)
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let allow = Some(vec![Permission::Subscribe]);
        let channels = Some(vec![ChannelPattern::new("a \"quoted\" *")]);
        for (kind, secret) in [(Device, "test-secret"), (ConsumerApp, "q\"uo\\tes"), (User, "Grüße 12")] {
            let secret = Secret::new(secret);
            let credential =
                Credential::new(kind, "Zoë \"7\"", &secret, allow.clone(), channels.clone()).unwrap();
            let bytes = credential.to_bytes();
            assert_eq!(Credential::from_bytes(kind, "Zoë \"7\"", &bytes), Ok(credential.clone()));
            let text = String::from_utf8(bytes).unwrap();
            assert!(kind != User || !text.contains("Grüße"), "{text}");
            assert!(!format!("{credential:?}").contains(secret.expose()));
        }
    }

    #[test]
    fn what_is_stored_as_something_else_is_refused() {
        let device = new(Device, "a", "test-secret").unwrap().to_bytes();
        assert_eq!(Credential::from_bytes(User, "a", &device), Err(InvalidCredential::Stored));
        for bytes in [
            "",
            "null",
            "{}",
            r#"{"allow":[],"channels":[]}"#,
            r#"{"secret":"test-secret","allow":["fly"],"channels":[]}"#,
            r#"{"secret":"test-secret","password_hash":"x","allow":[],"channels":[]}"#,
            r#"{"secret":"test-secret","allow":[],"channels":[],"more":1}"#,
        ] {
            let outcome = Credential::from_bytes(Device, "a", bytes.as_bytes());
            assert_eq!(outcome, Err(InvalidCredential::Stored), "{bytes}");
        }
        let short = br#"{"secret":"short","allow":[],"channels":[]}"#;
        assert_eq!(Credential::from_bytes(Device, "a", short), Err(InvalidCredential::Secret));
    }

    #[test]
    fn names_secrets_and_patterns_are_bounded() {
        let long = "x".repeat(513);
        for (kind, name, secret, expected) in [
            (Device, "", "test-secret", InvalidCredential::Name),
            (Device, "a\nb", "test-secret", InvalidCredential::Name),
            (Device, "_", "test-secret", InvalidCredential::NoName),
            (ConsumerApp, "_", "test-secret", InvalidCredential::NoName),
            (Device, "a", "7-bytes", InvalidCredential::Secret),
            (Device, "a", "with a space", InvalidCredential::Secret),
            (ConsumerApp, "a", "Grüße-12", InvalidCredential::Secret),
            (Device, "a", &long, InvalidCredential::Secret),
            (User, "a", "7-bytes", InvalidCredential::Password),
            (User, "a", "with a\nbreak", InvalidCredential::Password),
            (User, "a", &long, InvalidCredential::Password),
        ] {
            assert_eq!(new(kind, name, secret), Err(expected), "{kind} {name:?}");
        }
        for channels in [
            vec![ChannelPattern::new("*"); CHANNELS_MAX + 1],
            vec![ChannelPattern::new(&"x".repeat(CHANNEL_NAME_BYTES_MAX + 1))],
        ] {
            let outcome = Credential::new(Device, "a", &Secret::new("test-secret"), None, Some(channels));
            assert_eq!(outcome, Err(InvalidCredential::Channels));
        }
    }
}
