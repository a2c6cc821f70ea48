use std::cell::Cell;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon_model::SessionId;
use antiphon_node::Begins;
use bytes::Bytes;
use http_body::Frame;

use crate::session::{Link, Session, SessionKey};
use crate::worker::Farewell;
use crate::{Client, Close};

/// How a [`Stream`] behaves.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// For metrics: `sse`, `ndjson` and so on.
    pub protocol: &'static str,
    /// Whether rates count it, and what it listens to.
    pub begins: Begins,
    /// Bytes to send after so long a silence.
    pub heartbeat: Option<(Duration, Bytes)>,
    /// The last bytes before the server ends it.
    pub farewell: fn(&Close) -> Bytes,
}

/// A session whose bytes go into an HTTP answer. Dropping it ends the session, as one that broke off.
pub struct Stream {
    pub(crate) client: Client,
    over: bool,
    /// Whether the session has gone over to another connection: it is not this one's to end.
    pub(crate) given_away: bool,
}

impl Deref for Stream {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Stream {
    pub(crate) fn new(client: Client) -> Stream {
        Stream { client, over: false, given_away: false }
    }

    /// Everything that is queued, as one; waits until there is something. None once the session is over.
    pub async fn next(&mut self) -> Option<Bytes> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Everything that is queued, each for itself; waits until there is something. Empty once the session is over.
    pub async fn next_each(&mut self) -> Vec<Bytes> {
        std::future::poll_fn(|cx| match self.poll_ready(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => Poll::Ready(self.taken(|session| session.outbox.take_each())),
        })
        .await
    }

    /// What is queued at this moment, each for itself.
    pub fn queued(&mut self) -> Vec<Bytes> {
        self.taken(|session| session.outbox.take_each())
    }

    /// What is queued at this moment, each for itself, up to where `wanted` wants it: it says of each in turn how many of its bytes,
    /// and is asked no more once that is less than all. The rest stays queued.
    pub fn queued_up_to(&mut self, wanted: impl FnMut(&[u8]) -> usize) -> Vec<Bytes> {
        self.taken(|session| session.outbox.take_wanted(wanted))
    }

    fn taken<R: Default>(&self, take: impl FnOnce(&mut Session) -> R) -> R {
        let worker = &self.client.worker;
        let now = worker.0.now.get().monotonic;
        let taken = worker.with_session(self.client.key, self.client.id, |session, _| {
            session.last_sent = now;
            if let Link::Stream(stream) = &mut session.link {
                stream.awaited = false;
            }
            let before = session.outbox.bytes();
            let taken = take(session);
            worker.node().metrics().outbox_bytes.dec_by((before - session.outbox.bytes()) as i64);
            taken
        });
        taken.unwrap_or_default()
    }

    /// Ready when something is queued or the session is over.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let ready = self.client.worker.with_session(self.client.key, self.client.id, |session, _| {
            if !session.outbox.is_empty() || session.is_closing() {
                return true;
            }
            if let Link::Stream(stream) = &mut session.link {
                stream.waker = Some(cx.waker().clone());
                stream.awaited = true;
            }
            false
        });
        if ready == Some(false) { Poll::Pending } else { Poll::Ready(()) }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.over {
            return Poll::Ready(None);
        }
        if self.poll_ready(cx).is_pending() {
            return Poll::Pending;
        }
        if let Some(bytes) = self.taken(|session| session.outbox.take()) {
            return Poll::Ready(Some(bytes));
        }
        self.over = true;
        let close = self.client.worker.with_session(self.client.key, self.client.id, |session, _| {
            let Link::Stream(stream) = &session.link else { return None };
            session.closing.as_ref().map(|closing| (stream.options.farewell)(&closing.close))
        });
        Poll::Ready(close.flatten().filter(|bytes| !bytes.is_empty()))
    }

    /// The body of an answer that goes on until the session ends. What it is made part of has to hand its frames on as they are, and
    /// nothing behind them: over HTTP/1.1 the worker writes them to the socket itself.
    pub fn into_body(self) -> StreamBody {
        StreamBody(self)
    }

    /// Ends the session as one that leaves by its own word.
    pub fn depart(self) {
        self.client.worker.end_session(self.client.key, self.client.id, Farewell::Left);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Written to its socket by the worker, it is its connection's.
        let streams = |session: &mut Session, _: &mut _| matches!(session.link, Link::Stream { .. });
        let ours = self.client.worker.with_session(self.client.key, self.client.id, streams);
        if !self.given_away && ours == Some(true) {
            self.client.worker.end_session(self.client.key, self.client.id, Farewell::Lost);
        }
    }
}

thread_local! {
    /// The session of the stream's body that had nothing when it was asked last on this thread, since it was looked at.
    static WAITING: Cell<Option<(SessionKey, SessionId)>> = const { Cell::new(None) };
}

/// Takes the session of the stream's body that was asked last on this thread, if it had nothing.
pub(crate) fn take_waiting() -> Option<(SessionKey, SessionId)> {
    WAITING.take()
}

/// A [`Stream`] as hyper writes it.
pub struct StreamBody(Stream);

impl http_body::Body for StreamBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = self.0.poll_next(cx);
        if polled.is_pending() {
            WAITING.set(Some((self.0.key, self.0.id)));
        }
        polled.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}
