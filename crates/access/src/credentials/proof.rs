//! What shows that a client is who it says it is, as we hold it.

use crate::password::{self, PasswordHash};
use crate::{InvalidCredential, Secret};

/// What a credential's holder has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// What a device or an app signs with.
    Secret(Secret),
    /// The hash of a user's password.
    PasswordHash(PasswordHash),
    /// A user's password as the configuration says it.
    Password(Secret),
}

impl Proof {
    /// What a device or an app signs with.
    pub(crate) fn secret(secret: Secret) -> Result<Proof, InvalidCredential> {
        if is_secret(&secret) { Ok(Proof::Secret(secret)) } else { Err(InvalidCredential::Secret) }
    }

    /// A user's password.
    pub(crate) fn password(password: Secret) -> Result<Proof, InvalidCredential> {
        if is_password(&password) { Ok(Proof::Password(password)) } else { Err(InvalidCredential::Password) }
    }

    /// A text that is another for each secret, and is itself as secret.
    pub(crate) fn text(&self) -> &str {
        match self {
            Proof::Secret(secret) | Proof::Password(secret) => secret.expose(),
            Proof::PasswordHash(hash) => hash.as_str(),
        }
    }
}

/// The JavaScript SDK signs with the characters as Latin-1 bytes and others with UTF-8: ASCII is both.
pub(crate) fn is_secret(secret: &Secret) -> bool {
    let secret = secret.expose();
    (8..=512).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic())
}

pub(crate) fn is_password(password: &Secret) -> bool {
    let password = password.expose();
    (8..=password::BYTES_MAX).contains(&password.len()) && !password.chars().any(char::is_control)
}
