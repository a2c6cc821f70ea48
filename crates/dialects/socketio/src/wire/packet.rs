use std::fmt;

use antiphon_model::RawJson;

use super::data::{Arguments, EventData};
use super::namespace::Namespace;

mod assemble;
mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub(crate) use assemble::{Kind, Parts, split_query};
pub(crate) use decode::ack_id;
pub(crate) use encode::Header;

/// A version of the Socket.IO protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// On Engine.IO 3: clients 1.x and 2.x. A CONNECT has a query in the namespace, and an error may be a bare string.
    V4,
    /// On Engine.IO 4: clients 3.x and 4.x. A CONNECT has an object, and so has an error.
    V5,
}

/// What an event and its acknowledgement have in common: an integer that is unique for its sender in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AckId(u64);

impl AckId {
    /// The largest: what a JavaScript number holds exactly.
    pub const MAX: AckId = AckId((1 << 53) - 1);

    /// `None` if it is larger than [`AckId::MAX`].
    pub fn new(id: u64) -> Option<AckId> {
        (id <= AckId::MAX.0).then_some(AckId(id))
    }

    /// The number.
    pub fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for AckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One packet, without the bytes of its attachments. The protocol's section "Packet encoding" is its text form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Whom it concerns.
    pub namespace: Namespace,
    /// What it is.
    pub body: Body,
}

/// What a packet is, and what that type of packet has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The client asks for a namespace, or the server grants it.
    Connect {
        /// What follows the `?` in the namespace, percent-encoded as it came. In version 4 only, and there from clients.
        query: Option<Box<str>>,
        /// An object. In version 5 only: from clients what they authenticate with, from servers the `sid`.
        payload: Option<RawJson>,
    },
    /// Either side leaves the namespace.
    Disconnect,
    /// An event.
    Event {
        /// Given if the sender wants an acknowledgement.
        ack: Option<AckId>,
        /// Name and arguments.
        data: EventData,
    },
    /// The answer to an event.
    Ack {
        /// The id that the event had.
        ack: AckId,
        /// The arguments.
        data: Arguments,
    },
    /// The server refuses a namespace.
    ConnectError {
        /// In version 5 an object, always given; in version 4 a string or an object, if anything.
        payload: Option<RawJson>,
    },
    /// An event with attachments, which follow as binary messages.
    BinaryEvent {
        /// How many follow. Placeholders in `data` number them.
        attachments: usize,
        /// Given if the sender wants an acknowledgement.
        ack: Option<AckId>,
        /// Name and arguments.
        data: EventData,
    },
    /// The answer to an event, with attachments.
    BinaryAck {
        /// How many follow. Placeholders in `data` number them.
        attachments: usize,
        /// The id that the event had.
        ack: AckId,
        /// The arguments.
        data: Arguments,
    },
}

impl Packet {
    /// How many binary messages belong to it.
    pub fn attachments(&self) -> usize {
        match self.body {
            Body::BinaryEvent { attachments, .. } | Body::BinaryAck { attachments, .. } => attachments,
            _ => 0,
        }
    }

    /// Whether it is of a type that may have attachments.
    pub(crate) fn is_binary(&self) -> bool {
        Kind::of(&self.body).is_binary()
    }

    /// The refusal of a namespace, as clients of `version` expect it: `message`, and what the application adds to it.
    ///
    /// Version 4 has room for one of them, which is `data` if that is a string or an object.
    pub fn refusal(namespace: Namespace, version: Version, message: &str, data: Option<&RawJson>) -> Packet {
        let quoted = serde_json::Value::from(message).to_string();
        let text = match (version, data) {
            (Version::V4, Some(data)) if data.as_bytes().starts_with(b"{") => data.as_str().to_owned(),
            (Version::V4, Some(data)) if data.as_bytes().starts_with(b"\"") => data.as_str().to_owned(),
            (Version::V4, _) => quoted,
            (Version::V5, None) => format!("{{\"message\":{quoted}}}"),
            (Version::V5, Some(data)) => format!("{{\"message\":{quoted},\"data\":{}}}", data.as_str()),
        };
        Packet { namespace, body: Body::ConnectError { payload: Some(RawJson::from_serializer(text)) } }
    }

    /// The payload as JSON, whatever the type.
    pub(crate) fn json(&self) -> Option<&RawJson> {
        match &self.body {
            Body::Connect { payload, .. } | Body::ConnectError { payload } => payload.as_ref(),
            Body::Disconnect => None,
            Body::Event { data, .. } | Body::BinaryEvent { data, .. } => Some(data.json()),
            Body::Ack { data, .. } | Body::BinaryAck { data, .. } => Some(data.json()),
        }
    }

    /// The acknowledgement's id, whatever the type.
    pub(crate) fn ack(&self) -> Option<AckId> {
        match &self.body {
            Body::Event { ack, .. } | Body::BinaryEvent { ack, .. } => *ack,
            Body::Ack { ack, .. } | Body::BinaryAck { ack, .. } => Some(*ack),
            Body::Connect { .. } | Body::Disconnect | Body::ConnectError { .. } => None,
        }
    }
}
