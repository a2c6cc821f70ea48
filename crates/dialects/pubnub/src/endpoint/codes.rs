//! What our errors are on this wire.

use std::time::Duration;

use antiphon_access::{RateLimited, Refused, TooManyFailures};
use antiphon_model::InvalidChannelName;
use antiphon_net::ListenError;
use antiphon_net::problem::Problem;
use antiphon_node::{PresenceFailed, PublishError, ReadError, StoreError, TooManySessions};
use http::StatusCode;

use crate::wire::error::Refusal;
use crate::wire::inflate::InflateError;

/// When what stands in the way is likely to be gone.
const SOON: Duration = Duration::from_secs(1);

/// What stands in the way is likely to be gone soon: clients try again.
fn unavailable(error: &impl ToString) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}

impl From<InvalidChannelName> for Refusal {
    fn from(error: InvalidChannelName) -> Refusal {
        Refusal::bad(error.to_string())
    }
}

impl From<InflateError> for Refusal {
    fn from(error: InflateError) -> Refusal {
        match error {
            InflateError::Broken => Refusal::bad(error.to_string()),
            InflateError::TooLong(_) => Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Refusal {
        let status = problem.status();
        Refusal::new(status, status.canonical_reason().unwrap_or("The body cannot be read"))
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Refusal {
        if refused.is_name() {
            return Refusal::bad(refused.why.to_string());
        }
        let channels = serde_json::json!({ "channels": [refused.channel.name()] });
        Refusal::forbidden("Forbidden").with_payload(channels)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        match error {
            // It takes no more until something is removed.
            StoreError::LimitReached(_) => Refusal::new(StatusCode::TOO_MANY_REQUESTS, error.to_string()),
            StoreError::Unstorable(_) | StoreError::BadQuery(_) | StoreError::TooExpensive => {
                Refusal::bad(error.to_string())
            }
            error => unavailable(&error),
        }
    }
}

impl From<TooManySessions> for Refusal {
    fn from(error: TooManySessions) -> Refusal {
        match error {
            TooManySessions::Rate(limited) => limited.into(),
            TooManySessions::Overloaded(overloaded) => {
                Refusal::too_many(overloaded.to_string(), overloaded.retry_after())
            }
            error => Refusal::too_many(error.to_string(), SOON),
        }
    }
}

impl From<RateLimited> for Refusal {
    fn from(limited: RateLimited) -> Refusal {
        Refusal::too_many(limited.to_string(), limited.retry_after)
    }
}

impl From<TooManyFailures> for Refusal {
    fn from(error: TooManyFailures) -> Refusal {
        Refusal::too_many(error.to_string(), error.retry_after)
    }
}

impl From<PublishError> for Refusal {
    fn from(error: PublishError) -> Refusal {
        match error {
            PublishError::Refused(refused) => refused.into(),
            PublishError::TooLarge { part: "payload", .. } => Refusal::bad("Message Too Large"),
            PublishError::TooLarge { .. } => Refusal::bad(error.to_string()),
            PublishError::KindRefused(_) => Refusal::forbidden(error.to_string()),
            PublishError::RateLimited(limited) => limited.into(),
            PublishError::TooManyChannels | PublishError::TooManyBroadcasts | PublishError::UnderWay => {
                Refusal::too_many(error.to_string(), SOON)
            }
            PublishError::NotStored { .. } | PublishError::Closing => unavailable(&error),
        }
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Refusal {
        match error {
            ReadError::Refused(refused) => refused.into(),
            ReadError::KindRefused(_) => Refusal::forbidden(error.to_string()),
            ReadError::Unavailable(error) => error.into(),
            ReadError::TooManyChannels => Refusal::too_many(error.to_string(), SOON),
        }
    }
}

impl From<ListenError> for Refusal {
    fn from(error: ListenError) -> Refusal {
        match error {
            ListenError::Refused(refused) => refused.into(),
            ListenError::KindRefused(_) => Refusal::forbidden(error.to_string()),
            ListenError::TooManySubscriptions { .. } | ListenError::AlreadyListening(_) => {
                Refusal::bad(error.to_string())
            }
            ListenError::RateLimited(limited) => limited.into(),
            ListenError::TooManyChannels => Refusal::too_many(error.to_string(), SOON),
            ListenError::Unavailable(_) | ListenError::Closed => unavailable(&error),
        }
    }
}

impl From<PresenceFailed> for Refusal {
    fn from(error: PresenceFailed) -> Refusal {
        match error {
            PresenceFailed::Refused(refused) => refused.into(),
            error => Refusal::bad(error.to_string()),
        }
    }
}
