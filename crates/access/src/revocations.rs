//! Tokens that are good for nothing though their time is not over, and the callers that came by tokens which may be revoked.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

use antiphon_model::Timestamp;

use crate::caller::{Revocation as CallersEnd, WeakRevocation};
use crate::digest::Digest;

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
    /// The id of the token that `distinct` is the same for in each of its forms, and differs from all others.
    pub(crate) fn of(distinct: &[u8]) -> TokenId {
        TokenId(Digest::of(distinct))
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
pub(crate) struct Revocations {
    until: HashMap<TokenId, Timestamp>,
    in_order: BTreeSet<(Timestamp, TokenId)>,
    /// Of the tokens by which callers came that are still there.
    callers: HashMap<TokenId, WeakRevocation>,
    /// When there are so many, those whose callers have gone are forgotten.
    callers_sweep_at: usize,
}

impl Revocations {
    pub(crate) fn is_revoked(&self, token: TokenId) -> bool {
        self.until.contains_key(&token)
    }

    /// False if there is no room.
    pub(crate) fn add(&mut self, revocation: Revocation, max: usize, now: Timestamp) -> bool {
        let Revocation { token, until } = revocation;
        self.forget_what_is_over(now);
        if self.until.len() >= max {
            return false;
        }
        if let Some(before) = self.until.insert(token, until) {
            self.in_order.remove(&(before, token));
        }
        self.in_order.insert((until, token));
        self.end_callers_by(token);
        true
    }

    /// Ends the callers by one token, without revoking it.
    pub(crate) fn end_callers_by(&mut self, token: TokenId) {
        if let Some(callers) = self.callers.remove(&token).and_then(|callers| callers.upgrade()) {
            callers.revoke();
        }
    }

    /// What is revoked, by when it is over.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Revocation> {
        self.in_order.iter().map(|(until, token)| Revocation { token: *token, until: *until })
    }

    pub(crate) fn len(&self) -> usize {
        self.until.len()
    }

    /// What tells the callers by this token that it was revoked.
    pub(crate) fn callers_end(&mut self, token: TokenId) -> CallersEnd {
        if let Some(callers) = self.callers.get(&token).and_then(WeakRevocation::upgrade) {
            return callers;
        }
        let callers = CallersEnd::default();
        if self.is_revoked(token) {
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

    pub(crate) fn end_callers(&mut self) {
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
