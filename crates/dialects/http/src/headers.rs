//! Reading and writing of headers that several requests have in common.

use std::borrow::Cow;

use antiphon_access::Transport;
use antiphon_net::Peer;
use http::header::{AsHeaderName, CACHE_CONTROL, HOST, ORIGIN, VARY};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) static META: HeaderName = HeaderName::from_static("x-antiphon-meta");
pub(crate) static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(crate) static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
pub(crate) static ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A header as text; none if it is not there or not visible ASCII.
pub(crate) fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// A list header, however many lines it has.
pub(crate) fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, str>> {
    let mut lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    let first = lines.next()?;
    Some(lines.fold(Cow::Borrowed(first), |all, line| Cow::Owned(format!("{all}, {line}"))))
}

/// The name the client calls the server by: HTTP/2's authority, or the `Host` header.
pub(crate) fn host(request: &Parts) -> Option<&str> {
    match request.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => text(&request.headers, HOST),
    }
}

/// The page that a browser sends the request for. One that is not ASCII is no origin, and matches none.
pub(crate) fn origin(request: &Parts) -> Option<&str> {
    request.headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or("invalid"))
}

/// How the request came.
pub(crate) fn transport(peer: &Peer) -> Transport {
    if peer.tls { Transport::Tls } else { Transport::Plain }
}

/// Adds a field to `Vary`.
pub(crate) fn vary(headers: &mut HeaderMap, field: &'static str) {
    headers.append(VARY, HeaderValue::from_static(field));
}

pub(crate) fn cache_control(headers: &mut HeaderMap, value: &'static str) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(value));
}

/// Whether `If-None-Match` names this tag, compared weakly (RFC 9110, 13.1.2).
pub(crate) fn none_match_has(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    let Some(list) = list(headers, &http::header::IF_NONE_MATCH) else { return false };
    list.split(',').map(str::trim).any(|one| one == "*" || opaque(one) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_several_lines_are_one() {
        let mut headers = HeaderMap::new();
        assert_eq!(list(&headers, &http::header::ACCEPT), None);
        headers.append("accept", HeaderValue::from_static("a/b"));
        headers.append("accept", HeaderValue::from_static("c/d;q=0.5, e/f"));
        assert_eq!(list(&headers, &http::header::ACCEPT).as_deref(), Some("a/b, c/d;q=0.5, e/f"));
    }

    #[test]
    fn tags_are_compared_weakly() {
        let mut headers = HeaderMap::new();
        assert!(!none_match_has(&headers, "W/\"a\""));
        headers.append("if-none-match", HeaderValue::from_static("\"x\", \"a\""));
        assert!(none_match_has(&headers, "W/\"a\""));
        assert!(!none_match_has(&headers, "W/\"b\""));
        headers.insert("if-none-match", HeaderValue::from_static("*"));
        assert!(none_match_has(&headers, "W/\"b\""));
    }
}
