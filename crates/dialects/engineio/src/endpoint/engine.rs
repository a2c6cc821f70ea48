//! From a request to what it is for, and what all answers have in common.

use std::rc::Rc;

use antiphon_net::{Endpoint, Peer, Upgrade, Worker};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, Request as HttpRequest, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;

use super::answer::{self, Form};
use super::elsewhere::{self, Whose};
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
    /// An engine of the worker that runs here.
    pub fn new(settings: Rc<ServeSettings>, application: Rc<dyn Application>, _worker: &Worker) -> Engine {
        Engine { shared: Rc::new(Shared { settings, application }) }
    }

    /// The session at an address, if it is still there. `worker` is the one that runs here, and has to be its own.
    pub fn link(worker: &Worker, address: &LinkAddress) -> Option<Link> {
        address.link(worker)
    }

    /// Answers a request that is no WebSocket, also one that came by another HTTP server.
    ///
    /// If this is dropped, the client has given the request up; for a poll that ends the session.
    pub async fn respond<B: http_body::Body>(
        &self,
        request: Parts,
        body: B,
        peer: Peer,
        worker: &Worker,
    ) -> Response<Bytes> {
        let settings = &self.shared.settings;
        let Some(name) = settings.below(request.uri.path()) else {
            body::discard(body).await;
            return answer::plain(StatusCode::NOT_FOUND);
        };
        let cors = settings.cors.as_ref().map(|cors| (cors, cors.headers(&request.headers)));
        let mut response = match &cors {
            Some((cors, _)) if request.method == Method::OPTIONS => cors.preflight(&request.headers),
            _ => match settings.client_bundle.answer(&request, name) {
                Some(answer) => answer,
                None => self.answer(&request, body, peer, worker).await,
            },
        };
        if let Some((_, headers)) = cors {
            for (name, value) in &headers {
                response.headers_mut().append(name, value.clone());
            }
        }
        response
    }

    async fn answer<B: http_body::Body>(
        &self,
        request: &Parts,
        body: B,
        peer: Peer,
        worker: &Worker,
    ) -> Response<Bytes> {
        let kind = match request.method {
            Method::GET => RequestKind::Get,
            Method::POST => RequestKind::Post,
            _ => RequestKind::Other,
        };
        let settings = &self.shared.settings;
        let query = request.uri.query().unwrap_or_default();
        let parsed = Request::parse(kind, query, &settings.engine);
        let whose = |sid| Whose { sid, path: settings.path.clone() };
        match parsed {
            Ok(Request::Open { revision, binary, via: OpenVia::Polling { jsonp } }) => {
                let form = Form::new(jsonp, &request.headers);
                self.open_polling(request, revision, binary, form, peer, worker).await
            }
            Ok(Request::Poll { sid, jsonp }) => {
                elsewhere::poll(worker, whose(sid), Form::new(jsonp, &request.headers)).await
            }
            Ok(Request::Post { sid, jsonp }) => {
                let body = body::read(body, settings.engine.payload_bytes_max);
                let form = Form::new(jsonp, &request.headers);
                elsewhere::post(worker, whose(sid), form, body_form(request, jsonp), body).await
            }
            Ok(Request::Open { via: OpenVia::WebSocket, .. } | Request::Upgrade { .. }) => {
                body::discard(body).await;
                answer::refused(&Refusal::new(RefusalCode::BadRequest))
            }
            Err(refusal) => {
                body::discard(body).await;
                answer::refused(&refusal)
            }
        }
    }
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

    async fn call(
        self: Rc<Self>,
        request: HttpRequest<Incoming>,
        peer: Peer,
        worker: Worker,
    ) -> Response<Full<Bytes>> {
        let (request, body) = request.into_parts();
        self.respond(request, body, peer, &worker).await.map(Full::new)
    }
}
