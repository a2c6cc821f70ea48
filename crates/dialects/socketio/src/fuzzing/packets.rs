use bytes::Bytes;

use crate::{Body, Decoder, Limits, Message, RoomEvent, Version, msgpack};

/// Messages of one connection, a line each: the first byte is `b` for binary, anything else for text. What is taken is
/// written again and has to read the same.
pub fn packets(data: &[u8]) {
    let limits = Limits { packet_bytes_max: 10_000, ..Limits::default() };
    for version in [Version::V4, Version::V5] {
        let mut decoder = Decoder::new(version, limits.clone());
        for line in data.split(|byte| *byte == b'\n') {
            let message = match line.split_first() {
                Some((b'b', rest)) => decoder.handle_binary(Bytes::copy_from_slice(rest)),
                _ => decoder.handle_text(&Bytes::copy_from_slice(line)),
            };
            let Ok(Some(message)) = message else { continue };
            assert!(!decoder.is_awaiting());
            check(&message, version, &limits);
        }
    }
}

/// A packet of MessagePack. What is taken is written again in both forms, and has to read the same.
pub fn msgpack(data: &[u8]) {
    let limits = Limits { packet_bytes_max: 10_000, ..Limits::default() };
    for version in [Version::V4, Version::V5] {
        if let Ok(message) = msgpack::decode(&Bytes::copy_from_slice(data), version, &limits) {
            check(&message, version, &limits);
        }
    }
}

fn check(message: &Message, version: Version, limits: &Limits) {
    assert!(message.attachments.len() <= limits.attachments_max);
    // What a packet is written as may be longer than what it was read from: ids and commas are made plain.
    let limits = &Limits { packet_bytes_max: 1_000_000, ..limits.clone() };
    let mut decoder = Decoder::new(version, limits.clone());
    let text = message.packet.encode(version);
    let mut again = decoder.handle_text(&text).expect("what was taken is taken again");
    for attachment in &message.attachments {
        assert!(again.is_none());
        again = decoder.handle_binary(attachment.clone()).expect("the attachment is due");
    }
    assert_eq!(again.as_ref(), Some(message));
    let packed = msgpack::encode(message).expect("what was taken has a form");
    let unpacked = msgpack::decode(&packed, Version::V5, limits);
    // Version 4's errors and queries are nothing to version 5.
    assert!(unpacked.is_ok() || version == Version::V4, "{unpacked:?}");
    if let Body::Event { ack, data } | Body::BinaryEvent { ack, data, .. } = &message.packet.body {
        let event = RoomEvent {
            namespace: message.packet.namespace.clone(),
            ack: *ack,
            data: data.clone(),
            attachments: message.attachments.clone(),
        };
        let arguments = data.arguments().len() + usize::from(ack.is_none());
        let offset = event.encode(Some(antiphon_model::Position(1)));
        let mut decoder = Decoder::new(version, limits.clone());
        let mut again = decoder.handle_text(&offset.text).expect("an offset does no harm");
        for attachment in offset.attachments.iter() {
            again = decoder.handle_binary(attachment.clone()).expect("the attachment is due");
        }
        let Some(Message { packet, .. }) = again else { panic!("attachments are missing") };
        let (Body::Event { data, .. } | Body::BinaryEvent { data, .. }) = packet.body else {
            panic!("an event stays one")
        };
        assert_eq!(data.arguments().len(), arguments);
    }
}
