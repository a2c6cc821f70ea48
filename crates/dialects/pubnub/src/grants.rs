//! What the access manager has granted and revoked, as the store keeps it: access itself keeps it in memory only.

use antiphon_access::Keyset;
use antiphon_access::pam::{AuthKeyGrant, AuthKeyGranted, GrantError, Revocation, RevokeError};
use antiphon_model::Timestamp;
use antiphon_node::{Node, StoreError};
use antiphon_store::{Done, Item, Store};
use bytes::Bytes;
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// What tokens that were revoked are called in the store, by their ids.
const REVOKED: &str = "pubnub.revoked-tokens";

/// What grants to auth keys are called in the store.
const AUTH_KEYS: &str = "pubnub.auth-keys";

/// Keeps grants to auth keys and revocations over restarts.
#[derive(Default)]
pub(crate) struct Grants {
    /// Held while a grant is made and handed to the store, so that both come in one order.
    turn: Mutex<()>,
}

impl Grants {
    /// Reads what the store keeps. Blocks.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn restore(&self, node: &Node) -> Result<(), StoreError> {
        let access = node.access();
        for (org, item) in node.store().all_items(REVOKED)? {
            match (item.key.parse(), item.expires) {
                (Ok(token), Some(until)) => access.restore_revocation(&org, Revocation { token, until }),
                _ => tracing::warn!(%org, "what is stored is no revoked token"),
            }
        }
        for (org, item) in node.store().all_items(AUTH_KEYS)? {
            if let Err(error) = access.restore_v2(&org, &item.key, &item.value) {
                tracing::warn!(%org, %error);
            }
        }
        Ok(())
    }

    /// Grants to auth keys. What it does not wait for is done all the same.
    ///
    /// # Errors
    /// It cannot be granted; or it is granted, and not stored.
    pub(crate) async fn grant(
        &self,
        node: &Node,
        keyset: &Keyset,
        grant: &AuthKeyGrant,
        now: Timestamp,
    ) -> Result<AuthKeyGranted, GrantFailed> {
        let store: &dyn Store = &**node.store();
        let (granted, storing) = {
            let _turn = self.turn.lock();
            let granted = node.access().grant_v2(keyset, grant, now)?;
            let org = &keyset.org;
            let storing: Vec<_> = granted
                .changes
                .iter()
                .map(|change| match &change.value {
                    Some(value) => begin(|done| {
                        let value = Bytes::copy_from_slice(value);
                        store.put_item(org, AUTH_KEYS, &change.key, value, change.expires, done);
                    }),
                    None => begin(|done| {
                        let done = Box::new(|removed: Result<bool, StoreError>| done(removed.map(|_| ())));
                        store.remove_item(org, AUTH_KEYS, &change.key, done);
                    }),
                })
                .collect();
            (granted, storing)
        };
        for outcome in join_all(storing).await {
            outcome.unwrap_or(Err(StoreError::Closed))?;
        }
        Ok(granted)
    }

    /// Revokes a token, at once.
    ///
    /// # Errors
    /// It is not valid; or it is revoked, and the store has not been able to keep that: it would be valid again after a restart.
    pub(crate) async fn revoke(
        &self,
        node: &Node,
        keyset: &Keyset,
        token: &str,
        now: Timestamp,
    ) -> Result<(), RevokeFailed> {
        let Revocation { token, until } = node.access().revoke_token(keyset, token, now)?;
        let item = Item { key: token.to_string().into(), value: Bytes::new(), expires: Some(until) };
        Ok(node.keep_item(&keyset.org, REVOKED, item).await?)
    }
}

/// Why a grant fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GrantFailed {
    #[error(transparent)]
    Grant(#[from] GrantError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a token is not revoked, or not for good.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RevokeFailed {
    #[error(transparent)]
    Revoke(#[from] RevokeError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn begin(change: impl FnOnce(Done)) -> oneshot::Receiver<Result<(), StoreError>> {
    let (sender, receiver) = oneshot::channel();
    // Whoever asked may have gone.
    change(Box::new(move |outcome| _ = sender.send(outcome)));
    receiver
}
