//! The packets of `socket.io-msgpack-parser`: one binary message for a packet, a MessagePack map with the members `type`,
//! `nsp`, `data` and `id`. Attachments stand where they belong, so there are no binary types and no placeholders.
//!
//! A packet is transcoded between that and JSON with placeholders without a tree of it ever being built.

mod extension;
mod read;
mod write;

use antiphon_model::Placeholder;
use bytes::Bytes;

use super::attachments::Message;
use super::error::{DecodeError, EncodeError};
use super::limits::Limits;
use super::namespace::Namespace;
use super::packet::{Kind, Packet, Parts, Version, ack_id, split_query};
use read::{Reader, Value};
pub(crate) use write::{Event, event};

/// Reads one packet. Members other than the four are skipped: clients write what their library keeps with a packet.
///
/// `undefined` is null, a date the string that `JSON.stringify` makes of it, a number that JSON has not is null. The
/// attachments are slices of `bytes`.
///
/// # Errors
/// It is not a packet of `version`, or beyond `limits`.
pub fn decode(bytes: &Bytes, version: Version, limits: &Limits) -> Result<Message, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    if bytes.len() > limits.packet_bytes_max {
        return Err(DecodeError::TooLarge);
    }
    let mut reader = Reader::new(bytes, limits);
    let members = Members::read(&mut reader)?;
    reader.end()?;

    let mut kind = members.kind.ok_or(DecodeError::UnknownType)?;
    let written = members.namespace.ok_or(DecodeError::InvalidNamespace)?;
    if written.len() > limits.namespace_bytes_max {
        return Err(DecodeError::NamespaceTooLong);
    }
    let (namespace, query) = split_query(written, version, kind)?;
    let attachments = reader.into_attachments();
    if !attachments.is_empty() {
        kind = match kind {
            Kind::Event => Kind::BinaryEvent,
            Kind::Ack => Kind::BinaryAck,
            _ => return Err(DecodeError::InvalidPayload),
        };
    }
    let count = attachments.len();
    let ack = members.ack.map(|id| ack_id(id.to_string().as_bytes(), limits)).transpose()?;
    let payload = members.data.map(Bytes::from);
    let body = Parts { version, kind, attachments: count, query, ack, payload }.assemble()?;
    let packet = Packet { namespace: if namespace.is_root() { Namespace::root() } else { namespace }, body };
    if let Some(json) = packet.json().filter(|_| packet.is_binary()) {
        Placeholder::find(json, count)?;
    }
    Ok(Message { packet, attachments })
}

/// Writes one packet, as clients of version 5 expect it. Half of a surrogate pair, for which UTF-8 has no form, becomes U+FFFD.
///
/// # Errors
/// An attachment's placeholder is not where [`Message`] says that it is.
pub fn encode(message: &Message) -> Result<Bytes, EncodeError> {
    write::packet(message).map(Bytes::from)
}

/// The members of a packet, as far as they have come.
#[derive(Default)]
struct Members {
    kind: Option<Kind>,
    namespace: Option<Bytes>,
    data: Option<Vec<u8>>,
    ack: Option<u64>,
}

impl Members {
    fn read(reader: &mut Reader<'_>) -> Result<Members, DecodeError> {
        let Value::Map(count) = reader.value()? else { return Err(DecodeError::InvalidPayload) };
        let mut members = Members::default();
        let mut seen = [false; 4];
        for _ in 0..count {
            let Value::String(key) = reader.value()? else { return Err(DecodeError::UnsupportedMsgpack) };
            let index = match &key[..] {
                b"type" => 0,
                b"nsp" => 1,
                b"data" => 2,
                b"id" => 3,
                _ => {
                    reader.skip()?;
                    continue;
                }
            };
            if std::mem::replace(&mut seen[index], true) {
                return Err(DecodeError::InvalidMsgpack);
            }
            match index {
                0 => members.kind = Some(Members::kind(reader.value()?)?),
                1 => members.namespace = Some(Members::namespace(reader.value()?)?),
                2 => members.data = reader.data()?,
                _ => members.ack = Members::ack(reader.value()?)?,
            }
        }
        Ok(members)
    }

    fn kind(value: Value) -> Result<Kind, DecodeError> {
        let Value::Unsigned(number) = value else { return Err(DecodeError::UnknownType) };
        Kind::from_number(number).filter(|kind| !kind.is_binary()).ok_or(DecodeError::UnknownType)
    }

    fn namespace(value: Value) -> Result<Bytes, DecodeError> {
        match value {
            Value::String(name) => Ok(name),
            _ => Err(DecodeError::InvalidNamespace),
        }
    }

    fn ack(value: Value) -> Result<Option<u64>, DecodeError> {
        match value {
            Value::Unsigned(id) => Ok(Some(id)),
            Value::Null => Ok(None),
            _ => Err(DecodeError::InvalidAckId),
        }
    }
}

#[cfg(test)]
mod tests;
