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

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::rewound::Rewound;

/// What is known of a connection's requests, by those who answer them.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// Those that have been read.
    read: AtomicU32,
    /// Those that are being answered. With HTTP/2 one for good: its bytes are not heads alone, and it has pings.
    under_way: AtomicU32,
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

/// A socket on which each head has only so much time.
pub(crate) struct Heads {
    socket: Rewound,
    requests: Arc<Requests>,
    timeout: Duration,
    /// When the head that is being read began, and how many requests there were before it.
    begun: Option<(Instant, u32)>,
    late: Option<Pin<Box<Sleep>>>,
}

impl Heads {
    pub(crate) fn new(socket: Rewound, requests: Arc<Requests>, timeout: Duration) -> Heads {
        Heads { socket, requests, timeout, begun: None, late: None }
    }

    /// The socket.
    pub(crate) fn into_inner(self) -> Rewound {
        self.socket
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
        let read = Pin::new(&mut self.socket).poll_read(cx, into);
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
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
