//! From a request to what it is for, and what all answers have in common.

use std::future::Future;
use std::rc::Rc;

use antiphon_net::{Endpoint, Peer, Upgrade, Worker};
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, Request as HttpRequest, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;

use super::answer::{self, Form};
use super::elsewhere::{self, Whose};
use super::table::Table;
use super::{Application, Link, LinkAddress, ServeSettings, body};
use crate::handshake::{OpenVia, Refusal, RefusalCode, Request, RequestKind};
use crate::payload::{BINARY_TYPE, BodyForm, JsonpIndex};

/// Engine.IO on one path of one worker.
#[derive(Clone)]
pub struct Engine {
    pub(super) shared: Rc<Shared>,
}

/// What an engine's sessions have in common.
pub(super) struct Shared {
    pub(super) settings: Rc<ServeSettings>,
    pub(super) application: Rc<dyn Application>,
}

impl Engine {
    /// An engine of the worker that runs here. All engines of a worker keep their sessions in one place, where each is known under
    /// its engine's path.
    pub fn new(settings: Rc<ServeSettings>, application: Rc<dyn Application>, worker: &Worker) -> Engine {
        Table::of(worker);
        Engine { shared: Rc::new(Shared { settings, application }) }
    }

    /// The session at an address, if it is still there. `worker` is the one that runs here, and has to be its own.
    pub fn link(worker: &Worker, address: &LinkAddress) -> Option<Link> {
        address.link(worker)
    }

    /// Answers a request that is no WebSocket, also one that came by another HTTP server.
    ///
    /// If what comes back is dropped, the client has given the request up; for a poll that ends the session. The session has
    /// the request when this returns, so that holds as well if it is never waited for.
    pub fn respond<B: http_body::Body + 'static>(
        &self,
        request: Parts,
        body: B,
        peer: Peer,
        worker: &Worker,
    ) -> impl Future<Output = Response<Bytes>> + use<B> {
        let settings = &self.shared.settings;
        let cors = settings.cors.as_ref().map(|cors| cors.headers(&request.headers));
        let answer = self.answer(request, body, peer, worker);
        async move {
            let mut response = answer.await;
            for (name, value) in &cors.unwrap_or_default() {
                response.headers_mut().append(name, value.clone());
            }
            response
        }
    }

    fn answer<B: http_body::Body + 'static>(
        &self,
        request: Parts,
        body: B,
        peer: Peer,
        worker: &Worker,
    ) -> LocalBoxFuture<'static, Response<Bytes>> {
        let settings = &self.shared.settings;
        let Some(name) = settings.below(request.uri.path()) else {
            return at_once(body, answer::plain(StatusCode::NOT_FOUND));
        };
        if let Some(cors) = settings.cors.as_ref().filter(|_| request.method == Method::OPTIONS) {
            return at_once(body, cors.preflight(&request.headers));
        }
        if let Some(answer) = settings.client_bundle.answer(&request, name) {
            return at_once(body, answer);
        }
        let kind = match request.method {
            Method::GET => RequestKind::Get,
            Method::POST => RequestKind::Post,
            _ => RequestKind::Other,
        };
        let whose = |sid| Whose { sid, path: settings.path.clone() };
        match Request::parse(kind, request.uri.query().unwrap_or_default(), &settings.engine) {
            Ok(Request::Open { revision, binary, via: OpenVia::Polling { jsonp } }) => {
                let form = Form::new(jsonp, &request.headers);
                let (engine, worker) = (self.clone(), worker.clone());
                async move { engine.open_polling(&request, revision, binary, form, peer, &worker).await }
                    .boxed_local()
            }
            Ok(Request::Poll { sid, jsonp }) => {
                elsewhere::poll(worker, whose(sid), Form::new(jsonp, &request.headers))
            }
            Ok(Request::Post { sid, jsonp }) => {
                let body = body::read(body, settings.engine.payload_bytes_max);
                let form = Form::new(jsonp, &request.headers);
                elsewhere::post(worker, whose(sid), form, body_form(&request, jsonp), body)
            }
            Ok(Request::Open { via: OpenVia::WebSocket, .. } | Request::Upgrade { .. }) => {
                at_once(body, answer::refused(&Refusal::new(RefusalCode::BadRequest)))
            }
            Err(refusal) => at_once(body, answer::refused(&refusal)),
        }
    }
}

/// An answer to whatever the body says.
fn at_once<B: http_body::Body + 'static>(
    body: B,
    response: Response<Bytes>,
) -> LocalBoxFuture<'static, Response<Bytes>> {
    async move {
        body::discard(body).await;
        response
    }
    .boxed_local()
}

fn body_form(request: &Parts, jsonp: Option<JsonpIndex>) -> BodyForm {
    let kind = request.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if jsonp.is_some() {
        BodyForm::Jsonp
    } else if essence.eq_ignore_ascii_case(BINARY_TYPE) {
        BodyForm::Binary
    } else {
        BodyForm::Text
    }
}

impl Endpoint for Engine {
    type Body = Full<Bytes>;

    fn upgrade(&self, request: &Parts, _offered: &[&str], peer: &Peer, worker: &Worker) -> Upgrade {
        self.decide(request, peer, worker)
    }

    fn call(
        self: Rc<Self>,
        request: HttpRequest<Incoming>,
        peer: Peer,
        worker: Worker,
    ) -> impl Future<Output = Response<Full<Bytes>>> + 'static {
        let (request, body) = request.into_parts();
        self.respond(request, body, peer, &worker).map(|response| response.map(Full::new))
    }
}
