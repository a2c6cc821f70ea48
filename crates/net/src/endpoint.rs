use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use antiphon_access::Caller;
use antiphon_hub::ReplyEvent;
use antiphon_node::{PublishError, Receipt};
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use hyper::body::Incoming;

use crate::websocket::MessageKind;
use crate::{Client, Close, Worker};

/// Where a connection comes from and goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client's address.
    pub address: SocketAddr,
    /// The address it connected to.
    pub local: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

/// The dialects put together, as a worker calls them.
pub trait Endpoint: 'static {
    /// The body of its answers.
    type Body: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + 'static;

    /// A WebSocket upgrade whose handshake has been checked: whether it is taken, and what speaks on it.
    ///
    /// `offered` are the subprotocols that the client can speak. Called before any HTTP machinery is set up.
    fn upgrade(&self, request: &Parts, offered: &[&str], peer: &Peer, worker: &Worker) -> Upgrade;

    /// Any other request.
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
}

/// A WebSocket connection that begins.
pub struct Accept {
    /// The subprotocol that is spoken, of those offered.
    pub protocol: Option<&'static str>,
    /// Who it is.
    pub caller: Arc<Caller>,
    /// What speaks on it.
    pub session: Box<dyn WebSocketSession>,
}

/// A dialect's view of one WebSocket connection. Called on the worker's thread only.
pub trait WebSocketSession {
    /// The connection is open.
    fn handle_open(&mut self, client: &Client);

    /// A whole message came. Text is UTF-8.
    fn handle_message(&mut self, kind: MessageKind, data: &[u8], client: &Client);

    /// A publication that had to wait for the store is through.
    fn handle_published(&mut self, ticket: u64, result: Result<Receipt, PublishError>, client: &Client);

    /// A reply to a broadcast came, or its time is up.
    fn handle_reply(&mut self, ticket: u64, event: ReplyEvent, client: &Client);

    /// The server is about to close the connection: a last message can be sent.
    fn handle_closing(&mut self, _close: &Close, _client: &Client) {}
}
