use std::collections::HashMap;

use antiphon_model::Payload;
use bytes::Bytes;
use serde_json::Value;

use crate::{Binary, Body, Decoder, EventArguments, Limits, Version};

/// The events of one connection, as [`packets`](super::packets) takes them: their arguments are read as many things, and sent on.
pub fn arguments(data: &[u8]) {
    for arguments in events(data) {
        let _ = arguments.parse::<()>();
        let _ = arguments.parse::<Binary>();
        let _ = arguments.parse::<(String, Option<u64>)>();
        let _ = arguments.parse::<[Option<Value>; 3]>();
        let _ = arguments.parse::<(HashMap<String, Binary>, Vec<f64>)>();
        let payload = arguments.to_payload();
        if let Payload::Arguments(all) = &payload {
            serde_json::from_str::<serde::de::IgnoredAny>(all.to_json().as_str()).expect("it is JSON still");
        }
        let again = EventArguments::of_payload(&payload);
        assert_eq!(again.attachments(), arguments.attachments());
        assert_eq!(values(&again), values(&arguments));
    }
}

/// The events of one connection, taken for events of the standalone server.
pub fn builtin(data: &[u8]) {
    events(data).iter().for_each(crate::builtin::fuzzing::requests);
}

fn values(arguments: &EventArguments) -> Vec<Option<Value>> {
    // Half of a surrogate pair and numbers without bounds are none.
    arguments.iter().map(|one| serde_json::from_str(one).ok()).collect()
}

fn events(data: &[u8]) -> Vec<EventArguments> {
    let limits = Limits { packet_bytes_max: 10_000, ..Limits::default() };
    let mut decoder = Decoder::new(Version::V5, limits);
    let mut events = Vec::new();
    for line in data.split(|byte| *byte == b'\n') {
        let message = match line.split_first() {
            Some((b'b', rest)) => decoder.handle_binary(Bytes::copy_from_slice(rest)),
            _ => decoder.handle_text(&Bytes::copy_from_slice(line)),
        };
        let Ok(Some(message)) = message else { continue };
        match message.packet.body {
            Body::Event { data, .. } | Body::BinaryEvent { data, .. } => {
                assert_eq!(EventArguments::from_event(&data, Vec::new()).len(), data.arguments().len());
                events.push(EventArguments::from_event(&data, message.attachments));
            }
            Body::Ack { data, .. } | Body::BinaryAck { data, .. } => {
                assert_eq!(EventArguments::from_ack(&data, Vec::new()).len(), data.arguments().len());
                events.push(EventArguments::from_ack(&data, message.attachments));
            }
            _ => {}
        }
    }
    events
}
