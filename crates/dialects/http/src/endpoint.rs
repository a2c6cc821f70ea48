//! From a request to its resource, and what all answers have in common.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use antiphon_access::{Caller, HostPolicy, OriginPolicy};
use antiphon_net::content_encoding::{self, ContentEncoding, compress};
use antiphon_net::request::{
    RequestBody, Rest, authenticate, check_any_origin, check_host, check_origin, only_one_host,
};
use antiphon_net::{Endpoint, Peer, Upgrade, Worker};
use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, ORIGIN,
};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, Version};
use hyper::body::Incoming;

use crate::assets::{Asset, Assets};
use crate::body::AnswerBody;
use crate::headers::{cache_control, list, none_match_has, text, vary};
use crate::routes::{Answer, Request, batch, broadcast, credentials, listen, presence, publish, revocations};
use crate::settings::InvalidHttpSettings;
use crate::wire::listen::Channels;
use crate::wire::path::{self, Resource};
use crate::wire::query::Query;
use crate::{HttpSettings, assets, cors, openapi};
use antiphon_net::problem::{Problem, ProblemKind};

/// Answers a request for a path of the server's own, like `/metrics`: `GET` and `HEAD` only, nobody asked who he is.
pub type Handler = Rc<dyn Fn(&Parts) -> Response<Bytes>>;

/// The native dialect of one worker.
pub struct HttpDialect {
    pub(crate) settings: Rc<HttpSettings>,
    origins: OriginPolicy,
    hosts: HostPolicy,
    assets: Assets,
    extra: Vec<(&'static str, Handler)>,
    openapi: (Bytes, HeaderValue),
}

/// What the dialect is given by the server, beside its settings.
pub struct HttpParts {
    /// The names that the server answers to. Paths under `/health/` are answered by any name.
    pub hosts: HostPolicy,
    /// Files of web pages.
    pub assets: Vec<Asset>,
    /// Other things by their exact path.
    pub extra: Vec<(&'static str, Handler)>,
}

impl HttpDialect {
    /// Puts the dialect together.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub fn new(settings: HttpSettings, parts: HttpParts) -> Result<HttpDialect, InvalidHttpSettings> {
        settings.check()?;
        let document = Bytes::from(openapi::document(&settings));
        Ok(HttpDialect {
            origins: OriginPolicy::new(&settings.cors_origins)?,
            hosts: parts.hosts,
            assets: Assets::new(parts.assets),
            extra: parts.extra,
            openapi: (document.clone(), assets::tag(&document)),
            settings: Rc::new(settings),
        })
    }

    /// Checks what has to be right whoever asks for whatever: the server's name, and the page that asks.
    ///
    /// # Errors
    /// The server does not answer to that name, or no org allows that page.
    pub(crate) fn screen(&self, request: &Parts, peer: &Peer, worker: &Worker) -> Result<(), Problem> {
        if request.uri.path().starts_with("/health/") {
            only_one_host(request)?;
        } else {
            check_host(&self.hosts, request)?;
        }
        Ok(check_any_origin(&self.origins, worker.node().access(), request, peer)?)
    }

    /// Finds out who asks, and whether from a page that his org allows.
    ///
    /// # Errors
    /// There is no valid credential, or the org does not allow the page.
    pub(crate) fn identify(
        &self,
        request: &Parts,
        query: &Query<'_>,
        peer: &Peer,
        worker: &Worker,
    ) -> Result<Arc<Caller>, Problem> {
        let access = worker.node().access();
        let caller = authenticate(access, &request.headers, query, peer, worker.now())?;
        check_origin(&self.origins, access, &caller, request, peer)?;
        Ok(caller)
    }

    async fn route(&self, head: Parts, body: &mut RequestBody, peer: Peer, worker: Worker) -> Answer {
        // The path is needed for as long as names are borrowed from it.
        let path = head.uri.path().to_owned();
        let resource = path::parse(&path)?;
        let allow = match allowed(&resource) {
            Some(allow) => allow,
            None => return self.other(&head),
        };
        let method = head.method.clone();
        if method == Method::OPTIONS {
            return Ok(cors::options(allow));
        }
        if !allow.split(", ").any(|one| one == method.as_str()) {
            return Err(Problem::method_not_allowed(allow));
        }
        if resource == Resource::OpenApi {
            return Ok(self.openapi(&head));
        }
        let query = Query::parse(head.uri.query().unwrap_or_default());
        let caller = self.identify(&head, &query, &peer, &worker)?;
        drop(query);
        let request = Request { settings: Rc::clone(&self.settings), worker, caller, head };
        match (&resource, method.as_str()) {
            (Resource::Channel(name), "POST") => publish::publish(request, name, body).await,
            (Resource::Channel(name), _) => listen::listen(request, Channels::One(name)).await,
            (Resource::Events, _) => listen::listen(request, Channels::Many { min: 1 }).await,
            (Resource::Publications, _) => batch::publish(request, body).await,
            (Resource::Broadcasts(name), _) => broadcast::broadcast(request, name, body).await,
            (Resource::Replies(name, position), _) => broadcast::reply(request, name, position, body).await,
            (Resource::Presence(name), "PUT") => presence::join(request, name, body).await,
            (Resource::Presence(name), "DELETE") => presence::leave(&request, name),
            (Resource::Presence(name), _) => presence::members(&request, name),
            (Resource::Credentials, "POST") => credentials::add(request, body).await,
            (Resource::Credentials, _) => credentials::list(request).await,
            (Resource::Credential(kind, name), _) => credentials::revoke(request, kind, name).await,
            (Resource::Revocations, "POST") => revocations::revoke(request, body).await,
            (Resource::Revocations, _) => revocations::list(&request),
            (Resource::OpenApi | Resource::Other, _) => Err(not_found()),
        }
    }

    /// What is not of the protocol: pages, and the server's own paths.
    fn other(&self, head: &Parts) -> Answer {
        const ALLOW: &str = "GET, HEAD, OPTIONS";
        let path = head.uri.path();
        let handler = self.extra.iter().find(|(extra, _)| *extra == path).map(|(_, handler)| handler);
        if let Some(handler) = handler {
            return match head.method {
                Method::GET | Method::HEAD => Ok(handler(head).map(AnswerBody::from)),
                Method::OPTIONS => Ok(cors::options(ALLOW)),
                _ => Err(Problem::method_not_allowed(ALLOW)),
            };
        }
        let answer = self.assets.answer(&head.method, path, &head.headers);
        answer.map(|response| response.map(AnswerBody::from)).ok_or_else(not_found)
    }

    fn openapi(&self, head: &Parts) -> Response<AnswerBody> {
        let (document, tag) = &self.openapi;
        let fresh = tag.to_str().is_ok_and(|tag| none_match_has(&head.headers, tag));
        let body = if fresh { Bytes::new() } else { document.clone() };
        let mut response = Response::new(AnswerBody::from(body));
        if fresh {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ETAG, tag.clone());
        cache_control(headers, "no-cache");
        response
    }

    async fn finish(&self, mut response: Response<AnswerBody>, asked: Asked) -> Response<AnswerBody> {
        let headers = response.headers_mut();
        headers
            .insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
        match asked.screened {
            Screened::Passed => cors::allow(headers, asked.origin.as_ref()),
            Screened::Refused => vary(headers, "Origin"),
        }
        let Some(mut bytes) = response.body_mut().take() else { return response };
        if response.status() == StatusCode::NOT_MODIFIED {
            vary(response.headers_mut(), "Accept-Encoding");
        } else if is_compressible(&response) {
            vary(response.headers_mut(), "Accept-Encoding");
            let encoding = asked.encoding.filter(|_| bytes.len() >= self.settings.compress_bytes_min);
            if let Some(encoding) = encoding {
                let (compressed, used) = compress(encoding, bytes).await;
                bytes = compressed;
                if let Some(used) = used {
                    let name = HeaderValue::from_static(used.as_str());
                    response.headers_mut().insert(CONTENT_ENCODING, name);
                }
            }
        }
        let is_stream = bytes.is_empty() && response.headers().contains_key(&crate::headers::ACCEL_BUFFERING);
        if asked.method == Method::HEAD && !is_stream {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            bytes = Bytes::new();
        }
        *response.body_mut() = AnswerBody::from(bytes);
        response
    }
}

/// What of a request is needed again when it is answered.
struct Asked {
    method: Method,
    origin: Option<HeaderValue>,
    encoding: Option<ContentEncoding>,
    screened: Screened,
}

/// Whether the page that asks may read the answer, if it is a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Screened {
    Passed,
    Refused,
}

impl Endpoint for HttpDialect {
    type Body = AnswerBody;

    fn upgrade(&self, request: &Parts, offered: &[&str], peer: &Peer, worker: &Worker) -> Upgrade {
        self.decide(request, offered, peer, worker)
    }

    async fn call(
        self: Rc<Self>,
        request: http::Request<Incoming>,
        peer: Peer,
        worker: Worker,
    ) -> Response<AnswerBody> {
        let (head, body) = request.into_parts();
        let version = head.version;
        let mut body = RequestBody::new(&head, body, Duration::from_secs(self.settings.body_secs_max));
        let screened = self.screen(&head, &peer, &worker);
        let asked = Asked {
            method: head.method.clone(),
            origin: head.headers.get(ORIGIN).cloned(),
            encoding: content_encoding::negotiate(
                list(&head.headers, &ACCEPT_ENCODING).as_deref(),
                ENCODINGS,
            ),
            screened: if screened.is_ok() { Screened::Passed } else { Screened::Refused },
        };
        let answer = match screened {
            Ok(()) => self.route(head, &mut body, peer, worker).await,
            Err(problem) => Err(problem),
        };
        let mut response = answer.unwrap_or_else(|problem| problem.into_response().map(AnswerBody::from));
        // A stream is not kept waiting for what its request may still say.
        if !response.body().is_stream() && body.discard().await == Rest::Unread && version < Version::HTTP_2 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        self.finish(response, asked).await
    }
}

/// What answers are compressed with, the favourite first.
const ENCODINGS: &[ContentEncoding] =
    &[ContentEncoding::Zstd, ContentEncoding::Brotli, ContentEncoding::Gzip];

/// The methods of a resource, as the `Allow` header is written. None: not of the protocol.
pub(crate) fn allowed(resource: &Resource<'_>) -> Option<&'static str> {
    match resource {
        Resource::Channel(_) | Resource::Credentials | Resource::Revocations => {
            Some("GET, HEAD, POST, OPTIONS")
        }
        Resource::Presence(_) => Some("GET, HEAD, PUT, DELETE, OPTIONS"),
        Resource::Events | Resource::OpenApi => Some("GET, HEAD, OPTIONS"),
        Resource::Publications | Resource::Broadcasts(_) | Resource::Replies(..) => Some("POST, OPTIONS"),
        Resource::Credential(..) => Some("DELETE, OPTIONS"),
        Resource::Other => None,
    }
}

fn not_found() -> Problem {
    Problem::new(ProblemKind::NotFound, "there is nothing at this path; /v1/openapi.json says what there is")
}

/// Text, whatever it says; pictures and fonts are compressed already.
fn is_compressible(response: &Response<AnswerBody>) -> bool {
    let content_type = text(response.headers(), CONTENT_TYPE).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    !response.headers().contains_key(CONTENT_ENCODING)
        && (essence.starts_with("text/") && essence != "text/event-stream"
            || ["json", "javascript", "xml", "wasm"].iter().any(|end| essence.ends_with(end))
                && essence != "application/x-ndjson")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resource_of_the_protocol_has_methods() {
        assert_eq!(allowed(&Resource::Channel("a".into())), Some("GET, HEAD, POST, OPTIONS"));
        assert_eq!(allowed(&Resource::Other), None);
    }

    #[test]
    fn text_is_compressible_and_streams_are_not() {
        for (content_type, expected) in [
            ("application/json", true),
            ("application/problem+json", true),
            ("text/html; charset=utf-8", true),
            ("text/javascript", true),
            ("image/svg+xml", true),
            ("image/png", false),
            ("text/event-stream", false),
            ("application/x-ndjson", false),
            ("", false),
        ] {
            let mut response = Response::new(AnswerBody::from(Bytes::new()));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            assert_eq!(is_compressible(&response), expected, "{content_type}");
        }
    }
}
