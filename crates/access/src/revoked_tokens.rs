//! JWTs and session tokens that an operator has revoked: one token, or all that an identity had by then.
//!
//! A JWT is known by what its signature is over, since a signature can often be written in more than one way; a session token by its
//! session, so that what was refreshed from it ends with it. Both are remembered until the token is over by itself. This lives in memory: whoever
//! revokes gets what the store has to keep, and hands it back when the server starts.

use std::collections::BTreeMap;
use std::time::Duration;

use antiphon_model::{OrgId, Timestamp};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::caller::Revocation as CallersEnd;
use crate::jwt::Token;
use crate::revocations::{InvalidTokenId, Revocation, Revocations, TokenId};
use crate::{Access, AuthError, Caller, IDENTITY_BYTES_MAX, NumericDate, is_session_token, name, presented};

/// Longer than any session token is valid, so that those which were refreshed from the one at hand are over too.
const SESSION_LIFETIME_MAX: Duration = Duration::from_secs(25 * 24 * 60 * 60);

/// What is to be revoked.
#[derive(Clone, Copy)]
pub enum Revoke<'a> {
    /// A JWT or a session token; with a session token, its whole session.
    Token(&'a str),
    /// All tokens with this `sub` that were made before a time, or do not say when they were made.
    Identity {
        /// The `sub`.
        name: &'a str,
        /// Compared with `iat`; rounded up to a whole second.
        issued_before: Timestamp,
    },
}

/// What was revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedToken {
    /// The token's id, or what stands for the identity.
    pub id: TokenId,
    /// The identity, if it is about all tokens of one.
    pub identity: Option<RevokedIdentity>,
    /// When it is forgotten, because the token is over by itself. None: never.
    pub until: Option<Timestamp>,
}

/// An identity whose tokens were revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedIdentity {
    /// The `sub`.
    pub identity: Box<str>,
    /// Tokens made before this are good for nothing.
    pub issued_before: NumericDate,
}

/// Why nothing is revoked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevokeError {
    /// It is no token of this org that is valid.
    #[error(transparent)]
    Token(#[from] AuthError),
    /// API keys, and access manager tokens of PubNub keysets, are not revoked here.
    #[error(
        "this is neither a JWT nor a session token: API keys end with the configuration, access manager tokens by their own API"
    )]
    NoToken,
    /// The identity cannot be one.
    #[error("an identity has 1 to {IDENTITY_BYTES_MAX} bytes and no control characters")]
    InvalidIdentity,
    /// The org's `revoked_tokens_max`.
    #[error("there are as many revoked tokens as limits.revoked_tokens_max allows")]
    TooMany,
}

/// What is stored is no revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what is stored is no revocation of tokens")]
pub struct UnreadableRevocation;

impl RevokedToken {
    /// The key and the value that the store keeps, until [`RevokedToken::until`].
    pub fn to_stored(&self) -> (String, Vec<u8>) {
        let value = self
            .identity
            .as_ref()
            .map(|identity| serde_json::to_vec(identity).expect("it is a text and a number"));
        (self.id.to_string(), value.unwrap_or_default())
    }

    fn from_stored(
        key: &str,
        value: &[u8],
        until: Option<Timestamp>,
    ) -> Result<RevokedToken, UnreadableRevocation> {
        let id = key.parse().map_err(|InvalidTokenId| UnreadableRevocation)?;
        let identity = match value {
            [] => None,
            value => Some(serde_json::from_slice(value).map_err(|_| UnreadableRevocation)?),
        };
        Ok(RevokedToken { id, identity, until })
    }
}

impl Access {
    /// Makes tokens of an org good for nothing, from this moment on; callers that came by them end. The caller stores what this returns, and
    /// hands it to [`Access::restore_revoked`] when the server starts.
    ///
    /// # Errors
    /// It is no token of this org that is valid at `now`, the identity is none, or there is no room to remember it.
    pub fn revoke(&self, org: &OrgId, what: Revoke<'_>, now: Timestamp) -> Result<RevokedToken, RevokeError> {
        let revoked = match what {
            Revoke::Token(token) => self.revoked_by_token(org, token, now)?,
            Revoke::Identity { name, issued_before } => {
                if !name::is_identity(name) {
                    return Err(RevokeError::InvalidIdentity);
                }
                // Tokens say whole seconds, and those of the last one are meant too.
                let seconds = issued_before.0.div_ceil(Timestamp::PER_SECOND);
                let issued_before = NumericDate(Timestamp(seconds.saturating_mul(Timestamp::PER_SECOND)));
                let identity = RevokedIdentity { identity: name.into(), issued_before };
                RevokedToken { id: id_of_identity(name), identity: Some(identity), until: None }
            }
        };
        let limits = self.org(org).map(|org| std::sync::Arc::clone(&org.limits));
        let max = limits.map_or(0, |limits| limits.revoked_tokens_max);
        let added = self.revoked_tokens(org).and_then(|tokens| tokens.add(revoked, max, now));
        added.ok_or(RevokeError::TooMany)
    }

    /// What [`Access::revoke`] has revoked in an org and is not over yet: tokens by when they are over, then identities by name.
    pub fn revoked(&self, org: &OrgId) -> Vec<RevokedToken> {
        self.revoked_tokens(org).map(RevokedTokens::list).unwrap_or_default()
    }

    /// Revokes what was revoked before the server was started. That of an org that there is not is forgotten.
    ///
    /// # Errors
    /// The key and the value are not what [`RevokedToken::to_stored`] returned.
    pub fn restore_revoked(
        &self,
        org: &OrgId,
        key: &str,
        value: &[u8],
        until: Option<Timestamp>,
    ) -> Result<(), UnreadableRevocation> {
        let revoked = RevokedToken::from_stored(key, value, until)?;
        if let Some(tokens) = self.revoked_tokens(org) {
            tokens.add(revoked, usize::MAX, Timestamp(0));
        }
        Ok(())
    }

    fn revoked_by_token(
        &self,
        org: &OrgId,
        token: &str,
        now: Timestamp,
    ) -> Result<RevokedToken, RevokeError> {
        let token = presented::parse(Some(token))?.ok_or(RevokeError::NoToken)?;
        if is_session_token(token) {
            let claims = self.signed_session_claims(token, now)?;
            if claims.org.as_deref() != Some(org.as_str()) {
                return Err(AuthError::UnknownSigningKey.into());
            }
            let until = Some(now.later_by(SESSION_LIFETIME_MAX));
            return Ok(RevokedToken { id: id_of_session(&claims.cid), identity: None, until });
        }
        let token = Token::parse(token).ok_or(RevokeError::NoToken)??;
        let until = self.tables().verified(org, &token, now)?;
        Ok(RevokedToken { id: token.id(), identity: None, until })
    }
}

/// What was revoked of an org's tokens. Shared by what is loaded anew with each reload.
#[derive(Default)]
pub(crate) struct RevokedTokens(Mutex<State>);

#[derive(Default)]
struct State {
    tokens: Revocations,
    identities: BTreeMap<TokenId, RevokedIdentity>,
}

impl RevokedTokens {
    /// Lets a caller in that came by a token, and ends it when that is revoked.
    pub(crate) fn admit(
        &self,
        mut caller: Caller,
        token: TokenId,
        sub: Option<&str>,
        issued: Option<Timestamp>,
    ) -> Result<Caller, AuthError> {
        let mut state = self.0.lock();
        let identity = sub.map(id_of_identity);
        if state.is_revoked(token, identity, issued) {
            return Err(AuthError::TokenRevoked);
        }
        let ends = [Some(token), identity].into_iter().flatten().map(|id| state.tokens.callers_end(id));
        caller.revocations.extend(ends.collect::<Vec<CallersEnd>>());
        Ok(caller)
    }

    /// Whether a session's tokens are good for nothing.
    pub(crate) fn is_session_revoked(&self, cid: &str, sub: Option<&str>, issued: Timestamp) -> bool {
        self.0.lock().is_revoked(id_of_session(cid), sub.map(id_of_identity), Some(issued))
    }

    /// As [`RevokedTokens::admit`], by the token of a session.
    pub(crate) fn admit_session(
        &self,
        caller: Caller,
        cid: &str,
        sub: Option<&str>,
        issued: Timestamp,
    ) -> Result<Caller, AuthError> {
        self.admit(caller, id_of_session(cid), sub, Some(issued))
    }

    /// Gives what counts from here on: for an identity, the latest of its times. None if there is no room.
    fn add(&self, mut revoked: RevokedToken, max: usize, now: Timestamp) -> Option<RevokedToken> {
        let mut state = self.0.lock();
        let State { tokens, identities } = &mut *state;
        let Some(identity) = &mut revoked.identity else {
            let until = revoked.until.unwrap_or(Timestamp(u64::MAX));
            let room = max.saturating_sub(identities.len());
            return tokens.add(Revocation { token: revoked.id, until }, room, now).then_some(revoked);
        };
        if tokens.len() + identities.len() >= max && !identities.contains_key(&revoked.id) {
            return None;
        }
        // Never takes back what was revoked before.
        let kept = identities.entry(revoked.id).or_insert_with(|| identity.clone());
        kept.issued_before = kept.issued_before.max(identity.issued_before);
        identity.issued_before = kept.issued_before;
        // Also those with newer tokens, who come back by them.
        tokens.end_callers_by(revoked.id);
        Some(revoked)
    }

    fn list(&self) -> Vec<RevokedToken> {
        let state = self.0.lock();
        let until = |until: Timestamp| (until.0 != u64::MAX).then_some(until);
        let tokens = state.tokens.iter().map(|Revocation { token, until: over }| RevokedToken {
            id: token,
            identity: None,
            until: until(over),
        });
        let mut identities: Vec<_> = state.identities.iter().collect();
        identities.sort_by(|(_, one), (_, other)| one.identity.cmp(&other.identity));
        let identities = identities.into_iter().map(|(id, identity)| RevokedToken {
            id: *id,
            identity: Some(identity.clone()),
            until: None,
        });
        tokens.chain(identities).collect()
    }
}

impl State {
    fn is_revoked(&self, token: TokenId, identity: Option<TokenId>, issued: Option<Timestamp>) -> bool {
        let of_identity = identity.and_then(|identity| self.identities.get(&identity));
        let too_old =
            |revoked: &RevokedIdentity| issued.is_none_or(|issued| issued < revoked.issued_before.0);
        self.tokens.is_revoked(token) || of_identity.is_some_and(too_old)
    }
}

/// No JWT has a NUL in what is signed, so that these are never a token's.
fn id_of_session(cid: &str) -> TokenId {
    TokenId::of(format!("session\0{cid}").as_bytes())
}

fn id_of_identity(name: &str) -> TokenId {
    TokenId::of(format!("identity\0{name}").as_bytes())
}
