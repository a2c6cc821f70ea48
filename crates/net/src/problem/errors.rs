//! What our errors are as problems.

use std::time::Duration;

use antiphon_access::{
    AuthError, CredentialError, HostRefused, InvalidCredential, OriginRefused, Permission, RateLimited,
    Refused, RevokeError, TooManyFailures,
};
use antiphon_hub::{PresenceError, ReplyError};
use antiphon_model::IdentityKind;
use antiphon_node::{
    CredentialsFailed, Overloaded, PresenceFailed, PublishError, ReadError, ReplyFailed, RevokeFailed,
    StoreError, TooManySessions,
};

use super::{Problem, ProblemKind};
use crate::ListenError;
use crate::request::query::InvalidParameter;

/// What stands in the way is likely to be gone after so long.
const SOON: Duration = Duration::from_secs(1);

impl From<InvalidParameter> for Problem {
    fn from(error: InvalidParameter) -> Problem {
        Problem::new(ProblemKind::InvalidParameter, error.to_string()).with_parameter(error.name)
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Problem {
        let detail = error.to_string();
        match error {
            AuthError::InvalidIdentity => {
                Problem::new(ProblemKind::InvalidParameter, detail).with_parameter("identity")
            }
            AuthError::TooManyFailures(error) => error.into(),
            AuthError::NoRandomness => Problem::new(ProblemKind::Overloaded, detail).with_retry_after(SOON),
            // It has shown who it is. With 401 it would be back with the next token at once.
            AuthError::Pairing => Problem::new(ProblemKind::NotPermitted, detail),
            _ => Problem::new(ProblemKind::Unauthorized, detail),
        }
    }
}

impl From<OriginRefused> for Problem {
    fn from(error: OriginRefused) -> Problem {
        Problem::new(ProblemKind::OriginRefused, error.to_string())
    }
}

impl From<HostRefused> for Problem {
    fn from(error: HostRefused) -> Problem {
        Problem::new(ProblemKind::HostRefused, error.to_string())
    }
}

impl From<RateLimited> for Problem {
    fn from(limited: RateLimited) -> Problem {
        Problem::new(ProblemKind::TooManyRequests, limited.to_string()).with_retry_after(limited.retry_after)
    }
}

impl From<TooManyFailures> for Problem {
    fn from(error: TooManyFailures) -> Problem {
        Problem::new(ProblemKind::TooManyRequests, error.to_string()).with_retry_after(error.retry_after)
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        if refused.is_name() {
            let detail = refused.why.to_string();
            let problem = Problem::new(ProblemKind::InvalidParameter, detail).with_parameter("channel");
            return problem.with_channel(&refused.channel);
        }
        Problem::new(ProblemKind::NotPermitted, refused.to_string())
            .with_channel(&refused.channel)
            .with_permission(refused.permission)
    }
}

impl From<Overloaded> for Problem {
    fn from(overloaded: Overloaded) -> Problem {
        let retry_after = overloaded.retry_after();
        Problem::new(ProblemKind::Overloaded, overloaded.to_string()).with_retry_after(retry_after)
    }
}

impl From<TooManySessions> for Problem {
    fn from(error: TooManySessions) -> Problem {
        let kind = match error {
            TooManySessions::Org => ProblemKind::Overloaded,
            TooManySessions::Identity => ProblemKind::TooManyRequests,
            TooManySessions::Rate(limited) => return limited.into(),
            TooManySessions::Overloaded(overloaded) => return overloaded.into(),
        };
        Problem::new(kind, error.to_string()).with_retry_after(SOON)
    }
}

impl From<PublishError> for Problem {
    fn from(error: PublishError) -> Problem {
        let detail = error.to_string();
        match error {
            PublishError::Refused(refused) => refused.into(),
            PublishError::KindRefused(kind) => kind_refused(kind, detail),
            PublishError::TooLarge { .. } => Problem::new(ProblemKind::TooLarge, detail),
            PublishError::RateLimited(limited) => limited.into(),
            PublishError::TooManyChannels | PublishError::TooManyBroadcasts => {
                Problem::new(ProblemKind::Overloaded, detail).with_retry_after(SOON)
            }
            PublishError::NotStored { position, cause } => {
                store_failed(&cause, detail).with_position(position)
            }
            PublishError::UnderWay => Problem::new(ProblemKind::Conflict, detail).with_retry_after(SOON),
            PublishError::Closing => Problem::new(ProblemKind::Closing, detail).with_retry_after(SOON),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Problem {
        ListenError::from(error).into()
    }
}

impl From<ListenError> for Problem {
    fn from(error: ListenError) -> Problem {
        let detail = error.to_string();
        match error {
            ListenError::Refused(refused) => refused.into(),
            ListenError::KindRefused(kind) => kind_refused(kind, detail),
            ListenError::TooManySubscriptions { .. } => {
                Problem::new(ProblemKind::InvalidParameter, detail).with_parameter("channel")
            }
            ListenError::RateLimited(limited) => limited.into(),
            ListenError::TooManyChannels => {
                Problem::new(ProblemKind::Overloaded, detail).with_retry_after(SOON)
            }
            ListenError::AlreadyListening(channel) => {
                Problem::new(ProblemKind::Conflict, detail).with_channel(&channel)
            }
            ListenError::Unavailable(error) => store_failed(&error, detail),
            ListenError::Closed => Problem::new(ProblemKind::Closing, detail).with_retry_after(SOON),
        }
    }
}

impl From<ReplyFailed> for Problem {
    fn from(error: ReplyFailed) -> Problem {
        let detail = error.to_string();
        match error {
            ReplyFailed::Refused(refused) => refused.into(),
            ReplyFailed::Reply(ReplyError::NobodyCollects) => {
                Problem::new(ProblemKind::NobodyCollects, detail)
            }
            ReplyFailed::Reply(ReplyError::TooMany) => Problem::new(ProblemKind::Conflict, detail),
            ReplyFailed::TooLarge { .. } => Problem::new(ProblemKind::TooLarge, detail),
        }
    }
}

impl From<PresenceFailed> for Problem {
    fn from(error: PresenceFailed) -> Problem {
        let detail = error.to_string();
        match error {
            PresenceFailed::Refused(refused) => refused.into(),
            PresenceFailed::Presence(PresenceError::Off | PresenceError::NotPresent) => {
                Problem::new(ProblemKind::Conflict, detail)
            }
            PresenceFailed::Presence(PresenceError::TooManyMembers | PresenceError::TooManyChannels) => {
                Problem::new(ProblemKind::Overloaded, detail).with_retry_after(SOON)
            }
            PresenceFailed::StateTooLarge { .. } => Problem::new(ProblemKind::TooLarge, detail),
        }
    }
}

impl From<CredentialsFailed> for Problem {
    fn from(error: CredentialsFailed) -> Problem {
        let detail = error.to_string();
        match error {
            CredentialsFailed::NotAdmin => {
                Problem::new(ProblemKind::NotPermitted, detail).with_permission(Permission::Admin)
            }
            CredentialsFailed::Credential(CredentialError::NotFound | CredentialError::UnknownOrg) => {
                Problem::new(ProblemKind::NotFound, detail)
            }
            CredentialsFailed::Credential(_) => Problem::new(ProblemKind::Conflict, detail),
            CredentialsFailed::NotKept(error) => store_failed(&error, detail),
            CredentialsFailed::Closing => Problem::new(ProblemKind::Closing, detail).with_retry_after(SOON),
        }
    }
}

impl From<RevokeFailed> for Problem {
    fn from(error: RevokeFailed) -> Problem {
        let detail = error.to_string();
        match error {
            RevokeFailed::NotAdmin => {
                Problem::new(ProblemKind::NotPermitted, detail).with_permission(Permission::Admin)
            }
            RevokeFailed::Revoke(RevokeError::TooMany) => Problem::new(ProblemKind::Conflict, detail),
            RevokeFailed::Revoke(_) => Problem::new(ProblemKind::InvalidBody, detail),
            RevokeFailed::NotKept(error) => store_failed(&error, detail),
        }
    }
}

impl From<InvalidCredential> for Problem {
    fn from(error: InvalidCredential) -> Problem {
        let detail = error.to_string();
        match error {
            InvalidCredential::NoRandomness => {
                Problem::new(ProblemKind::Overloaded, detail).with_retry_after(SOON)
            }
            _ => Problem::new(ProblemKind::InvalidBody, detail),
        }
    }
}

fn kind_refused(kind: IdentityKind, detail: String) -> Problem {
    tracing::debug!(?kind, "kept out by the channel's rule");
    Problem::new(ProblemKind::NotPermitted, detail)
}

/// A full disk is for the operator; the rest may pass.
fn store_failed(error: &StoreError, detail: String) -> Problem {
    match error {
        StoreError::DiskFull => Problem::new(ProblemKind::StorageFull, detail),
        error if error.is_temporary() => {
            Problem::new(ProblemKind::Unavailable, detail).with_retry_after(SOON)
        }
        _ => Problem::new(ProblemKind::Unavailable, detail),
    }
}
