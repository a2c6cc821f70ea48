//! Inside of a program's own HTTP server: what is for Socket.IO is answered by the library's workers, everything else by the
//! program.
//!
//! A polling request goes to a worker and comes back with its answer. A WebSocket is answered here with 101, and its socket given
//! to a worker, which reads and writes it from there on. Where the program's server holds something else than a socket, TLS for
//! instance, a pair of connected sockets goes between, and a task of the program's runtime copies.

mod body;
mod bridge;
mod polling;
mod websocket;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use antiphon_engineio::{EngineSettings, ServeSettings, Sid};
use antiphon_hub::WorkerId;
use antiphon_net::websocket::{DeflateSettings, Upgrade};
use antiphon_net::{Peer, Workers};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, MapOk, Ready, TryFutureExt, ready};
use http::{Request, Response, StatusCode, Uri, Version};
use http_body_util::Full;
use tower::{Layer, Service};

use self::body::BoxError;

/// The address of a client, where the program's server knows it: put it into a request's extensions.
///
/// Polling requests have no other way to say it; of WebSockets it is known by their socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// Puts Socket.IO before the rest of a program's HTTP service: see [`Io::layer`](crate::Io::layer).
#[derive(Clone)]
pub struct SocketIoLayer {
    mounted: Arc<Mounted>,
}

/// Answers what is for Socket.IO, and hands everything else on to `S`: see [`Io::service`](crate::Io::service).
#[derive(Clone)]
pub struct SocketIoService<S = NotFound> {
    inner: S,
    mounted: Arc<Mounted>,
}

/// Finds nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotFound;

/// The body of an answer: the inner service's, or the library's own.
pub type MountedBody<B> = http_body_util::Either<B, Full<Bytes>>;

/// What knows the way to the workers.
pub(crate) struct Mounted {
    workers: Workers,
    /// Without the `/` at its end.
    path: Box<str>,
    engine: Arc<EngineSettings>,
    deflate: DeflateSettings,
    next: AtomicUsize,
}

impl Mounted {
    pub(crate) fn new(workers: Workers, settings: &ServeSettings, deflate: DeflateSettings) -> Mounted {
        let path = settings.path.trim_end_matches('/').into();
        Mounted { workers, path, engine: Arc::clone(&settings.engine), deflate, next: AtomicUsize::new(0) }
    }

    /// Whether a path is that of Socket.IO, or below it.
    fn takes(&self, path: &str) -> bool {
        path.strip_prefix(&*self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Who answers a request: the worker that its session lives on, or for a new session each in turn.
    fn worker(&self, request: &Uri) -> WorkerId {
        let parameters = request.query().unwrap_or_default().split('&');
        let sid = parameters.filter_map(|parameter| parameter.strip_prefix("sid=")).find_map(Sid::parse);
        let home = sid.map(|sid| sid.worker()).filter(|home| usize::from(*home) < self.workers.len());
        WorkerId(home.unwrap_or_else(|| {
            let next = self.next.fetch_add(1, Ordering::Relaxed) % self.workers.len();
            u16::try_from(next).unwrap_or_default()
        }))
    }
}

impl SocketIoLayer {
    pub(crate) fn new(mounted: Arc<Mounted>) -> SocketIoLayer {
        SocketIoLayer { mounted }
    }
}

impl<S> Layer<S> for SocketIoLayer {
    type Service = SocketIoService<S>;

    fn layer(&self, inner: S) -> SocketIoService<S> {
        SocketIoService { inner, mounted: Arc::clone(&self.mounted) }
    }
}

impl SocketIoService {
    pub(crate) fn new(mounted: Arc<Mounted>) -> SocketIoService {
        SocketIoService { inner: NotFound, mounted }
    }
}

impl<S, B, R> Service<Request<B>> for SocketIoService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<MountedBody<R>>;
    type Error = S::Error;
    type Future = Either<
        MapOk<S::Future, fn(Response<R>) -> Response<MountedBody<R>>>,
        BoxFuture<'static, Result<Response<MountedBody<R>>, S::Error>>,
    >;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if !self.mounted.takes(request.uri().path()) {
            let theirs: fn(Response<R>) -> Response<MountedBody<R>> =
                |response| response.map(http_body_util::Either::Left);
            return Either::Left(self.inner.call(request).map_ok(theirs));
        }
        let ours = answer(Arc::clone(&self.mounted), request);
        Either::Right(
            ours.map(|response| Ok(response.map(|body| http_body_util::Either::Right(Full::new(body)))))
                .boxed(),
        )
    }
}

impl<B> Service<Request<B>> for NotFound {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Full<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(plain(StatusCode::NOT_FOUND, "there is nothing here").map(Full::new)))
    }
}

fn answer<B>(mounted: Arc<Mounted>, mut request: Request<B>) -> BoxFuture<'static, Response<Bytes>>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let upgrade =
        Upgrade::from_request(request.method(), request.version(), request.headers(), &mounted.deflate);
    let peer = peer(&request);
    match upgrade {
        Ok(Some(upgrade)) => {
            let upgraded = hyper::upgrade::on(&mut request);
            let (parts, _) = request.into_parts();
            ready(websocket::switch(mounted, parts, upgrade, upgraded, peer)).boxed()
        }
        Err(bad) if request.version() == Version::HTTP_11 => {
            let mut response = plain(bad.status(), &bad.to_string());
            response.headers_mut().extend(bad.headers());
            ready(response).boxed()
        }
        // An `Upgrade` header over HTTP/2 or 1.0 is one to ignore (RFC 9110, section 7.8).
        Ok(None) | Err(_) => polling::answer(mounted, request, peer).boxed(),
    }
}

/// What is known of the client before its socket is.
fn peer<B>(request: &Request<B>) -> Peer {
    let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let address = request.extensions().get().map_or(unknown, |PeerAddress(address)| *address);
    Peer { tls: request.uri().scheme_str() == Some("https"), ..Peer::plain(address, unknown) }
}

fn plain(status: StatusCode, text: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::copy_from_slice(text.as_bytes()));
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}
