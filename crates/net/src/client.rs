use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use antiphon_access::{Caller, RetryAfter};
use antiphon_hub::Collect;
use antiphon_model::{ChannelId, Draft, Now, Position, RawJson, SessionId};
use antiphon_node::{Completion, Node, PresenceFailed, PublishError, Receipt};
use bytes::Bytes;

use crate::format::Framing;
use crate::mailbox::Mail;
use crate::session::{Closing, Session, SessionKey};
use crate::websocket::MessageKind;
use crate::worker::Farewell;
use crate::{Listening, Worker};

/// A session's address on its worker: what a dialect does to listen, publish, send and close.
///
/// Cheap to clone. Harmless once the session has ended: nothing happens then.
#[derive(Clone)]
pub struct Client {
    pub(crate) worker: Worker,
    pub(crate) key: SessionKey,
    pub(crate) id: SessionId,
}

/// A message of the dialect's own.
#[derive(Clone, Debug)]
pub enum Outgoing<'a> {
    /// For a WebSocket a text message, for a stream the bytes.
    Text(&'a [u8]),
    /// For a WebSocket a binary message, for a stream the bytes.
    Binary(&'a [u8]),
    /// For a stream, as they are.
    Raw(Bytes),
}

/// Why the server ends a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The WebSocket close code.
    pub code: u16,
    /// For people; at most 123 bytes of it are sent.
    pub reason: Cow<'static, str>,
    /// Whether the client does well to come back.
    pub reconnect: bool,
}

impl Client {
    pub(crate) fn new(worker: Worker, key: SessionKey, id: SessionId) -> Client {
        Client { worker, key, id }
    }

    /// Its worker.
    pub fn worker(&self) -> &Worker {
        &self.worker
    }

    /// The node.
    pub fn node(&self) -> &Arc<Node> {
        self.worker.node()
    }

    /// Who it is; none once it has ended.
    pub fn caller(&self) -> Option<Arc<Caller>> {
        self.worker.with_session(self.key, self.id, |session, _| Arc::clone(&session.caller))
    }

    /// Its id.
    pub fn session(&self) -> SessionId {
        self.id
    }

    /// The time, read now.
    pub fn now(&self) -> Now {
        self.worker.now()
    }

    /// Whether it takes part still.
    pub fn is_open(&self) -> bool {
        self.worker.with_session(self.key, self.id, |session, _| !session.is_closing()).unwrap_or(false)
    }

    /// Puts a message of the dialect's own into the outbox. A session that does not read is closed by it.
    pub fn send(&self, message: Outgoing<'_>) {
        let framing = self.worker.with_session(self.key, self.id, |session, _| session.framing());
        let Some(framing) = framing else { return };
        let (kind, bytes) = match message {
            Outgoing::Text(bytes) => (MessageKind::Text, bytes),
            Outgoing::Binary(bytes) => (MessageKind::Binary, bytes),
            Outgoing::Raw(bytes) => return self.push(bytes),
        };
        if framing == Framing::None {
            return self.push(Bytes::copy_from_slice(bytes));
        }
        let mut frame = Vec::with_capacity(bytes.len() + 10);
        self.worker.0.state.borrow_mut().encoder.frame(framing, kind, bytes, &mut frame);
        self.push(frame.into());
    }

    fn push(&self, bytes: Bytes) {
        let max = self.worker.settings().outbox_bytes_max;
        let len = bytes.len();
        let room = self.worker.with_session(self.key, self.id, |session, dirty| {
            if session.is_closing() {
                return true;
            }
            let room = session.outbox.has_room(len, max);
            if room {
                session.outbox.push(bytes);
                self.queued(len, session, dirty);
            }
            room
        });
        if room == Some(false) {
            self.worker.note_drop("outbox full");
            self.close(Close::too_slow());
        }
    }

    /// Puts in what comes before all else, whatever the session is about to do.
    pub(crate) fn send_head(&self, bytes: Bytes) {
        self.worker.with_session(self.key, self.id, |session, dirty| {
            let len = bytes.len();
            session.outbox.push_head(bytes);
            self.queued(len, session, dirty);
        });
    }

    /// Puts in a close frame. It is small and there is only one, so it needs no room.
    pub(crate) fn send_last(&self, frame: Vec<u8>) {
        self.worker.with_session(self.key, self.id, |session, dirty| {
            let len = frame.len();
            session.outbox.push_asked(frame.into());
            self.queued(len, session, dirty);
        });
    }

    fn queued(&self, len: usize, session: &mut Session, dirty: &mut Vec<SessionKey>) {
        self.worker.node().metrics().outbox_bytes.inc_by(len as i64);
        self.mark(session, dirty);
    }

    /// Has the session flushed at the end of the turn, or at the end of one that begins for it.
    fn mark(&self, session: &mut Session, dirty: &mut Vec<SessionKey>) {
        if dirty.is_empty() {
            // Within a turn nobody is registered and this does nothing.
            self.worker.0.mailbox.waker.wake();
        }
        if !session.dirty {
            session.dirty = true;
            dirty.push(self.key);
        }
    }

    /// Puts what was missed into the outbox, each in the format it was wanted in. Not counted against the outbox's limit; a
    /// session that asks for more, and more again, while it does not read is closed.
    pub fn send_publications(&self, listening: &Listening) {
        let mut bytes = Vec::new();
        {
            let mut state = self.worker.0.state.borrow_mut();
            for (wire, publication) in &listening.missed {
                state.encoder.encode(*wire, publication, &mut bytes);
            }
        }
        if bytes.is_empty() {
            return;
        }
        let (len, settings) = (bytes.len(), self.worker.settings());
        let max = settings.outbox_bytes_max.saturating_add(settings.recovery_bytes_max);
        let room = self.worker.with_session(self.key, self.id, |session, dirty| {
            if session.is_closing() {
                return true;
            }
            let room = session.outbox.has_room_for_asked(len, max);
            if room {
                session.outbox.push_asked(bytes.into());
                self.queued(len, session, dirty);
            }
            room
        });
        if room == Some(false) {
            self.worker.note_drop("outbox full");
            self.close(Close::too_slow());
        }
    }

    /// Publishes for the session. None: [`crate::WebSocketSession::handle_published`] is called later with `ticket`.
    ///
    /// # Errors
    /// See [`Node::publish`]; the connection's own rate is a limit too.
    pub fn publish(&self, draft: Draft, ticket: u64) -> Result<Option<Receipt>, PublishError> {
        let caller = self.admit()?;
        self.node().publish(&caller, draft, || self.completion(ticket))
    }

    /// Broadcasts for the session; replies come to [`crate::WebSocketSession::handle_reply`] with `ticket`.
    ///
    /// # Errors
    /// See [`Node::broadcast`].
    pub fn broadcast(
        &self,
        draft: Draft,
        timeout: Duration,
        until: Option<usize>,
        ticket: u64,
    ) -> Result<(Position, Option<Receipt>), PublishError> {
        let caller = self.admit()?;
        let (mailbox, key, id) = (Arc::clone(&self.worker.0.mailbox), self.key, self.id);
        let sink = Box::new(move |event| mailbox.post(Mail::Reply(key, id, ticket, event)));
        self.node().broadcast(&caller, draft, Collect { timeout, until, sink }, || self.completion(ticket))
    }

    fn admit(&self) -> Result<Arc<Caller>, PublishError> {
        let now = self.worker.0.now.get().monotonic;
        let admitted = self.worker.with_session(self.key, self.id, |session, _| {
            if let Some(rate) = session.caller.limits.publish_rate_per_connection {
                session.rate.check(now, rate, 1)?;
            }
            Ok(Arc::clone(&session.caller))
        });
        match admitted {
            None => Err(PublishError::Closing),
            Some(Ok(caller)) => Ok(caller),
            Some(Err(RetryAfter(retry_after))) => {
                Err(PublishError::RateLimited { scope: "by this connection", retry_after })
            }
        }
    }

    fn completion(&self, ticket: u64) -> Completion {
        let (mailbox, key, id) = (Arc::clone(&self.worker.0.mailbox), self.key, self.id);
        Box::new(move |result| mailbox.post(Mail::Published(key, id, ticket, result)))
    }

    /// Counts the session as present until it leaves or ends.
    ///
    /// # Errors
    /// See [`Node::join`].
    pub fn join(&self, channel: &Arc<ChannelId>, state: Option<RawJson>) -> Result<(), PresenceFailed> {
        let Some(caller) = self.caller() else { return Ok(()) };
        self.node().join(&caller, channel, self.id, state)?;
        self.worker.with_session(self.key, self.id, |session, _| {
            if !session.joined.contains(channel) {
                session.joined.push(Arc::clone(channel));
            }
        });
        Ok(())
    }

    /// Ends the session's presence on a channel.
    pub fn leave(&self, channel: &Arc<ChannelId>) {
        let left = self.worker.with_session(self.key, self.id, |session, _| {
            let at = session.joined.iter().position(|joined| joined == channel)?;
            session.joined.swap_remove(at);
            Some(Arc::clone(&session.caller))
        });
        if let Some(Some(caller)) = left {
            self.worker.end_presence(&caller, channel, self.id, Farewell::Left);
        }
    }

    /// Ends the session, once what is in its outbox is written.
    pub fn close(&self, close: Close) {
        let since = self.worker.0.now.get().monotonic;
        self.worker.with_session(self.key, self.id, |session, dirty| {
            if session.closing.is_none() {
                session.closing = Some(Box::new(Closing { close, since }));
                self.mark(session, dirty);
            }
        });
    }

    /// Runs a future on the worker's thread.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        tokio::task::spawn_local(future);
    }
}
