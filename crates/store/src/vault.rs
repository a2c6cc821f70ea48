//! What the server must not lose and must not show: credentials, and secrets of its own.
//!
//! Changes go to the writer as entries do, and in between them; each batch is a transaction of its own, so a publication that
//! cannot be stored takes no credential with it.

use std::fmt;
use std::sync::mpsc;

use antiphon_model::OrgId;
use bytes::Bytes;

use crate::queue::Queue;
use crate::store::Done;
use crate::{StoreError, StoredCredential};

/// Bytes of a credential at most, its names included: enough for a secret and a hundred of the longest channel patterns.
pub(crate) const CREDENTIAL_BYTES_MAX: usize = 1 << 20;

/// A credential among those of all orgs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CredentialKey {
    pub(crate) org: OrgId,
    pub(crate) kind: Box<str>,
    pub(crate) name: Box<str>,
}

/// A change on its way to the backend.
pub(crate) enum VaultChange {
    /// Keeps a credential; the one that has its place is replaced.
    Put(CredentialKey, Bytes),
    /// Removes a credential if there is one.
    Remove(CredentialKey),
    /// Keeps a secret of the server's own, unless there is one of the name.
    Secret(Box<str>, [u8; 32]),
}

impl CredentialKey {
    pub(crate) fn new(org: &OrgId, kind: &str, name: &str) -> CredentialKey {
        CredentialKey { org: org.clone(), kind: kind.into(), name: name.into() }
    }

    pub(crate) fn with(self, value: Bytes) -> StoredCredential {
        StoredCredential { org: self.org, kind: self.kind, name: self.name, value }
    }
}

impl VaultChange {
    pub(crate) fn memory_bytes(&self) -> usize {
        let key = |key: &CredentialKey| key.kind.len() + key.name.len();
        size_of::<(VaultChange, Done)>()
            + match self {
                VaultChange::Put(of, value) => key(of) + value.len(),
                VaultChange::Remove(of) => key(of),
                VaultChange::Secret(name, _) => name.len(),
            }
    }
}

impl Queue {
    pub(crate) fn put_credential(&self, credential: StoredCredential, done: Done) {
        let StoredCredential { org, kind, name, value } = credential;
        if kind.len() + name.len() + value.len() > CREDENTIAL_BYTES_MAX {
            let bound = format!("a credential has at most {CREDENTIAL_BYTES_MAX} bytes");
            return done(Err(StoreError::Unstorable(bound.into())));
        }
        self.change_vault(VaultChange::Put(CredentialKey { org, kind, name }, value), done);
    }

    pub(crate) fn remove_credential(&self, org: &OrgId, kind: &str, name: &str, done: Done) {
        self.change_vault(VaultChange::Remove(CredentialKey::new(org, kind, name)), done);
    }

    /// The secret that `read` finds, or a new one that has been kept when this returns.
    pub(crate) fn secret(
        &self,
        name: &str,
        read: impl Fn() -> Result<Option<[u8; 32]>, StoreError>,
    ) -> Result<[u8; 32], StoreError> {
        if let Some(secret) = read()? {
            return Ok(secret);
        }
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| StoreError::Internal(error.to_string().into()))?;
        let (done, kept) = mpsc::channel();
        let done = Box::new(move |outcome| drop(done.send(outcome)));
        self.change_vault(VaultChange::Secret(name.into(), random), done);
        kept.recv().unwrap_or(Err(StoreError::Closed))?;
        // Another thread's may have come first, and then it is that.
        read()?.ok_or_else(|| StoreError::Internal("a secret that was kept is not there".into()))
    }
}

impl fmt::Debug for StoredCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredCredential")
            .field("org", &self.org)
            .field("kind", &self.kind)
            .field("name", &self.name)
            .field("value", &"[redacted]")
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_who_and_not_with_what() {
        let credential = CredentialKey::new(&OrgId::new("acme"), "device", "door").with("hunter2".into());
        let shown = format!("{credential:?} {credential:#?}");
        assert!(shown.contains("acme") && shown.contains("door"), "{shown}");
        assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
    }
}
