//! WebSocket as bytes: the server's half of RFC 6455 and of permessage-deflate (RFC 7692), and a small client's half.
//!
//! A request goes through [`Upgrade::from_request`]; after the 101 every read is handed to the connection's
//! [`Decoder`], which yields [`Event`]s, and every message leaves as a frame that [`frame`](fn@frame) and its like append to a
//! buffer. Server frames are unmasked and compressed ones stand alone (`server_no_context_takeover`), so the bytes of
//! one frame are right for every subscriber that takes the same [`WindowBits`].
//!
//! Nothing here reads a socket or a clock, draws a random number or knows a dialect. What a connection keeps is its
//! [`Decoder`]; what is large, the [`Inflater`] and the [`Deflater`], belongs to the worker and keeps nothing from one
//! message to the next.

pub mod client;
mod close;
mod decoder;
mod deflate;
mod encoder;
mod error;
mod extension;
mod frame;
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod mask;

pub use close::{CloseCode, CloseState, OnClose};
pub use decoder::{Decoder, DecoderSettings, EMPTY_FRAGMENTS_MAX, Event, Input, MESSAGE_BYTES_MAX_DEFAULT};
pub use deflate::{Deflater, Inflater, WindowBits};
pub use encoder::{
    close_frame, compressed_frame, encode_header, frame, frame_bytes, frame_with, ping_frame, pong_frame,
};
pub use error::ProtocolError;
pub use extension::{Deflate, DeflateSettings};
pub use frame::{CONTROL_BYTES_MAX, FrameStart, HEADER_BYTES_MAX, MessageKind, Opcode, Role};
pub use handshake::{BadUpgrade, Upgrade};
