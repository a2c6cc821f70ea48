//! Credentials that operators add and revoke while the server runs: first in the store, then in access.

use std::collections::BTreeMap;
use std::sync::Arc;

use antiphon_access::{
    Access, Caller, Credential, CredentialError, CredentialInfo, CredentialKind, CredentialSource,
    InvalidCredential, InvalidCredentialKind,
};
use antiphon_model::OrgId;
use antiphon_store::{Store, StoreError, StoredCredential};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use crate::{CredentialsFailed, Node};

/// The store's name for what session tokens are signed with.
const SESSION_KEY: &str = "session-tokens";

/// What becomes of a credential that has the kind and name of one that is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and the other is not added.
    Refuse,
    /// It gives way, and its callers end; unless it is one of the configuration.
    Replace,
}

/// Held from the check of a change until it is in the store and in access, so that both have the changes in the same order.
pub(crate) type Turn = Arc<Mutex<()>>;

impl Node {
    /// Adds a credential to the caller's org. When it returns, the store has it and clients can log in with it. When the future is dropped
    /// before, both have it or neither.
    ///
    /// # Errors
    /// The caller is no operator, the org has one of this kind and name or may not have more, or it cannot be kept. Then nothing has changed.
    pub async fn add_credential(
        self: &Arc<Self>,
        caller: &Caller,
        credential: Credential,
        existing: Existing,
    ) -> Result<(), CredentialsFailed> {
        let turn = self.turn_to_change_credentials(caller).await?;
        match (self.access().check_credential(&caller.org, &credential), existing) {
            (Ok(()), _) | (Err(CredentialError::Exists), Existing::Replace) => {}
            (Err(error), _) => return Err(error.into()),
        }
        let stored = StoredCredential {
            org: caller.org.clone(),
            kind: credential.kind().as_str().into(),
            name: credential.name().into(),
            value: credential.to_bytes().into(),
        };
        let (org, by) = (caller.org.clone(), Arc::clone(&caller.identity));
        let add = move |access: &Access| {
            let (kind, name) = (credential.kind(), credential.name().to_owned());
            access.add_credential(&org, credential)?;
            tracing::info!(%org, %kind, name, by = &*by.id, "a credential was added");
            Ok(())
        };
        self.change(turn, move |node, done| node.store.put_credential(stored, done), add).await
    }

    /// Removes a credential of the caller's org. When it returns, it is gone from the store, nobody can log in with it, and the connections of
    /// those who had are about to be closed. When the future is dropped before, it is gone from both or from neither.
    ///
    /// # Errors
    /// The caller is no operator, there is none, it is one of the configuration, or the store cannot remove it. Then nothing has changed.
    pub async fn revoke_credential(
        self: &Arc<Self>,
        caller: &Caller,
        kind: CredentialKind,
        name: &str,
    ) -> Result<(), CredentialsFailed> {
        let turn = self.turn_to_change_credentials(caller).await?;
        match self.access().credential_source(&caller.org, kind, name) {
            Some(CredentialSource::Store) => {}
            Some(CredentialSource::Configuration) => return Err(CredentialError::InConfiguration.into()),
            None => return Err(CredentialError::NotFound.into()),
        }
        let (org, by) = (caller.org.clone(), Arc::clone(&caller.identity));
        let removed = name.to_owned();
        let remove = move |access: &Access| {
            access.remove_credential(&org, kind, &removed)?;
            tracing::info!(%org, %kind, name = removed, by = &*by.id, "a credential was revoked");
            Ok(())
        };
        let store = |node: &Node, done| node.store.remove_credential(&caller.org, kind.as_str(), name, done);
        self.change(turn, store, remove).await
    }

    /// The credentials of the caller's org, by kind and name; of those of the configuration too.
    ///
    /// # Errors
    /// The caller is no operator.
    pub fn credentials(&self, caller: &Caller) -> Result<Vec<CredentialInfo>, CredentialsFailed> {
        check_admin(caller)?;
        Ok(self.access().credentials(&caller.org))
    }

    async fn turn_to_change_credentials(
        &self,
        caller: &Caller,
    ) -> Result<OwnedMutexGuard<()>, CredentialsFailed> {
        check_admin(caller)?;
        let turn = Arc::clone(&self.credentials_turn).lock_owned().await;
        if self.is_closing() { Err(CredentialsFailed::Closing) } else { Ok(turn) }
    }

    /// Has the store make a change, and when it has, access. The turn ends with that, not when somebody stops waiting.
    async fn change(
        self: &Arc<Self>,
        turn: OwnedMutexGuard<()>,
        store: impl FnOnce(&Node, antiphon_store::Done),
        access: impl FnOnce(&Access) -> Result<(), CredentialError> + Send + 'static,
    ) -> Result<(), CredentialsFailed> {
        let (answer, answered) = oneshot::channel();
        let node = Arc::clone(self);
        let done = move |kept: Result<(), StoreError>| {
            let changed = match kept {
                Ok(()) => access(node.access()).map_err(CredentialsFailed::from),
                Err(error) => Err(CredentialsFailed::NotKept(error)),
            };
            drop(turn);
            // Nobody may wait for it any more.
            let _ = answer.send(changed);
        };
        store(self, Box::new(done));
        answered.await.unwrap_or(Err(CredentialsFailed::NotKept(StoreError::Closed)))
    }
}

/// Checks that a caller may see and change the credentials of its org.
///
/// # Errors
/// It may not.
pub fn check_admin(caller: &Caller) -> Result<(), CredentialsFailed> {
    if caller.is_admin() { Ok(()) } else { Err(CredentialsFailed::NotAdmin) }
}

/// Gives access what the store keeps: the credentials, and what session tokens are signed with, so that they outlive the process.
///
/// What cannot be used is left out with a warning and stays in the store: its org may be back in the configuration some day.
pub(crate) fn load(access: &Access, store: &dyn Store) -> Result<(), StoreError> {
    access.set_session_key(store.secret(SESSION_KEY)?);
    let mut strangers: BTreeMap<OrgId, usize> = BTreeMap::new();
    for stored in store.credentials()? {
        match restore(access, &stored) {
            Ok(()) => {}
            Err(LeftOut::Credential(CredentialError::UnknownOrg)) => {
                *strangers.entry(stored.org).or_default() += 1;
            }
            Err(error) => {
                let StoredCredential { org, kind, name, .. } = &stored;
                tracing::warn!(%org, %kind, %name, %error, "a stored credential is left out");
            }
        }
    }
    for (org, count) in strangers {
        tracing::warn!(%org, count, "stored credentials are left out: the configuration has no such org");
    }
    Ok(())
}

fn restore(access: &Access, stored: &StoredCredential) -> Result<(), LeftOut> {
    let credential = Credential::from_bytes(stored.kind.parse()?, &stored.name, &stored.value)?;
    Ok(access.add_credential(&stored.org, credential)?)
}

/// Why a stored credential is left out.
#[derive(Debug, thiserror::Error)]
enum LeftOut {
    #[error(transparent)]
    Kind(#[from] InvalidCredentialKind),
    #[error(transparent)]
    Value(#[from] InvalidCredential),
    #[error(transparent)]
    Credential(#[from] CredentialError),
}
