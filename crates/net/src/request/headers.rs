use std::borrow::Cow;

use antiphon_access::Transport;
use http::header::{AsHeaderName, CACHE_CONTROL, HOST, ORIGIN, VARY};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::Peer;

/// A header as text; none if it is not there or not visible ASCII.
pub fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// A list header, however many lines it has.
pub fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, str>> {
    let mut lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    let first = lines.next()?;
    Some(lines.fold(Cow::Borrowed(first), |all, line| Cow::Owned(format!("{all}, {line}"))))
}

/// The name the client calls the server by: HTTP/2's authority, or the `Host` header.
pub fn host(request: &Parts) -> Option<&str> {
    match request.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => text(&request.headers, HOST),
    }
}

/// The page that a browser sends the request for. One that is not ASCII is no origin, and matches none.
pub fn origin(request: &Parts) -> Option<&str> {
    request.headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or("invalid"))
}

/// How the request came.
pub fn transport(peer: &Peer) -> Transport {
    if peer.tls { Transport::Tls } else { Transport::Plain }
}

/// Adds a field to `Vary`.
pub fn vary(headers: &mut HeaderMap, field: &'static str) {
    headers.append(VARY, HeaderValue::from_static(field));
}

/// Sets `Cache-Control`.
pub fn cache_control(headers: &mut HeaderMap, value: &'static str) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(value));
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
}
