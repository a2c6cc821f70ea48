//! The time that the head of a request may take, once it has begun.
//!
//! hyper has one limit for a head and for the silence before it. Between requests a connection may be idle for much longer than a
//! head may take, so hyper is given the longer time, and the bytes are watched on their way to it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon_model::SessionId;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::addresses::Place;
use crate::rewound::Rewound;
use crate::session::SessionKey;
use crate::streaming::Leaving;

/// What is known of a connection's requests, by those who answer them.
#[derive(Default)]
pub(crate) struct Requests {
    /// The answer under way, where it could leave hyper.
    stream: Mutex<Stream>,
    /// Those that have been read.
    read: AtomicU32,
    /// Those that are being answered. With HTTP/2 one for good: its bytes are not heads alone, and it has pings.
    under_way: AtomicU32,
}

/// An answer that is nothing but a session's stream.
#[derive(Default)]
struct Stream {
    /// Its session, while all is written that it had.
    session: Option<(SessionKey, SessionId)>,
    /// Whether hyper has written all that it was given.
    written: bool,
    place: Option<Place>,
}

/// A request while it is answered.
pub(crate) struct UnderWay(Arc<Requests>);

impl Requests {
    /// Notes a request.
    pub(crate) fn begin(self: &Arc<Self>, version: http::Version) -> UnderWay {
        let first = self.read.fetch_add(1, Ordering::Relaxed) == 0;
        let for_good = u32::from(first && version == http::Version::HTTP_2);
        self.under_way.fetch_add(1 + for_good, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }

    /// Notes the place of the request that is being answered.
    pub(crate) fn set_place(&self, place: Option<Place>) {
        *self.stream.lock() = Stream { place, ..Stream::default() };
    }

    /// Notes what the body of the answer gave: nothing, and the session whose stream it is, or something that hyper is to write.
    pub(crate) fn note_body(&self, waiting: Option<(SessionKey, SessionId)>) {
        let mut stream = self.stream.lock();
        stream.session = waiting;
        // hyper asks again when it has written all.
        stream.written &= waiting.is_some();
    }

    /// Forgets the answer: it is over.
    pub(crate) fn note_answered(&self) {
        let over = std::mem::take(&mut *self.stream.lock());
        // Its place is given up without the lock.
        drop(over);
    }

    /// The stream, if all is written that it had.
    pub(crate) fn take_leaving(&self) -> Option<Leaving> {
        let mut stream = self.stream.lock();
        let session = stream.session.filter(|_| stream.written)?;
        Some(Leaving { session, place: stream.place.take() })
    }

    fn note_written(&self) {
        self.stream.lock().written = true;
    }

    /// Whether there has been one.
    pub(crate) fn any(&self) -> bool {
        self.read.load(Ordering::Relaxed) > 0
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A socket that can be taken away from hyper.
#[derive(Clone)]
pub(crate) struct SharedSocket(Arc<Mutex<Option<Rewound>>>);

impl SharedSocket {
    pub(crate) fn new(socket: Rewound) -> SharedSocket {
        SharedSocket(Arc::new(Mutex::new(Some(socket))))
    }

    /// Takes it away: for hyper it is an error from here on.
    pub(crate) fn take(&self) -> Option<Rewound> {
        self.0.lock().take()
    }

    fn with<T>(&self, work: impl FnOnce(Pin<&mut Rewound>) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &mut *self.0.lock() {
            Some(socket) => work(Pin::new(socket)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

/// A socket on which each head has only so much time.
pub(crate) struct Heads {
    socket: SharedSocket,
    requests: Arc<Requests>,
    timeout: Duration,
    /// When the head that is being read began, and how many requests there were before it.
    begun: Option<(Instant, u32)>,
    late: Option<Pin<Box<Sleep>>>,
}

impl Heads {
    pub(crate) fn new(socket: SharedSocket, requests: Arc<Requests>, timeout: Duration) -> Heads {
        Heads { socket, requests, timeout, begun: None, late: None }
    }

    /// The socket, unless it has been taken away.
    pub(crate) fn into_inner(self) -> Option<Rewound> {
        self.socket.take()
    }

    /// When the head that is being read began, if one is.
    fn begun(&mut self) -> Option<Instant> {
        let read = self.requests.read.load(Ordering::Relaxed);
        if self.begun.is_some_and(|(_, before)| before != read) {
            (self.begun, self.late) = (None, None);
        }
        self.begun.map(|(at, _)| at)
    }
}

impl AsyncRead for Heads {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled = into.filled().len();
        let read = self.socket.with(|socket| socket.poll_read(cx, into));
        if self.requests.under_way.load(Ordering::Relaxed) > 0 {
            return read;
        }
        let begun = self.begun();
        if read.is_ready() {
            if begun.is_none() && into.filled().len() > filled {
                self.begun = Some((Instant::now(), self.requests.read.load(Ordering::Relaxed)));
            }
            return read;
        }
        let Some(begun) = begun else { return Poll::Pending };
        let until = begun + self.timeout;
        let late = self.late.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        late.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Heads {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.socket.with(|socket| socket.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.socket.with(|socket| socket.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.0.lock().as_ref().is_some_and(Rewound::is_write_vectored)
    }

    /// hyper flushes when it has written all that it was given.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.socket.with(|socket| socket.poll_flush(cx));
        if let Poll::Ready(Ok(())) = flushed {
            self.requests.note_written();
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.with(|socket| socket.poll_shutdown(cx))
    }
}
