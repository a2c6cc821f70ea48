use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use antiphon_access::{Caller, Network};
use antiphon_hub::{ReplyEvent, WorkerId};
use antiphon_node::{PublishError, Receipt};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use http::request::Parts;
use http::{Request, Response};
use hyper::body::Incoming;
use rustls::pki_types::CertificateDer;

use crate::websocket::MessageKind;
use crate::{Client, Close, Worker};

/// Where a connection comes from and goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client's address.
    pub address: SocketAddr,
    /// The address it connected to.
    pub local: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// What the client has shown that it holds the key of, if the listener asked for it.
    pub certificate: Option<Arc<PeerCertificate>>,
    /// What limits by address count it as; none if they do not apply to it.
    pub network: Option<Network>,
}

impl Peer {
    /// A peer of a connection that is not encrypted, to which limits by address do not apply.
    pub fn plain(address: SocketAddr, local: SocketAddr) -> Peer {
        Peer { address, local, tls: false, certificate: None, network: None }
    }
}

/// A client's certificate, which the listener's [`rustls::server::danger::ClientCertVerifier`] has found good.
#[derive(PartialEq, Eq)]
pub struct PeerCertificate {
    /// Its own first, then those that lead to one that the verifier knows.
    pub chain: Vec<CertificateDer<'static>>,
}

impl fmt::Debug for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerCertificate").field("chain", &self.chain.len()).finish()
    }
}

/// The dialects put together, as a worker calls them.
pub trait Endpoint: 'static {
    /// The body of its answers.
    type Body: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + 'static;

    /// A WebSocket upgrade whose handshake has been checked: whether it is taken, and what speaks on it.
    ///
    /// `offered` are the subprotocols that the client can speak. Called before any HTTP machinery is set up.
    fn upgrade(&self, request: &Parts, offered: &[&str], peer: &Peer, worker: &Worker) -> Upgrade;

    /// Any other request. What comes back is dropped if the peer goes, perhaps without having been waited for; what is done in
    /// the call itself is done in any case.
    fn call(
        self: Rc<Self>,
        request: Request<Incoming>,
        peer: Peer,
        worker: Worker,
    ) -> impl Future<Output = Response<Self::Body>> + 'static;
}

/// Whether an upgrade is taken.
pub enum Upgrade {
    /// It is.
    Accept(Accept),
    /// It is answered with this, and the connection closed.
    Refuse(Response<Bytes>),
    /// It belongs to another worker: the connection goes there with its request, and that worker's endpoint is asked.
    ///
    /// A connection is sent on once; one that is to go further is refused. If it had other requests before, or its request came
    /// in pieces, it is told 101 first, without a subprotocol, and a refusal by the other worker is a close.
    Elsewhere(WorkerId),
    /// It is known when this is done; dropped if the peer goes before.
    Later(LocalBoxFuture<'static, Upgrade>),
}

/// A WebSocket connection that begins.
pub struct Accept {
    /// The subprotocol that is spoken, of those offered.
    pub protocol: Option<&'static str>,
    /// Who it is. None if that is not known yet: until [`Client::replace_caller`] the session may nothing.
    pub caller: Option<Arc<Caller>>,
    /// What speaks on it.
    pub session: Box<dyn WebSocketSession>,
    /// Who finds out whether the peer is still there.
    pub keepalive: Keepalive,
    /// How many bytes a message from the peer may have, if not as many as [`crate::NetSettings::message_bytes_max`] says.
    pub message_bytes_max: Option<usize>,
}

impl Accept {
    /// A connection without a subprotocol, with pings and the limits of the settings.
    pub fn new(caller: Option<Arc<Caller>>, session: Box<dyn WebSocketSession>) -> Accept {
        Accept { protocol: None, caller, session, keepalive: Keepalive::Ping, message_bytes_max: None }
    }
}

/// Who finds out whether the peer of a WebSocket is still there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keepalive {
    /// The worker, by the pings of WebSocket.
    #[default]
    Ping,
    /// The dialect, by messages of its own: silence alone ends nothing.
    Dialect,
}

/// A dialect's view of one WebSocket connection. Called on the worker's thread only.
pub trait WebSocketSession {
    /// The connection is open.
    fn handle_open(&mut self, client: &Client);

    /// A whole message came. Text is UTF-8.
    fn handle_message(&mut self, kind: MessageKind, data: &[u8], client: &Client);

    /// A publication that had to wait for the store is through.
    fn handle_published(&mut self, _ticket: u64, _result: Result<Receipt, PublishError>, _client: &Client) {}

    /// A reply to a broadcast came, or its time is up.
    fn handle_reply(&mut self, _ticket: u64, _event: ReplyEvent, _client: &Client) {}

    /// The server is about to close the connection: a last message can be sent.
    fn handle_closing(&mut self, _close: &Close, _client: &Client) {}

    /// The connection is gone, for whatever reason; nothing is called after it. Called once for each
    /// [`WebSocketSession::handle_open`], right before the session ends.
    fn handle_ended(&mut self) {}
}
