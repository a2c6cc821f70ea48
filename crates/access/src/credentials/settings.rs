//! The credentials of the configuration.

use std::path::PathBuf;

use super::credential::Credential;
use super::proof::Proof;
use crate::key_file::{self, KeyFileError};
use crate::password::PasswordHash;
use crate::{
    ConsumerAppSettings, CredentialKind, DeviceSettings, InvalidCredential, OrgSettings, Secret, UserSettings,
};

/// What is wrong with a credential of the configuration.
#[derive(Debug, thiserror::Error)]
pub enum CredentialProblem {
    /// There can be no such credential.
    #[error(transparent)]
    Invalid(#[from] InvalidCredential),
    /// None or both of the places to take the secret from.
    #[error("give either {0} or {1}")]
    Sources(&'static str, &'static str),
    /// The file with the secret cannot be read.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The org has another of this kind and name.
    #[error("there are two of this name in the org")]
    Duplicate,
    /// A login could not tell which of the two it is for.
    #[error("another org has one of this name and secret")]
    SharedSecret,
}

/// A credential of the configuration as it is named there, and what it comes to.
pub(crate) struct Loaded<'a> {
    pub(crate) kind: CredentialKind,
    pub(crate) name: &'a str,
    pub(crate) credential: Result<Credential, CredentialProblem>,
}

/// Reads the credentials of an org, with the files that they name.
pub(crate) fn load(org: &OrgSettings) -> impl Iterator<Item = Loaded<'_>> {
    let devices = org.devices.iter().map(|device| Loaded {
        kind: CredentialKind::Device,
        name: &device.uuid,
        credential: self::device(device),
    });
    let apps = org.consumer_apps.iter().map(|app| Loaded {
        kind: CredentialKind::ConsumerApp,
        name: &app.uuid,
        credential: consumer_app(app),
    });
    let users = org.users.iter().map(|user| Loaded {
        kind: CredentialKind::User,
        name: &user.username,
        credential: self::user(user),
    });
    devices.chain(apps).chain(users)
}

fn device(settings: &DeviceSettings) -> Result<Credential, CredentialProblem> {
    let DeviceSettings { uuid, secret, secret_file, allow, channels } = settings;
    let secret = secret_of(secret, secret_file, ("secret", "secret_file"))?;
    let (kind, allow, channels) = (CredentialKind::Device, allow.clone(), channels.clone());
    let proof = Proof::secret(secret)?;
    Ok(Credential { kind, name: uuid.as_str().into(), proof, allow, channels }.checked()?)
}

fn consumer_app(settings: &ConsumerAppSettings) -> Result<Credential, CredentialProblem> {
    let ConsumerAppSettings { uuid, api_key, api_key_file, allow, channels } = settings;
    let secret = secret_of(api_key, api_key_file, ("api_key", "api_key_file"))?;
    let (kind, allow, channels) = (CredentialKind::ConsumerApp, allow.clone(), channels.clone());
    let proof = Proof::secret(secret)?;
    Ok(Credential { kind, name: uuid.as_str().into(), proof, allow, channels }.checked()?)
}

fn user(settings: &UserSettings) -> Result<Credential, CredentialProblem> {
    let UserSettings { username, password, password_hash, allow, channels } = settings;
    let proof = match (password, password_hash) {
        (Some(password), None) => Proof::password(password.clone())?,
        (None, Some(hash)) => {
            Proof::PasswordHash(PasswordHash::parse(hash.expose()).map_err(InvalidCredential::from)?)
        }
        _ => return Err(CredentialProblem::Sources("password", "password_hash")),
    };
    let (kind, allow, channels) = (CredentialKind::User, allow.clone(), channels.clone());
    Ok(Credential { kind, name: username.as_str().into(), proof, allow, channels }.checked()?)
}

fn secret_of(
    secret: &Option<Secret>,
    file: &Option<PathBuf>,
    (word, file_word): (&'static str, &'static str),
) -> Result<Secret, CredentialProblem> {
    match (secret, file) {
        (Some(secret), None) => Ok(secret.clone()),
        (None, Some(path)) => Ok(key_file::read_secret(path)?),
        _ => Err(CredentialProblem::Sources(word, file_word)),
    }
}
