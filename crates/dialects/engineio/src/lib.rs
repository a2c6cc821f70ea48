//! Engine.IO, revisions 3 and 4: the transport below Socket.IO.
//!
//! A request's query becomes a [`Request`], or a [`Refusal`] with the code that clients know. A [`Session`] is one client:
//! HTTP bodies and WebSocket messages go in, and out come the client's messages, answers to its requests and what is to
//! be done with its connections. What is sent to it waits in an outbox of `net`'s, in an [`Encoding`] that suits its transport;
//! `payload` reads and writes HTTP bodies, and `packet` WebSocket messages. All of that is pure: time and ids are inputs.
//!
//! `endpoint` drives sessions: an [`Engine`] answers requests and WebSockets of one path, and an [`Application`] says who may
//! come in and what speaks on a [`Link`].
//!
//! This crate knows no channels, asks nobody for permission, and does not look into messages; `socketio` does. How its
//! words map onto ours is told in `mapping.md`.
#![forbid(unsafe_code)]

pub mod encode;
mod endpoint;
mod form;
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod packet;
mod payload;
mod session;
mod settings;
#[cfg(test)]
mod testing;
mod text;

pub use encode::{Encoding, PollForm};
pub use endpoint::{
    AllowedOrigins, Application, BundleFile, ClientBundle, Conversation, CookieSettings, CorsSettings,
    Denied, Engine, Handshake, Headers, HttpCompression, Link, LinkAddress, SameSite, SendError, SendOptions,
    Sent, ServeSettings,
};
pub use handshake::{OpenVia, Refusal, RefusalCode, Request, RequestKind, Sid, Transport, open_packet};
pub use packet::{BinarySupport, Data, Frame, Packet, PacketError, Revision};
pub use payload::{
    BINARY_TYPE, Body, BodyForm, Codec, JsonpIndex, PayloadError, PayloadLimits, SCRIPT_TYPE, TEXT_TYPE,
    V3Framing, V3Text, jsonp_body, jsonp_script,
};
pub use session::{
    Answer, CloseMode, CloseReason, Message, OpenOn, Output, RequestId, Session, SocketClose, SocketId, Then,
    TransportFault,
};
pub use settings::{EngineSettings, InvalidEngineSettings, WhenFull};
pub use text::Text;
