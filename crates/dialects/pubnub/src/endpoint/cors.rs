//! The headers that tell browsers which pages may speak to the server (WHATWG Fetch, 3.3): all of them. What a request may is
//! decided by its keys, and nothing here is by cookie.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ALLOW, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::answer::AnswerBody;

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// What clients send, if they do not say what.
const REQUEST_HEADERS: &str = "Content-Type, Content-Encoding, If-Match, If-None-Match, Range";

/// How long a browser may remember a preflight, in seconds: the longest that Chromium does.
const MAX_AGE: &str = "7200";

/// The answer to `OPTIONS`, a browser's preflight included.
pub(super) fn options(head: &Parts, allowed: &str) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::from(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    allow(headers);
    let asked = head.headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let request_headers = asked.unwrap_or(HeaderValue::from_static(REQUEST_HEADERS));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, request_headers);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    headers.insert(VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        headers.insert(ALLOW, allowed);
    }
    response
}

/// Lets every page read the answer.
pub(super) fn allow(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
}
