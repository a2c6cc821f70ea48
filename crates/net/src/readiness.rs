//! An epoll set of our own as one descriptor of tokio's. One of the two modules of this crate with unsafe code.
#![allow(unsafe_code)]

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mio::Events;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The worker's sockets, as tokio sees them.
pub(crate) struct Readiness(AsyncFd<mio::Poll>);

/// Whether a set has more than what was taken of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    All,
    Some,
}

impl Readiness {
    pub(crate) fn new(poll: mio::Poll) -> io::Result<Readiness> {
        // SAFETY: a `mio::Poll` owns its epoll descriptor, returns the same one as long as it lives, and closes
        // it only when it is dropped, which `AsyncFd` does after it has deregistered it.
        let fd = unsafe { AsyncFd::register_with_interest(poll, Interest::READABLE) };
        fd.map(Readiness).map_err(io::Error::from)
    }

    /// Takes the events that are there, without a system call where tokio knows of none.
    pub(crate) fn poll_events(
        &mut self,
        cx: &mut Context<'_>,
        events: &mut Events,
    ) -> Poll<io::Result<Taken>> {
        let mut ready = ready!(self.0.poll_read_ready_mut(cx))?;
        ready.get_inner_mut().poll(events, Some(Duration::ZERO))?;
        let taken = if events.iter().count() < events.capacity() { Taken::All } else { Taken::Some };
        if taken == Taken::All {
            ready.clear_ready();
        }
        Poll::Ready(Ok(taken))
    }
}
