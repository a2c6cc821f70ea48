use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use antiphon_http::{AnswerBody, HttpDialect};
use antiphon_net::{Endpoint, Peer, Upgrade, Worker};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;

/// What a server has beside Socket.IO: pages by their exact path.
#[derive(Clone, Default)]
pub(crate) struct Pages(HashMap<Box<str>, Page>);

/// A page, or another file.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) content_type: HeaderValue,
    pub(crate) bytes: Bytes,
}

impl Pages {
    pub(crate) fn insert(&mut self, path: &str, page: Page) {
        self.0.insert(path.into(), page);
    }

    fn answer(&self, method: &Method, path: &str) -> Option<Response<Bytes>> {
        let page = self.0.get(path)?;
        let mut response = Response::new(page.bytes.clone());
        let headers = response.headers_mut();
        match *method {
            Method::GET => {}
            Method::HEAD => {
                headers.insert(CONTENT_LENGTH, page.bytes.len().into());
                *response.body_mut() = Bytes::new();
            }
            _ => {
                headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
                *response.body_mut() = Bytes::new();
                return Some(response);
            }
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, page.content_type.clone());
        // Always asked for again: a program that is built anew has new pages.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        Some(response)
    }
}

/// Answers what is not for Socket.IO: pages, then the native dialect if there is one.
pub(crate) struct Beside {
    pages: Arc<Pages>,
    native: Option<Rc<HttpDialect>>,
}

impl Beside {
    pub(crate) fn new(pages: Arc<Pages>, native: Option<HttpDialect>) -> Beside {
        Beside { pages, native: native.map(Rc::new) }
    }
}

impl Endpoint for Beside {
    type Body = Either<AnswerBody, Full<Bytes>>;

    fn upgrade(&self, request: &Parts, offered: &[&str], peer: &Peer, worker: &Worker) -> Upgrade {
        match &self.native {
            Some(native) => native.upgrade(request, offered, peer, worker),
            None => Upgrade::Refuse(not_found()),
        }
    }

    async fn call(
        self: Rc<Self>,
        request: Request<Incoming>,
        peer: Peer,
        worker: Worker,
    ) -> Response<Self::Body> {
        let page = self.pages.answer(request.method(), request.uri().path());
        match (page, &self.native) {
            (Some(page), _) => page.map(|body| Either::Right(Full::new(body))),
            (None, Some(native)) => Rc::clone(native).call(request, peer, worker).await.map(Either::Left),
            (None, None) => not_found().map(|body| Either::Right(Full::new(body))),
        }
    }
}

fn not_found() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"there is nothing here\n"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages() -> Pages {
        let mut pages = Pages::default();
        let content_type = HeaderValue::from_static("text/html");
        pages.insert("/", Page { content_type, bytes: Bytes::from_static(b"<p>") });
        pages
    }

    #[test]
    fn pages_are_found_by_their_exact_path() {
        assert!(pages().answer(&Method::GET, "/x").is_none());
        let page = pages().answer(&Method::GET, "/").unwrap();
        assert_eq!((page.status(), page.body().as_ref()), (StatusCode::OK, &b"<p>"[..]));
        assert_eq!(page.headers()[CONTENT_TYPE], "text/html");
    }

    #[test]
    fn head_has_no_body_and_other_methods_are_not_allowed() {
        let head = pages().answer(&Method::HEAD, "/").unwrap();
        assert_eq!((head.body().len(), &head.headers()[CONTENT_LENGTH]), (0, &HeaderValue::from(3)));
        let post = pages().answer(&Method::POST, "/").unwrap();
        assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
