//! Sockets: workers, listeners, WebSocket framing, outboxes and the fan-out into them.
//!
//! A [`Server`] runs one thread for each [`Worker`]. A worker owns its connections: it reads a socket into a buffer of its
//! own, hands whole messages to the connection's [`WebSocketSession`], drains the hub's inbox, encodes each run of
//! publications once for each [`Format`], and flushes every outbox that has something with one write. What is not a WebSocket
//! goes to hyper on the same thread, and comes back as a [`Stream`] if it listens.
//!
//! What the messages mean is the dialects' business ([`Endpoint`]), and who may do what the node's.

mod accept;
mod addresses;
mod admission;
pub mod allocator;
mod ambiguous;
mod answered;
mod arrival;
mod aside;
mod attach;
mod caller;
mod chunk;
mod client;
mod connection;
pub mod content_encoding;
mod deliver;
mod endpoint;
mod flush;
mod format;
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod heads;
mod http;
mod listen;
mod mailbox;
mod messages;
mod mounts;
mod outbox;
pub mod problem;
mod proxy;
mod readiness;
mod recovered;
pub mod request;
mod rewound;
mod send;
mod server;
mod session;
mod settings;
mod socket;
mod spread;
#[doc(hidden)]
pub mod still;
mod stream;
mod streaming;
mod sweep;
mod take_over;
mod task;
pub mod tls;
mod turn;
pub mod websocket;
mod worker;
mod workers;

pub use addresses::AddressSettings;
pub use arrival::Adopted;
pub use aside::aside;
pub use client::{Client, ClientAddress, Close, Outgoing};
pub use endpoint::{Accept, Endpoint, Keepalive, Peer, PeerCertificate, Upgrade, WebSocketSession};
pub use format::{Format, Label};
pub use listen::{Gap, ListenError, Listening, ListeningOn, Want};
pub use messages::Messages;
pub use mounts::{MountBody, Mounts};
pub use proxy::{ForwardedHeader, Proxies, ProxyProtocol};
pub use server::{Listen, NodeInputs, Server, ServerError, ServerParts};
pub use settings::{NetSettings, SlowReader};
pub use stream::{Stream, StreamBody, StreamOptions};
pub use websocket::MessageKind;
pub use worker::Worker;
pub use workers::Workers;
