//! How often somebody may show what is no valid credential: by address, and where he logs in with a password, by name.
//!
//! A credential that is valid never counts. What is refused here has not been looked at, so that a guess costs less to refuse than to make,
//! and whether a name exists makes no difference.

use std::sync::Arc;
use std::time::Duration;

use antiphon_model::Monotonic;

use super::gcra::{advance, nanos};
use super::slots::{Mark, Slots};
use crate::{Access, AuthError, LoggedIn, Login, LoginError, Network, Pairing, Rate, RetryAfter};

/// The limits of failed attempts, of all orgs together: before somebody has shown who he is, he is no org's.
#[derive(Clone, Copy, Debug)]
pub struct AttemptSettings {
    /// How often one address may show a credential that is none.
    pub failed_credentials_per_address: Rate,
    /// How often a login with a password may fail under one name.
    pub failed_logins_per_name: Rate,
    /// How many addresses and how many names with failures are remembered.
    pub remembered_max: usize,
}

impl Default for AttemptSettings {
    fn default() -> AttemptSettings {
        let rate =
            |per_second, burst| Rate::new(per_second, burst).expect("it is within the bounds of rates");
        AttemptSettings {
            failed_credentials_per_address: rate(1.0, 100),
            failed_logins_per_name: rate(0.02, 10),
            remembered_max: 100_000,
        }
    }
}

/// Too much that was shown has been no valid credential. Nothing of this attempt has been looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: try again in {} s", .scope.words(), .retry_after.as_millis().div_ceil(1000).max(1))]
pub struct TooManyFailures {
    /// By what the failures were counted.
    pub scope: FailureScope,
    /// When the next is looked at.
    pub retry_after: Duration,
}

/// By what failures are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureScope {
    /// The address that they come from.
    Address,
    /// The name under which somebody tries to log in.
    Name,
}

impl FailureScope {
    fn words(self) -> &'static str {
        match self {
            FailureScope::Address => "too many credentials from this address were not valid",
            FailureScope::Name => "too many logins under this name have failed",
        }
    }
}

/// An error that may mean that what was shown is no credential.
pub trait FailedCredential: From<TooManyFailures> {
    /// Whether it means that. What was valid once, or is valid for something else, is no guess.
    fn is_failure(&self) -> bool;
}

impl FailedCredential for AuthError {
    fn is_failure(&self) -> bool {
        matches!(
            self,
            AuthError::TooLong
                | AuthError::UnknownKey
                | AuthError::MalformedToken(_)
                | AuthError::AlgorithmRefused
                | AuthError::UnknownSigningKey
                | AuthError::BadSignature
        )
    }
}

impl FailedCredential for LoginError {
    fn is_failure(&self) -> bool {
        match self {
            LoginError::Malformed(_) | LoginError::BadCredentials => true,
            LoginError::Session(error) => error.is_failure(),
            _ => false,
        }
    }
}

/// The attempts that failed.
#[derive(Debug)]
pub(crate) struct Attempts {
    settings: AttemptSettings,
    addresses: Slots,
    names: Slots,
    /// When a name last logged in from an address: from there it has a rate of its own, so that strangers' failures do not keep it out.
    known: Slots,
}

impl Attempts {
    pub(crate) fn new(settings: AttemptSettings) -> Attempts {
        let slots = || Slots::new(settings.remembered_max);
        Attempts { settings, addresses: slots(), names: slots(), known: slots() }
    }

    fn check_address(&self, from: Option<Network>, now: Monotonic) -> Result<(), TooManyFailures> {
        let Some(network) = from.filter(|_| !self.addresses.is_untouched()) else { return Ok(()) };
        let tat = self.addresses.number(self.addresses.mark(&network));
        let outcome = advance(tat, nanos(now), self.settings.failed_credentials_per_address, 1);
        outcome.map(drop).map_err(|retry_after| too_many(FailureScope::Address, retry_after))
    }

    fn count_address(&self, from: Option<Network>, now: Monotonic) {
        if let Some(network) = from {
            let mark = self.addresses.mark(&network);
            // Others may have used it up since this attempt began.
            let _ = charge(&self.addresses, mark, self.settings.failed_credentials_per_address, now);
        }
    }

    fn begin(
        self: &Arc<Self>,
        login: &Login<'_>,
        from: Option<Network>,
        now: Monotonic,
    ) -> Result<LoginAttempt, TooManyFailures> {
        let mut attempt = LoginAttempt { attempts: Arc::clone(self), address: None, name: None, known: None };
        if let Some(network) = from {
            let mark = self.addresses.mark(&network);
            charge(&self.addresses, mark, self.settings.failed_credentials_per_address, now)
                .map_err(|retry_after| too_many(FailureScope::Address, retry_after))?;
            attempt.address = Some(mark);
        }
        if let Login::Password { username, organization, .. } = login {
            let name = (organization.unwrap_or_default(), *username);
            let known = self.known.mark(&(name, from));
            let is_known = self.known.number(known) > 0;
            let mark = if is_known { self.names.mark(&(name, from)) } else { self.names.mark(&name) };
            // What is charged already is taken back if this refuses.
            charge(&self.names, mark, self.settings.failed_logins_per_name, now)
                .map_err(|retry_after| too_many(FailureScope::Name, retry_after))?;
            (attempt.name, attempt.known) = (Some(mark), Some(known));
        }
        Ok(attempt)
    }
}

/// A login that is under way: counted as failed from its beginning, so that many at once are not more than many in a row.
///
/// Dropping it before [`LoginAttempt::end`] takes that back: nothing was looked at.
#[derive(Debug)]
#[must_use]
pub struct LoginAttempt {
    attempts: Arc<Attempts>,
    address: Option<Mark>,
    name: Option<Mark>,
    known: Option<Mark>,
}

impl LoginAttempt {
    /// What became of it. A login that lets a device pair has not shown a credential either.
    pub fn end(mut self, outcome: &Result<LoggedIn, LoginError>, now: Monotonic) {
        let failed = match outcome {
            Ok(logged_in) => logged_in.pairing == Pairing::Yes,
            Err(error) => error.is_failure(),
        };
        if failed {
            (self.address, self.name) = (None, None);
        } else if let (Ok(_), Some(known)) = (outcome, self.known) {
            self.attempts.known.change(known, |at| *at = nanos(now).max(1));
        }
    }
}

impl Drop for LoginAttempt {
    fn drop(&mut self) {
        let Attempts { settings, addresses, names, .. } = &*self.attempts;
        for (slots, mark, rate) in [
            (addresses, self.address, settings.failed_credentials_per_address),
            (names, self.name, settings.failed_logins_per_name),
        ] {
            if let Some(mark) = mark {
                slots.change(mark, |tat| *tat = tat.saturating_sub(rate.nanos(1)));
            }
        }
    }
}

impl Access {
    /// The same with other limits of failed attempts.
    #[must_use]
    pub fn with_attempts(mut self, settings: AttemptSettings) -> Access {
        self.attempts = Arc::new(Attempts::new(settings));
        self
    }

    /// Looks at what somebody at an address shows, unless too much that came from there was no credential; and counts it if it is
    /// none. Where there is no address, nothing is counted.
    ///
    /// # Errors
    /// What `show` says, or that it was not asked: [`TooManyFailures`].
    pub fn attempt<T, E: FailedCredential>(
        &self,
        from: Option<Network>,
        now: Monotonic,
        show: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.attempts.check_address(from, now)?;
        let shown = show();
        if shown.as_ref().is_err_and(FailedCredential::is_failure) {
            self.attempts.count_address(from, now);
        }
        shown
    }

    /// Begins a login, to be called before [`Access::login`] and before anything is waited for.
    ///
    /// # Errors
    /// Too many have failed, from this address or under this name, whether there is such a name or not.
    pub fn begin_login(
        &self,
        login: &Login<'_>,
        from: Option<Network>,
        now: Monotonic,
    ) -> Result<LoginAttempt, TooManyFailures> {
        self.attempts.begin(login, from, now)
    }
}

fn charge(slots: &Slots, mark: Mark, rate: Rate, now: Monotonic) -> Result<(), RetryAfter> {
    slots.change(mark, |tat| {
        *tat = advance(*tat, nanos(now), rate, 1)?;
        Ok(())
    })
}

fn too_many(scope: FailureScope, RetryAfter(retry_after): RetryAfter) -> TooManyFailures {
    TooManyFailures { scope, retry_after }
}

#[cfg(test)]
mod tests;
