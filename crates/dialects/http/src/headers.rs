//! Reading and writing of headers that several requests have in common.

pub(crate) use antiphon_net::request::{cache_control, list, text, vary};
use http::{HeaderMap, HeaderName};

pub(crate) static META: HeaderName = HeaderName::from_static("x-antiphon-meta");
pub(crate) static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(crate) static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
pub(crate) static ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Whether `If-None-Match` names this tag, compared weakly (RFC 9110, 13.1.2).
pub(crate) fn none_match_has(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    let Some(list) = list(headers, &http::header::IF_NONE_MATCH) else { return false };
    list.split(',').map(str::trim).any(|one| one == "*" || opaque(one) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

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
