//! A packet, and how it is one message of a WebSocket.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use crate::text::Text;

/// Padded when written; read with padding or without, as clients differ.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The revision of the protocol, `EIO` in the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Revision {
    /// Socket.IO clients 1.x and 2.x: the client pings.
    V3,
    /// Socket.IO clients from 3.x on: the server pings.
    V4,
}

/// Whether a transport of a client takes bytes as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinarySupport {
    /// Bytes are sent as bytes wherever the encoding can.
    Native,
    /// Bytes are sent as base64 in text: the client said `b64=1`.
    Base64,
}

/// What a message holds. Clones share the contents.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Data {
    /// Text, which may be empty.
    Text(Text),
    /// Bytes, which may be none.
    Binary(Bytes),
}

/// A packet of either direction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Packet {
    /// `0`: the session begins; the server's JSON.
    Open(Text),
    /// `1`: the session, or the transport, ends.
    Close,
    /// `2`: a heartbeat, or a probe if its data is `probe`.
    Ping(Text),
    /// `3`: the answer to a ping, with its data.
    Pong(Text),
    /// `4`: what the layer above sends.
    Message(Data),
    /// `5`: the probed transport is the session's from here on.
    Upgrade,
    /// `6`: nothing, to answer a poll with.
    Noop,
}

/// One message of a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Frame {
    /// A text message.
    Text(Text),
    /// A binary message.
    Binary(Bytes),
}

/// The bytes are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Nothing at all, where the type should stand.
    #[error("a packet without a type")]
    Empty,
    /// A type that is not `0` to `6`.
    #[error("an unknown type of packet")]
    UnknownType,
    /// What follows `b` is no base64.
    #[error("invalid base64")]
    Base64,
    /// A binary packet that is no message; only messages carry bytes.
    #[error("a binary packet that is no message")]
    BinaryControl,
}

impl Packet {
    /// A text message.
    pub fn text(text: impl Into<Text>) -> Packet {
        Packet::Message(Data::Text(text.into()))
    }

    /// A binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Packet {
        Packet::Message(Data::Binary(bytes.into()))
    }

    /// How many bytes of data the packet holds, before any encoding.
    pub fn data_bytes(&self) -> usize {
        match self {
            Packet::Open(text) | Packet::Ping(text) | Packet::Pong(text) => text.len(),
            Packet::Message(Data::Text(text)) => text.len(),
            Packet::Message(Data::Binary(bytes)) => bytes.len(),
            Packet::Close | Packet::Upgrade | Packet::Noop => 0,
        }
    }

    /// Whether it holds no bytes, and no character beyond ASCII.
    pub(crate) fn is_ascii(&self) -> bool {
        match self {
            Packet::Open(text) | Packet::Ping(text) | Packet::Pong(text) => text.is_ascii(),
            Packet::Message(Data::Text(text)) => text.is_ascii(),
            Packet::Message(Data::Binary(_)) => false,
            Packet::Close | Packet::Upgrade | Packet::Noop => true,
        }
    }

    /// Reads a text packet: `<type>[<data>]`, or base64 after `b` (revision 4) or `b<type>` (revision 3).
    ///
    /// Data of `close`, `upgrade` and `noop` means nothing and is dropped.
    ///
    /// # Errors
    /// The text is no packet.
    pub fn from_text(revision: Revision, text: &str) -> Result<Packet, PacketError> {
        let mut rest = text.chars();
        let data = match rest.next().ok_or(PacketError::Empty)? {
            'b' => return packet_from_base64(revision, rest.as_str()),
            digit => (digit, rest.as_str()),
        };
        Ok(match data {
            ('0', data) => Packet::Open(data.into()),
            ('1', _) => Packet::Close,
            ('2', data) => Packet::Ping(data.into()),
            ('3', data) => Packet::Pong(data.into()),
            ('4', data) => Packet::text(data),
            ('5', _) => Packet::Upgrade,
            ('6', _) => Packet::Noop,
            _ => return Err(PacketError::UnknownType),
        })
    }

    /// Reads a binary packet: the data alone (revision 4), or after the type as a byte (revision 3).
    ///
    /// # Errors
    /// The bytes are no packet.
    pub fn from_binary(revision: Revision, bytes: Bytes) -> Result<Packet, PacketError> {
        match revision {
            Revision::V4 => Ok(Packet::binary(bytes)),
            Revision::V3 => match bytes.first() {
                None => Err(PacketError::Empty),
                Some(4) => Ok(Packet::binary(bytes.slice(1..))),
                Some(0..=6) => Err(PacketError::BinaryControl),
                Some(_) => Err(PacketError::UnknownType),
            },
        }
    }

    /// Reads a message of a WebSocket.
    ///
    /// # Errors
    /// The message is no packet.
    pub fn from_frame(revision: Revision, frame: Frame) -> Result<Packet, PacketError> {
        match frame {
            Frame::Text(text) => Packet::from_text(revision, &text),
            Frame::Binary(bytes) => Packet::from_binary(revision, bytes),
        }
    }

    /// Writes the packet as a message of a WebSocket. Bytes of revision 4 are not copied.
    pub fn to_frame(&self, revision: Revision, binary: BinarySupport) -> Frame {
        match (self, binary, revision) {
            (Packet::Message(Data::Binary(bytes)), BinarySupport::Native, Revision::V4) => {
                Frame::Binary(bytes.clone())
            }
            (Packet::Message(Data::Binary(bytes)), BinarySupport::Native, Revision::V3) => {
                let mut framed = Vec::with_capacity(1 + bytes.len());
                framed.push(4);
                framed.extend_from_slice(bytes);
                Frame::Binary(framed.into())
            }
            _ => {
                let mut text = String::with_capacity(1 + self.data_bytes());
                self.write_text(revision, &mut text);
                Frame::Text(text.into())
            }
        }
    }

    /// Appends the packet as text; bytes as base64.
    pub(crate) fn write_text(&self, revision: Revision, out: &mut String) {
        let (digit, data) = match self {
            Packet::Open(text) => ('0', &**text),
            Packet::Close => ('1', ""),
            Packet::Ping(text) => ('2', &**text),
            Packet::Pong(text) => ('3', &**text),
            Packet::Message(Data::Text(text)) => ('4', &**text),
            Packet::Message(Data::Binary(bytes)) => {
                out.push_str(match revision {
                    Revision::V3 => "b4",
                    Revision::V4 => "b",
                });
                return BASE64.encode_string(bytes, out);
            }
            Packet::Upgrade => ('5', ""),
            Packet::Noop => ('6', ""),
        };
        out.push(digit);
        out.push_str(data);
    }
}

fn packet_from_base64(revision: Revision, text: &str) -> Result<Packet, PacketError> {
    let encoded = match revision {
        Revision::V4 => text,
        Revision::V3 => match text.as_bytes().first() {
            None => return Err(PacketError::Empty),
            Some(b'4') => &text[1..],
            Some(b'0'..=b'6') => return Err(PacketError::BinaryControl),
            Some(_) => return Err(PacketError::UnknownType),
        },
    };
    BASE64.decode(encoded).map(Packet::binary).map_err(|_| PacketError::Base64)
}

#[cfg(test)]
mod tests;
