//! What our errors are on this dialect's wires: problem documents, and close codes where there is no answer to put one in.

use std::time::Duration;

use antiphon_access::{AuthError, HostRefused, OriginRefused, Refused};
use antiphon_hub::{PresenceError, ReplyError};
use antiphon_model::IdentityKind;
use antiphon_net::{Close, ListenError};
use antiphon_node::{PresenceFailed, PublishError, ReadError, ReplyFailed, TooManySessions};
use antiphon_store::StoreError;

use crate::wire::batch::InvalidBatch;
use crate::wire::media::InvalidBody;
use crate::wire::problem::{Problem, ProblemKind};
use crate::wire::query::InvalidParameter;

/// What stands in the way is likely to be gone after so long.
const SOON: Duration = Duration::from_secs(1);

impl From<InvalidParameter> for Problem {
    fn from(error: InvalidParameter) -> Problem {
        Problem::new(ProblemKind::InvalidParameter, error.to_string()).with_parameter(error.name)
    }
}

impl From<InvalidBody> for Problem {
    fn from(error: InvalidBody) -> Problem {
        let kind = match error {
            InvalidBody::Charset => ProblemKind::UnsupportedMediaType,
            InvalidBody::NotUtf8(_) | InvalidBody::Json(_) | InvalidBody::Empty => ProblemKind::InvalidBody,
        };
        Problem::new(kind, error.to_string())
    }
}

impl From<InvalidBatch> for Problem {
    fn from(error: InvalidBatch) -> Problem {
        Problem::new(ProblemKind::InvalidBody, error.to_string())
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Problem {
        let detail = error.to_string();
        match error {
            AuthError::InvalidIdentity => {
                Problem::new(ProblemKind::InvalidParameter, detail).with_parameter("identity")
            }
            AuthError::NoRandomness => Problem::new(ProblemKind::Overloaded, detail).with_retry_after(SOON),
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

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        Problem::new(ProblemKind::NotPermitted, refused.to_string())
            .with_channel(&refused.channel)
            .with_permission(refused.permission)
    }
}

impl From<TooManySessions> for Problem {
    fn from(error: TooManySessions) -> Problem {
        let kind = match error {
            TooManySessions::Org => ProblemKind::Overloaded,
            TooManySessions::Identity => ProblemKind::TooManyRequests,
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
            PublishError::RateLimited { retry_after, .. } => {
                Problem::new(ProblemKind::TooManyRequests, detail).with_retry_after(retry_after)
            }
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

/// How a raw WebSocket ends because of a message it sent; none if it goes on.
///
/// There is no answer to a raw message, so what the client cannot do again as it is ends the connection. What was
/// delivered and only could not be stored does not.
pub(crate) fn close_after_publish(error: PublishError) -> Option<Close> {
    let code = match &error {
        PublishError::Refused(_) | PublishError::KindRefused(_) => 1008,
        PublishError::TooLarge { .. } => 1009,
        PublishError::RateLimited { .. }
        | PublishError::TooManyChannels
        | PublishError::TooManyBroadcasts => 1013,
        PublishError::Closing => 1012,
        PublishError::NotStored { .. } | PublishError::UnderWay => return None,
    };
    Some(close(code, error.to_string()))
}

/// How a raw WebSocket ends that cannot listen.
pub(crate) fn close_after_listen(error: &ListenError) -> Close {
    let code = match error {
        ListenError::Refused(_)
        | ListenError::KindRefused(_)
        | ListenError::TooManySubscriptions { .. }
        | ListenError::AlreadyListening(_) => 1008,
        ListenError::TooManyChannels | ListenError::Unavailable(_) => 1013,
        ListenError::Closed => 1001,
    };
    close(code, error.to_string())
}

/// How a raw WebSocket ends that cannot be counted as present.
pub(crate) fn close_after_join(error: &PresenceFailed) -> Close {
    let code = match error {
        PresenceFailed::Refused(_)
        | PresenceFailed::Presence(PresenceError::Off | PresenceError::NotPresent) => 1008,
        PresenceFailed::Presence(PresenceError::TooManyMembers | PresenceError::TooManyChannels) => 1013,
        PresenceFailed::StateTooLarge { .. } => 1009,
    };
    close(code, error.to_string())
}

/// 1012 and 1013 are for coming back.
fn close(code: u16, reason: String) -> Close {
    Close { code, reason: reason.into(), reconnect: matches!(code, 1012 | 1013) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_access::{Permission, Why};
    use antiphon_model::{ChannelFlags, ChannelId, Position};

    fn refused() -> Refused {
        let channel = ChannelId::new("room", ChannelFlags::NONE).unwrap();
        Refused { permission: Permission::Publish, channel, why: Why::NotGranted }
    }

    #[test]
    fn publishing_by_table() {
        let limited = PublishError::RateLimited { scope: "in this org", retry_after: SOON };
        let not_stored = |cause| PublishError::NotStored { position: Position(7), cause };
        for (error, status, code) in [
            (PublishError::Refused(refused()), 403, Some(1008)),
            (PublishError::TooLarge { part: "payload", bytes: 2, max: 1 }, 413, Some(1009)),
            (limited, 429, Some(1013)),
            (PublishError::TooManyChannels, 503, Some(1013)),
            (not_stored(StoreError::DiskFull), 507, None),
            (not_stored(StoreError::Overloaded), 503, None),
            (PublishError::UnderWay, 409, None),
            (PublishError::Closing, 503, Some(1012)),
        ] {
            let close = close_after_publish(error.clone());
            assert_eq!(close.as_ref().map(|close| close.code), code, "{error}");
            assert!(close.is_none_or(|close| close.reconnect == (close.code >= 1012)), "{error}");
            assert_eq!(Problem::from(error).status().as_u16(), status);
        }
    }

    #[test]
    fn what_applies_is_in_the_document() {
        let json = String::from_utf8(Problem::from(refused()).to_json()).unwrap();
        assert!(json.contains(r#""channel":"room","permission":"publish""#), "{json}");
        let not_stored = PublishError::NotStored { position: Position(7), cause: StoreError::DiskFull };
        let json = String::from_utf8(Problem::from(not_stored).to_json()).unwrap();
        assert!(json.contains(r#""position":"7""#), "{json}");
        let invalid = InvalidParameter::new("limit", "is a number from 1 to 10");
        let json = String::from_utf8(Problem::from(invalid).to_json()).unwrap();
        assert!(json.contains(r#""detail":"limit: is a number from 1 to 10","parameter":"limit""#), "{json}");
    }
}
