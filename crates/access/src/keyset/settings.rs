//! The keys of the configuration.

use super::secret_key::SecretKey;
use crate::key_file::{self, KeyFileError};
use crate::{OrgSettings, Secret};

/// What is wrong with the keys of an org.
#[derive(Debug, thiserror::Error)]
pub enum KeysetProblem {
    /// One of the two keys without the other, or another key without them.
    #[error("publish_key and subscribe_key are needed, both of them")]
    Incomplete,
    /// A publish or subscribe key is none.
    #[error("{0} is 1 to 128 of A-Z, a-z, 0-9, '-' and '_'")]
    Key(&'static str),
    /// The subscribe key of another org.
    #[error("another org has this subscribe_key")]
    Duplicate,
    /// Both places to take the secret key from.
    #[error("give either secret_key or secret_key_file")]
    Sources,
    /// The secret key is none.
    #[error("the secret key is 1 to 512 printable ASCII characters without spaces")]
    SecretKey,
    /// The file with the secret key cannot be read.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// Nobody could grant anything.
    #[error("access_manager needs secret_key or secret_key_file")]
    NoSecretKey,
}

/// The keys of an org.
pub(crate) struct Loaded {
    pub(super) publish_key: Box<str>,
    pub(super) subscribe_key: Box<str>,
    pub(super) secret_key: Option<SecretKey>,
    pub(super) access_manager: bool,
}

/// Reads the keys of an org, with the file that they name. None if it is no keyset.
pub(crate) fn load(org: &OrgSettings) -> Result<Option<Loaded>, KeysetProblem> {
    let (publish_key, subscribe_key) = match (&org.publish_key, &org.subscribe_key) {
        (Some(publish_key), Some(subscribe_key)) => (publish_key.as_str(), subscribe_key.as_str()),
        (None, None) if org.secret_key.is_none() && org.secret_key_file.is_none() && !org.access_manager => {
            return Ok(None);
        }
        _ => return Err(KeysetProblem::Incomplete),
    };
    for (name, key) in [("publish_key", publish_key), ("subscribe_key", subscribe_key)] {
        if !is_key(key) {
            return Err(KeysetProblem::Key(name));
        }
    }
    let secret_key = secret_key(org)?.map(SecretKey::new);
    if org.access_manager && secret_key.is_none() {
        return Err(KeysetProblem::NoSecretKey);
    }
    Ok(Some(Loaded {
        publish_key: publish_key.into(),
        subscribe_key: subscribe_key.into(),
        secret_key,
        access_manager: org.access_manager,
    }))
}

fn is_key(key: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=128).contains(&key.len()) && key.bytes().all(allowed)
}

fn secret_key(org: &OrgSettings) -> Result<Option<Secret>, KeysetProblem> {
    let secret = match (&org.secret_key, &org.secret_key_file) {
        (None, None) => return Ok(None),
        (Some(secret), None) => secret.clone(),
        (None, Some(path)) => key_file::read_secret(path)?,
        (Some(_), Some(_)) => return Err(KeysetProblem::Sources),
    };
    let text = secret.expose();
    if !(1..=512).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(KeysetProblem::SecretKey);
    }
    Ok(Some(secret))
}
