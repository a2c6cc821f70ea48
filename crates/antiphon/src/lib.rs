//! Socket.IO for Rust programs: an [`Io`] has namespaces, a [`Namespace`] has sockets and rooms, and a [`Socket`] is a client's
//! connection to one. Clients of the JavaScript library connect to it unchanged, from 1.x to 4.x, and so do those of other
//! languages.
//!
//! ```no_run
//! use antiphon::{Data, DisconnectReason, Io, Socket};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize, Serialize)]
//! struct Message {
//!     text: String,
//! }
//!
//! # fn main() -> Result<(), antiphon::StartError> {
//! let io = Io::builder().cors_origin("http://localhost:5173").build();
//! io.on_connection(|socket: Socket| {
//!     println!("{} is here", socket.id());
//!     socket.on("send_message", |socket: Socket, Data(message): Data<Message>| {
//!         socket.namespace().emit("receive_message", &message)
//!     });
//!     socket.on_disconnect(|socket: Socket, reason: DisconnectReason| {
//!         println!("{} is gone: {reason}", socket.id());
//!     });
//! });
//! io.run("127.0.0.1:3001")
//! # }
//! ```
//!
//! # A tour
//!
//! **Handlers** are functions, async or not, that ask for what they need by the types of their arguments: [`Data`]`<T>` for what
//! the client sent, [`Ack`] to answer it, [`Socket`], [`State`]`<T>` and so on; see [`FromEvent`] and [`FromSocket`]. What a handler
//! gives back acknowledges the event; a [`Result`] whose error displays may fail, see [`IntoReply`]. The events of one socket are
//! handled one after the other, in the order in which they came.
//!
//! ```no_run
//! # use antiphon::{Data, Io, State};
//! # use std::sync::Arc;
//! # struct Database;
//! # impl Database { async fn find(&self, _: u64) -> Result<String, std::io::Error> { Ok(String::new()) } }
//! let io = Io::builder().state(Arc::new(Database)).build();
//! io.root().on("name of", |Data(id): Data<u64>, State(database): State<Arc<Database>>| async move {
//!     // The client is acknowledged with the name, or with {"error": "..."}.
//!     database.find(id).await
//! });
//! ```
//!
//! **Sending** is [`emit`](core::Socket::emit): a value is one argument, a tuple is several, `()` is none, and [`Binary`] anywhere in
//! it is an attachment. What comes before it says who gets it, and how: [`to`](core::Socket::to), `except`, `local`, `volatile`,
//! `timeout`, `compress`, and with [`emit_with_ack`](core::Socket::emit_with_ack) the answers are awaited.
//!
//! **Rooms** are joined with [`join`](core::Socket::join) and left with [`leave`](core::Socket::leave); many sockets at once with
//! `sockets_join`, `sockets_leave`, `disconnect_sockets`, and `fetch_sockets` says who is where.
//!
//! **Middlewares** decide who may connect ([`Namespace::use_`]) and which events are handled ([`Namespace::use_packet`]).
//!
//! **Started** is it by [`Io::run`] or [`Io::listen`], by itself; or it is mounted in an axum or hyper program by [`Io::layer`].
//! Stopped by [`Io::close`].
//!
//! # Where handlers run
//!
//! On threads of the library's own, one for each core: a socket lives on one of them, which reads it, calls its handlers and writes
//! to it. So a handler's future needs not be `Send`, and a handler must not block: `tokio::task::spawn_blocking` and
//! `tokio::spawn` work as usual, on that thread's runtime. Handles like [`Socket`] are `Send` and may go anywhere, to other
//! runtimes too. A handler that panics fails for itself: the process goes on.
//!
//! # What it does not do
//!
//! TLS is left to a proxy, or to the program that it is mounted in.
#![forbid(unsafe_code)]

mod ack;
mod builder;
mod call;
mod context;
mod extract;
mod handler;
mod io;
mod mount;
mod namespace;
mod pages;
mod plan;
mod reply;
mod serve;
mod shared;
mod socket;

/// The transport below that.
pub use antiphon_engineio as engineio;
/// The core below: everything without types of arguments.
pub use antiphon_socketio as core;

/// The TLS library that [`Builder::tls`] is given settings of.
pub use rustls;

/// What a [`Builder`] can be told all at once.
pub mod settings {
    pub use antiphon_access::{JwtSettings, KeySettings, LimitSettings, OrgSettings, Permission, Secret};
    pub use antiphon_engineio::{EngineSettings, HttpCompression, ServeSettings};
    pub use antiphon_http::HttpSettings;
    pub use antiphon_hub::{Delivering, HubSettings, Rule};
    pub use antiphon_model::ChannelPattern;
    pub use antiphon_net::websocket::DeflateSettings;
    pub use antiphon_net::{NetSettings, SlowReader};
    pub use antiphon_node::NodeSettings;
    pub use antiphon_socketio::{RecoverySettings, SocketIoSettings};
    pub use antiphon_store::{Durability, StoreSettings};
}

pub use antiphon_engineio::{
    AllowedOrigins, ClientBundle, CookieSettings, CorsSettings, Denied, SameSite, Transport, WhenFull,
};
pub use antiphon_socketio::{
    AckError, ArgumentsError, Binary, BroadcastAckError, BroadcastAcks, BroadcastOperator, BroadcastResponse,
    Candidate, ConnectRefused, Disconnect, DisconnectReason, EmitError, EventArguments, EventName,
    Extensions, HandlerError, Handshake, InvalidNamespace, JoinError, Outcome, OutgoingEvent, Parser,
    RemoteSocket, ServerSideAck, ServerSideAckError, ServerSideEvent, SocketData, SocketId,
    UnserializableArguments,
};

pub use ack::{Ack, AckSender};
pub use builder::{Builder, LegacyClients};
pub use call::Call;
pub use context::Context;
pub use extract::{
    Auth, Data, Extension, ExtractError, FromDisconnect, FromEvent, FromSocket, Rooms, State, TryData,
};
pub use handler::{
    ConnectionHandler, Deferred, DisconnectHandler, EventHandler, Immediate, IntoAdmission, IntoResult,
    Middleware, Observer, PacketMiddleware,
};
pub use io::Io;
pub use mount::{MountedBody, NotFound, PeerAddress, SocketIoLayer, SocketIoService};
pub use namespace::Namespace;
pub use reply::{IntoReply, Reply};
pub use serve::{Listening, StartError};
pub use socket::Socket;
