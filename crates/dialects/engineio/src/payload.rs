//! Several packets in one HTTP body, as polling carries them.
//!
//! Revision 4 has one form, text with separators. Revision 3 has two, text with lengths and binary with lengths, and each
//! body says by its media type which it is. JSONP wraps either revision's text.

mod jsonp;
mod v3_binary;
mod v3_text;
mod v4;

use bytes::Bytes;

use crate::packet::{BinarySupport, Packet, PacketError, Revision};

pub use jsonp::{JsonpIndex, jsonp_body, jsonp_script};

/// The media type of text payloads.
pub const TEXT_TYPE: &str = "text/plain; charset=UTF-8";
/// The media type of binary payloads.
pub const BINARY_TYPE: &str = "application/octet-stream";
/// The media type of JSONP answers.
pub const SCRIPT_TYPE: &str = "text/javascript; charset=UTF-8";

/// An encoded payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Of [`TEXT_TYPE`].
    Text(String),
    /// Of [`BINARY_TYPE`].
    Binary(Vec<u8>),
}

/// How the body of a request is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// Text: any media type but the others.
    Text,
    /// `application/octet-stream`.
    Binary,
    /// The form of a JSONP client: the request has `j` in its query.
    Jsonp,
}

/// What one payload may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadLimits {
    /// Bytes of the whole body.
    pub bytes_max: usize,
    /// Packets in it.
    pub packets_max: usize,
}

/// When a payload of revision 3 is binary, for a client that did not say `b64=1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum V3Framing {
    /// Only if one of its packets has bytes, or characters beyond ASCII: in text, clients read these in different ways.
    #[default]
    WhenNeeded,
    /// Always: some clients written for servers 1.x read nothing else.
    Always,
}

/// How a client of revision 3 has characters beyond ASCII in text payloads, as far as it has shown that by what it sent.
///
/// Nothing else tells: clients 1.x and 2.x differ in this alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum V3Text {
    /// It has sent none. It is written to as if it were [`V3Text::Utf8`].
    #[default]
    Unknown,
    /// As UTF-8; lengths count UTF-16 units. What clients 2.x speak. This is certain: a payload could be nothing else.
    Utf8,
    /// As UTF-8 whose bytes are taken for characters and encoded once more; lengths count the bytes of the first round.
    /// What clients 1.x speak. This is likely: payloads could be such, and are read so until one cannot.
    DoubleUtf8,
}

/// The bytes are no payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// More bytes than a payload may have.
    #[error("a payload of more than {max} bytes")]
    TooLarge {
        /// The limit.
        max: usize,
    },
    /// More packets than a payload may have.
    #[error("a payload of more than {max} packets")]
    TooManyPackets {
        /// The limit.
        max: usize,
    },
    /// Text that is not UTF-8.
    #[error("a payload that is not UTF-8")]
    NotUtf8,
    /// A binary body in revision 4, which has none.
    #[error("a binary payload in revision 4")]
    Binary,
    /// A length that is missing, is no number, or cuts a character in two.
    #[error("a packet's length is invalid")]
    Length,
    /// A binary payload's packet that is neither text (0) nor binary (1).
    #[error("a packet is neither text nor binary")]
    Marker,
    /// The body ends before a packet does.
    #[error("a packet is cut off")]
    Truncated,
    /// A JSONP body that is no form with one `d`.
    #[error("a form without valid data")]
    Form,
    /// One of its packets is none.
    #[error(transparent)]
    Packet(#[from] PacketError),
}

/// How a session's payloads are written and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codec {
    /// The session's revision.
    pub revision: Revision,
    /// Whether the client takes binary payloads; revision 4 never has them.
    pub binary: BinarySupport,
    /// When they are binary, in revision 3.
    pub v3_framing: V3Framing,
    /// How the client has text, in revision 3.
    pub v3_text: V3Text,
}

impl Codec {
    /// Writes packets as one payload.
    ///
    /// In revision 4 no text of `packets` may have U+001E in it: it separates packets, and nothing can escape it.
    pub fn encode(&self, packets: &[Packet]) -> Body {
        match self.revision {
            Revision::V3 if self.is_binary(packets) => Body::Binary(v3_binary::encode(packets)),
            Revision::V3 | Revision::V4 => Body::Text(self.encode_text(packets)),
        }
    }

    /// Writes packets as one payload of text, as JSONP needs it.
    pub fn encode_text(&self, packets: &[Packet]) -> String {
        match self.revision {
            Revision::V3 => v3_text::encode(packets, self.v3_text),
            Revision::V4 => v4::encode(packets),
        }
    }

    /// Reads a payload: all of its packets, or none. Learns from it how the client has text.
    ///
    /// # Errors
    /// It is over a limit, malformed, or has a packet that is.
    pub fn decode(
        &mut self,
        form: BodyForm,
        body: Bytes,
        limits: PayloadLimits,
    ) -> Result<Vec<Packet>, PayloadError> {
        if body.len() > limits.bytes_max {
            return Err(PayloadError::TooLarge { max: limits.bytes_max });
        }
        match (form, self.revision) {
            (BodyForm::Binary, Revision::V3) => v3_binary::decode(&body, limits.packets_max),
            (BodyForm::Binary, Revision::V4) => Err(PayloadError::Binary),
            (BodyForm::Text, _) => self.decode_text(utf8(&body)?, limits.packets_max),
            (BodyForm::Jsonp, _) => self.decode_text(&jsonp_body(&body)?, limits.packets_max),
        }
    }

    fn decode_text(&mut self, text: &str, packets_max: usize) -> Result<Vec<Packet>, PayloadError> {
        match self.revision {
            Revision::V3 => v3_text::decode(text, &mut self.v3_text, packets_max),
            Revision::V4 => v4::decode(text, packets_max),
        }
    }

    fn is_binary(&self, packets: &[Packet]) -> bool {
        self.binary == BinarySupport::Native
            && (self.v3_framing == V3Framing::Always || !packets.iter().all(Packet::is_ascii))
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, PayloadError> {
    std::str::from_utf8(bytes).map_err(|_| PayloadError::NotUtf8)
}

/// The packets read so far, and how many more there may be.
struct Packets {
    read: Vec<Packet>,
    max: usize,
    seen: usize,
}

impl Packets {
    fn new(max: usize) -> Packets {
        Packets { read: Vec::new(), max, seen: 0 }
    }

    /// Makes room for one more; asked before it is decoded, so that none past the limit costs anything.
    fn expect_one(&mut self) -> Result<(), PayloadError> {
        if self.seen == self.max {
            return Err(PayloadError::TooManyPackets { max: self.max });
        }
        self.seen += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
