use antiphon_engineio::{Data, Encoding, SendOptions, Text};
use antiphon_model::Payload;
use bytes::Bytes;

use crate::arguments::{self, EventArguments};
use crate::connection::Connection;
use crate::{AckId, Body, NamespaceName, Packet, Parser, ascii};

/// The answer to an event, written where the transport wants it.
pub(super) struct AckPacket<'a> {
    pub(super) namespace: &'a NamespaceName,
    pub(super) id: AckId,
    pub(super) values: &'a Values,
}

/// What an event is answered with.
pub(super) enum Values {
    Payload(Payload),
    Arguments(EventArguments),
}

impl AckPacket<'_> {
    /// Sends it, behind what was sent before. What a client that is gone or does not read is not sent is the transport's
    /// business.
    pub(super) fn send(&self, connection: &Connection) {
        let (link, options) = (connection.link(), SendOptions::default());
        let attachments = self.values.attachments();
        match connection.parser() {
            Parser::Default if attachments.is_empty() => {
                let _ = link.send_text(options, |out| self.text(0, link.encoding(), out));
            }
            Parser::Default => {
                let mut text = Vec::new();
                self.text(attachments.len(), link.encoding(), &mut text);
                let text = Text::from_utf8(text.into()).unwrap_or_default();
                let binary = attachments.iter().cloned().map(Data::Binary);
                let messages: Vec<_> = std::iter::once(Data::Text(text)).chain(binary).collect();
                let _ = link.send_all(&messages, options);
            }
            Parser::Msgpack => {
                let (packet, attachments) = self.packet();
                connection.send_packet(&packet, &attachments);
            }
        }
    }

    fn text(&self, attachments: usize, encoding: Encoding, out: &mut Vec<u8>) {
        let mut digits = itoa::Buffer::new();
        if attachments == 0 {
            out.push(b'3');
        } else {
            out.push(b'6');
            out.extend_from_slice(digits.format(attachments).as_bytes());
            out.push(b'-');
        }
        if !self.namespace.is_root() {
            out.extend_from_slice(self.namespace.as_str().as_bytes());
            out.push(b',');
        }
        out.extend_from_slice(digits.format(self.id.value()).as_bytes());
        let json = out.len();
        out.push(b'[');
        match self.values {
            Values::Payload(payload) => {
                arguments::write_values(payload, out);
                out.push(b']');
            }
            Values::Arguments(arguments) => out.extend_from_slice(arguments.rest().as_bytes()),
        }
        ascii::escape(encoding, out, json);
    }

    fn packet(&self) -> (Packet, Vec<Bytes>) {
        let (data, attachments) = match self.values {
            Values::Payload(payload) => arguments::to_ack(payload),
            Values::Arguments(arguments) => arguments::to_ack(&arguments.to_payload()),
        };
        let ack = self.id;
        let body = match attachments.len() {
            0 => Body::Ack { ack, data },
            count => Body::BinaryAck { attachments: count, ack, data },
        };
        (Packet { namespace: self.namespace.clone(), body }, attachments)
    }
}

impl Values {
    fn attachments(&self) -> &[Bytes] {
        match self {
            Values::Payload(payload) => arguments::attachments(payload),
            Values::Arguments(arguments) => arguments.attachments(),
        }
    }
}
