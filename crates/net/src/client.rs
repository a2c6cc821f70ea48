use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use antiphon_access::{Act, Caller, Permission, RateLimited, Refused, RetryAfter, Scope, Why};
use antiphon_hub::{Collect, WorkerId};
use antiphon_model::{ChannelId, Draft, Now, Position, RawJson, SessionId};
use antiphon_node::{Completion, Node, PresenceFailed, PublishError, Receipt};
use bytes::Bytes;

use crate::Worker;
use crate::mailbox::Mail;
use crate::session::{Session, SessionKey};
use crate::worker::Farewell;

/// A session's address on its worker: what a dialect does to listen, publish, send and close.
///
/// Cheap to clone. Harmless once the session has ended: nothing happens then.
#[derive(Clone)]
pub struct Client {
    pub(crate) worker: Worker,
    pub(crate) key: SessionKey,
    pub(crate) id: SessionId,
}

/// Where a session is, for any thread: [`crate::Workers::attach`], or [`Worker::client`] on its worker.
///
/// It stays the same when the session goes over to another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress {
    pub(crate) worker: WorkerId,
    pub(crate) key: SessionKey,
    pub(crate) session: SessionId,
}

impl ClientAddress {
    /// Its worker.
    pub fn worker(self) -> WorkerId {
        self.worker
    }

    /// The session's id.
    pub fn session(self) -> SessionId {
        self.session
    }
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

    /// Who it is; none as long as that is not known, and once it has ended.
    pub fn caller(&self) -> Option<Arc<Caller>> {
        self.worker.with_session(self.key, self.id, |session, _| session.caller.clone()).flatten()
    }

    /// Its address.
    pub fn address(&self) -> ClientAddress {
        ClientAddress { worker: self.worker.0.id, key: self.key, session: self.id }
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
        let open = |session: &mut Session, _: &mut _| !session.is_closing() && !session.leaving;
        self.worker.with_session(self.key, self.id, open).unwrap_or(false)
    }

    /// Why the server is about to end it; none if it is not.
    pub fn closing(&self) -> Option<Close> {
        let why = |session: &mut Session, _: &mut _| Some(session.closing.as_ref()?.close.clone());
        self.worker.with_session(self.key, self.id, why).flatten()
    }

    /// Publishes for the session. None: [`crate::WebSocketSession::handle_published`] is called later with `ticket`.
    ///
    /// # Errors
    /// See [`Node::publish`]; the connection's own rate is a limit too.
    pub fn publish(&self, draft: Draft, ticket: u64) -> Result<Option<Receipt>, PublishError> {
        let caller = self.admit(&draft)?;
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
        let caller = self.admit(&draft)?;
        let (mailbox, key, id) = (Arc::clone(&self.worker.0.mailbox), self.key, self.id);
        let sink = Box::new(move |event| mailbox.post(Mail::Reply(key, id, ticket, event)));
        self.node().broadcast(&caller, draft, Collect { timeout, until, sink }, || self.completion(ticket))
    }

    /// Counts a publication against the connection's own rate, for dialects that publish by the node itself. Says who publishes.
    ///
    /// # Errors
    /// Too many in too short a time, or nobody knows who it is.
    pub fn admit(&self, draft: &Draft) -> Result<Arc<Caller>, PublishError> {
        let now = self.worker.0.now.get().monotonic;
        let admitted = self.worker.with_session(self.key, self.id, |session, _| {
            let Some(caller) = &session.caller else { return Ok(None) };
            if let Some(rate) = caller.limits.publish_rate_per_connection {
                session.rate.check(now, rate, 1)?;
            }
            Ok(Some(Arc::clone(caller)))
        });
        match admitted {
            None => Err(PublishError::Closing),
            Some(Ok(Some(caller))) => Ok(caller),
            Some(Ok(None)) => Err(nobody(Permission::Publish, &draft.channel).into()),
            Some(Err(RetryAfter(retry_after))) => {
                Err(RateLimited { act: Act::Publish, scope: Scope::Connection, retry_after }.into())
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
        let caller = self.worker.with_session(self.key, self.id, |session, _| session.caller.clone());
        let Some(caller) = caller else { return Ok(()) };
        let caller = caller.ok_or_else(|| nobody(Permission::Presence, channel))?;
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
            session.caller.clone()
        });
        if let Some(Some(caller)) = left {
            self.worker.end_presence(&caller, channel, self.id, Farewell::Left);
        }
    }

    /// Runs a future on the worker's thread.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        tokio::task::spawn_local(future);
    }
}

/// What a session may not as long as nobody knows who it is.
pub(crate) fn nobody(permission: Permission, channel: &ChannelId) -> Refused {
    Refused { permission, channel: channel.clone(), why: Why::NotGranted }
}
