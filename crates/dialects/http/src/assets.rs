//! The web pages that the server brings along.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use crate::headers::{cache_control, none_match_has};
use antiphon_net::problem::Problem;

/// Nothing but the page's own files, and nobody may frame it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

/// A file of a web page.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its path, like `/chat/app.js`. One that ends in `/` is a page; the path without it leads there.
    pub path: &'static str,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
}

/// Files by path.
pub(crate) struct Assets(HashMap<&'static str, Entry>);

struct Entry {
    asset: Asset,
    tag: HeaderValue,
}

impl Assets {
    pub(crate) fn new(assets: impl IntoIterator<Item = Asset>) -> Assets {
        let entry = |asset: Asset| (asset.path, Entry { asset, tag: tag(asset.bytes) });
        Assets(assets.into_iter().map(entry).collect())
    }

    /// The answer to a request for a path; none if there is nothing at it.
    pub(crate) fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Response<Bytes>> {
        let Some(entry) = self.0.get(path) else { return self.redirect(path) };
        if method != Method::GET && method != Method::HEAD {
            return Some(Problem::method_not_allowed("GET, HEAD, OPTIONS").into_response());
        }
        let fresh = entry.tag.to_str().is_ok_and(|tag| none_match_has(headers, tag));
        let mut response = match fresh {
            true => Response::new(Bytes::new()),
            false => Response::new(Bytes::from_static(entry.asset.bytes)),
        };
        if fresh {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        if let Ok(content_type) = HeaderValue::from_str(entry.asset.content_type) {
            headers.insert(CONTENT_TYPE, content_type);
        }
        headers.insert(ETAG, entry.tag.clone());
        // Always asked for again: a new version of the server has a new page.
        cache_control(headers, "no-cache");
        for (name, value) in [
            ("content-security-policy", CONTENT_SECURITY_POLICY),
            ("cross-origin-opener-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Some(response)
    }

    /// Leads from `/chat` to `/chat/`, by a relative reference because a proxy may have put a prefix before it.
    fn redirect(&self, path: &str) -> Option<Response<Bytes>> {
        let page = self.0.get(format!("{path}/").as_str())?.asset.path;
        let relative = page.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty())?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        response.headers_mut().insert(LOCATION, HeaderValue::from_str(&format!("{relative}/")).ok()?);
        Some(response)
    }
}

/// Weak, because the same file is also sent compressed.
pub(crate) fn tag(bytes: &[u8]) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let tag = format!("W/\"{:016x}\"", hasher.finish());
    HeaderValue::try_from(tag).expect("hexadecimal digits and quotes are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: [Asset; 3] = [
        Asset { path: "/", content_type: "text/html; charset=utf-8", bytes: b"<p>start" },
        Asset { path: "/chat/", content_type: "text/html; charset=utf-8", bytes: b"<p>chat" },
        Asset { path: "/chat/app.js", content_type: "text/javascript", bytes: b"1" },
    ];

    fn get(path: &str, tag: Option<&HeaderValue>) -> Option<Response<Bytes>> {
        let mut headers = HeaderMap::new();
        if let Some(tag) = tag {
            headers.insert("if-none-match", tag.clone());
        }
        Assets::new(PAGES).answer(&Method::GET, path, &headers)
    }

    #[test]
    fn files_are_found_by_path() {
        assert_eq!(get("/", None).unwrap().body(), "<p>start");
        assert_eq!(get("/chat/app.js", None).unwrap().headers()[CONTENT_TYPE], "text/javascript");
        let redirect = get("/chat", None).unwrap();
        assert_eq!(
            (redirect.status(), &redirect.headers()[LOCATION]),
            (StatusCode::PERMANENT_REDIRECT, &"chat/".parse().unwrap())
        );
        for path in ["/chat/app", "/chat//", "", "chat", "/chat/../chat/app.js"] {
            assert!(get(path, None).is_none(), "{path}");
        }
        let post = Assets::new(PAGES).answer(&Method::POST, "/", &HeaderMap::new()).unwrap();
        assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[test]
    fn a_file_that_is_known_is_not_sent_again() {
        let first = get("/chat/", None).unwrap();
        let policy = first.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("  "));
        let again = get("/chat/", Some(&first.headers()[ETAG])).unwrap();
        assert_eq!((again.status(), again.body().len()), (StatusCode::NOT_MODIFIED, 0));
        assert_eq!(get("/", Some(&first.headers()[ETAG])).unwrap().status(), StatusCode::OK);
    }
}
