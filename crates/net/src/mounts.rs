use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Either};
use hyper::body::Incoming;

use crate::{Endpoint, Peer, Upgrade, Worker};

/// Several endpoints as one, each below a path of its own.
pub struct Mounts<E> {
    fallback: Rc<E>,
    /// Longest prefix first.
    mounts: Vec<Mount>,
}

struct Mount {
    /// Without the slash at the end.
    prefix: Box<str>,
    endpoint: Rc<dyn Mounted>,
}

/// The body of an answer of the fallback's, or of another's.
pub type MountBody<B> = Either<B, Boxed>;

type Boxed = Pin<Box<dyn http_body::Body<Data = Bytes, Error = Failure>>>;
type Failure = Box<dyn Error + Send + Sync>;
type Answering = Pin<Box<dyn Future<Output = Response<Boxed>>>>;

impl<E: Endpoint> Mounts<E> {
    /// Everything goes to `fallback`.
    pub fn new(fallback: E) -> Mounts<E> {
        Mounts { fallback: Rc::new(fallback), mounts: Vec::new() }
    }

    /// Has `endpoint` answer at the path `prefix` and below it, with or without a slash at the end: `/a/` is `/a`, `/a/` and `/a/b`, but
    /// not `/ab`. The longest prefix of a path wins, of equal ones the first.
    pub fn mount(mut self, prefix: impl Into<String>, endpoint: impl Endpoint) -> Mounts<E> {
        let prefix: String = prefix.into();
        let prefix: Box<str> = prefix.trim_end_matches('/').into();
        let at = self.mounts.partition_point(|mount| mount.prefix.len() >= prefix.len());
        self.mounts.insert(at, Mount { prefix, endpoint: Rc::new(endpoint) });
        self
    }

    fn of(&self, path: &str) -> Option<&Rc<dyn Mounted>> {
        let below = |mount: &&Mount| {
            let rest = path.strip_prefix(&*mount.prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.mounts.iter().find(below).map(|mount| &mount.endpoint)
    }
}

impl<E: Endpoint> Endpoint for Mounts<E> {
    type Body = MountBody<E::Body>;

    fn upgrade(&self, request: &Parts, offered: &[&str], peer: &Peer, worker: &Worker) -> Upgrade {
        match self.of(request.uri.path()) {
            Some(endpoint) => endpoint.decide(request, offered, peer, worker),
            None => self.fallback.upgrade(request, offered, peer, worker),
        }
    }

    fn call(
        self: Rc<Self>,
        request: Request<Incoming>,
        peer: Peer,
        worker: Worker,
    ) -> impl Future<Output = Response<Self::Body>> + 'static {
        match self.of(request.uri().path()) {
            Some(endpoint) => {
                let answer = Rc::clone(endpoint).answer(request, peer, worker);
                answer.map(|response| response.map(Either::Right)).left_future()
            }
            None => {
                let answer = Rc::clone(&self.fallback).call(request, peer, worker);
                answer.map(|response| response.map(Either::Left)).right_future()
            }
        }
    }
}

/// An endpoint whatever the bodies of its answers are.
trait Mounted {
    fn decide(&self, request: &Parts, offered: &[&str], peer: &Peer, worker: &Worker) -> Upgrade;

    fn answer(self: Rc<Self>, request: Request<Incoming>, peer: Peer, worker: Worker) -> Answering;
}

impl<E: Endpoint> Mounted for E {
    fn decide(&self, request: &Parts, offered: &[&str], peer: &Peer, worker: &Worker) -> Upgrade {
        self.upgrade(request, offered, peer, worker)
    }

    fn answer(self: Rc<Self>, request: Request<Incoming>, peer: Peer, worker: Worker) -> Answering {
        let answer = self.call(request, peer, worker);
        Box::pin(answer.map(|response| response.map(|body| -> Boxed { Box::pin(body.map_err(Into::into)) })))
    }
}
