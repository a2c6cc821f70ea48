//! Which web pages may speak to the server, and the headers that tell their browsers so (WHATWG Fetch, 3.3).

use antiphon_net::request::vary;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::body::AnswerBody;

/// Headers a page may send.
const REQUEST_HEADERS: &str =
    "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-Antiphon-Meta";

/// Headers a page may read, beside those it always may.
const RESPONSE_HEADERS: &str = "ETag, Retry-After";

/// How long a browser may remember a preflight, in seconds: the longest that Chromium does.
const MAX_AGE: &str = "7200";

/// The answer to `OPTIONS`, a browser's preflight included.
pub(crate) fn options(allow: &'static str) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::from(bytes::Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(allow));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(allow));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    response
}

/// Lets the page of an allowed origin read the answer.
pub(crate) fn allow(headers: &mut HeaderMap, origin: Option<&HeaderValue>) {
    vary(headers, "Origin");
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(RESPONSE_HEADERS));
    }
}
