//! What went wrong, as every dialect with JSON answers tells it: problem documents (RFC 9457).

mod errors;

use std::borrow::Cow;
use std::time::Duration;

use antiphon_access::Permission;
use antiphon_model::{ChannelFlags, ChannelId, Position};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::{Serialize, Serializer};

/// The media type of the document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What sort of problem: decides type, title and status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// A parameter is missing, given twice, or not what it has to be.
    InvalidParameter,
    /// The body or message cannot be read.
    InvalidBody,
    /// There is no valid credential.
    Unauthorized,
    /// The credential, or the channel's rule, does not allow it.
    NotPermitted,
    /// The org does not allow the web page that asks.
    OriginRefused,
    /// The server does not answer to that name.
    HostRefused,
    /// There is nothing by that name.
    NotFound,
    /// The broadcast replied to collects no replies, or no more.
    NobodyCollects,
    /// What is asked for does not take that method.
    MethodNotAllowed,
    /// What is asked for cannot be had in a form that the client takes.
    NotAcceptable,
    /// The body took too long to come.
    BodyTimeout,
    /// It is not possible in this state.
    Conflict,
    /// Something is longer than the org allows.
    TooLarge,
    /// The body is in a form that is not taken.
    UnsupportedMediaType,
    /// Too many in too short a time.
    TooManyRequests,
    /// A limit on what goes on at once is reached.
    Overloaded,
    /// The store does not answer.
    Unavailable,
    /// The server stops.
    Closing,
    /// The store is full.
    StorageFull,
}

impl ProblemKind {
    fn parts(self) -> (&'static str, &'static str, StatusCode) {
        use ProblemKind as Kind;
        match self {
            Kind::InvalidParameter => ("invalid-parameter", "Invalid parameter", StatusCode::BAD_REQUEST),
            Kind::InvalidBody => ("invalid-body", "Invalid body", StatusCode::BAD_REQUEST),
            Kind::Unauthorized => ("unauthorized", "Credential needed", StatusCode::UNAUTHORIZED),
            Kind::NotPermitted => ("not-permitted", "Not permitted", StatusCode::FORBIDDEN),
            Kind::OriginRefused => ("origin-refused", "Origin not allowed", StatusCode::FORBIDDEN),
            Kind::HostRefused => ("host-refused", "Host not answered", StatusCode::FORBIDDEN),
            Kind::NotFound => ("not-found", "Not found", StatusCode::NOT_FOUND),
            Kind::NobodyCollects => ("nobody-collects", "Nobody collects replies", StatusCode::NOT_FOUND),
            Kind::MethodNotAllowed => {
                ("method-not-allowed", "Method not allowed", StatusCode::METHOD_NOT_ALLOWED)
            }
            Kind::NotAcceptable => ("not-acceptable", "Not acceptable", StatusCode::NOT_ACCEPTABLE),
            Kind::BodyTimeout => ("body-timeout", "The body took too long", StatusCode::REQUEST_TIMEOUT),
            Kind::Conflict => ("conflict", "Not possible in this state", StatusCode::CONFLICT),
            Kind::TooLarge => ("too-large", "Too large", StatusCode::PAYLOAD_TOO_LARGE),
            Kind::UnsupportedMediaType => {
                ("unsupported-media-type", "Unsupported media type", StatusCode::UNSUPPORTED_MEDIA_TYPE)
            }
            Kind::TooManyRequests => ("rate-limited", "Too many requests", StatusCode::TOO_MANY_REQUESTS),
            Kind::Overloaded => ("overloaded", "At a limit", StatusCode::SERVICE_UNAVAILABLE),
            Kind::Unavailable => ("unavailable", "Store not available", StatusCode::SERVICE_UNAVAILABLE),
            Kind::Closing => ("closing", "Stopping", StatusCode::SERVICE_UNAVAILABLE),
            Kind::StorageFull => ("storage-full", "Storage full", StatusCode::INSUFFICIENT_STORAGE),
        }
    }
}

/// What went wrong, and what belongs to the answer that says so. Boxed, because most results are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(Box<Document>);

/// What went wrong, for programs and for people (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Document {
    /// What sort of problem it is: `urn:antiphon:problem:` and a word that stays the same.
    #[serde(rename = "type")]
    kind: String,
    /// The sort in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened, and what to do about it.
    detail: Cow<'static, str>,
    /// The parameter, query or header, that is not what it has to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<Cow<'static, str>>,
    /// The channel that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<Box<str>>,
    /// Set if that is a system channel.
    #[serde(skip_serializing_if = "is_false")]
    system: bool,
    /// Set if that is a consumer channel.
    #[serde(skip_serializing_if = "is_false")]
    consumer: bool,
    /// The permission that is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    permission: Option<Permission>,
    /// Where a publication stands that was delivered but not stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
    /// After how many seconds to try again, as the header `Retry-After` says it.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_seconds")]
    retry_after: Option<Duration>,
    #[serde(skip)]
    allow: Option<&'static str>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn as_seconds<S: Serializer>(after: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    after.map(seconds).serialize(serializer)
}

/// The value of the header `Retry-After`: whole seconds, and never "at once".
pub fn retry_after(after: Duration) -> HeaderValue {
    HeaderValue::from(seconds(after))
}

fn seconds(after: Duration) -> u64 {
    u64::try_from(after.as_millis().div_ceil(1000).max(1)).unwrap_or(u64::MAX)
}

impl Problem {
    /// A problem of that sort; `detail` says what happened, and what to do about it.
    pub fn new(kind: ProblemKind, detail: impl Into<Cow<'static, str>>) -> Problem {
        let (slug, title, status) = kind.parts();
        Problem(Box::new(Document {
            kind: format!("urn:antiphon:problem:{slug}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            parameter: None,
            channel: None,
            system: false,
            consumer: false,
            permission: None,
            position: None,
            retry_after: None,
            allow: None,
        }))
    }

    /// The method is none of `allow`, as the header is written.
    pub fn method_not_allowed(allow: &'static str) -> Problem {
        let detail = format!("this takes {allow}");
        let mut problem = Problem::new(ProblemKind::MethodNotAllowed, detail);
        problem.0.allow = Some(allow);
        problem
    }

    /// Names the parameter that is not what it has to be.
    #[must_use]
    pub fn with_parameter(mut self, name: impl Into<Cow<'static, str>>) -> Problem {
        self.0.parameter = Some(name.into());
        self
    }

    /// Names the channel that it is about.
    #[must_use]
    pub fn with_channel(mut self, channel: &ChannelId) -> Problem {
        self.0.channel = Some(channel.name().into());
        self.0.system = channel.flags().contains(ChannelFlags::SYSTEM);
        self.0.consumer = channel.flags().contains(ChannelFlags::CONSUMER);
        self
    }

    /// Names the permission that is missing.
    #[must_use]
    pub fn with_permission(mut self, permission: Permission) -> Problem {
        self.0.permission = Some(permission);
        self
    }

    /// Says where a publication stands that was delivered but not stored.
    #[must_use]
    pub fn with_position(mut self, position: Position) -> Problem {
        self.0.position = Some(position);
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Duration) -> Problem {
        self.0.retry_after = Some(retry_after);
        self
    }

    /// When to try again, if that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Its HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The document.
    pub fn to_json(&self) -> Vec<u8> {
        // Strings and numbers are always serializable.
        serde_json::to_vec(&self.0).unwrap_or_default()
    }

    /// The answer: the document, and the headers that belong to its status.
    pub fn into_response(self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(self.to_json()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(after) = self.0.retry_after {
            headers.insert(RETRY_AFTER, retry_after(after));
        }
        if let Some(allow) = self.0.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if self.0.status == StatusCode::UNAUTHORIZED.as_u16() {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_applies_and_no_more() {
        let channel = ChannelId::new("news", ChannelFlags::SYSTEM).unwrap();
        let problem = Problem::new(ProblemKind::NotPermitted, "no")
            .with_channel(&channel)
            .with_permission(Permission::Publish);
        assert_eq!(
            String::from_utf8(problem.to_json()).unwrap(),
            r#"{"type":"urn:antiphon:problem:not-permitted","title":"Not permitted","status":403,"detail":"no","channel":"news","system":true,"permission":"publish"}"#
        );
    }

    #[test]
    fn headers_belong_to_the_status() {
        let limited =
            Problem::new(ProblemKind::TooManyRequests, "wait").with_retry_after(Duration::from_millis(1001));
        let json = String::from_utf8(limited.to_json()).unwrap();
        assert!(json.ends_with(r#""detail":"wait","retry_after":2}"#), "{json}");
        assert_eq!(limited.into_response().headers()[RETRY_AFTER], "2");
        let limited = Problem::new(ProblemKind::TooManyRequests, "wait").with_retry_after(Duration::ZERO);
        assert_eq!(limited.into_response().headers()[RETRY_AFTER], "1");
        let unauthorized = Problem::new(ProblemKind::Unauthorized, "who").into_response();
        assert_eq!(unauthorized.headers()[WWW_AUTHENTICATE], "Bearer");
        let method = Problem::method_not_allowed("GET, POST").into_response();
        assert_eq!(
            (method.status(), &method.headers()[ALLOW]),
            (StatusCode::METHOD_NOT_ALLOWED, &"GET, POST".parse().unwrap())
        );
    }
}
