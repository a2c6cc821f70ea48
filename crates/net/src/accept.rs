use std::io;
use std::sync::atomic::Ordering;

use antiphon_hub::WorkerId;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Token};

use crate::arrival::Arrival;
use crate::connection::{Connection, ConnectionKey, Phase};
use crate::{Peer, Worker};

/// How many connections are accepted before what is there is served.
const ACCEPTS_PER_TURN: usize = 256;

/// Listeners have the tokens from the top; connections those from zero.
pub(crate) const LISTENER_TOKENS: usize = usize::MAX / 2;

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
    pub(crate) fn accept(&self, listener: &TcpListener) -> Accepted {
        for _ in 0..ACCEPTS_PER_TURN {
            let (socket, address) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Accepted::All,
                Err(error) if is_exhausted(&error) => {
                    tracing::warn!(%error, "cannot accept connections: raise the limit of open files");
                    return Accepted::Exhausted;
                }
                // The one who connected has gone already.
                Err(_) => continue,
            };
            self.node().metrics().accepted.inc();
            let Ok(local) = listener.local_addr() else { continue };
            let peer = Peer { address, local, tls: false };
            let counts = &self.0.load.connections;
            if self.0.load.all() >= self.0.settings.connections_max {
                self.note_drop("connections_max");
                continue;
            }
            let least = counts.iter().enumerate().min_by_key(|(_, count)| count.load(Ordering::Relaxed));
            let chosen = least.map_or(0, |(index, _)| index);
            if chosen == usize::from(self.0.id.0) {
                if let Err(error) = self.register(socket, peer) {
                    tracing::warn!(%error, "cannot watch a connection");
                }
            } else {
                let socket = std::net::TcpStream::from(std::os::fd::OwnedFd::from(socket));
                self.0.workers.hand_in(WorkerId(chosen as u16), Arrival::Accepted(socket, peer));
            }
        }
        Accepted::More
    }

    /// Watches a socket that came from elsewhere.
    pub(crate) fn adopt(&self, socket: std::net::TcpStream, peer: Peer) -> io::Result<ConnectionKey> {
        socket.set_nonblocking(true)?;
        self.register(TcpStream::from_std(socket), peer)
    }

    fn register(&self, socket: TcpStream, peer: Peer) -> io::Result<ConnectionKey> {
        let heard = self.0.now.get().monotonic;
        let mut state = self.0.state.borrow_mut();
        let entry = state.connections.vacant_entry();
        let key = ConnectionKey(entry.key() as u32);
        let connection = Connection {
            socket,
            peer,
            phase: Phase::Request,
            session: None,
            heard,
            unread: false,
            hung_up: false,
        };
        let connection = entry.insert(connection);
        // Both interests for good: edge-triggered, so an idle socket costs no event.
        let interests = Interest::READABLE | Interest::WRITABLE;
        let registered = self.0.registry.register(&mut connection.socket, Token(key.0 as usize), interests);
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
