use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon_access::Network;
use antiphon_hub::WorkerId;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, ready};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;

use crate::addresses::{Counts, Place};
use crate::ambiguous::refuse_ambiguous;
use crate::answered::{Answered, Answering, Pieces};
use crate::arrival::{Arrival, Switched, Way};
use crate::connection::ConnectionKey;
use crate::format::Framing;
use crate::handshake::{Answer, bad_upgrade, nowhere};
use crate::heads::{Heads, Requests, SharedSocket};
use crate::rewound::Rewound;
use crate::socket::Detached;
use crate::streaming::Leaving;
use crate::{Accept, Endpoint, Peer, Upgrade, Worker, websocket};

impl Worker {
    /// Gives a connection to hyper: it is not a WebSocket, or not yet. `decided` is about its first request, if the dialects have
    /// been asked already.
    pub(crate) fn hand_over<E: Endpoint>(
        &self,
        endpoint: &Rc<E>,
        key: ConnectionKey,
        read: &[u8],
        decided: Option<LocalBoxFuture<'static, Upgrade>>,
    ) {
        let read = Bytes::copy_from_slice(read);
        let Some((socket, peer)) = self.release(key) else { return };
        let address = peer.address;
        let (worker, endpoint) = (self.clone(), Rc::clone(endpoint));
        tokio::task::spawn_local(async move {
            let ended = Counted(worker.clone());
            if let Err(error) = worker.serve(endpoint, socket, read, *peer, decided).await {
                tracing::debug!(%error, peer = %address, "HTTP connection ended");
            }
            drop(ended);
        });
    }

    async fn serve<E: Endpoint>(
        &self,
        endpoint: Rc<E>,
        socket: Detached,
        read: Bytes,
        peer: Peer,
        decided: Option<LocalBoxFuture<'static, Upgrade>>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let settings = &self.0.settings;
        let socket = Rewound::new(read, socket, settings.write_timeout)?;
        let requests = Arc::new(Requests::default());
        let shared = SharedSocket::new(socket);
        let socket = Heads::new(shared.clone(), Arc::clone(&requests), settings.handshake_timeout);
        let worker = self.clone();
        let on = peer.clone();
        let noted = Arc::clone(&requests);
        let decided = Cell::new(decided);
        let service = service_fn(move |request: Request<Incoming>| {
            let under_way = noted.begin(request.version());
            let version = request.version();
            let requests = Arc::clone(&noted);
            // Begun at once: when the peer goes in the same moment, hyper drops what comes back without having waited for it.
            let answer = worker.admit_and_answer(&endpoint, request, &peer, decided.take());
            async move {
                let (response, place) = answer.await;
                let response = response.map(|body| match version {
                    // Its body is in chunks where its length is not known.
                    http::Version::HTTP_11 => Answered::alone(body, place, under_way, requests),
                    http::Version::HTTP_2 => Answered::new(body, Pieces::Frames, place, under_way),
                    _ => Answered::new(body, Pieces::Whole, place, under_way),
                });
                Ok::<_, Infallible>(response)
            }
        });
        let mut builder = auto::Builder::new(LocalExecutor { write_timeout: settings.write_timeout });
        builder
            .http1()
            .timer(TokioTimer::new())
            // What [`Heads`] does not cut first.
            .header_read_timeout(settings.keep_alive_timeout.max(settings.handshake_timeout))
            .max_buf_size(settings.head_bytes_max.max(8 << 10))
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(settings.http2_streams_max)
            .max_header_list_size(u32::try_from(settings.head_bytes_max).unwrap_or(u32::MAX))
            .keep_alive_interval(settings.ping_interval)
            .keep_alive_timeout(settings.ping_timeout);
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(socket), service);
        tokio::pin!(connection);
        let noted = Arc::clone(&requests);
        let mut drained = self.0.drained.subscribe();
        let (mut drains, mut new) = (false, true);
        // hyper has a limit on the time a head takes, but none on how long it may take to tell HTTP/1 from HTTP/2.
        let too_late = tokio::time::sleep(settings.handshake_timeout);
        tokio::pin!(too_late);
        loop {
            tokio::select! {
                served = poll_fn(|cx| poll_served(connection.as_mut(), &noted, cx)) => match served {
                    Served::Ended(result) => return result,
                    Served::Leaves(leaving) => {
                        let socket = shared.take().ok_or_else(not_connected)?;
                        return Ok(self.carry_on(leaving, socket, on)?);
                    }
                },
                _ = drained.wait_for(|drained| *drained), if !drains => {
                    drains = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = &mut too_late, if new => {
                    if !requests.any() {
                        self.note_drop("no request");
                        return Ok(());
                    }
                    new = false;
                }
            }
        }
    }

    /// Answers a request, if its client has not too many under way; the place is the request's among those of its address.
    fn admit_and_answer<E: Endpoint>(
        &self,
        endpoint: &Rc<E>,
        request: Request<Incoming>,
        peer: &Peer,
        decided: Option<LocalBoxFuture<'static, Upgrade>>,
    ) -> impl Future<Output = (Response<AnswerBody<E::Body>>, Option<Place>)> + use<E> {
        let mut client = peer.clone();
        self.look_behind_proxies(request.headers(), &mut client);
        // A connection that is counted itself has but one client.
        let counted = client.network.filter(|_| peer.network.is_none());
        match self.admit(counted, Counts::Request) {
            Ok(place) => {
                let answer = self.answer(Rc::clone(endpoint), request, client, counted, decided);
                answer.map(|response| (response, place)).left_future()
            }
            Err(turned_away) => {
                self.note_drop(turned_away.reason());
                let response = turned_away.response().map(|body| Either::Right(Full::new(body)));
                ready((response, None)).right_future()
            }
        }
    }

    fn answer<E: Endpoint>(
        &self,
        endpoint: Rc<E>,
        request: Request<Incoming>,
        peer: Peer,
        counted: Option<Network>,
        decided: Option<LocalBoxFuture<'static, Upgrade>>,
    ) -> impl Future<Output = Response<AnswerBody<E::Body>>> + use<E> {
        if let Some(refusal) = refuse_ambiguous(request.headers()) {
            return ready(refusal.map(|body| Either::Right(Full::new(body)))).left_future().left_future();
        }
        let deflate = &self.0.settings.deflate;
        let asked =
            websocket::Upgrade::from_request(request.method(), request.version(), request.headers(), deflate);
        // An `Upgrade` header over HTTP/2 or 1.0 is one to ignore (RFC 9110, section 7.8).
        let upgrade = match asked {
            Ok(Some(upgrade)) => upgrade,
            Err(bad) if request.version() == http::Version::HTTP_11 => {
                let response = bad_upgrade(bad).map(|body| Either::Right(Full::new(body)));
                return ready(response).left_future().left_future();
            }
            Ok(None) | Err(_) => {
                let answer = endpoint.call(request, peer, self.clone());
                return answer.map(|response| response.map(Either::Left)).right_future().left_future();
            }
        };
        let worker = self.clone();
        async move { worker.answer_upgrade(endpoint, request, upgrade, peer, counted, decided).await }
            .right_future()
    }

    async fn answer_upgrade<E: Endpoint>(
        &self,
        endpoint: Rc<E>,
        mut request: Request<Incoming>,
        upgrade: websocket::Upgrade,
        peer: Peer,
        counted: Option<Network>,
        decided: Option<LocalBoxFuture<'static, Upgrade>>,
    ) -> Response<AnswerBody<E::Body>> {
        // One that is decided about was a connection that began before it came here.
        let counts = if decided.is_some() { Counts::Request } else { Counts::Beginning };
        let place = match self.admit(counted, counts) {
            Ok(place) => place,
            Err(turned_away) => {
                self.note_drop(turned_away.reason());
                return turned_away.response().map(|body| Either::Right(Full::new(body)));
            }
        };
        let upgraded = hyper::upgrade::on(&mut request);
        let (parts, _) = request.into_parts();
        let asked = match decided {
            Some(later) => Answer::Later(later),
            None => self.upgrade(&*endpoint, &parts, &upgrade, &peer),
        };
        match self.settled(asked, &upgrade).await {
            Answer::Later(_) => unreachable!("it has been waited for"),
            Answer::Refuse(response) => response.map(|body| Either::Right(Full::new(body))),
            Answer::Elsewhere(to) if !self.may_send_on(to, Way::Straight) => {
                nowhere().map(|body| Either::Right(Full::new(body)))
            }
            Answer::Elsewhere(to) => {
                // hyper gives the socket away only after a 101.
                let mut response = Response::new(Either::Right(Full::default()));
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                *response.headers_mut() = upgrade.response_headers(None);
                let (worker, address) = (self.clone(), peer.address);
                tokio::task::spawn_local(async move {
                    if let Err(error) = worker.give_away(upgraded, to, parts, upgrade, peer, place).await {
                        tracing::debug!(%error, peer = %address, "upgrade failed");
                    }
                });
                response
            }
            Answer::Switch(response, accept, framing) => {
                let (worker, address) = (self.clone(), peer.address);
                tokio::task::spawn_local(async move {
                    if let Err(error) = worker.take_back(upgraded, *accept, framing, peer, place).await {
                        tracing::debug!(%error, peer = %address, "upgrade failed");
                    }
                });
                response.map(|()| Either::Right(Full::default()))
            }
        }
    }

    /// Takes a connection that hyper upgraded into the worker's own reading.
    async fn take_back(
        &self,
        upgraded: hyper::upgrade::OnUpgrade,
        accept: Accept,
        framing: Framing,
        peer: Peer,
        place: Option<Place>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let (mut socket, rest) = taken_back(upgraded).await?;
        socket.place = socket.place.or(place);
        let key = self.adopt(socket, peer)?;
        self.open(key, accept, framing, None, &rest);
        Ok(())
    }

    /// Gives a connection that hyper upgraded to another worker.
    async fn give_away(
        &self,
        upgraded: hyper::upgrade::OnUpgrade,
        to: WorkerId,
        request: Parts,
        upgrade: websocket::Upgrade,
        peer: Peer,
        place: Option<Place>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let (mut socket, rest) = taken_back(upgraded).await?;
        socket.place = socket.place.or(place);
        let switched = Switched { socket, peer, request, upgrade, rest: rest.into() };
        self.0.workers.hand_in(to, Arrival::Open(Box::new(switched), Way::SentOn));
        Ok(())
    }
}

fn not_connected() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

/// What becomes of a connection that hyper serves.
enum Served<T> {
    Ended(T),
    /// It has nothing on it any more but a stream, of which all is written that there was.
    Leaves(Leaving),
}

fn poll_served<C: Future>(
    connection: Pin<&mut C>,
    requests: &Requests,
    cx: &mut Context<'_>,
) -> Poll<Served<C::Output>> {
    match connection.poll(cx) {
        Poll::Ready(result) => Poll::Ready(Served::Ended(result)),
        Poll::Pending => {
            requests.take_leaving().map_or(Poll::Pending, |leaving| Poll::Ready(Served::Leaves(leaving)))
        }
    }
}

/// The socket of a connection that hyper upgraded, and what has been read of it.
async fn taken_back(
    upgraded: hyper::upgrade::OnUpgrade,
) -> Result<(Detached, Vec<u8>), Box<dyn std::error::Error + Send + Sync>> {
    let parts = auto::upgrade::downcast::<TokioIo<Heads>>(upgraded.await?)
        .map_err(|_| io::Error::other("the connection is not one that a worker gave to hyper"))?;
    let socket = parts.io.into_inner().into_inner().ok_or_else(not_connected)?;
    let (read, socket) = socket.into_parts()?;
    // What hyper has read already comes before what it has not.
    let rest = [&parts.read_buf[..], &read[..]].concat();
    Ok((socket, rest))
}

/// Counts a connection out when hyper is done with it.
struct Counted(Worker);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.count_connection(-1);
    }
}

/// Runs what hyper has several of on one connection: the streams of HTTP/2.
#[derive(Clone, Copy)]
struct LocalExecutor {
    write_timeout: Duration,
}

impl<F: Future<Output: 'static> + 'static> Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(Answering::new(future, self.write_timeout));
    }
}

/// An answer of the dialects', or one given before they were asked.
type AnswerBody<B> = Either<B, Full<Bytes>>;
