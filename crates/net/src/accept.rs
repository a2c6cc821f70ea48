use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use antiphon_hub::WorkerId;
use mio::net::TcpListener;
use mio::{Interest, Token};

use crate::admission::answer_and_leave;
use crate::arrival::Arrival;
use crate::connection::{Connection, ConnectionKey, Phase};
use crate::socket::{Detached, Socket};
use crate::tls::session::Session;
use crate::{Listen, Peer, Worker};

/// How many connections are accepted before what is there is served.
const ACCEPTS_PER_TURN: usize = 64;

/// How often it is logged at most that nobody can be accepted.
const COMPLAINTS_INTERVAL: Duration = Duration::from_secs(1);

/// Listeners have the tokens from the top; connections those from zero.
pub(crate) const LISTENER_TOKENS: usize = usize::MAX / 2;

/// A socket that listens, as its worker watches it.
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) local: SocketAddr,
    pub(crate) listen: Listen,
}

/// What accepting came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// There may be more.
    More,
    /// Nobody waits.
    All,
    /// The process can have no more descriptors: try again later.
    Exhausted,
}

impl Worker {
    /// Accepts connections, each for the worker that has the fewest.
    pub(crate) fn accept(&self, Listener { socket: listener, local, listen }: &Listener) -> Accepted {
        for _ in 0..ACCEPTS_PER_TURN {
            let (socket, address) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Accepted::All,
                Err(error) if is_exhausted(&error) => {
                    self.complain_of(&error);
                    return Accepted::Exhausted;
                }
                // The one who connected has gone already.
                Err(_) => continue,
            };
            self.node().metrics().accepted.inc();
            let mut local = *local;
            if local.ip().is_unspecified() {
                // It listens on all addresses of the machine: which one the client has called, only the connection knows.
                local = socket.local_addr().unwrap_or(local);
            }
            let network = self.0.settings.network(address.ip());
            let place = match self.may_connect(network) {
                Ok(place) => place,
                Err(turned_away) => {
                    self.note_drop(turned_away.reason());
                    if listen.tls.is_none() {
                        answer_and_leave(&socket, turned_away);
                    }
                    continue;
                }
            };
            let peer = Peer { tls: listen.tls.is_some(), network, ..Peer::plain(address, local) };
            let counts = &self.0.load.connections;
            let tls = match listen.tls.clone().map(Session::new).transpose() {
                Ok(session) => session.map(Box::new),
                Err(error) => {
                    tracing::error!(%error, "TLS cannot be spoken as it is configured");
                    continue;
                }
            };
            let mut socket = Socket::new(socket, tls);
            socket.take_place(place);
            let least = counts.iter().enumerate().min_by_key(|(_, count)| count.load(Ordering::Relaxed));
            let chosen = least.map_or(0, |(index, _)| index);
            if chosen == usize::from(self.0.id.0) {
                match self.register(socket, peer) {
                    Ok(key) => self.expect_proxy_header(key),
                    Err(error) => tracing::warn!(%error, "cannot watch a connection"),
                }
            } else {
                self.0.workers.hand_in(WorkerId(chosen as u16), Arrival::Accepted(socket.detach(), peer));
            }
        }
        Accepted::More
    }

    /// Says that there are no descriptors, at times: it is tried again many times a second.
    fn complain_of(&self, error: &io::Error) {
        let now = self.0.now.get().monotonic;
        let said = &mut self.0.state.borrow_mut().exhausted_at;
        if said.is_none_or(|at| now.since(at) >= COMPLAINTS_INTERVAL) {
            *said = Some(now);
            tracing::warn!(%error, "cannot accept connections: raise the limit of open files");
        }
    }

    /// Watches a socket that came from elsewhere.
    pub(crate) fn adopt(&self, socket: Detached, peer: Peer) -> io::Result<ConnectionKey> {
        let socket = Socket::attach(socket)?;
        // What it has kept makes no event.
        let more = socket.has_more();
        let key = self.register(socket, peer)?;
        if more {
            self.0.state.borrow_mut().read_again(key);
            self.0.mailbox.waker.wake();
        }
        Ok(key)
    }

    fn register(&self, socket: Socket, peer: Peer) -> io::Result<ConnectionKey> {
        let heard = self.0.now.get().monotonic;
        let mut state = self.0.state.borrow_mut();
        let entry = state.connections.vacant_entry();
        let key = ConnectionKey(entry.key() as u32);
        let connection = Connection {
            socket,
            phase: Phase::Request(Box::new(peer)),
            session: None,
            heard,
            unread: false,
            hung_up: false,
        };
        let connection = entry.insert(connection);
        // Both interests for good: edge-triggered, so an idle socket costs no event.
        let interests = Interest::READABLE | Interest::WRITABLE;
        let registered =
            self.0.registry.register(&mut connection.socket.tcp, Token(key.0 as usize), interests);
        if let Err(error) = registered {
            state.connections.remove(key.0 as usize);
            return Err(error);
        }
        drop(state);
        self.count_connection(1);
        Ok(key)
    }

    pub(crate) fn count_connection(&self, change: isize) {
        self.node().metrics().connections.inc_by(change as i64);
        let count = &self.0.load.connections[usize::from(self.0.id.0)];
        if change < 0 {
            count.fetch_sub(change.unsigned_abs(), Ordering::Relaxed);
        } else {
            count.fetch_add(change.unsigned_abs(), Ordering::Relaxed);
        }
    }
}

fn is_exhausted(error: &io::Error) -> bool {
    // EMFILE, ENFILE and ENOBUFS, which std has no kind for.
    error.kind() == io::ErrorKind::OutOfMemory || matches!(error.raw_os_error(), Some(23 | 24 | 105))
}
