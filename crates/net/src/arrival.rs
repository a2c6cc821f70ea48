//! Connections that come to a worker by another thread: accepted there, asked for there, or opened by another HTTP server.

use std::net::TcpStream;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use antiphon_hub::WorkerId;
use bytes::Bytes;
use http::request::Parts;

use crate::connection::ConnectionKey;
use crate::handshake::Answer;
use crate::mailbox::Mail;
use crate::socket::Detached;
use crate::websocket::{self, CloseCode};
use crate::{Endpoint, Peer, Worker, Workers};

/// A WebSocket that another HTTP server has answered with 101 already.
pub struct Adopted {
    /// Its socket.
    pub socket: TcpStream,
    /// Where it comes from.
    pub peer: Peer,
    /// The request that it began with.
    pub request: Parts,
    /// What was agreed on, as the answer said it: [`websocket::Upgrade::response_headers`].
    pub upgrade: websocket::Upgrade,
    /// What has been read behind the request.
    pub rest: Bytes,
}

/// A connection on its way to a worker.
pub(crate) enum Arrival {
    /// It has been accepted.
    Accepted(Detached, Peer),
    /// Another worker has read its request, and found that it belongs here.
    Sent { socket: Detached, peer: Peer, read: Bytes },
    /// It is a WebSocket already.
    Open(Box<Switched>, Way),
}

/// A WebSocket that has been answered with 101, whoever did.
pub(crate) struct Switched {
    pub(crate) socket: Detached,
    pub(crate) peer: Peer,
    pub(crate) request: Parts,
    pub(crate) upgrade: websocket::Upgrade,
    pub(crate) rest: Bytes,
}

impl From<Adopted> for Switched {
    fn from(Adopted { socket, peer, request, upgrade, rest }: Adopted) -> Switched {
        Switched { socket: Detached::plain(socket), peer, request, upgrade, rest }
    }
}

/// How a connection came to the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Straight.
    Straight,
    /// By another worker, which sent it on: it is not sent on again.
    SentOn,
}

impl Workers {
    /// Gives a worker a WebSocket whose 101 has been sent: its endpoint's [`Endpoint::upgrade`] is asked what speaks on it, and if
    /// it refuses the connection is closed with code 1008. Nothing happens if there is no such worker.
    pub fn adopt(&self, worker: WorkerId, adopted: Adopted) {
        self.hand_in(worker, Arrival::Open(Box::new(adopted.into()), Way::Straight));
    }

    /// Puts a connection on a worker's account, and on its way.
    pub(crate) fn hand_in(&self, worker: WorkerId, arrival: Arrival) {
        let Some(mailbox) = self.mailbox(worker) else { return };
        self.load().connections[usize::from(worker.0)].fetch_add(1, Ordering::Relaxed);
        mailbox.post(Mail::Arrival(arrival));
    }
}

impl Worker {
    /// Takes in a connection that another thread put on this worker's account.
    pub(crate) fn take_in<E: Endpoint>(&self, endpoint: &Rc<E>, arrival: Arrival) {
        self.0.load.connections[usize::from(self.0.id.0)].fetch_sub(1, Ordering::Relaxed);
        if self.is_draining() {
            return;
        }
        let watched = match arrival {
            Arrival::Accepted(socket, peer) => {
                self.adopt(socket, peer).map(|key| self.expect_proxy_header(key))
            }
            Arrival::Sent { socket, peer, read } => {
                self.adopt(socket, peer).map(|key| self.handle_request(endpoint, key, &read, Way::SentOn))
            }
            Arrival::Open(switched, way) => self.take_in_open(endpoint, *switched, way),
        };
        if let Err(error) = watched {
            tracing::warn!(%error, "cannot watch a connection");
        }
    }

    fn take_in_open<E: Endpoint>(
        &self,
        endpoint: &Rc<E>,
        switched: Switched,
        way: Way,
    ) -> std::io::Result<()> {
        let full = self.0.load.all() >= self.0.settings.connections_max;
        let answer = match full {
            true => {
                self.note_drop("connections_max");
                None
            }
            false => Some(self.upgrade(&**endpoint, &switched.request, &switched.upgrade, &switched.peer)),
        };
        let Some(later @ Answer::Later(_)) = answer else { return self.settle(switched, way, answer) };
        let worker = self.clone();
        tokio::task::spawn_local(async move {
            let answer = worker.settled(later, &switched.upgrade).await;
            if let Err(error) = worker.settle(switched, way, Some(answer)) {
                tracing::warn!(%error, "cannot watch a connection");
            }
        });
        Ok(())
    }

    /// Does with a WebSocket what its endpoint has said.
    fn settle(&self, switched: Switched, way: Way, answer: Option<Answer>) -> std::io::Result<()> {
        let Switched { socket, peer, request, upgrade, rest } = switched;
        let (code, reason) = match answer {
            Some(Answer::Switch(_, accept, framing)) => {
                // Fails on a socket of another family, which delays nothing.
                let _ = socket.tcp.set_nodelay(true);
                let key = self.adopt(socket, peer)?;
                self.open(key, *accept, framing, None, &rest);
                return Ok(());
            }
            Some(Answer::Elsewhere(worker)) if self.may_send_on(worker, way) => {
                let switched = Switched { socket, peer, request, upgrade, rest };
                self.0.workers.hand_in(worker, Arrival::Open(Box::new(switched), Way::SentOn));
                return Ok(());
            }
            Some(Answer::Refuse(_) | Answer::Elsewhere(_) | Answer::Later(_)) => {
                (CloseCode::POLICY, "refused")
            }
            None => (CloseCode::TRY_AGAIN_LATER, "the server has as many connections as it may have"),
        };
        let key = self.adopt(socket, peer)?;
        let mut frame = Vec::new();
        websocket::close_frame(Some(code), reason, &mut frame);
        self.turn_away(key, &frame);
        Ok(())
    }

    /// Whether a connection can go from here to another worker.
    pub(crate) fn may_send_on(&self, worker: WorkerId, way: Way) -> bool {
        way == Way::Straight && worker != self.0.id && self.0.workers.mailbox(worker).is_some()
    }

    /// Sends a connection on with the request that was read of it.
    pub(crate) fn send_on(&self, key: ConnectionKey, worker: WorkerId, read: &[u8]) {
        let Some((socket, peer)) = self.release(key) else { return };
        self.count_connection(-1);
        let read = Bytes::copy_from_slice(read);
        self.0.workers.hand_in(worker, Arrival::Sent { socket, peer: *peer, read });
    }
}
