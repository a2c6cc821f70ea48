//! What our errors are on this wire. A 401 has clients log in anew, and try again at once: only a credential that is missing, wrong or
//! over is one.

use std::time::Duration;

use antiphon_access::{AuthError, LoginError};
use antiphon_net::problem::{Problem, ProblemKind};

use crate::wire::broadcast::InvalidBody;
use crate::wire::channel::{ForeignOrg, InvalidChannel};
use crate::wire::login::NoCredential;

/// What stands in the way is likely to be gone after so long.
const SOON: Duration = Duration::from_secs(1);

impl From<InvalidChannel> for Problem {
    fn from(error: InvalidChannel) -> Problem {
        Problem::new(ProblemKind::InvalidParameter, format!("channel: {error}")).with_parameter("channel")
    }
}

impl From<ForeignOrg> for Problem {
    fn from(error: ForeignOrg) -> Problem {
        Problem::new(ProblemKind::NotPermitted, error.to_string())
    }
}

impl From<InvalidBody> for Problem {
    fn from(error: InvalidBody) -> Problem {
        Problem::new(ProblemKind::InvalidBody, error.to_string())
    }
}

impl From<NoCredential> for Problem {
    fn from(error: NoCredential) -> Problem {
        Problem::new(ProblemKind::InvalidBody, error.to_string())
    }
}

/// Why there is no token.
pub(crate) fn login_failed(error: &LoginError) -> Problem {
    if let LoginError::TooManyFailures(error) | LoginError::Session(AuthError::TooManyFailures(error)) = error
    {
        return (*error).into();
    }
    if error.is_unavailable() {
        return Problem::new(ProblemKind::Overloaded, error.to_string()).with_retry_after(SOON);
    }
    Problem::new(ProblemKind::Unauthorized, error.to_string())
}

/// There is nothing at a path.
pub(crate) fn not_found() -> Problem {
    Problem::new(ProblemKind::NotFound, "of EXP's API the network is here, and nothing else")
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_access::{FailureScope, TooManyFailures};

    #[test]
    fn only_credentials_are_401() {
        let too_many = TooManyFailures { scope: FailureScope::Name, retry_after: SOON };
        for (problem, status) in [
            (login_failed(&LoginError::BadCredentials), 401),
            (login_failed(&LoginError::Expired), 401),
            (login_failed(&LoginError::Session(AuthError::Expired)), 401),
            (login_failed(&LoginError::Busy), 503),
            (login_failed(&LoginError::TooManyFailures(too_many)), 429),
            (login_failed(&LoginError::Session(AuthError::TooManyFailures(too_many))), 429),
            (login_failed(&LoginError::Session(AuthError::NoRandomness)), 503),
            (NoCredential.into(), 400),
            (ForeignOrg.into(), 403),
            (InvalidChannel::NotAnId.into(), 400),
            (InvalidBody::NotUtf8.into(), 400),
            (AuthError::Pairing.into(), 403),
            (not_found(), 404),
        ] {
            assert_eq!(problem.status(), status, "{problem:?}");
        }
    }
}
