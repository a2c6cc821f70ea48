use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use antiphon_access::Caller;
use antiphon_hub::{ChannelUid, Fanout, OwnLine, WorkerId};
use antiphon_model::{ChannelId, Monotonic, Now, SessionId};
use antiphon_node::metrics::{Protocol, Reason};
use antiphon_node::{Begins, Node, TooManySessions};
use bytes::Bytes;
use slab::Slab;
use smallvec::SmallVec;

use crate::addresses::Addresses;
use crate::client::ClientAddress;
use crate::connection::{Connection, ConnectionKey, Phase};
use crate::deliver::Batch;
use crate::format::{Encoder, Wire};
use crate::mailbox::Mailbox;
use crate::outbox::Outbox;
use crate::recovered::Recovered;
use crate::session::{Link, Session, SessionKey, StreamLink};
use crate::websocket::Inflater;
use crate::{Client, Close, NetSettings, Stream, StreamOptions, Workers};

/// One thread and all that it owns. A handle: cheap to clone, never leaves its thread.
#[derive(Clone)]
pub struct Worker(pub(crate) Rc<Inner>);

pub(crate) struct Inner {
    pub(crate) id: WorkerId,
    pub(crate) node: Arc<Node>,
    pub(crate) settings: Arc<NetSettings>,
    pub(crate) workers: Workers,
    /// Its own of those.
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) load: Arc<Load>,
    /// Shared by all workers.
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) registry: mio::Registry,
    pub(crate) state: RefCell<State>,
    pub(crate) buffers: RefCell<Buffers>,
    pub(crate) batch: RefCell<Batch>,
    /// How much this thread had pushed into inboxes when it had last delivered all that what is sent has to come after.
    pub(crate) delivered: Cell<u64>,
    /// Whether a task runs that is code of the dialects'.
    pub(crate) running: Cell<bool>,
    /// Whether a dialect says its last words on a connection: they go out at once.
    pub(crate) last_words: Cell<bool>,
    /// Whether a session has gone over to another connection since somebody looked.
    pub(crate) taken_over: Cell<bool>,
    extensions: RefCell<Vec<(TypeId, Rc<dyn Any>)>>,
    /// The time at the beginning of the turn.
    pub(crate) now: Cell<Now>,
    /// Says to what hyper serves that the worker drains.
    pub(crate) drained: tokio::sync::watch::Sender<bool>,
    last_session: Cell<u64>,
}

/// What all workers share about their load.
pub(crate) struct Load {
    /// Connections of each worker.
    pub(crate) connections: Box<[OwnLine<AtomicUsize>]>,
    /// Sessions of whom nobody knows yet who they are: no org counts them.
    nobodies: OwnLine<AtomicUsize>,
}

impl Load {
    pub(crate) fn new(workers: usize) -> Load {
        Load { connections: (0..workers).map(|_| OwnLine::default()).collect(), nobodies: OwnLine::default() }
    }

    /// The connections of all workers.
    pub(crate) fn all(&self) -> usize {
        self.connections.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

/// What changes. Borrowed for short, and never while a dialect's code runs.
pub(crate) struct State {
    pub(crate) sessions: Slab<Session>,
    pub(crate) connections: Slab<Connection>,
    pub(crate) fanout: Fanout<SessionKey, Wire>,
    pub(crate) dirty: Vec<SessionKey>,
    /// Connections that may have more to read.
    pub(crate) unread: VecDeque<ConnectionKey>,
    /// The same of those that have not asked for anything yet.
    pub(crate) arriving: VecDeque<ConnectionKey>,
    pub(crate) encoder: Encoder,
    pub(crate) recovered: Recovered,
    /// Once the worker drains: what its clients are told.
    pub(crate) draining: Option<Close>,
    /// Where the next sweep begins.
    pub(crate) swept: usize,
    /// When the last one was.
    pub(crate) swept_at: Monotonic,
    /// When it was last said that there are no descriptors.
    pub(crate) exhausted_at: Option<Monotonic>,
}

/// What a turn reads into and writes from.
pub(crate) struct Buffers {
    pub(crate) read: Vec<u8>,
    pub(crate) write: Vec<u8>,
    pub(crate) inflater: Inflater,
}

const READ_BUFFER_BYTES: usize = 64 << 10;

/// What [`Worker::note_drop`] is told. All are counted from the start: an alert needs the zero before the one.
const DROP_REASONS: [&str; 15] = [
    "client certificate refused",
    "close not answered",
    "close not read",
    "connect_rate_per_address",
    "connections_max",
    "connections_per_address_max",
    "memory_bytes_max",
    "no request",
    "outbox full",
    "ping not answered",
    "proxy header",
    "slow reader closed",
    "stream not read",
    "tls handshake failed",
    "volatile",
];

impl Worker {
    pub(crate) fn new(
        id: WorkerId,
        node: Arc<Node>,
        settings: Arc<NetSettings>,
        workers: Workers,
        addresses: Arc<Addresses>,
        registry: mio::Registry,
    ) -> Worker {
        let state = State {
            sessions: Slab::new(),
            connections: Slab::new(),
            fanout: Fanout::new(),
            dirty: Vec::new(),
            unread: VecDeque::new(),
            arriving: VecDeque::new(),
            encoder: Encoder::new(settings.deflate.threshold_bytes),
            recovered: Recovered::default(),
            draining: None,
            swept: 0,
            swept_at: node.now().monotonic,
            exhausted_at: None,
        };
        let buffers =
            Buffers { read: vec![0; READ_BUFFER_BYTES], write: Vec::new(), inflater: Inflater::new() };
        for reason in DROP_REASONS {
            drop(node.metrics().drops.get_or_create(&Reason { reason }));
        }
        let now = Cell::new(node.now());
        let mailbox = Arc::clone(&workers.mailboxes()[usize::from(id.0)]);
        let load = Arc::clone(workers.load());
        Worker(Rc::new(Inner {
            id,
            node,
            settings,
            workers,
            mailbox,
            load,
            addresses,
            registry,
            state: RefCell::new(state),
            buffers: RefCell::new(buffers),
            batch: RefCell::default(),
            delivered: Cell::new(0),
            running: Cell::new(false),
            last_words: Cell::new(false),
            taken_over: Cell::new(false),
            extensions: RefCell::default(),
            now,
            drained: tokio::sync::watch::Sender::new(false),
            last_session: Cell::new(0),
        }))
    }

    /// The worker whose thread this is, if it is one's.
    pub fn current() -> Option<Worker> {
        CURRENT.with_borrow(Option::clone)
    }

    /// Makes it the worker of this thread, until what comes back is dropped.
    pub(crate) fn enter(&self) -> Entered {
        CURRENT.set(Some(self.clone()));
        Entered
    }

    /// Which one it is.
    pub fn id(&self) -> WorkerId {
        self.0.id
    }

    /// All workers of the server.
    pub fn workers(&self) -> &Workers {
        &self.0.workers
    }

    /// What was set of this type: what a dialect keeps on each worker.
    pub fn extension<T: 'static>(&self) -> Option<Rc<T>> {
        let extensions = self.0.extensions.borrow();
        let (_, extension) = extensions.iter().find(|(of, _)| *of == TypeId::of::<T>())?;
        Rc::clone(extension).downcast().ok()
    }

    /// Sets what [`Worker::extension`] finds, in place of what was set of its type before. Dropped when the worker ends.
    pub fn set_extension<T: 'static>(&self, extension: Rc<T>) {
        let mut extensions = self.0.extensions.borrow_mut();
        let before = extensions.iter().position(|(of, _)| *of == TypeId::of::<T>());
        let before = before.map(|at| extensions.swap_remove(at));
        extensions.push((TypeId::of::<T>(), extension));
        drop(extensions);
        // Not within the borrow: whatever it is may look for another.
        drop(before);
    }

    pub(crate) fn drop_extensions(&self) {
        drop(self.0.extensions.take());
    }

    /// The client at an address of this worker's, if its session is there still.
    pub fn client(&self, address: ClientAddress) -> Option<Client> {
        let here = address.worker == self.0.id;
        let there = here && self.with_session(address.key, address.session, |_, _| ()).is_some();
        there.then(|| Client::new(self.clone(), address.key, address.session))
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

    /// Waits until [`Worker::is_draining`]. Sessions have been told by then.
    pub async fn drained(&self) {
        // The sender is the worker's own, and this borrows it.
        let _ = self.0.drained.subscribe().wait_for(|drained| *drained).await;
    }

    /// Opens a session for an answer that is streamed, or awaited. Without a caller it may nothing until
    /// [`Client::replace_caller`].
    ///
    /// # Errors
    /// The caller's org, or he, has as many as may be; or there are as many sessions without a caller as there may be
    /// connections.
    pub fn open_stream(
        &self,
        caller: Option<Arc<Caller>>,
        options: StreamOptions,
    ) -> Result<Stream, TooManySessions> {
        let (protocol, begins) = (options.protocol, options.begins);
        let link = Link::Stream(Box::new(StreamLink { waker: None, options, awaited: true }));
        Ok(Stream::new(self.open_session(caller, link, protocol, begins)?))
    }

    pub(crate) fn open_session(
        &self,
        caller: Option<Arc<Caller>>,
        link: Link,
        protocol: &'static str,
        begins: Begins,
    ) -> Result<Client, TooManySessions> {
        let node = self.node();
        self.count_in(caller.as_deref(), begins)?;
        node.metrics().sessions.get_or_create(&Protocol { protocol }).inc();
        // Worker in the upper bits: unique in the process without sharing a counter.
        let id = self.0.last_session.get() + 1;
        self.0.last_session.set(id);
        let id = SessionId((u64::from(self.0.id.0) << 48) | id);
        let session = Session {
            id,
            caller,
            listening: SmallVec::new(),
            joined: Vec::new(),
            outbox: Outbox::default(),
            link,
            protocol,
            begins,
            rate: Default::default(),
            formats: None,
            dirty: false,
            begun: 0,
            waiting: 0,
            leaving: false,
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
            client.close_at_once(close);
        }
        Ok(client)
    }

    /// Counts a session where its caller's are counted.
    pub(crate) fn count_in(&self, caller: Option<&Caller>, begins: Begins) -> Result<(), TooManySessions> {
        if begins == Begins::Anew {
            self.node().overload().check()?;
        }
        if let Some(caller) = caller {
            return self.node().org(&caller.org).enter(caller, begins, self.now().monotonic);
        }
        let nobodies = &self.0.load.nobodies;
        if nobodies.fetch_add(1, Ordering::Relaxed) < self.0.settings.connections_max {
            return Ok(());
        }
        nobodies.fetch_sub(1, Ordering::Relaxed);
        Err(TooManySessions::Org)
    }

    pub(crate) fn count_out(&self, caller: Option<&Caller>) {
        match caller {
            Some(caller) => self.node().org(&caller.org).leave(caller),
            None => _ = self.0.load.nobodies.fetch_sub(1, Ordering::Relaxed),
        }
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
        if let Some(caller) = &session.caller {
            for listening in &session.listening {
                self.unsubscribe(caller, listening.subscription);
            }
            for channel in &session.joined {
                self.end_presence(caller, channel, id, farewell);
            }
        }
        let metrics = self.node().metrics();
        metrics.outbox_bytes.dec_by(session.outbox.bytes() as i64);
        metrics.sessions.get_or_create(&Protocol { protocol: session.protocol }).dec();
        self.count_out(session.caller.as_deref());
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

thread_local! {
    static CURRENT: RefCell<Option<Worker>> = const { RefCell::new(None) };
}

/// While a thread is a worker's.
pub(crate) struct Entered;

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(None);
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

/// Among how many of a session's channels one is looked for.
const NAMES_SEARCHED_MAX: usize = 4;

impl State {
    /// Has a connection read, at this turn or the next.
    pub(crate) fn read_again(&mut self, key: ConnectionKey) {
        if let Some(connection) = self.connections.get_mut(key.0 as usize)
            && !connection.unread
        {
            connection.unread = true;
            match connection.phase {
                Phase::Proxy(_) | Phase::Request(_) => self.arriving.push_back(key),
                Phase::Open(_) | Phase::Streaming(_) | Phase::Closing { .. } => self.unread.push_back(key),
            }
        }
    }

    /// The name of a channel that some session listens to here, if it is quickly found: those who listen to the same channel share it,
    /// and a crowd on one channel keeps its name once.
    pub(crate) fn name_of_channel(&self, uid: ChannelUid) -> Option<Arc<ChannelId>> {
        let group = self.fanout.groups(uid).iter().find(|group| !group.is_empty())?;
        let session = self.sessions.get(group.subscribers().next()?.key.0 as usize)?;
        let mut listening = session.listening.iter().take(NAMES_SEARCHED_MAX);
        listening.find(|one| one.subscription.channel == uid).map(|one| Arc::clone(&one.channel))
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
        debug_assert!(!bytes.is_empty());
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
