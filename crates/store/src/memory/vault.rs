use std::collections::BTreeMap;

use bytes::Bytes;

use crate::StoredCredential;
use crate::vault::{CredentialKey, VaultChange};

/// The credentials of all orgs, and the server's own secrets.
#[derive(Default)]
pub(super) struct Vault {
    credentials: BTreeMap<CredentialKey, Bytes>,
    secrets: BTreeMap<Box<str>, [u8; 32]>,
}

impl Vault {
    pub(super) fn credentials(&self) -> Vec<StoredCredential> {
        self.credentials.iter().map(|(key, value)| key.clone().with(value.clone())).collect()
    }

    pub(super) fn secret(&self, name: &str) -> Option<[u8; 32]> {
        self.secrets.get(name).copied()
    }

    pub(super) fn apply(&mut self, changes: &[VaultChange]) {
        for change in changes {
            match change {
                VaultChange::Put(key, value) => drop(self.credentials.insert(key.clone(), value.clone())),
                VaultChange::Remove(key) => drop(self.credentials.remove(key)),
                VaultChange::Secret(name, secret) => {
                    self.secrets.entry(name.clone()).or_insert(*secret);
                }
            }
        }
    }
}
