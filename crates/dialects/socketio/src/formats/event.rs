use antiphon_engineio::{BinarySupport, Encoding, Revision, encode};
use antiphon_model::{Payload, Position};
use antiphon_net::{MessageKind, Messages};

use crate::arguments::{attachments, write_string, write_values};
use crate::wire::packet::AckId;
use crate::{Parser, ascii, msgpack};

/// The packet of an event, written from the payload that is published, without copies on the way.
pub(crate) struct EventPacket<'a> {
    /// As clients name it.
    pub(crate) namespace: &'a str,
    pub(crate) ack: Option<AckId>,
    /// The event's name, and strings that come before the payload's arguments.
    pub(crate) names: &'a [&'a str],
    pub(crate) payload: &'a Payload,
    pub(crate) tail: Tail,
}

/// What comes after an event's arguments for a client that can recover: it takes a string there for the event's position, whatever it
/// is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    Nothing,
    /// The event's position.
    Offset(Position),
    /// `null`: the event has no position to come back by, and ends in a string.
    NoOffset,
}

impl Tail {
    /// Behind an event that has no position to come back by.
    pub(crate) fn behind(payload: &Payload) -> Tail {
        let json = match payload {
            Payload::Text(_) => return Tail::NoOffset,
            Payload::Binary(_) => return Tail::Nothing,
            Payload::Json(json) => json.as_bytes().trim_ascii_end(),
            Payload::Arguments(arguments) => {
                let array = arguments.json().as_bytes().trim_ascii_end();
                array.strip_suffix(b"]").unwrap_or(array).trim_ascii_end()
            }
        };
        // Without an argument it is the event's name that is last.
        if json.ends_with(b"\"") || json == b"[" { Tail::NoOffset } else { Tail::Nothing }
    }
}

impl EventPacket<'_> {
    /// Writes the messages that it is on a connection: one, and with the default parser one more for each attachment.
    pub(crate) fn write(&self, encoding: Encoding, parser: Parser, messages: &mut Messages<'_>) {
        if parser == Parser::Msgpack {
            return self.write_packed(encoding, messages);
        }
        messages.message(MessageKind::Text, |out| {
            encode::text_into(encoding, out, |out| self.text(encoding, out))
        });
        for attachment in attachments(self.payload) {
            messages.message(encoding.binary_kind(), |out| encode::binary_into(encoding, out, attachment));
        }
    }

    fn write_packed(&self, encoding: Encoding, messages: &mut Messages<'_>) {
        match encoding {
            Encoding::WebSocket(revision, BinarySupport::Native) => {
                messages.message(MessageKind::Binary, |out| {
                    if revision == Revision::V3 {
                        encode::binary_into(encoding, out, &[]);
                    }
                    self.packed(out);
                });
            }
            _ => {
                let mut packed = Vec::with_capacity(self.payload.len() + 64);
                self.packed(&mut packed);
                messages.message(encoding.binary_kind(), |out| encode::binary_into(encoding, out, &packed));
            }
        }
    }

    /// As the default parser reads it.
    pub(crate) fn text(&self, encoding: Encoding, out: &mut Vec<u8>) {
        let mut digits = itoa::Buffer::new();
        match attachments(self.payload).len() {
            0 => out.push(b'2'),
            count => {
                out.push(b'5');
                out.extend_from_slice(digits.format(count).as_bytes());
                out.push(b'-');
            }
        }
        if self.namespace != "/" {
            out.extend_from_slice(self.namespace.as_bytes());
            out.push(b',');
        }
        if let Some(ack) = self.ack {
            out.extend_from_slice(digits.format(ack.value()).as_bytes());
        }
        let json = out.len();
        let mut mark = b'[';
        for name in self.names {
            out.push(mark);
            write_string(name, out);
            mark = b',';
        }
        out.push(b',');
        if !write_values(self.payload, out) {
            out.pop();
        }
        match self.tail {
            Tail::Nothing => {}
            Tail::Offset(Position(offset)) => {
                out.extend_from_slice(b",\"");
                out.extend_from_slice(digits.format(offset).as_bytes());
                out.push(b'"');
            }
            Tail::NoOffset => out.extend_from_slice(b",null"),
        }
        out.push(b']');
        ascii::escape(encoding, out, json);
    }

    /// As the MessagePack parser reads it.
    pub(crate) fn packed(&self, out: &mut Vec<u8>) {
        let mut digits = itoa::Buffer::new();
        let last = match self.tail {
            Tail::Nothing => None,
            Tail::Offset(Position(offset)) => Some(Some(digits.format(offset))),
            Tail::NoOffset => Some(None),
        };
        let EventPacket { namespace, ack, names, payload, .. } = *self;
        msgpack::event(out, &msgpack::Event { namespace, ack, names, payload, last });
    }
}
