//! Devices, consumer apps and users: those of the configuration, and those that are added while the server runs.
//!
//! What is here is kept in memory only: the node stores what it adds, and adds what is stored when it starts.

pub(crate) mod credential;
pub(crate) mod directory;
pub(crate) mod kind;
pub(crate) mod proof;
pub(crate) mod settings;

use std::sync::Arc;

use antiphon_model::{ChannelPattern, OrgId};
use serde::Serialize;

use crate::access::Tables;
use crate::{Access, Credential, CredentialKind, Permission};
use directory::{Directory, Entry};

/// Where a credential comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialSource {
    /// The configuration: it can be changed there only.
    Configuration,
    /// It was added to the running server.
    Store,
}

/// A credential as operators see it: without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CredentialInfo {
    /// What sort of client has it.
    pub kind: CredentialKind,
    /// The uuid of a device or an app, the user name of a user.
    pub name: Box<str>,
    /// Where it comes from.
    pub source: CredentialSource,
    /// What it permits.
    pub allow: Vec<Permission>,
    /// On which channels.
    pub channels: Vec<ChannelPattern>,
}

/// A credential cannot be added or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// There is one of this kind and name, which can be replaced.
    #[error("the organization has a credential of this kind and name")]
    Exists,
    /// The configuration has one of this kind and name.
    #[error("the credential is in the configuration, and can be changed there only")]
    InConfiguration,
    /// There is none of this kind and name.
    #[error("the organization has no credential of this kind and name")]
    NotFound,
    /// `credentials_max` of the org.
    #[error("the organization has as many credentials as it may")]
    TooMany,
    /// A login could not tell which of the two it is for.
    #[error("another organization has a credential of this kind, name and secret")]
    SharedSecret,
    /// There is no such org.
    #[error("there is no organization of this name")]
    UnknownOrg,
}

impl Access {
    /// Checks whether a credential could be added.
    ///
    /// # Errors
    /// It could not; with [`CredentialError::Exists`] it could, in place of the one that there is.
    pub fn check_credential(&self, org: &OrgId, credential: &Credential) -> Result<(), CredentialError> {
        let (tables, stored) = (self.tables(), self.stored.read());
        check(&tables, &stored, org, credential)?;
        match stored.find(org, credential.kind, &credential.name) {
            Some(_) => Err(CredentialError::Exists),
            None => Ok(()),
        }
    }

    /// Adds a credential, which takes effect at once and stays through reloads. It replaces one of this kind and name that was
    /// added before, whose callers end; their session tokens go on being valid if the secret is the same.
    ///
    /// # Errors
    /// It cannot be added, and all is as it was.
    pub fn add_credential(&self, org: &OrgId, credential: Credential) -> Result<(), CredentialError> {
        let (tables, mut stored) = (self.tables(), self.stored.write());
        check(&tables, &stored, org, &credential)?;
        let entry = Entry::new(org.clone(), credential, CredentialSource::Store);
        if let Some(replaced) = stored.insert(Arc::new(entry)) {
            replaced.revocation.revoke();
        }
        Ok(())
    }

    /// Removes a credential that was added. Its session tokens are not valid any more, and its callers end.
    ///
    /// # Errors
    /// There is none, or it is in the configuration.
    pub fn remove_credential(
        &self,
        org: &OrgId,
        kind: CredentialKind,
        name: &str,
    ) -> Result<(), CredentialError> {
        let removed = self.stored.write().remove(org, kind, name);
        match removed {
            Some(entry) => entry.revocation.revoke(),
            None if self.tables().credentials.find(org, kind, name).is_some() => {
                return Err(CredentialError::InConfiguration);
            }
            None => return Err(CredentialError::NotFound),
        }
        Ok(())
    }

    /// All credentials of an org, by kind and name.
    pub fn credentials(&self, org: &OrgId) -> Vec<CredentialInfo> {
        let (tables, stored) = (self.tables(), self.stored.read());
        let entries = tables.credentials.iter().chain(stored.iter()).filter(|entry| entry.org == *org);
        let mut infos: Vec<CredentialInfo> = entries.map(|entry| entry.info()).collect();
        infos.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        infos
    }

    /// Where the org's credential of this kind and name comes from, if there is one.
    pub fn credential_source(
        &self,
        org: &OrgId,
        kind: CredentialKind,
        name: &str,
    ) -> Option<CredentialSource> {
        self.credential(&self.tables(), org, kind, name).map(|entry| entry.source())
    }

    /// The credentials of this kind and name, of any org.
    pub(crate) fn credentials_named(
        &self,
        tables: &Tables,
        kind: CredentialKind,
        name: &str,
    ) -> Vec<Arc<Entry>> {
        let stored = self.stored.read();
        tables.credentials.named(kind, name).iter().chain(stored.named(kind, name)).cloned().collect()
    }

    pub(crate) fn credential(
        &self,
        tables: &Tables,
        org: &OrgId,
        kind: CredentialKind,
        name: &str,
    ) -> Option<Arc<Entry>> {
        let configured = tables.credentials.find(org, kind, name).cloned();
        configured.or_else(|| self.stored.read().find(org, kind, name).cloned())
    }
}

/// Whether a credential can be added, or take the place of one that was.
fn check(
    tables: &Tables,
    stored: &Directory,
    org: &OrgId,
    credential: &Credential,
) -> Result<(), CredentialError> {
    let Credential { kind, name, proof, .. } = credential;
    let limits = &tables.orgs.get(org).ok_or(CredentialError::UnknownOrg)?.limits;
    if tables.credentials.find(org, *kind, name).is_some() {
        return Err(CredentialError::InConfiguration);
    }
    let mut named = tables.credentials.named(*kind, name).iter().chain(stored.named(*kind, name));
    if named.any(|other| other.org != *org && other.has_secret_of(proof)) {
        return Err(CredentialError::SharedSecret);
    }
    let replaces = stored.find(org, *kind, name).is_some();
    let count = tables.credentials.count(org) + stored.count(org);
    if !replaces && count >= limits.credentials_max {
        return Err(CredentialError::TooMany);
    }
    Ok(())
}
