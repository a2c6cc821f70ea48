//! Revoked tokens, and the callers that came by tokens which may be revoked.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

use antiphon_model::Timestamp;

use super::digest::Digest;
use super::{CallersEnd, TokenError};
use crate::caller::WeakRevocation;

/// What a token is known by. The token cannot be made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(Digest);

/// A token that is good for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Which.
    pub token: TokenId,
    /// When it is over by itself, and need not be remembered any longer.
    pub until: Timestamp,
}

/// A text is no token's id: 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id of a token is 64 hexadecimal digits")]
pub struct InvalidTokenId;

impl TokenId {
    pub(super) fn of(signature: &[u8]) -> TokenId {
        TokenId(Digest::of(signature))
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for TokenId {
    type Err = InvalidTokenId;

    fn from_str(text: &str) -> Result<TokenId, InvalidTokenId> {
        Digest::parse(text).map(TokenId).ok_or(InvalidTokenId)
    }
}

/// The tokens of an org that were revoked, until they are over by themselves.
#[derive(Default)]
pub(super) struct Revocations {
    until: HashMap<TokenId, Timestamp>,
    in_order: BTreeSet<(Timestamp, TokenId)>,
    /// Of the tokens by which callers came that are still there.
    callers: HashMap<TokenId, WeakRevocation>,
    /// When there are so many, those whose callers have gone are forgotten.
    callers_sweep_at: usize,
}

impl Revocations {
    pub(super) fn check(&self, token: TokenId) -> Result<(), TokenError> {
        if self.until.contains_key(&token) { Err(TokenError::Revoked) } else { Ok(()) }
    }

    /// False if there is no room.
    pub(super) fn add(&mut self, revocation: Revocation, max: usize, now: Timestamp) -> bool {
        let Revocation { token, until } = revocation;
        self.forget_what_is_over(now);
        if self.until.len() >= max {
            return false;
        }
        if self.until.insert(token, until).is_none() {
            self.in_order.insert((until, token));
        }
        if let Some(callers) = self.callers.remove(&token).and_then(|callers| callers.upgrade()) {
            callers.revoke();
        }
        true
    }

    /// What tells the callers by this token that it was revoked.
    pub(super) fn callers_end(&mut self, token: TokenId) -> CallersEnd {
        if let Some(callers) = self.callers.get(&token).and_then(WeakRevocation::upgrade) {
            return callers;
        }
        let callers = CallersEnd::default();
        if self.check(token).is_err() {
            callers.revoke();
            return callers;
        }
        if self.callers.len() >= self.callers_sweep_at {
            self.callers.retain(|_, callers| callers.upgrade().is_some());
            self.callers_sweep_at = (self.callers.len() * 2).max(1024);
        }
        self.callers.insert(token, callers.downgrade());
        callers
    }

    pub(super) fn end_callers(&mut self) {
        let callers = self.callers.drain().filter_map(|(_, callers)| callers.upgrade());
        callers.for_each(|callers| callers.revoke());
    }

    fn forget_what_is_over(&mut self, now: Timestamp) {
        while let Some((until, token)) = self.in_order.first().copied().filter(|(until, _)| *until <= now) {
            self.in_order.remove(&(until, token));
            self.until.remove(&token);
        }
    }
}
