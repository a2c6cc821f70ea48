//! Socket.IO: namespaces, sockets, rooms and events, in protocol versions 4 and 5.
//!
//! Its place in the way of the data: `engineio` below hands over the messages of a client, [`Decoder`] makes whole
//! [`Message`]s of them, and a client's connection routes them to its [`Socket`]s: one for each [`Namespace`] that it is let
//! into. Their handlers run on the socket's home worker, one event after the other. Rooms are channels of the node: what is
//! sent to a room is a publication, which each worker encodes once for all sockets that are written to alike, and which
//! clients of other dialects have too.
//!
//! Protocol version 5 (Engine.IO 4), version 4 (Engine.IO 3) and the MessagePack parser have one form in memory: JSON as the
//! client wrote it, with placeholders, and the attachments beside it. So a packet that came in one form goes out in any
//! other.
//!
//! It frames nothing and keeps no heartbeats, which `engineio` does, and it does not decide who may do what on a channel,
//! which the node does. How its words map onto ours is told in `mapping.md`.
#![forbid(unsafe_code)]

mod acks;
mod admin;
mod arguments;
pub mod ascii;
pub mod builtin;
mod channels;
mod connect;
mod connection;
mod disconnect;
mod emit;
mod endpoint;
mod formats;
pub mod fuzzing;
mod handler;
mod home;
mod io;
mod namespace;
mod observer;
mod operator;
mod outcome;
mod queue;
mod recovery;
mod registry;
mod rooms;
mod server_side;
mod settings;
mod socket;
mod timers;
mod wire;

pub use acks::{Ack, AckError, AckReply};
pub use admin::{AdminAuth, AdminMode, AdminSettings, InvalidAdminSettings};
pub use arguments::{ArgumentsError, Binary, EventArguments, UnserializableArguments, to_payload};
pub use channels::{InvalidRoom, channel_of, namespace_of, room_of};
pub use connect::{Authenticator, Candidate, Handshake};
pub use disconnect::{Disconnect, DisconnectReason};
pub use emit::{BroadcastAckError, BroadcastAcks, BroadcastResponse, EmitError, SocketOperator};
pub use handler::{
    AnyHandler, ConnectRefused, ConnectionHandler, DisconnectHandler, ErrorHandler, Event, EventName,
    Handler, HandlerError, HandlerResult, Middleware, OutgoingEvent, OutgoingHandler, PacketMiddleware,
};
pub use io::{Admission, InvalidNamespace, Io, NamespaceHook};
pub use namespace::Namespace;
pub use operator::{BroadcastOperator, RemoteSocket};
pub use outcome::Outcome;
pub use rooms::{JoinError, Rooms};
pub use server_side::{ServerSideAck, ServerSideAckError, ServerSideEvent, ServerSideHandler};
pub use settings::{InvalidSocketIoSettings, Parser, RecoverySettings, RecoveryStored, SocketIoSettings};
pub use socket::{Extensions, Socket, SocketData, SocketId};
pub use wire::attachments::{Decoder, Message};
pub use wire::builder::DataBuilder;
pub use wire::data::{Arguments as AckData, EventData, RESERVED_EVENTS};
pub use wire::encoded::{EncodedEvent, RoomEvent};
pub use wire::error::{DecodeError, EncodeError};
pub use wire::limits::Limits;
pub use wire::msgpack;
pub use wire::namespace::Namespace as NamespaceName;
pub use wire::packet::{AckId, Body, Packet, Version};
