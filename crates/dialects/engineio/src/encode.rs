//! Packets as the bytes that wait for a client, one after the other, until its transport takes them.
//!
//! A WebSocket takes each as a message of its own. A poll takes all that wait as one body; so that they can be appended
//! one by one, by whoever encodes them, each is written with what parts it from the next.

use base64::Engine as _;

use antiphon_net::MessageKind;

use crate::packet::{BASE64, BinarySupport, Data, Packet, Revision};

mod body;

pub(crate) use body::{Wanted, body, first_packets, packets};

/// The form in which packets wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Each is a message of a WebSocket.
    WebSocket(Revision, BinarySupport),
    /// They become the body of an HTTP answer.
    Polling(PollForm),
}

/// How packets stand in what becomes the body of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PollForm {
    /// Revision 4: text, with U+001E after each.
    V4,
    /// Revision 3 as text, with its length before each.
    V3Text,
    /// Revision 3 as bytes, with a marker and its length before each.
    V3Binary,
}

/// Ends a packet of revision 4.
pub(crate) const SEPARATOR: u8 = 0x1e;
/// Ends a length of [`PollForm::V3Binary`].
const END_OF_LENGTH: u8 = 0xFF;

impl Encoding {
    /// All that there are, in the order of [`Encoding::index`].
    pub const ALL: [Encoding; 7] = [
        Encoding::WebSocket(Revision::V4, BinarySupport::Native),
        Encoding::WebSocket(Revision::V4, BinarySupport::Base64),
        Encoding::WebSocket(Revision::V3, BinarySupport::Native),
        Encoding::WebSocket(Revision::V3, BinarySupport::Base64),
        Encoding::Polling(PollForm::V4),
        Encoding::Polling(PollForm::V3Text),
        Encoding::Polling(PollForm::V3Binary),
    ];

    /// Its place among all, for tables.
    pub fn index(self) -> usize {
        match self {
            Encoding::WebSocket(Revision::V4, BinarySupport::Native) => 0,
            Encoding::WebSocket(Revision::V4, BinarySupport::Base64) => 1,
            Encoding::WebSocket(Revision::V3, BinarySupport::Native) => 2,
            Encoding::WebSocket(Revision::V3, BinarySupport::Base64) => 3,
            Encoding::Polling(PollForm::V4) => 4,
            Encoding::Polling(PollForm::V3Text) => 5,
            Encoding::Polling(PollForm::V3Binary) => 6,
        }
    }

    /// The revision that the client speaks.
    pub fn revision(self) -> Revision {
        match self {
            Encoding::WebSocket(revision, _) => revision,
            Encoding::Polling(PollForm::V4) => Revision::V4,
            Encoding::Polling(PollForm::V3Text | PollForm::V3Binary) => Revision::V3,
        }
    }

    /// Whether no text may have a U+001E in it.
    pub fn separates(self) -> bool {
        self == Encoding::Polling(PollForm::V4)
    }

    /// Whether text had better be ASCII, if the same can be said in it: clients differ in how they read the rest, and which way is
    /// not known before they send some.
    pub fn prefers_ascii(self) -> bool {
        matches!(self, Encoding::Polling(PollForm::V3Text | PollForm::V3Binary))
    }

    /// What a message of bytes is on a WebSocket; a message of text is always text.
    pub fn binary_kind(self) -> MessageKind {
        match self {
            Encoding::WebSocket(_, BinarySupport::Base64) => MessageKind::Text,
            Encoding::WebSocket(_, BinarySupport::Native) | Encoding::Polling(_) => MessageKind::Binary,
        }
    }
}

/// Appends a message of text, which `write` appends. What it writes is UTF-8; a U+001E in it, which no poll of revision 4 can
/// carry, becomes a space there.
pub fn text_into(encoding: Encoding, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    typed_into(encoding, b'4', out, write);
}

/// Appends a message of bytes.
pub fn binary_into(encoding: Encoding, out: &mut Vec<u8>, bytes: &[u8]) {
    match encoding {
        Encoding::WebSocket(Revision::V4, BinarySupport::Native) => out.extend_from_slice(bytes),
        Encoding::WebSocket(Revision::V3, BinarySupport::Native) => {
            out.push(4);
            out.extend_from_slice(bytes);
        }
        Encoding::Polling(PollForm::V3Binary) => {
            v3_binary_head(1, 1 + bytes.len(), out);
            out.push(4);
            out.extend_from_slice(bytes);
        }
        Encoding::WebSocket(Revision::V4, BinarySupport::Base64) | Encoding::Polling(PollForm::V4) => {
            typed_into(encoding, b'b', out, |out| base64_into(bytes, out));
        }
        Encoding::WebSocket(Revision::V3, BinarySupport::Base64) | Encoding::Polling(PollForm::V3Text) => {
            typed_into(encoding, b'b', out, |out| {
                out.push(b'4');
                base64_into(bytes, out);
            });
        }
    }
}

/// Appends a packet; says what kind of WebSocket message it is, which polls ignore.
pub fn packet_into(encoding: Encoding, packet: &Packet, out: &mut Vec<u8>) -> MessageKind {
    let (digit, data) = match packet {
        Packet::Message(Data::Binary(bytes)) => {
            binary_into(encoding, out, bytes);
            return encoding.binary_kind();
        }
        Packet::Open(text) => (b'0', &**text),
        Packet::Close => (b'1', ""),
        Packet::Ping(text) => (b'2', &**text),
        Packet::Pong(text) => (b'3', &**text),
        Packet::Message(Data::Text(text)) => (b'4', &**text),
        Packet::Upgrade => (b'5', ""),
        Packet::Noop => (b'6', ""),
    };
    typed_into(encoding, digit, out, |out| out.extend_from_slice(data.as_bytes()));
    MessageKind::Text
}

/// Appends a packet that is text: its type, and what `write` appends.
fn typed_into(encoding: Encoding, digit: u8, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.push(digit);
    write(out);
    match encoding {
        Encoding::WebSocket(..) => {}
        Encoding::Polling(PollForm::V4) => {
            // Whoever chooses the text must not end another's packet, or session, with it.
            out[start..].iter_mut().filter(|byte| **byte == SEPARATOR).for_each(|byte| *byte = b' ');
            out.push(SEPARATOR);
        }
        Encoding::Polling(PollForm::V3Text) => {
            let units = utf16_units(&out[start..]);
            put_before(start, format!("{units}:").as_bytes(), out);
        }
        Encoding::Polling(PollForm::V3Binary) => {
            let mut head = Vec::with_capacity(8);
            v3_binary_head(0, out.len() - start, &mut head);
            put_before(start, &head, out);
        }
    }
}

fn v3_binary_head(marker: u8, length: usize, out: &mut Vec<u8>) {
    out.push(marker);
    out.extend(length.to_string().bytes().map(|digit| digit - b'0'));
    out.push(END_OF_LENGTH);
}

fn put_before(start: usize, head: &[u8], out: &mut Vec<u8>) {
    out.splice(start..start, head.iter().copied());
}

/// How many UTF-16 units UTF-8 text has: one for each character, two for those of four bytes.
fn utf16_units(utf8: &[u8]) -> usize {
    utf8.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
        + utf8.iter().filter(|byte| **byte >= 0xF0).count()
}

fn base64_into(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let most = base64::encoded_len(bytes.len(), true).expect("what is in memory has a length");
    out.resize(start + most, 0);
    let written = BASE64.encode_slice(bytes, &mut out[start..]).expect("there is room for it");
    out.truncate(start + written);
}

#[cfg(test)]
mod tests;
