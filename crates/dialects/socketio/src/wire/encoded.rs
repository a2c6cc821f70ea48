use std::sync::Arc;

use antiphon_model::Position;
use bytes::Bytes;

use super::attachments::Message;
use super::data::EventData;
use super::error::EncodeError;
use super::msgpack;
use super::namespace::Namespace;
use super::packet::{AckId, Body, Header, Kind, Packet};

/// An event for all receivers of a room.
#[derive(Clone, Debug)]
pub struct RoomEvent {
    /// The namespace that the room is in.
    pub namespace: Namespace,
    /// Given if the sender collects acknowledgements: one id for all receivers.
    pub ack: Option<AckId>,
    /// Name and arguments.
    pub data: EventData,
    /// What the placeholders in `data` stand for, in the order of their numbers.
    pub attachments: Vec<Bytes>,
}

/// The bytes of an event, to be shared by all receivers: cloning copies none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedEvent {
    /// The text message, without Engine.IO's message type before it.
    pub text: Bytes,
    /// The binary messages that follow it, with nothing in between.
    pub attachments: Arc<[Bytes]>,
}

impl RoomEvent {
    /// The event in the default form, which is the same in versions 4 and 5.
    ///
    /// With `offset`, it is the last argument: receivers with connection state recovery send the last one that they had
    /// when they come back. That is one more copy of the event, for those receivers; an event that wants acknowledgements
    /// has no offset in either.
    pub fn encode(&self, offset: Option<Position>) -> EncodedEvent {
        let kind = if self.attachments.is_empty() { Kind::Event } else { Kind::BinaryEvent };
        let header = Header {
            kind,
            attachments: self.attachments.len(),
            namespace: &self.namespace,
            query: None,
            ack: self.ack,
        };
        let json = self.data.json().as_bytes();
        let mut out = header.begin(json.len() + OFFSET_BYTES);
        append(&mut out, json, self.offset(offset));
        EncodedEvent { text: out.into(), attachments: self.attachments.as_slice().into() }
    }

    /// The event in the form of the MessagePack parser: one binary message. `offset` is as in [`RoomEvent::encode`].
    ///
    /// # Errors
    /// An attachment's placeholder is not where it should be.
    pub fn encode_msgpack(&self, offset: Option<Position>) -> Result<Bytes, EncodeError> {
        let data = match self.offset(offset) {
            None => self.data.clone(),
            offset => self.data.with_offset(offset),
        };
        let (ack, attachments) = (self.ack, self.attachments.len());
        let body = match attachments {
            0 => Body::Event { ack, data },
            _ => Body::BinaryEvent { attachments, ack, data },
        };
        let packet = Packet { namespace: self.namespace.clone(), body };
        msgpack::encode(&Message { packet, attachments: self.attachments.clone() })
    }

    fn offset(&self, offset: Option<Position>) -> Option<Position> {
        offset.filter(|_| self.ack.is_none())
    }
}

impl EventData {
    fn with_offset(&self, offset: Option<Position>) -> EventData {
        let json = self.json().as_bytes();
        let mut out = Vec::with_capacity(json.len() + OFFSET_BYTES);
        append(&mut out, json, offset);
        EventData::from_serializer(self.name().to_owned(), antiphon_model::RawJson::from_serializer(out))
    }
}

/// A comma, two quotes and the digits of a position.
const OFFSET_BYTES: usize = 23;

/// Appends an array that has at least one element, with one more at its end.
fn append(out: &mut Vec<u8>, json: &[u8], offset: Option<Position>) {
    match (offset, json.trim_ascii_end().strip_suffix(b"]")) {
        (Some(offset), Some(open)) => {
            out.extend_from_slice(open);
            out.extend_from_slice(format!(",\"{offset}\"]").as_bytes());
        }
        _ => out.extend_from_slice(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decoder, Limits, Version};

    const OFFSET: Position = Position(17_325_678_901_234_567);

    fn event(data: &'static str) -> RoomEvent {
        RoomEvent {
            namespace: Namespace::root(),
            ack: None,
            data: EventData::parse(Bytes::from_static(data.as_bytes())).unwrap(),
            attachments: Vec::new(),
        }
    }

    #[test]
    fn an_offset_is_the_last_argument() {
        assert_eq!(event(r#"["a"]"#).encode(None).text, r#"2["a"]"#);
        assert_eq!(event(r#"["a"]"#).encode(Some(OFFSET)).text, r#"2["a","17325678901234567"]"#);
        assert_eq!(
            event("[\"a\" , [1] \n]\n ").encode(Some(OFFSET)).text,
            "2[\"a\" , [1] \n,\"17325678901234567\"]"
        );
        assert_eq!(event(r#"["a"]"#).encode(Some(Position(u64::MAX))).text.len(), 6 + OFFSET_BYTES);
        let acked = RoomEvent { ack: AckId::new(3), ..event(r#"["a"]"#) };
        assert_eq!(acked.encode(Some(OFFSET)).text, r#"23["a"]"#);
    }

    #[test]
    fn both_versions_and_the_msgpack_parser_read_the_same() {
        let binary = RoomEvent {
            namespace: Namespace::new("/admin").unwrap(),
            attachments: vec![Bytes::from_static(b"\x01\x02")],
            ..event(r#"["a",{"_placeholder":true,"num":0}]"#)
        };
        let encoded = binary.encode(Some(OFFSET));
        assert_eq!(encoded.text, r#"51-/admin,["a",{"_placeholder":true,"num":0},"17325678901234567"]"#);
        let read = |version| {
            let mut decoder = Decoder::new(version, Limits::default());
            assert_eq!(decoder.handle_text(&encoded.text), Ok(None));
            decoder.handle_binary(encoded.attachments[0].clone()).unwrap().unwrap()
        };
        let packed = binary.encode_msgpack(Some(OFFSET)).unwrap();
        let unpacked = msgpack::decode(&packed, Version::V5, &Limits::default()).unwrap();
        assert_eq!(read(Version::V4), read(Version::V5));
        assert_eq!(read(Version::V5), unpacked);
    }

    #[test]
    fn receivers_share_the_bytes() {
        let encoded = event(r#"["a"]"#).encode(None);
        let other = encoded.clone();
        assert_eq!(encoded.text.as_ptr(), other.text.as_ptr());
        assert!(Arc::ptr_eq(&encoded.attachments, &other.attachments));
    }
}
