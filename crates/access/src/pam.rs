//! The access manager of a keyset: what PubNub clients may do, by tokens and by grants to their auth keys.
//!
//! A token says itself what its bearer may do, and is signed with the keyset's secret key; only its revocation is
//! remembered here. A grant to an auth key is remembered as a whole. Both live in memory: whoever grants or revokes
//! gets what the store has to keep, and hands it back when the server starts.

mod auth_keys;
mod bits;
mod contents;
mod error;
pub(crate) mod fuzzing;
mod grant;
mod holder;
mod patterns;
mod permit;
mod remembered;
mod resource;
mod token;

use std::sync::Arc;

use antiphon_model::{OrgId, Timestamp};
use parking_lot::{Mutex, RwLock};

pub use crate::revocations::{InvalidTokenId, Revocation, TokenId};
pub use auth_keys::{AuthKeyGrant, AuthKeyGranted, GrantChange, Level, UnreadableGrant};
pub use bits::Bits;
pub use error::{GrantError, RevokeError, TokenError};
pub use grant::{Kind, Scopes, TokenGrant};
pub use patterns::PatternProblem;
pub use permit::{Permit, Presented};
pub use resource::{Forbidden, Resource};

use crate::digest::Digest;
use crate::revocations::Revocations;
use crate::{Access, Caller, Keyset, Signed};
use auth_keys::AuthKeys;
use permit::Holder;
use remembered::Remembered;
use token::{ReadToken, SignedToken};

/// What an org's access manager remembers while the server runs.
#[derive(Default)]
pub(crate) struct Pam {
    revocations: Mutex<Revocations>,
    remembered: Mutex<Remembered>,
    auth_keys: RwLock<AuthKeys>,
}

impl Pam {
    /// Ends the callers that came by any token.
    pub(crate) fn end_callers(&self) {
        self.revocations.lock().end_callers();
    }
}

impl Access {
    /// What a request may do, by the token or auth key that came with it. Everything if the keyset has no access
    /// manager, or the request is signed with the secret key.
    ///
    /// # Errors
    /// It came with a token that is not of this keyset, or not valid at `now`, or is another user's.
    pub fn permit(
        &self,
        keyset: &Keyset,
        presented: &Presented<'_>,
        now: Timestamp,
    ) -> Result<Permit, TokenError> {
        if presented.signed == Signed::Yes {
            return Ok(Permit::new(Holder::Operator));
        }
        if !keyset.access_manager {
            return Ok(Permit::new(Holder::Anybody));
        }
        let auth = presented.auth.filter(|auth| !auth.is_empty());
        if let Some(text) = auth
            && let Some(signed) = SignedToken::parse(text, keyset.limits().token_bytes_max)?
        {
            let token = keyset.read(&signed)?;
            if keyset.pam.revocations.lock().is_revoked(token.id) {
                return Err(TokenError::Revoked);
            }
            token.check(presented.uuid, now)?;
            return Ok(Permit::new(Holder::Token(token, Arc::clone(&keyset.pam))));
        }
        let auth = auth.map(|auth| Digest::of(auth.as_bytes()));
        Ok(Permit::new(Holder::AuthKey { auth, pam: Arc::clone(&keyset.pam), now }))
    }

    /// What a request may do that comes without a signature or a token, by the certificate of its connection. None if the
    /// certificate is of another org, or the keyset has no access manager: then it counts for nothing.
    ///
    /// # Errors
    /// The request names another user than the certificate.
    pub fn permit_certificate(
        &self,
        keyset: &Keyset,
        caller: &Arc<Caller>,
        uuid: Option<&str>,
    ) -> Result<Option<Permit>, TokenError> {
        if !keyset.access_manager || caller.org != keyset.org {
            return Ok(None);
        }
        match uuid {
            Some(uuid) if uuid != &*caller.identity.id => Err(TokenError::OtherUuid),
            _ => Ok(Some(Permit::new(Holder::Certificate(Arc::clone(caller))))),
        }
    }

    /// Makes a token. Patterns are compiled to see whether it can be done, which takes microseconds, or tens of milliseconds
    /// where they are as big as they may be.
    ///
    /// # Errors
    /// Nobody can have such a token, or nobody can grant anything.
    pub fn grant_token(
        &self,
        keyset: &Keyset,
        grant: &TokenGrant,
        now: Timestamp,
    ) -> Result<String, GrantError> {
        let secret_key = keyset.secret_key.as_ref().ok_or(GrantError::NoSecretKey)?;
        let limits = keyset.limits();
        grant.check()?;
        let token = token::mint(secret_key, &keyset.subscribe_key, grant, now)?;
        if token.len() > limits.token_bytes_max {
            return Err(GrantError::TooLong);
        }
        grant.check_patterns(limits.token_patterns_bytes_max)?;
        Ok(token)
    }

    /// Makes a token good for nothing, from this moment on; callers that came by it end. The caller stores what this
    /// returns, and hands it to [`Access::restore_revocation`] when the server starts.
    ///
    /// # Errors
    /// It is no valid token of this keyset, or there is no room to remember it.
    pub fn revoke_token(
        &self,
        keyset: &Keyset,
        token: &str,
        now: Timestamp,
    ) -> Result<Revocation, RevokeError> {
        let signed = SignedToken::parse(token, keyset.limits().token_bytes_max)?;
        let token = keyset.read(&signed.ok_or(TokenError::Malformed)?)?;
        let mut revocations = keyset.pam.revocations.lock();
        if revocations.is_revoked(token.id) {
            return Err(TokenError::Revoked.into());
        }
        token.check_time(now)?;
        let revocation = Revocation { token: token.id, until: token.expires };
        if !revocations.add(revocation, keyset.limits().revoked_tokens_max, now) {
            return Err(RevokeError::TooMany);
        }
        Ok(revocation)
    }

    /// Revokes a token that was revoked before the server was started. One of an org that there is not is forgotten.
    pub fn restore_revocation(&self, org: &OrgId, revocation: Revocation) {
        if let Some(pam) = self.pam(org) {
            pam.revocations.lock().add(revocation, usize::MAX, Timestamp(0));
        }
    }

    /// Grants permissions to auth keys, in place of what they had there before. The caller stores the changes, and
    /// hands what it has stored to [`Access::restore_v2`] when the server starts.
    ///
    /// # Errors
    /// There can be no such grant, or nobody can grant anything, or there is no room to remember it.
    pub fn grant_v2(
        &self,
        keyset: &Keyset,
        grant: &AuthKeyGrant,
        now: Timestamp,
    ) -> Result<AuthKeyGranted, GrantError> {
        if !keyset.has_secret_key() {
            return Err(GrantError::NoSecretKey);
        }
        keyset.pam.auth_keys.write().grant(grant, keyset.limits().auth_key_grants_max, now)
    }

    /// Remembers a grant to an auth key that was made before the server was started. One of an org that there is not is
    /// forgotten.
    ///
    /// # Errors
    /// The key and the value are not what [`Access::grant_v2`] returned.
    pub fn restore_v2(&self, org: &OrgId, key: &str, value: &[u8]) -> Result<(), UnreadableGrant> {
        match self.pam(org) {
            Some(pam) => pam.auth_keys.write().restore(key, value),
            None => Ok(()),
        }
    }
}

impl Keyset {
    /// What a token says, if this keyset has signed it. Whether it is over or revoked is not looked at.
    fn read(&self, signed: &SignedToken) -> Result<Arc<ReadToken>, TokenError> {
        let secret_key = self.secret_key.as_ref().ok_or(TokenError::BadSignature)?;
        if !signed.is_signed(secret_key, &self.subscribe_key) {
            return Err(TokenError::BadSignature);
        }
        let (id, limits) = (signed.id(), self.limits());
        let bytes_max = limits.tokens_remembered_bytes_max;
        if let Some(token) = self.pam.remembered.lock().find(id, bytes_max) {
            return Ok(token);
        }
        let (token, weight) = signed.read(id, limits.token_patterns_bytes_max)?;
        let token = Arc::new(token);
        self.pam.remembered.lock().add(Arc::clone(&token), weight, bytes_max);
        Ok(token)
    }
}
