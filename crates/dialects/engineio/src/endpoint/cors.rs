//! Cross-origin requests, with the options that Socket.IO users know (WHATWG Fetch, 3.3).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, CONTENT_LENGTH, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use bytes::Bytes;

/// What pages of other origins may do. Requests are answered whatever it says: it is their browsers that keep the answers from them.
///
/// A WebSocket is not kept from any page by it; who may open one is for [`super::Application::admit`] to say.
#[derive(Clone, Debug)]
pub struct CorsSettings {
    /// Which origins. Default: any.
    pub origin: AllowedOrigins,
    /// Methods beyond the simple ones. Default: `GET,HEAD,PUT,PATCH,POST,DELETE`.
    pub methods: Vec<String>,
    /// Headers that they may send. Default: those that they ask for.
    pub allowed_headers: Option<Vec<String>>,
    /// Headers that they may read, beside those that they always may. Default: none.
    pub exposed_headers: Vec<String>,
    /// Whether cookies and credentials may come along. Browsers refuse it together with [`AllowedOrigins::Any`].
    /// Default: false.
    pub credentials: bool,
    /// For how long a browser may remember a preflight. Default: what it does by itself.
    pub max_age: Option<Duration>,
    /// The status of the answer to a preflight; some old browsers fail on 204. Default: 204.
    pub options_success_status: u16,
}

/// Which origins are allowed.
#[derive(Clone)]
pub enum AllowedOrigins {
    /// All, by `*`.
    Any,
    /// All, each by its own name, as credentials need it.
    Reflected,
    /// These, written as browsers write them: `https://app.example.com`.
    Listed(Vec<String>),
    /// Those that it says yes to.
    Matching(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl fmt::Debug for AllowedOrigins {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AllowedOrigins::Any => formatter.write_str("Any"),
            AllowedOrigins::Reflected => formatter.write_str("Reflected"),
            AllowedOrigins::Listed(origins) => formatter.debug_tuple("Listed").field(origins).finish(),
            AllowedOrigins::Matching(_) => formatter.write_str("Matching(…)"),
        }
    }
}

impl Default for CorsSettings {
    fn default() -> CorsSettings {
        let methods = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"];
        CorsSettings {
            origin: AllowedOrigins::Any,
            methods: methods.map(str::to_owned).into(),
            allowed_headers: None,
            exposed_headers: Vec::new(),
            credentials: false,
            max_age: None,
            options_success_status: 204,
        }
    }
}

impl CorsSettings {
    /// The headers that every answer to this request has.
    pub(super) fn headers(&self, request: &HeaderMap) -> HeaderMap {
        let mut headers = HeaderMap::new();
        match &self.origin {
            AllowedOrigins::Any => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
            restricted => {
                headers.append(VARY, HeaderValue::from_static("Origin"));
                let origin = request.get(ORIGIN);
                if let Some(origin) = origin.filter(|origin| restricted.allows(origin)) {
                    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                }
            }
        }
        if self.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        list(&mut headers, ACCESS_CONTROL_EXPOSE_HEADERS, &self.exposed_headers);
        headers
    }

    /// The answer to a preflight, beside [`CorsSettings::headers`].
    pub(super) fn preflight(&self, request: &HeaderMap) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() =
            StatusCode::from_u16(self.options_success_status).unwrap_or(StatusCode::NO_CONTENT);
        let headers = response.headers_mut();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        list(headers, ACCESS_CONTROL_ALLOW_METHODS, &self.methods);
        match &self.allowed_headers {
            Some(allowed) => list(headers, ACCESS_CONTROL_ALLOW_HEADERS, allowed),
            None => {
                headers.append(VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
                if let Some(asked) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
                    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
                }
            }
        }
        if let Some(max_age) = self.max_age {
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(max_age.as_secs()));
        }
        response
    }
}

impl AllowedOrigins {
    fn allows(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        match self {
            AllowedOrigins::Any | AllowedOrigins::Reflected => true,
            AllowedOrigins::Listed(listed) => listed.iter().any(|one| one == origin),
            AllowedOrigins::Matching(matches) => matches(origin),
        }
    }
}

/// A list header; none if the list is empty, or has what cannot stand in a header.
fn list(headers: &mut HeaderMap, name: HeaderName, values: &[String]) {
    if !values.is_empty()
        && let Ok(value) = HeaderValue::try_from(values.join(","))
    {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(origin: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, origin.parse().unwrap());
        headers.insert(ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static("x-a, x-b"));
        headers
    }

    fn lines(headers: &HeaderMap) -> Vec<String> {
        let mut lines: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines
    }

    #[test]
    fn by_default_any_page_may() {
        let cors = CorsSettings::default();
        assert_eq!(lines(&cors.headers(&request("https://a.example"))), ["access-control-allow-origin: *"]);
        let preflight = cors.preflight(&request("https://a.example"));
        assert_eq!(preflight.status(), 204);
        assert_eq!(
            lines(preflight.headers()),
            [
                "access-control-allow-headers: x-a, x-b",
                "access-control-allow-methods: GET,HEAD,PUT,PATCH,POST,DELETE",
                "content-length: 0",
                "vary: Access-Control-Request-Headers",
            ]
        );
    }

    #[test]
    fn some_pages_may_by_their_names() {
        let allowed = ["access-control-allow-origin: https://a.example", "vary: Origin"];
        let listed = AllowedOrigins::Listed(vec!["https://a.example".into()]);
        let matching = AllowedOrigins::Matching(Arc::new(|origin| origin.ends_with("//a.example")));
        for origin in [listed, matching] {
            let cors = CorsSettings { origin, ..CorsSettings::default() };
            assert_eq!(lines(&cors.headers(&request("https://a.example"))), allowed);
            assert_eq!(lines(&cors.headers(&request("https://b.example"))), ["vary: Origin"]);
            assert_eq!(lines(&cors.headers(&HeaderMap::new())), ["vary: Origin"]);
        }
        let cors = CorsSettings { origin: AllowedOrigins::Reflected, ..CorsSettings::default() };
        assert_eq!(lines(&cors.headers(&request("https://a.example"))), allowed);
    }

    #[test]
    fn what_is_set_is_said() {
        let cors = CorsSettings {
            origin: AllowedOrigins::Reflected,
            methods: vec!["GET".into(), "POST".into()],
            allowed_headers: Some(vec!["x-mine".into()]),
            exposed_headers: vec!["etag".into(), "x-too".into()],
            credentials: true,
            max_age: Some(Duration::from_secs(600)),
            options_success_status: 200,
        };
        assert_eq!(
            lines(&cors.headers(&request("https://a.example"))),
            [
                "access-control-allow-credentials: true",
                "access-control-allow-origin: https://a.example",
                "access-control-expose-headers: etag,x-too",
                "vary: Origin",
            ]
        );
        let preflight = cors.preflight(&request("https://a.example"));
        assert_eq!(preflight.status(), 200);
        assert_eq!(
            lines(preflight.headers()),
            [
                "access-control-allow-headers: x-mine",
                "access-control-allow-methods: GET,POST",
                "access-control-max-age: 600",
                "content-length: 0",
            ]
        );
    }
}
