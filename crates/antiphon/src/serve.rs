//! Starting the workers and stopping them: with listeners of their own, or for a program's HTTP server.

mod assemble;

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;

use antiphon_net::{Close, Server, ServerError};
use antiphon_node::StoreError;
use socket2::SockRef;

use crate::Io;
use crate::mount::{Mounted, SocketIoLayer, SocketIoService};
use crate::shared::Shared;

/// How far a server has come.
#[derive(Default)]
pub(crate) enum Running {
    #[default]
    NotYet,
    Mounted(Server, Arc<Mounted>),
    Listening(Server),
    Stopped,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What was given as an address is none.
    #[error("cannot find the address to listen on: {0}")]
    Address(io::Error),
    /// It runs already, or has been stopped: a server is started once.
    #[error("the server has been started before")]
    StartedBefore,
    /// The settings contradict each other.
    #[error("settings: {0}")]
    Settings(String),
    /// An address cannot be listened on, or a thread cannot be started.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// A server that listens.
///
/// Dropping it stops nothing: see [`Io::close`].
#[derive(Debug)]
pub struct Listening {
    io: Io,
    addresses: Vec<SocketAddr>,
}

impl Listening {
    /// Where it listens: with the port that was found, if 0 was asked for.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Waits until it has stopped, by [`Io::close`].
    pub async fn stopped(&self) {
        let mut stopped = self.io.shared().stopped.subscribe();
        // The sender is in what `io` shares: it is not gone.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }
}

impl Io {
    /// Listens, and serves until [`Io::close`] is called.
    ///
    /// The library has threads of its own, which run the handlers: it needs no runtime but to be waited for.
    ///
    /// ```no_run
    /// # use antiphon::Io;
    /// # async fn run() -> Result<(), antiphon::StartError> {
    /// Io::new().listen("127.0.0.1:3000").await
    /// # }
    /// ```
    ///
    /// # Errors
    /// The address cannot be listened on, or the server has been started before.
    pub async fn listen(&self, address: impl ToSocketAddrs) -> Result<(), StartError> {
        self.bind(address)?.stopped().await;
        Ok(())
    }

    /// As [`Io::listen`], for programs that are not async.
    ///
    /// # Errors
    /// As [`Io::listen`]; and the thread could not be made to wait.
    pub fn run(&self, address: impl ToSocketAddrs) -> Result<(), StartError> {
        let listening = self.bind(address)?;
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.map_err(ServerError::Worker)?.block_on(listening.stopped());
        Ok(())
    }

    /// Begins to listen on every address that `address` names, and returns at once.
    ///
    /// # Errors
    /// As [`Io::listen`].
    pub fn bind(&self, address: impl ToSocketAddrs) -> Result<Listening, StartError> {
        let addresses: Vec<_> = address.to_socket_addrs().map_err(StartError::Address)?.collect();
        self.begin(|| self.start_somewhere(addresses))
    }

    /// As [`Io::bind`], on sockets that listen already: inherited from a service manager, or with options of the program's own.
    ///
    /// # Errors
    /// The server has been started before, or cannot be.
    pub fn serve(&self, listeners: Vec<TcpListener>) -> Result<Listening, StartError> {
        self.begin(|| {
            // What they accept inherits it; one of another family has no such delay.
            for listener in &listeners {
                let _ = SockRef::from(listener).set_tcp_nodelay(true);
            }
            self.start(listeners, Vec::new())
        })
    }

    fn begin(&self, start: impl FnOnce() -> Result<Server, StartError>) -> Result<Listening, StartError> {
        let mut running = self.shared().running.lock();
        let Running::NotYet = *running else { return Err(StartError::StartedBefore) };
        let server = start()?;
        let addresses = server.addresses().to_vec();
        *running = Running::Listening(server);
        Ok(Listening { io: self.clone(), addresses })
    }

    /// A name may stand for addresses that this machine does not have, like `localhost` for one of IPv6.
    fn start_somewhere(&self, mut addresses: Vec<SocketAddr>) -> Result<Server, StartError> {
        loop {
            let error = match self.start(Vec::new(), addresses.clone()) {
                Err(StartError::Server(ServerError::Listen { address, cause })) => {
                    let is_missing = cause.kind() == io::ErrorKind::AddrNotAvailable
                        || cause.kind() == io::ErrorKind::Unsupported
                        || cause.raw_os_error() == Some(NO_SUCH_FAMILY);
                    if is_missing && addresses.len() > 1 {
                        addresses.retain(|one| *one != address);
                        continue;
                    }
                    ServerError::Listen { address, cause }
                }
                other => return other,
            };
            return Err(error.into());
        }
    }

    /// Socket.IO in a program's own HTTP server, as a layer of [`tower`]: requests for Socket.IO are answered, all others go on to
    /// what is below it.
    ///
    /// It has to see paths as clients send them: put it around the router, not into a nested one. For WebSockets the program's
    /// server has to serve connections *with upgrades*, as `axum::serve` does. The library's threads are started by the first
    /// call; handlers run on them, not on the program's runtime.
    ///
    /// ```no_run
    /// # use antiphon::{Io, StartError};
    /// # fn run() -> Result<(), StartError> {
    /// let io = Io::new();
    /// let app: axum::Router = axum::Router::new().layer(io.layer()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The threads cannot be started, or the server listens by itself.
    pub fn layer(&self) -> Result<SocketIoLayer, StartError> {
        Ok(SocketIoLayer::new(self.mount()?))
    }

    /// As [`Io::layer`], as a service that answers everything else with 404.
    ///
    /// # Errors
    /// As [`Io::layer`].
    pub fn service(&self) -> Result<SocketIoService, StartError> {
        Ok(SocketIoService::new(self.mount()?))
    }

    fn mount(&self) -> Result<Arc<Mounted>, StartError> {
        let mut running = self.shared().running.lock();
        match &*running {
            Running::Mounted(_, mounted) => return Ok(Arc::clone(mounted)),
            Running::NotYet => {}
            Running::Listening(_) | Running::Stopped => return Err(StartError::StartedBefore),
        }
        let server = self.start(Vec::new(), Vec::new())?;
        let deflate = self.shared().plan.net.deflate;
        let engine = &self.settings().engine;
        let mounted = Arc::new(Mounted::new(server.workers().clone(), engine, deflate));
        *running = Running::Mounted(server, Arc::clone(&mounted));
        Ok(mounted)
    }

    /// Stops the server: every socket is disconnected with the reason "server shutting down", what is under way is finished, and
    /// the threads end. Clients try to connect again by themselves.
    ///
    /// Waits for no longer than [`Builder::grace`](crate::Builder::grace). Calling it again does nothing.
    ///
    /// # Errors
    /// What was to be stored could not be, in good order.
    pub async fn close(&self) -> Result<(), StoreError> {
        let running = std::mem::replace(&mut *self.shared().running.lock(), Running::Stopped);
        let (Running::Mounted(server, _) | Running::Listening(server)) = running else { return Ok(()) };
        self.core().close().await;
        let shared = Arc::clone(self.shared());
        let (sender, closed) = tokio::sync::oneshot::channel();
        // Stopping blocks, and the caller's runtime may be of any kind.
        std::thread::spawn(move || sender.send(stop(server, &shared)));
        closed.await.unwrap_or(Ok(()))
    }
}

fn stop(server: Server, shared: &Shared) -> Result<(), StoreError> {
    let store = Arc::clone(server.node().store());
    let close = Close { code: 1001, reason: "server shutting down".into(), reconnect: true };
    if !server.stop(&close, shared.plan.grace.0) {
        tracing::warn!("some clients were cut off: they took too long");
    }
    let closed = store.close();
    shared.stopped.send_replace(true);
    closed
}

/// `EAFNOSUPPORT`, which std has no name for.
const NO_SUCH_FAMILY: i32 = 97;
