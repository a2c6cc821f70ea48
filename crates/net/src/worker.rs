use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use antiphon_access::Caller;
use antiphon_hub::{Delivery, Fanout, WorkerId};
use antiphon_model::{ChannelId, Now, SessionId};
use antiphon_node::metrics::{Protocol, Reason};
use antiphon_node::{Node, TooManySessions};
use bytes::Bytes;
use slab::Slab;

use crate::connection::{Connection, ConnectionKey};
use crate::format::{Encoder, Wire};
use crate::mailbox::Mailbox;
use crate::outbox::Outbox;
use crate::session::{Link, Session, SessionKey};
use crate::websocket::Inflater;
use crate::{Client, Close, NetSettings, Stream, StreamOptions};

/// One thread and all that it owns. A handle: cheap to clone, never leaves its thread.
#[derive(Clone)]
pub struct Worker(pub(crate) Rc<Inner>);

pub(crate) struct Inner {
    pub(crate) id: WorkerId,
    pub(crate) node: Arc<Node>,
    pub(crate) settings: Arc<NetSettings>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) load: Arc<Load>,
    pub(crate) registry: mio::Registry,
    pub(crate) state: RefCell<State>,
    pub(crate) buffers: RefCell<Buffers>,
    /// The time at the beginning of the turn.
    pub(crate) now: Cell<Now>,
    /// Says to what hyper serves that the worker drains.
    pub(crate) drained: tokio::sync::watch::Sender<bool>,
    last_session: Cell<u64>,
}

/// What all workers share about their load.
pub(crate) struct Load {
    /// Connections of each worker.
    pub(crate) connections: Box<[AtomicUsize]>,
}

/// What changes. Borrowed for short, and never while a dialect's code runs.
pub(crate) struct State {
    pub(crate) sessions: Slab<Session>,
    pub(crate) connections: Slab<Connection>,
    pub(crate) fanout: Fanout<SessionKey, Wire>,
    pub(crate) dirty: Vec<SessionKey>,
    /// Connections that may have more to read.
    pub(crate) unread: VecDeque<ConnectionKey>,
    pub(crate) encoder: Encoder,
    /// Once the worker drains: what its clients are told.
    pub(crate) draining: Option<Close>,
    /// Where the next sweep begins.
    pub(crate) swept: usize,
}

/// What a turn reads into and writes from.
pub(crate) struct Buffers {
    pub(crate) read: Vec<u8>,
    pub(crate) write: Vec<u8>,
    pub(crate) batch: Vec<Delivery>,
    pub(crate) inflater: Inflater,
}

const READ_BUFFER_BYTES: usize = 64 << 10;

/// What [`Worker::note_drop`] is told. All are counted from the start: an alert needs the zero before the one.
const DROP_REASONS: [&str; 8] = [
    "close not answered",
    "close not read",
    "connections_max",
    "no request",
    "outbox full",
    "ping not answered",
    "slow reader closed",
    "volatile",
];

impl Worker {
    pub(crate) fn new(
        id: WorkerId,
        node: Arc<Node>,
        settings: Arc<NetSettings>,
        mailbox: Arc<Mailbox>,
        load: Arc<Load>,
        registry: mio::Registry,
    ) -> Worker {
        let state = State {
            sessions: Slab::new(),
            connections: Slab::new(),
            fanout: Fanout::new(),
            dirty: Vec::new(),
            unread: VecDeque::new(),
            encoder: Encoder::new(settings.deflate.threshold_bytes),
            draining: None,
            swept: 0,
        };
        let buffers = Buffers {
            read: vec![0; READ_BUFFER_BYTES],
            write: Vec::new(),
            batch: Vec::new(),
            inflater: Inflater::new(),
        };
        for reason in DROP_REASONS {
            drop(node.metrics().drops.get_or_create(&Reason { reason }));
        }
        let now = Cell::new(node.now());
        Worker(Rc::new(Inner {
            id,
            node,
            settings,
            mailbox,
            load,
            registry,
            state: RefCell::new(state),
            buffers: RefCell::new(buffers),
            now,
            drained: tokio::sync::watch::Sender::new(false),
            last_session: Cell::new(0),
        }))
    }

    /// The node.
    pub fn node(&self) -> &Arc<Node> {
        &self.0.node
    }

    /// The limits and times of connections.
    pub fn settings(&self) -> &NetSettings {
        &self.0.settings
    }

    /// The time, read now.
    pub fn now(&self) -> Now {
        self.0.node.now()
    }

    /// Whether the server is about to stop: what begins is to be refused.
    pub fn is_draining(&self) -> bool {
        self.0.state.borrow().draining.is_some()
    }

    /// Opens a session for an answer that is streamed, or awaited.
    ///
    /// # Errors
    /// The caller's org, or he, has as many as may be.
    pub fn open_stream(
        &self,
        caller: Arc<Caller>,
        options: StreamOptions,
    ) -> Result<Stream, TooManySessions> {
        let protocol = options.protocol;
        let link = Link::Stream { waker: None, options };
        Ok(Stream::new(self.open_session(caller, link, protocol)?))
    }

    pub(crate) fn open_session(
        &self,
        caller: Arc<Caller>,
        link: Link,
        protocol: &'static str,
    ) -> Result<Client, TooManySessions> {
        let node = self.node();
        node.org(&caller.org).enter(&caller)?;
        node.metrics().sessions.get_or_create(&Protocol { protocol }).inc();
        // Worker in the upper bits: unique in the process without sharing a counter.
        let id = self.0.last_session.get() + 1;
        self.0.last_session.set(id);
        let id = SessionId((u64::from(self.0.id.0) << 48) | id);
        let session = Session {
            id,
            caller,
            listening: Vec::new(),
            joined: Vec::new(),
            outbox: Outbox::default(),
            link,
            protocol,
            rate: Default::default(),
            dirty: false,
            closing: None,
            last_sent: self.0.now.get().monotonic,
        };
        let (key, draining) = {
            let mut state = self.0.state.borrow_mut();
            (SessionKey(state.sessions.insert(session) as u32), state.draining.clone())
        };
        let client = Client::new(self.clone(), key, id);
        // Asked for before the worker began to drain, and too late to be told with the others.
        if let Some(close) = draining {
            client.close(close);
        }
        Ok(client)
    }

    /// Ends a session: its subscriptions, its presence, its outbox.
    pub(crate) fn end_session(&self, key: SessionKey, id: SessionId, farewell: Farewell) {
        let session = {
            let mut state = self.0.state.borrow_mut();
            if state.sessions.get(key.0 as usize).is_none_or(|session| session.id != id) {
                return;
            }
            state.sessions.remove(key.0 as usize)
        };
        for listening in &session.listening {
            self.unsubscribe(&session.caller, listening.subscription);
        }
        for channel in &session.joined {
            self.end_presence(&session.caller, channel, id, farewell);
        }
        let metrics = self.node().metrics();
        metrics.outbox_bytes.dec_by(session.outbox.bytes() as i64);
        metrics.sessions.get_or_create(&Protocol { protocol: session.protocol }).dec();
        self.node().org(&session.caller.org).leave(&session.caller);
    }

    pub(crate) fn end_presence(
        &self,
        caller: &Caller,
        channel: &Arc<ChannelId>,
        session: SessionId,
        farewell: Farewell,
    ) {
        match farewell {
            Farewell::Left => self.node().leave(caller, channel, session),
            Farewell::Lost => self.node().lost(caller, channel, session),
        }
    }

    pub(crate) fn unsubscribe(&self, caller: &Caller, subscription: antiphon_hub::Subscription) {
        let last = self.0.state.borrow_mut().fanout.remove(subscription);
        if last {
            let hub = &self.node().org(&caller.org).hub;
            hub.unsubscribe(self.0.id, subscription.channel, self.0.now.get());
        }
    }

    pub(crate) fn with_session<R>(
        &self,
        key: SessionKey,
        id: SessionId,
        work: impl FnOnce(&mut Session, &mut Vec<SessionKey>) -> R,
    ) -> Option<R> {
        let mut state = self.0.state.borrow_mut();
        let State { sessions, dirty, .. } = &mut *state;
        let session = sessions.get_mut(key.0 as usize).filter(|session| session.id == id)?;
        Some(work(session, dirty))
    }

    /// Notes something that was lost or closed, for operators.
    pub(crate) fn note_drop(&self, reason: &'static str) {
        self.node().metrics().drops.get_or_create(&Reason { reason }).inc();
    }
}

/// How a session goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// By its own word.
    Left,
    /// It broke off.
    Lost,
}

impl State {
    /// Has a connection read, at this turn or the next.
    pub(crate) fn read_again(&mut self, key: ConnectionKey) {
        if let Some(connection) = self.connections.get_mut(key.0 as usize)
            && !connection.unread
        {
            connection.unread = true;
            self.unread.push_back(key);
        }
    }

    /// Puts bytes into a session's outbox, if it has room and is not closing.
    pub(crate) fn push(
        sessions: &mut Slab<Session>,
        dirty: &mut Vec<SessionKey>,
        key: SessionKey,
        bytes: Bytes,
        max: usize,
    ) -> Pushed {
        let Some(session) = sessions.get_mut(key.0 as usize) else { return Pushed::Gone };
        if session.is_closing() {
            return Pushed::Gone;
        }
        if !session.outbox.has_room(bytes.len(), max) {
            return Pushed::Full;
        }
        session.outbox.push(bytes);
        if !session.dirty {
            session.dirty = true;
            dirty.push(key);
        }
        Pushed::In
    }
}

/// What became of bytes for an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    In,
    Full,
    Gone,
}

impl Close {
    /// For a session that does not read what it is sent.
    pub(crate) fn too_slow() -> Close {
        Close { code: 1013, reason: "too slow: reconnect with since".into(), reconnect: true }
    }
}
