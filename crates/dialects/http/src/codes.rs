//! What our errors are on this dialect's wires: problem documents, and close codes where there is no answer to put one in.

use antiphon_hub::PresenceError;
use antiphon_net::problem::{Problem, ProblemKind};
use antiphon_net::{Close, ListenError};
use antiphon_node::{PresenceFailed, PublishError};

use crate::wire::batch::InvalidBatch;
use crate::wire::credential::InvalidNewCredential;
use crate::wire::media::InvalidBody;
use crate::wire::revocation::InvalidRevocation;

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

impl From<InvalidRevocation> for Problem {
    fn from(error: InvalidRevocation) -> Problem {
        Problem::new(ProblemKind::InvalidBody, error.to_string())
    }
}

impl From<InvalidNewCredential> for Problem {
    fn from(error: InvalidNewCredential) -> Problem {
        match error {
            InvalidNewCredential::Credential(error) => error.into(),
            InvalidNewCredential::NoRandomness => Problem::new(ProblemKind::Overloaded, error.to_string()),
            InvalidNewCredential::NoObject
            | InvalidNewCredential::Json(_)
            | InvalidNewCredential::NoPassword => Problem::new(ProblemKind::InvalidBody, error.to_string()),
        }
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
        PublishError::RateLimited(_) | PublishError::TooManyChannels | PublishError::TooManyBroadcasts => {
            1013
        }
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
        ListenError::RateLimited(_) | ListenError::TooManyChannels | ListenError::Unavailable(_) => 1013,
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
    use crate::wire::query::InvalidParameter;
    use std::time::Duration;

    use antiphon_access::{Act, Permission, RateLimited, Refused, Scope, Why};
    use antiphon_model::{ChannelFlags, ChannelId, Position};
    use antiphon_store::StoreError;

    fn refused() -> Refused {
        let channel = ChannelId::new("room", ChannelFlags::NONE).unwrap();
        Refused { permission: Permission::Publish, channel, why: Why::NotGranted }
    }

    #[test]
    fn publishing_by_table() {
        let (act, scope, retry_after) = (Act::Publish, Scope::Org, Duration::from_secs(1));
        let limited = PublishError::RateLimited(RateLimited { act, scope, retry_after });
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
