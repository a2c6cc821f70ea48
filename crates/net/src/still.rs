//! Workers that move only when they are told to, all on the calling thread: to count what their turns cost, and whom they wake.
//!
//! What they do is what workers do. What is left out is what waits: the epoll set, so that it is said which connection is to be
//! read, and the clock's sweeps.

use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use antiphon_hub::WorkerId;
use antiphon_node::Node;
use bytes::Bytes;
use http::request::Parts;
use tokio::runtime::Runtime;
use tokio::task::{LocalSet, yield_now};

use crate::addresses::Addresses;
use crate::arrival::Arrival;
use crate::connection::ConnectionKey;
use crate::mailbox::Mail;
use crate::socket::Detached;
use crate::{
    Adopted, Client, Endpoint, NetSettings, NodeInputs, Peer, ServerError, Worker, Workers, websocket,
};

/// How often tasks get their turn while a connection is taken in: more than any of them waits for another.
const YIELDS: usize = 16;

/// A server whose workers stand still between two calls.
pub struct StillServer<E> {
    workers: Vec<Still<E>>,
    all: Workers,
    node: Arc<Node>,
    runtime: Runtime,
    tasks: LocalSet,
}

/// A connection of one of its workers. By default one that there is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillConnection {
    worker: WorkerId,
    key: ConnectionKey,
}

impl StillConnection {
    /// Whose it is.
    pub fn worker(self) -> WorkerId {
        self.worker
    }
}

impl Default for StillConnection {
    fn default() -> StillConnection {
        StillConnection { worker: WorkerId(0), key: ConnectionKey(u32::MAX) }
    }
}

struct Still<E> {
    worker: Worker,
    endpoint: Rc<E>,
    wakes: Arc<Wakes>,
    /// Kept, since its registry is the worker's.
    _poll: mio::Poll,
}

/// How often a worker that waited has been woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl<E: Endpoint> StillServer<E> {
    /// Puts so many workers together as [`crate::Server::start`] does. They listen nowhere.
    ///
    /// # Errors
    /// An epoll set could not be made, or the node not.
    pub fn new(
        settings: NetSettings,
        workers: usize,
        node: impl FnOnce(NodeInputs) -> Result<Arc<Node>, antiphon_node::StoreError>,
        endpoint: impl Fn(&Worker) -> E,
    ) -> Result<StillServer<E>, ServerError> {
        let all = Workers::new(workers);
        let node = node(NodeInputs {
            inboxes: all.mailboxes().iter().map(|mailbox| Arc::clone(&mailbox.inbox)).collect(),
            on_earlier: Box::new(|| {}),
            workers: all.clone(),
            addresses: Vec::new(),
        })?;
        all.set_node(&node);
        let addresses = Arc::new(Addresses::new(settings.addresses.clone()));
        let settings = Arc::new(settings);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let tasks = LocalSet::new();
        let mut still = Vec::new();
        for id in all.ids() {
            let poll = mio::Poll::new()?;
            let registry = poll.registry().try_clone()?;
            let (node, settings, addresses) =
                (Arc::clone(&node), Arc::clone(&settings), Arc::clone(&addresses));
            let worker = Worker::new(id, node, settings, all.clone(), addresses, registry);
            let endpoint = {
                let (_runtime, _tasks, _current) = (runtime.enter(), tasks.enter(), worker.enter());
                Rc::new(endpoint(&worker))
            };
            still.push(Still { worker, endpoint, wakes: Arc::default(), _poll: poll });
        }
        Ok(StillServer { workers: still, all, node, runtime, tasks })
    }

    /// The node.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Its workers, as any thread may speak to them.
    pub fn workers(&self) -> &Workers {
        &self.all
    }

    /// Gives a worker a WebSocket that has been answered with 101, as [`Workers::adopt`] does, and waits until it is open.
    ///
    /// # Panics
    /// If it is refused.
    pub fn adopt(&mut self, worker: WorkerId, adopted: Adopted) -> StillConnection {
        let connection = self.next_connection(worker);
        self.take_in(worker, Arrival::Open(Box::new(adopted.into()), crate::arrival::Way::Straight));
        assert!(self.client(connection).is_some(), "the upgrade was refused");
        connection
    }

    /// Gives a worker a connection that has sent nothing yet.
    pub fn accept(&mut self, worker: WorkerId, socket: TcpStream, peer: Peer) -> StillConnection {
        let connection = self.next_connection(worker);
        self.take_in(worker, Arrival::Accepted(Detached::plain(socket), peer));
        connection
    }

    fn next_connection(&self, worker: WorkerId) -> StillConnection {
        let key = self.workers[usize::from(worker.0)].worker.0.state.borrow().connections.vacant_key();
        StillConnection { worker, key: ConnectionKey(key as u32) }
    }

    fn take_in(&mut self, worker: WorkerId, arrival: Arrival) {
        self.all.hand_in(worker, arrival);
        self.turn(worker, &[]);
        self.settle(worker);
    }

    /// The client on a connection, once it is a WebSocket.
    pub fn client(&self, connection: StillConnection) -> Option<Client> {
        self.workers[usize::from(connection.worker.0)].worker.client_on(connection.key)
    }

    /// A turn of a worker: takes in its mail, reads these connections of its once each, delivers and writes.
    #[inline(never)]
    pub fn turn(&self, worker: WorkerId, readable: &[StillConnection]) {
        let Still { worker, endpoint, wakes, .. } = &self.workers[usize::from(worker.0)];
        let (_runtime, _tasks, _current) = (self.runtime.enter(), self.tasks.enter(), worker.enter());
        worker.0.mailbox.waker.take();
        worker.0.now.set(worker.node().now());
        for mail in worker.0.mailbox.take() {
            match mail {
                Mail::Arrival(arrival) => worker.take_in(endpoint, arrival),
                Mail::Published(key, id, ticket, result) => {
                    let client = Client::new(worker.clone(), key, id);
                    worker.with_handler(&client, |handler| handler.handle_published(ticket, result, &client));
                }
                Mail::Reply(key, id, ticket, event) => {
                    let client = Client::new(worker.clone(), key, id);
                    worker.with_handler(&client, |handler| handler.handle_reply(ticket, event, &client));
                }
                Mail::Drain(close) => worker.drain(&close),
            }
        }
        for connection in readable {
            worker.read(endpoint, connection.key, usize::MAX);
        }
        worker.deliver();
        worker.flush();
        worker.0.mailbox.waker.register(&Waker::from(Arc::clone(wakes)));
    }

    /// Lets the tasks of all workers run, and then a worker write what came of it.
    pub fn settle(&self, worker: WorkerId) {
        let current = &self.workers[usize::from(worker.0)].worker;
        {
            let _current = current.enter();
            self.tasks.block_on(&self.runtime, async {
                for _ in 0..YIELDS {
                    yield_now().await;
                }
            });
        }
        self.turn(worker, &[]);
    }

    /// How often a worker was woken while it stood still.
    pub fn wakes(&self, worker: WorkerId) -> usize {
        self.workers[usize::from(worker.0)].wakes.0.load(Ordering::Relaxed)
    }
}

impl<E> Drop for StillServer<E> {
    fn drop(&mut self) {
        // What a dialect keeps on a worker knows the worker, which would never go.
        for Still { worker, .. } in &self.workers {
            worker.drop_extensions();
        }
    }
}

/// A WebSocket for [`StillServer::adopt`]: one that asked for `target`.
///
/// # Panics
/// If the request is none.
pub fn adopted(socket: TcpStream, peer: Peer, target: &str, subprotocols: &str) -> Adopted {
    let mut request = http::Request::get(target)
        .header("host", "localhost")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==");
    if !subprotocols.is_empty() {
        request = request.header("sec-websocket-protocol", subprotocols);
    }
    let (request, ()): (Parts, ()) = request.body(()).expect("the target is one").into_parts();
    let settings = websocket::DeflateSettings::default();
    let upgrade =
        websocket::Upgrade::from_request(&request.method, request.version, &request.headers, &settings);
    let upgrade = upgrade.expect("the headers are right").expect("it asks for a WebSocket");
    Adopted { socket, peer, request, upgrade, rest: Bytes::new() }
}
