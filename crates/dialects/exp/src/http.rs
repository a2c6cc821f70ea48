//! Requests: from a path to its resource, and what all answers have in common.

mod broadcast;
mod cors;
mod login;
mod passwords;

use std::rc::Rc;
use std::sync::Arc;

use antiphon_access::Caller;
use antiphon_net::problem::Problem;
use antiphon_net::request::query::Query;
use antiphon_net::request::{
    RequestBody, Rest, authenticate, cache_control, check_any_origin, check_host, check_origin, vary,
};
use antiphon_net::{Endpoint, Peer, Upgrade, Worker};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, ORIGIN};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::Full;
use hyper::body::Incoming;

pub(crate) use self::passwords::Passwords;
use crate::codes::not_found;
use crate::exp::Shared;
use crate::wire::error;
use crate::wire::path::{self, Resource};

/// What answers requests at `/api`.
pub struct ExpHttp {
    shared: Arc<Shared>,
}

/// An answer, or the problem that is the answer.
type Answer = Result<Response<Bytes>, Problem>;

/// A request for a resource.
struct Asking<'a> {
    shared: &'a Shared,
    head: Parts,
    peer: Peer,
    worker: Worker,
}

impl ExpHttp {
    pub(crate) fn new(shared: Arc<Shared>) -> ExpHttp {
        ExpHttp { shared }
    }

    /// Checks what has to be right whoever asks for whatever: the server's name, and the page that asks.
    fn screen(&self, head: &Parts, peer: &Peer, worker: &Worker) -> Result<(), Problem> {
        check_host(&self.shared.hosts, head)?;
        Ok(check_any_origin(&self.shared.origins, worker.node().access(), head, peer)?)
    }

    async fn route(&self, head: Parts, body: &mut RequestBody, peer: Peer, worker: Worker) -> Answer {
        let resource = path::parse(head.uri.path());
        if head.method == Method::OPTIONS {
            return Ok(cors::options(resource.map(|_| ALLOW)));
        }
        let resource = resource.ok_or_else(not_found)?;
        if head.method != Method::POST {
            return Err(Problem::method_not_allowed(ALLOW));
        }
        let asking = Asking { shared: &self.shared, head, peer, worker };
        match resource {
            Resource::Login => login::login(asking, body).await,
            Resource::Token => login::refresh(&asking),
            Resource::Broadcasts => broadcast::broadcast(asking, body).await,
            Resource::Responses => broadcast::respond(asking, body).await,
        }
    }
}

impl Asking<'_> {
    fn query(&self) -> Query<'_> {
        Query::parse(self.head.uri.query().unwrap_or_default())
    }

    /// Finds out who asks, and whether from a page that his org allows.
    fn identify(&self) -> Result<Arc<Caller>, Problem> {
        let access = self.worker.node().access();
        let caller = authenticate(access, &self.head.headers, &self.query(), &self.peer, self.worker.now())?;
        check_origin(&self.shared.origins, access, &caller, &self.head, &self.peer)?;
        Ok(caller)
    }
}

impl Endpoint for ExpHttp {
    type Body = Full<Bytes>;

    fn upgrade(&self, _: &Parts, _: &[&str], _: &Peer, _: &Worker) -> Upgrade {
        Upgrade::Refuse(refusal(not_found()))
    }

    async fn call(
        self: Rc<Self>,
        request: Request<Incoming>,
        peer: Peer,
        worker: Worker,
    ) -> Response<Full<Bytes>> {
        let (mut head, body) = request.into_parts();
        if head.headers.get(ORIGIN).is_some_and(is_no_origin) {
            head.headers.remove(ORIGIN);
        }
        let (version, method, origin) =
            (head.version, head.method.clone(), head.headers.get(ORIGIN).cloned());
        let mut body = RequestBody::new(&head, body, self.shared.settings.body_timeout);
        let screened = self.screen(&head, &peer, &worker);
        let is_screened = screened.is_ok();
        let answer = match screened {
            Ok(()) => self.route(head, &mut body, peer, worker).await,
            Err(problem) => Err(problem),
        };
        let mut response = answer.unwrap_or_else(refusal);
        let headers = response.headers_mut();
        if body.discard().await == Rest::Unread && version < Version::HTTP_2 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        headers.insert(NOSNIFF.0, NOSNIFF.1);
        if is_screened {
            cors::allow(headers, origin);
        } else {
            vary(headers, "Origin");
        }
        if method == Method::HEAD {
            let bytes = response.body().len();
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(bytes));
            *response.body_mut() = Bytes::new();
        }
        response.map(Full::new)
    }
}

/// The methods of every resource there is.
const ALLOW: &str = "POST, OPTIONS";

const NOSNIFF: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));

/// Whether a header is no origin that a browser would send: the SDK on Node puts an address without a scheme there.
fn is_no_origin(header: &HeaderValue) -> bool {
    let is_browsers = |origin: &str| origin == "null" || origin.contains("://");
    header.to_str().is_ok_and(|origin| !is_browsers(origin))
}

/// The answer that says what went wrong.
fn refusal(problem: Problem) -> Response<Bytes> {
    let document = error::document(&problem);
    let mut response = problem.into_response().map(|_| Bytes::from(document));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}

const JSON: &str = "application/json";

/// An answer that is a JSON document. Always 200: some clients take other successes for failures.
fn json(body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    cache_control(response.headers_mut(), "no-store");
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_scheme_is_no_origin() {
        for (header, expected) in [
            ("127.0.0.1:19000", true),
            ("", true),
            ("null", false),
            ("https://app.example.com", false),
            ("file://", false),
        ] {
            assert_eq!(is_no_origin(&HeaderValue::from_static(header)), expected, "{header}");
        }
        assert!(!is_no_origin(&HeaderValue::from_bytes(b"\xff").unwrap()));
    }
}
