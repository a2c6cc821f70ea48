//! Tokens that operators revoke while the server runs: at once in access, then in the store.

use antiphon_access::{Access, Caller, Revoke, RevokeError, RevokedToken};
use antiphon_store::{Item, Store, StoreError};

use crate::Node;

/// The store's name for what was revoked.
const REVOKED: &str = "revoked-tokens";

/// Why tokens were not revoked, or not for good.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RevokeFailed {
    /// The caller is no operator of its org.
    #[error("tokens are revoked by whoever has the permission admin on all channels")]
    NotAdmin,
    /// There is nothing to revoke, or no room to remember it.
    #[error(transparent)]
    Revoke(#[from] RevokeError),
    /// The store does not keep it.
    #[error("revoked until the server is started again, but not kept: {0}")]
    NotKept(#[from] StoreError),
}

impl Node {
    /// Revokes tokens of the caller's org. They are good for nothing as soon as this is polled for the first time, and when it returns the store
    /// has that; connections that came by them are about to be closed.
    ///
    /// # Errors
    /// The caller is no operator, there is nothing to revoke, or it cannot be kept.
    pub async fn revoke_tokens(
        &self,
        caller: &Caller,
        what: Revoke<'_>,
    ) -> Result<RevokedToken, RevokeFailed> {
        check_admin(caller)?;
        let revoked = self.access().revoke(&caller.org, what, self.now().wall)?;
        tracing::info!(org = %caller.org, id = %revoked.id, by = &*caller.identity.id, "tokens were revoked");
        let (key, value) = revoked.to_stored();
        let item = Item { key: key.into(), value: value.into(), expires: revoked.until };
        self.keep_item(&caller.org, REVOKED, item).await?;
        Ok(revoked)
    }

    /// Whether the caller may revoke tokens.
    ///
    /// # Errors
    /// It may not.
    pub fn may_revoke_tokens(&self, caller: &Caller) -> Result<(), RevokeFailed> {
        check_admin(caller)
    }

    /// What was revoked in the caller's org and is not over yet.
    ///
    /// # Errors
    /// The caller is no operator.
    pub fn revoked_tokens(&self, caller: &Caller) -> Result<Vec<RevokedToken>, RevokeFailed> {
        check_admin(caller)?;
        Ok(self.access().revoked(&caller.org))
    }
}

fn check_admin(caller: &Caller) -> Result<(), RevokeFailed> {
    if caller.is_admin() { Ok(()) } else { Err(RevokeFailed::NotAdmin) }
}

/// Gives access what the store keeps.
pub(crate) fn load(access: &Access, store: &dyn Store) -> Result<(), StoreError> {
    for (org, item) in store.all_items(REVOKED)? {
        if let Err(error) = access.restore_revoked(&org, &item.key, &item.value, item.expires) {
            tracing::warn!(%org, %error, "a revocation is left out");
        }
    }
    Ok(())
}
