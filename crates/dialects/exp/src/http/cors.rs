//! The headers that tell browsers which pages may speak to the server (WHATWG Fetch, 3.3).

use antiphon_net::request::vary;
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

/// What a page may ask with: also with what is answered 404 only, so that it can read that.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Headers that a page may send.
const REQUEST_HEADERS: &str = "Authorization, Content-Type";

/// Headers that a page may read, beside those it always may.
const RESPONSE_HEADERS: &str = "Retry-After";

/// How long a browser may remember a preflight, in seconds: the longest that Chromium does.
const MAX_AGE: &str = "7200";

/// The answer to `OPTIONS`, a browser's preflight included; `allow` are the methods of what is there, if anything is.
pub(super) fn options(allow: Option<&'static str>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(allow.unwrap_or("OPTIONS")));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    response
}

/// Lets the page of an allowed origin read the answer. The SDK asks with credentials, so the origin is named and never `*`.
pub(super) fn allow(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    vary(headers, "Origin");
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(RESPONSE_HEADERS));
    }
}
