use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use mio::{Events, Interest, Token};
use tokio::time::{Instant, Sleep};

use crate::accept::{Accepted, LISTENER_TOKENS, Listener};
use crate::connection::{Connection, ConnectionKey, Phase};
use crate::mailbox::Mail;
use crate::readiness::{Readiness, Taken};
use crate::server::Bound;
use crate::worker::State;
use crate::{Client, Endpoint, Worker};

const EVENTS_PER_TURN: usize = 1024;

/// How much is read before what came of it is delivered and written: those who send most wait for the others.
const READ_BYTES_PER_TURN: usize = 1 << 20;

/// For how long is read before what came of it is delivered and written: small messages cost more than their bytes tell. One
/// read is always done to its end.
const READ_TIME_PER_TURN: Duration = Duration::from_millis(4);

/// How much one connection is read while others wait: some hundreds of the smallest messages, which take a few
/// microseconds each.
const READ_BYTES_OF_MANY: usize = 8 << 10;

/// For how long of a turn the first bytes of new connections are read. Apart from the others, and less: when many come at once, those who
/// are here already must not wait for all of them.
const ARRIVALS_TIME_PER_TURN: Duration = Duration::from_millis(2);

/// How soon publishers that were held back are read again.
const CONGESTED_PAUSE: Duration = Duration::from_millis(1);

/// The loop of a worker.
///
/// A turn takes in all that has come (connections, bytes, mail), delivers what the hub has, and only then writes: each
/// outbox once. The sockets are in an epoll set of the worker's own, which tokio sees as one descriptor, so that
/// a ready socket costs neither a task nor a waker.
pub(crate) struct Turns<E> {
    worker: Worker,
    endpoint: Rc<E>,
    readiness: Readiness,
    events: Events,
    listeners: Vec<Listener>,
    sweep: Pin<Box<Sleep>>,
    /// Somebody may wait to be accepted.
    knocked: bool,
    /// There are no descriptors for those who wait: they are accepted at the next sweep.
    exhausted: bool,
    pause: Pin<Box<Sleep>>,
    /// Reading goes on when the workers have caught up.
    paused: bool,
}

impl<E: Endpoint> Turns<E> {
    pub(crate) fn new(
        worker: Worker,
        endpoint: Rc<E>,
        poll: mio::Poll,
        bound: Vec<Bound>,
    ) -> std::io::Result<Turns<E>> {
        let mut watched = Vec::new();
        for (at, Bound { socket, listen }) in bound.into_iter().enumerate() {
            let mut socket = mio::net::TcpListener::from_std(socket);
            poll.registry().register(&mut socket, Token(LISTENER_TOKENS + at), Interest::READABLE)?;
            let local = socket.local_addr()?;
            watched.push(Listener { socket, local, listen });
        }
        let readiness = Readiness::new(poll)?;
        let sweep = Box::pin(tokio::time::sleep(worker.sweep_interval()));
        Ok(Turns {
            worker,
            endpoint,
            readiness,
            events: Events::with_capacity(EVENTS_PER_TURN),
            listeners: watched,
            sweep,
            knocked: false,
            exhausted: false,
            pause: Box::pin(tokio::time::sleep(Duration::ZERO)),
            paused: false,
        })
    }

    /// Runs until everything is drained.
    pub(crate) async fn run(mut self) {
        poll_fn(|cx| self.poll_turn(cx)).await;
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Whoever posts to this worker from here on need not wake it: it looks again before it sleeps.
        self.worker.0.mailbox.waker.take();
        self.worker.0.now.set(self.worker.node().now());
        self.poll_sweep(cx);
        self.handle_mail();
        self.poll_sockets(cx);
        self.accept();
        self.read(cx);
        self.worker.deliver();
        self.worker.flush();
        let worker = &self.worker.0;
        worker.mailbox.waker.register(cx.waker());
        let state = worker.state.borrow();
        let open = worker.load.connections[usize::from(worker.id.0)].load(Ordering::Relaxed);
        if state.draining.is_some() && open == 0 {
            return Poll::Ready(());
        }
        // What paused may have been this worker's own inbox, which is empty by now.
        let paused = self.paused && worker.node.hub().is_congested();
        let all_read = state.unread.is_empty() && state.arriving.is_empty();
        let unread = !all_read && !paused;
        if worker.mailbox.has_any() || !state.dirty.is_empty() || unread || self.knocked {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn poll_sweep(&mut self, cx: &mut Context<'_>) {
        while self.sweep.as_mut().poll(cx).is_ready() {
            self.sweep.as_mut().reset(Instant::now() + self.worker.sweep_interval());
            self.worker.sweep();
            self.knocked |= std::mem::take(&mut self.exhausted);
        }
    }

    fn handle_mail(&mut self) {
        for mail in self.worker.0.mailbox.take() {
            match mail {
                Mail::Arrival(arrival) => self.worker.take_in(&self.endpoint, arrival),
                Mail::Published(key, id, ticket, result) => {
                    let client = Client::new(self.worker.clone(), key, id);
                    self.worker
                        .with_handler(&client, |handler| handler.handle_published(ticket, result, &client));
                }
                Mail::Reply(key, id, ticket, event) => {
                    let client = Client::new(self.worker.clone(), key, id);
                    self.worker.with_handler(&client, |handler| handler.handle_reply(ticket, event, &client));
                }
                Mail::Drain(close) => {
                    self.listeners.clear();
                    self.worker.drain(&close);
                }
            }
        }
    }

    fn poll_sockets(&mut self, cx: &mut Context<'_>) {
        // Until tokio says that nothing is there: only then does it wake us for what comes next.
        while let Poll::Ready(taken) = self.readiness.poll_events(cx, &mut self.events) {
            match taken {
                Err(error) => tracing::debug!(%error, "epoll was interrupted"),
                Ok(Taken::All) => self.handle_events(),
                Ok(Taken::Some) => {
                    self.handle_events();
                    cx.waker().wake_by_ref();
                    return;
                }
            }
        }
    }

    fn handle_events(&mut self) {
        let mut state = self.worker.0.state.borrow_mut();
        for event in &self.events {
            let Token(token) = event.token();
            if token >= LISTENER_TOKENS {
                self.knocked = true;
                continue;
            }
            let key = ConnectionKey(token as u32);
            if event.is_writable() {
                state.mark_writable(key);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                if let Some(connection) = state.connections.get_mut(token) {
                    connection.hung_up |= event.is_read_closed();
                }
                state.read_again(key);
            }
        }
    }

    /// Reads what has something: those who are here, then those who come.
    fn read(&mut self, cx: &mut Context<'_>) {
        self.paused = false;
        self.read_some(|state| &mut state.unread, READ_TIME_PER_TURN, cx);
        self.read_some(|state| &mut state.arriving, ARRIVALS_TIME_PER_TURN, cx);
    }

    /// Reads whoever waited longest first, unless some worker cannot keep up with what is published.
    fn read_some(
        &mut self,
        queue: fn(&mut State) -> &mut VecDeque<ConnectionKey>,
        time: Duration,
        cx: &mut Context<'_>,
    ) {
        let mut bytes = 0;
        let mut served = 0;
        let count = queue(&mut self.worker.0.state.borrow_mut()).len();
        if count == 0 {
            return;
        }
        let began = std::time::Instant::now();
        let share = if count > 1 { READ_BYTES_OF_MANY } else { usize::MAX };
        for _ in 0..count {
            if bytes >= READ_BYTES_PER_TURN || (served > 0 && began.elapsed() >= time) {
                return;
            }
            if self.worker.node().hub().is_congested() {
                self.paused = true;
                self.pause.as_mut().reset(Instant::now() + CONGESTED_PAUSE);
                // Polled so that it wakes us.
                let _ = self.pause.as_mut().poll(cx);
                return;
            }
            let key = {
                let mut state = self.worker.0.state.borrow_mut();
                let Some(key) = queue(&mut state).pop_front() else { return };
                let Some(connection) = state.connections.get_mut(key.0 as usize) else { continue };
                connection.unread = false;
                key
            };
            bytes += self.worker.read(&self.endpoint, key, share);
            served += 1;
        }
    }

    fn accept(&mut self) {
        if !std::mem::take(&mut self.knocked) {
            return;
        }
        for listener in &self.listeners {
            match self.worker.accept(listener) {
                Accepted::More => self.knocked = true,
                Accepted::All => {}
                Accepted::Exhausted => self.exhausted = true,
            }
        }
    }
}

impl Worker {
    /// Calls a WebSocket's dialect, if the session is still there.
    pub(crate) fn with_handler(&self, client: &Client, work: impl FnOnce(&mut dyn crate::WebSocketSession)) {
        let link = self.with_session(client.key, client.id, |session, _| match session.link {
            crate::session::Link::Socket { connection, .. } => Some(connection),
            crate::session::Link::Stream(_) => None,
        });
        let Some(Some(key)) = link else { return };
        let taken = match self.0.state.borrow_mut().connections.get_mut(key.0 as usize) {
            Some(Connection { phase: Phase::Open(open), .. }) => open.take(),
            _ => None,
        };
        let Some(mut open) = taken else { return };
        work(&mut *open.handler);
        let mut state = self.0.state.borrow_mut();
        if let Some(Connection { phase: Phase::Open(place), .. }) = state.connections.get_mut(key.0 as usize)
        {
            *place = Some(open);
        }
    }
}

impl State {
    /// A socket takes bytes again.
    fn mark_writable(&mut self, key: ConnectionKey) {
        let State { connections, sessions, dirty, .. } = self;
        let Some(Connection { session, socket, phase, .. }) = connections.get_mut(key.0 as usize) else {
            return;
        };
        if let Phase::Streaming(streaming) = phase {
            streaming.note_progress();
        }
        let Some((key, _)) = *session else {
            // Its handshake, or its last words.
            if socket.is_sending() {
                socket.go_on_sending();
            }
            return;
        };
        let Some(session) = sessions.get_mut(key.0 as usize) else { return };
        if !session.dirty && (!session.outbox.is_empty() || socket.is_sending()) {
            session.dirty = true;
            dirty.push(key);
        }
    }
}
