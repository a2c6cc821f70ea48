//! From a request to its route, and what all answers have in common.

mod codes;
mod cors;
mod local;
mod pages;

use std::rc::Rc;
use std::sync::Arc;

use antiphon_model::Position;
use antiphon_net::problem::retry_after;
use antiphon_net::request::{RequestBody, Rest};
use antiphon_net::{Endpoint, Peer, Upgrade, Worker};
use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, Version};
use hyper::body::Incoming;

pub(crate) use self::local::Local;
use crate::answer::{Answer, AnswerBody};
use crate::gate::{self, Shown};
use crate::pubnub::Shared;
use crate::request::{Request, Unread};
use crate::router::{Captures, Match, matches};
use crate::routes::{Handler, ROUTES, Route};
use crate::wire::error::{Family, Refusal};
use crate::wire::inflate::inflate;
use crate::wire::query::Query;

/// What answers requests on a worker. Cheap to clone: one is mounted at every prefix.
#[derive(Clone)]
pub struct PubNubEndpoint {
    shared: Arc<Shared>,
    local: Rc<Local>,
}

impl PubNubEndpoint {
    pub(crate) fn new(shared: Arc<Shared>) -> PubNubEndpoint {
        PubNubEndpoint { shared, local: Rc::default() }
    }

    async fn answer(
        &self,
        head: Parts,
        incoming: Incoming,
        peer: Peer,
        worker: Worker,
    ) -> (Answer, Family, Rest) {
        let body = RequestBody::new(&head, incoming, self.shared.settings.body_timeout);
        let found = match self.find(&head) {
            Ok(found) => found,
            Err((refusal, family)) => {
                let mut body = body;
                return (Err(refusal), family, body.discard().await);
            }
        };
        let Found { route, path } = found;
        let (answer, rest) = self.hand_on(Found { route, path }, head, body, peer, worker).await;
        (answer, route.family, rest)
    }

    fn find(&self, head: &Parts) -> Result<Found, (Refusal, Family)> {
        pages::check(&self.shared.hosts, head).map_err(|refusal| (refusal, Family::Access))?;
        let path = head.uri.path();
        let bytes = path.len() + head.uri.query().map_or(0, str::len);
        if bytes > self.shared.settings.uri_bytes_max {
            let refusal = Refusal::new(StatusCode::URI_TOO_LONG, "Request URI Too Long").by("Balancer");
            return Err((refusal, Family::Access));
        }
        let mut of_another_method = None;
        for route in ROUTES {
            match matches(route.pattern, path) {
                Match::No => {}
                Match::NotUtf8 => return Err((Refusal::bad("The path is not UTF-8"), route.family)),
                Match::Yes(path) if route.method == head.method => return Ok(Found { route, path }),
                Match::Yes(_) => of_another_method = Some(route.family),
            }
        }
        Err(match of_another_method {
            Some(family) => (Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"), family),
            None => (Refusal::new(StatusCode::NOT_FOUND, "Not Found"), Family::Access),
        })
    }

    async fn hand_on(
        &self,
        Found { route, path }: Found,
        head: Parts,
        mut body: RequestBody,
        peer: Peer,
        worker: Worker,
    ) -> (Answer, Rest) {
        let query = Query::parse(head.uri.query().unwrap_or_default());
        let handler = match route.handler {
            Handler::Open(handler) => {
                let rest = body.discard().await;
                return (handler(&worker), rest);
            }
            Handler::Unread(handler) => {
                let keyset = match gate::keyset(&worker, path.of("sub"), &peer) {
                    Ok(keyset) => keyset,
                    Err(refusal) => return (Err(refusal), body.discard().await),
                };
                let shared = Arc::clone(&self.shared);
                return handler(Unread { shared, worker, head, keyset, path, body }).await;
            }
            Handler::Read(handler) => handler,
        };
        let request = self.admit(path, query, head, &mut body, &peer, worker).await;
        let rest = body.discard().await;
        match request {
            Ok(request) => (handler(request).await, rest),
            Err(refusal) => (Err(refusal), rest),
        }
    }

    async fn admit(
        &self,
        path: Captures,
        query: Query,
        head: Parts,
        body: &mut RequestBody,
        peer: &Peer,
        worker: Worker,
    ) -> Result<Request, Refusal> {
        let keyset = gate::keyset(&worker, path.of("sub"), peer)?;
        let bytes_max = self.shared.settings.body_bytes_max;
        let bytes = body.read(bytes_max).await?;
        let shown = Shown { keyset: &keyset, head: &head, query: &query, body: &bytes, peer };
        let admitted = gate::admit(worker.node().access(), &shown, worker.now())?;
        let body = match head.headers.get(CONTENT_ENCODING) {
            Some(coding) if coding.as_bytes() != b"identity" && !bytes.is_empty() => {
                inflate(&bytes, bytes_max)?
            }
            _ => bytes,
        };
        Ok(Request {
            shared: Arc::clone(&self.shared),
            local: Rc::clone(&self.local),
            worker,
            head,
            keyset,
            permit: admitted.permit,
            caller: admitted.caller,
            uuid: admitted.uuid,
            path,
            query,
            body,
        })
    }

    /// The methods of what is at a path.
    fn allowed(path: &str) -> String {
        let mut methods = vec!["OPTIONS"];
        let at_path = ROUTES.iter().filter(|route| matches(route.pattern, path) != Match::No);
        for route in at_path {
            if !methods.contains(&route.method.as_str()) {
                methods.push(route.method.as_str());
            }
        }
        methods.join(", ")
    }
}

/// A route, and the names in the path.
struct Found {
    route: &'static Route,
    path: Captures,
}

impl Endpoint for PubNubEndpoint {
    type Body = AnswerBody;

    fn upgrade(&self, _: &Parts, _: &[&str], _: &Peer, _: &Worker) -> Upgrade {
        let refusal = Refusal::bad("There are no WebSockets here");
        Upgrade::Refuse(refused(&refusal, Family::Access, Position::ZERO).map(|_| Bytes::new()))
    }

    async fn call(
        self: Rc<Self>,
        request: http::Request<Incoming>,
        peer: Peer,
        worker: Worker,
    ) -> Response<AnswerBody> {
        let (head, incoming) = request.into_parts();
        let (version, method) = (head.version, head.method.clone());
        if method == Method::OPTIONS {
            return cors::options(&head, &PubNubEndpoint::allowed(head.uri.path()));
        }
        let allow = head.uri.path().to_owned();
        let (answer, family, rest) = self.answer(head, incoming, peer, worker.clone()).await;
        let mut response =
            answer.unwrap_or_else(|refusal| refused(&refusal, family, Position(worker.now().wall.0)));
        if response.status() == StatusCode::METHOD_NOT_ALLOWED
            && let Ok(allow) = PubNubEndpoint::allowed(&allow).parse()
        {
            response.headers_mut().insert(ALLOW, allow);
        }
        if rest == Rest::Unread && version < Version::HTTP_2 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if method == Method::HEAD
            && let Some(bytes) = response.body_mut().empty()
        {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(bytes));
        }
        cors::allow(response.headers_mut());
        response.headers_mut().insert(NOSNIFF.0, NOSNIFF.1);
        response
    }
}

/// The answer that a refusal is.
fn refused(refusal: &Refusal, family: Family, now: Position) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::from(refusal.body(family, now)));
    *response.status_mut() = refusal.status();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    if let Some(after) = refusal.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, retry_after(after));
    }
    response
}

const NOSNIFF: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
