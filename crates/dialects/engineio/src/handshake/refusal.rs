use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;

/// Why a request is refused, in the numbers that clients know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalCode {
    /// 0: a transport that there is not, or that is not allowed.
    UnknownTransport,
    /// 1: a session that there is not, or is no more.
    UnknownSid,
    /// 2: a session begins with GET.
    BadHandshakeMethod,
    /// 3: anything else that is wrong.
    BadRequest,
    /// 4: access said no.
    Forbidden,
    /// 5: a revision that is not spoken.
    UnsupportedRevision,
}

impl RefusalCode {
    /// The number on the wire.
    pub fn number(self) -> u8 {
        match self {
            RefusalCode::UnknownTransport => 0,
            RefusalCode::UnknownSid => 1,
            RefusalCode::BadHandshakeMethod => 2,
            RefusalCode::BadRequest => 3,
            RefusalCode::Forbidden => 4,
            RefusalCode::UnsupportedRevision => 5,
        }
    }

    fn message(self) -> &'static str {
        match self {
            RefusalCode::UnknownTransport => "Transport unknown",
            RefusalCode::UnknownSid => "Session ID unknown",
            RefusalCode::BadHandshakeMethod => "Bad handshake method",
            RefusalCode::BadRequest => "Bad request",
            RefusalCode::Forbidden => "Forbidden",
            RefusalCode::UnsupportedRevision => "Unsupported protocol version",
        }
    }
}

/// The answer to a request that is refused: JSON with a code and a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    code: RefusalCode,
    message: Cow<'static, str>,
    status: u16,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// The media type of the answer.
    pub const MEDIA_TYPE: &'static str = "application/json";

    /// A refusal with the message that is usual for its code.
    pub fn new(code: RefusalCode) -> Refusal {
        let status = if code == RefusalCode::Forbidden { 403 } else { 400 };
        Refusal { code, message: Cow::Borrowed(code.message()), status, retry_after: None }
    }

    /// The session is not there.
    pub fn unknown_sid() -> Refusal {
        Refusal::new(RefusalCode::UnknownSid)
    }

    /// Access said no, and why; the client sees the message.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { message: message.into(), ..Refusal::new(RefusalCode::Forbidden) }
    }

    /// The same with another status of the HTTP answer.
    #[must_use]
    pub fn with_status(self, status: u16) -> Refusal {
        Refusal { status, ..self }
    }

    /// The same, and when to try again.
    #[must_use]
    pub fn with_retry_after(self, retry_after: Option<Duration>) -> Refusal {
        Refusal { retry_after, ..self }
    }

    /// When to try again, if that is known: for the header `Retry-After`.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Why.
    pub fn code(&self) -> RefusalCode {
        self.code
    }

    /// The status of the HTTP answer, also where a WebSocket was asked for.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body of the answer, of [`Refusal::MEDIA_TYPE`].
    pub fn body(&self) -> String {
        #[derive(Serialize)]
        struct Wire<'a> {
            code: u8,
            message: &'a str,
        }
        let wire = Wire { code: self.code.number(), message: &self.message };
        serde_json::to_string(&wire).expect("a number and a string are JSON")
    }
}
