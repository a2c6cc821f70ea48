use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use antiphon_hub::WorkerId;
use antiphon_node::{Node, NodeParts};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::Notify;

use crate::addresses::Addresses;
use crate::mailbox::Mail;
use crate::turn::Turns;
use crate::{Close, Endpoint, NetSettings, Worker, Workers};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;

/// What a server is made of.
pub struct ServerParts {
    /// The limits and times of connections.
    pub settings: NetSettings,
    /// Where it listens.
    pub listen: Vec<Listen>,
    /// How many threads.
    pub workers: usize,
}

/// Where connections are taken, and what is spoken below HTTP there.
#[derive(Clone, Debug)]
pub struct Listen {
    /// The address. Port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS: see [`crate::tls::server_config`]. None: connections are not encrypted.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

impl Listen {
    /// An address for connections that are not encrypted.
    pub fn plain(address: SocketAddr) -> Listen {
        Listen { address, tls: None }
    }

    /// An address for TLS.
    pub fn tls(address: SocketAddr, config: Arc<rustls::ServerConfig>) -> Listen {
        Listen { address, tls: Some(config) }
    }
}

/// A socket that listens.
pub(crate) struct Bound {
    pub(crate) socket: TcpListener,
    pub(crate) listen: Listen,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is taken, or not one of this machine.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        cause: io::Error,
    },
    /// A thread or its epoll set could not be made.
    #[error("cannot start a worker: {0}")]
    Worker(#[from] io::Error),
    /// The node could not be put together.
    #[error(transparent)]
    Store(#[from] antiphon_node::StoreError),
}

/// Workers that run, each on its thread.
pub struct Server {
    node: Arc<Node>,
    addresses: Vec<SocketAddr>,
    workers: Workers,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Binds, and starts the workers. `node` puts the node together once the workers' inboxes are there; `endpoint` makes
    /// each worker's dialects, on its thread.
    ///
    /// # Errors
    /// An address cannot be bound, a thread not started, or the node not made.
    pub fn start<E: Endpoint>(
        parts: ServerParts,
        node: impl FnOnce(NodeInputs) -> Result<Arc<Node>, antiphon_node::StoreError>,
        endpoint: impl Fn(&Worker) -> E + Send + Sync + 'static,
    ) -> Result<Server, ServerError> {
        Server::start_on(Vec::new(), parts, node, endpoint)
    }

    /// As [`Server::start`], also on sockets that listen already, with TLS or without. They should have `TCP_NODELAY`: what they accept
    /// inherits it.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_on<E: Endpoint>(
        listeners: Vec<(TcpListener, Option<Arc<rustls::ServerConfig>>)>,
        parts: ServerParts,
        node: impl FnOnce(NodeInputs) -> Result<Arc<Node>, antiphon_node::StoreError>,
        endpoint: impl Fn(&Worker) -> E + Send + Sync + 'static,
    ) -> Result<Server, ServerError> {
        let ServerParts { settings, listen, workers } = parts;
        let mut bound = Vec::new();
        for (socket, tls) in listeners {
            socket.set_nonblocking(true)?;
            bound.push(Bound { listen: Listen { address: socket.local_addr()?, tls }, socket });
        }
        for listen in listen {
            let address = listen.address;
            let socket = bind(address).map_err(|cause| ServerError::Listen { address, cause })?;
            bound.push(Bound { socket, listen });
        }
        let addresses: Vec<SocketAddr> =
            bound.iter().map(|one| one.socket.local_addr()).collect::<io::Result<_>>()?;
        let workers = Workers::new(workers.clamp(1, usize::from(u16::MAX)));
        let timers = Arc::new(Notify::new());
        let earlier = Arc::clone(&timers);
        let node = node(NodeInputs {
            inboxes: workers.mailboxes().iter().map(|mailbox| Arc::clone(&mailbox.inbox)).collect(),
            on_earlier: Box::new(move || earlier.notify_one()),
            workers: workers.clone(),
            addresses: Vec::clone(&addresses),
        })?;
        workers.set_node(&node);
        let counted = Arc::new(Addresses::new(settings.addresses.clone()));
        let (settings, endpoint) = (Arc::new(settings), Arc::new(endpoint));
        let mut threads = Vec::new();
        // Held by each worker but the first, for as long as it runs.
        let (runs, others) = tokio::sync::mpsc::channel::<Infallible>(1);
        let mut others = Some(others);
        for index in 0..workers.len() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let poll = mio::Poll::new()?;
            let registry = poll.registry().try_clone()?;
            let (node, settings, counted) = (Arc::clone(&node), Arc::clone(&settings), Arc::clone(&counted));
            let (workers, endpoint) = (workers.clone(), Arc::clone(&endpoint));
            // The first worker accepts for all, and watches the time.
            let bound = if index == 0 { std::mem::take(&mut bound) } else { Vec::new() };
            let timers = others.take().map(|others| (Arc::clone(&timers), others));
            let runs = (index > 0).then(|| runs.clone());
            let work = move || {
                let _last_resort = AbortOnPanic;
                let worker = Worker::new(WorkerId(index as u16), node, settings, workers, counted, registry);
                let _entered = worker.enter();
                let local = tokio::task::LocalSet::new();
                local.block_on(&runtime, async {
                    let endpoint = Rc::new(endpoint(&worker));
                    let others = timers.map(|(timers, others)| {
                        tokio::task::spawn_local(watch_time(Arc::clone(worker.node()), timers));
                        others
                    });
                    match Turns::new(worker.clone(), endpoint, poll, bound) {
                        Ok(turns) => turns.run().await,
                        Err(error) => tracing::error!(%error, "cannot start a worker"),
                    }
                    worker.0.mailbox.end();
                    // What the others' clients wait for may end by the clock.
                    if let Some(mut others) = others {
                        others.recv().await;
                    }
                });
                worker.drop_extensions();
                drop(runs);
            };
            threads.push(std::thread::Builder::new().name(format!("worker-{index}")).spawn(work)?);
        }
        Ok(Server { node, addresses, workers, threads })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The node.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The workers.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// Stops in good order: accepts nothing more, tells every client to come back elsewhere, writes what waits, and ends.
    /// What is not through by then is cut off. Says whether all were through.
    pub fn stop(self, close: &Close, deadline: Duration) -> bool {
        self.node.begin_closing();
        for mailbox in self.workers.mailboxes() {
            mailbox.post(Mail::Drain(close.clone()));
        }
        let until = std::time::Instant::now() + deadline;
        let mut finished = true;
        for thread in self.threads {
            // A thread has no join with a deadline; it is looked at until then.
            while !thread.is_finished() && std::time::Instant::now() < until {
                std::thread::sleep(Duration::from_millis(2));
            }
            finished &= thread.is_finished();
        }
        finished
    }
}

/// Ends the process when a worker panics: without it its clients would hear nothing more, and once its inbox is
/// full publishers would wait for it for ever. To be started again is the better of the two.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("a worker panicked: the process ends");
            std::process::abort();
        }
    }
}

/// What the node needs of the workers.
pub struct NodeInputs {
    /// Their inboxes.
    pub inboxes: Vec<Arc<antiphon_hub::Inbox>>,
    /// To be called when the hub's next deadline becomes earlier.
    pub on_earlier: Box<dyn Fn() + Send + Sync>,
    /// The workers, for whoever speaks to them from other threads.
    pub workers: Workers,
    /// Where the server listens: the sockets that it was given, then [`ServerParts::listen`] in its order.
    pub addresses: Vec<SocketAddr>,
}

impl NodeInputs {
    /// Puts them into the parts of a node.
    pub fn into_parts(self, parts: NodeParts) -> NodeParts {
        NodeParts { inboxes: self.inboxes, on_earlier: self.on_earlier, ..parts }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    // Accepted sockets inherit it, which saves a system call for each.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Does what the hub has to do by the clock, and leases positions each second.
async fn watch_time(node: Arc<Node>, earlier: Arc<Notify>) {
    let mut lease = tokio::time::interval(Duration::from_secs(1));
    loop {
        let due = node.hub().poll_timeout().map(|at| node.clock().instant(at));
        let sleep = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep => node.hub().handle_timeout(node.now()),
            () = earlier.notified() => {}
            _ = lease.tick() => node.lease_positions(),
        }
    }
}
