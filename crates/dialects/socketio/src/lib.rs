//! Socket.IO's packets: what stands in an Engine.IO message of a Socket.IO client, and in the binary messages after it.
//!
//! Its place in the way of the data: the transport below hands over text and binary messages, [`Decoder`] makes whole
//! [`Message`]s of them, and [`RoomEvent`] makes of an event the bytes that all receivers of a room share. Protocol
//! version 5 (Engine.IO 4), version 4 (Engine.IO 3) and the MessagePack parser have one form in memory: JSON as the client
//! wrote it, with placeholders, and the attachments beside it. So a packet that came in one form goes out in any other.
//!
//! It does no IO, reads no clock and keeps no sessions: who is connected to which namespace, who is in which room, and which
//! acknowledgements are due is not known here. Nor does it frame: Engine.IO's message type is not part of these packets.

pub mod fuzzing;
mod wire;

pub use wire::attachments::{Decoder, Message};
pub use wire::builder::DataBuilder;
pub use wire::data::{Arguments, EventData, RESERVED_EVENTS};
pub use wire::encoded::{EncodedEvent, RoomEvent};
pub use wire::error::{DecodeError, EncodeError};
pub use wire::limits::Limits;
pub use wire::msgpack;
pub use wire::namespace::Namespace;
pub use wire::packet::{AckId, Body, Packet, Version};
