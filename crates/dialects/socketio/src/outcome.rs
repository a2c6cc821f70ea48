use std::future::Future;
use std::task::{Context, Poll, Waker};

use futures_util::future::LocalBoxFuture;

/// What a handler gives back: its result, or a future of it that runs on the socket's home worker.
///
/// A result that is ready costs neither an allocation nor a task.
pub enum Outcome<T> {
    /// It is done.
    Ready(T),
    /// It is done when this is.
    Pending(LocalBoxFuture<'static, T>),
}

impl<T> Outcome<T> {
    /// An outcome that a future gives.
    pub fn pending(future: impl Future<Output = T> + 'static) -> Outcome<T> {
        Outcome::Pending(Box::pin(future))
    }

    /// Waits for the result.
    pub async fn wait(self) -> T {
        match self {
            Outcome::Ready(result) => result,
            Outcome::Pending(future) => future.await,
        }
    }

    /// Goes on at once if the future needs no waiting: it is polled, once.
    #[must_use]
    pub(crate) fn poll_once(self) -> Outcome<T> {
        let Outcome::Pending(mut future) = self else { return self };
        // Whoever spawns what is pending has it polled again, with a waker that wakes.
        let mut context = Context::from_waker(Waker::noop());
        match future.as_mut().poll(&mut context) {
            Poll::Ready(result) => Outcome::Ready(result),
            Poll::Pending => Outcome::Pending(future),
        }
    }
}

impl<T> From<T> for Outcome<T> {
    fn from(result: T) -> Outcome<T> {
        Outcome::Ready(result)
    }
}
