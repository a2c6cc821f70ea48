use std::sync::Arc;

use antiphon_engineio::{BinarySupport, PollForm, Revision};
use antiphon_model::{Arguments, ChannelFlags, ChannelId, Draft, Position, RawJson};
use antiphon_socketio::{Body, Decoder, Limits, Version};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const WEBSOCKET: Encoding = Encoding::WebSocket(Revision::V3, BinarySupport::Native);
const POSITION: Position = Position(17_951_000_000_000_007);

fn publication(name: Option<&str>, payload: Payload) -> Publication {
    let channel = Arc::new(ChannelId::new("c", ChannelFlags::NONE).unwrap());
    let mut draft = Draft::new(channel, payload);
    draft.name = name.map(Into::into);
    draft.at(POSITION)
}

fn json_payload(text: &str) -> Payload {
    Payload::Json(RawJson::new(Bytes::copy_from_slice(text.as_bytes())).unwrap())
}

/// The messages on a connection of this encoding, as text.
fn messages(encoding: Encoding, label: &str, publication: &Publication) -> Vec<String> {
    let messages = format(encoding).labelled_messages(label, publication);
    let text = |(kind, bytes)| {
        assert_eq!(kind, MessageKind::Text);
        String::from_utf8(bytes).unwrap()
    };
    messages.into_iter().map(text).collect()
}

/// What a client of the library reads.
fn event(message: &str) -> Value {
    let packet = message.strip_prefix('4').unwrap();
    let mut decoder = Decoder::new(Version::V4, Limits::default());
    let message = decoder.handle_text(&Bytes::copy_from_slice(packet.as_bytes())).unwrap().unwrap();
    let Body::Event { ack: None, data } = message.packet.body else { panic!("{message:?}") };
    assert_eq!(data.name(), "broadcast");
    serde_json::from_str(data.arguments()[0].get()).unwrap()
}

#[test]
fn a_broadcast_has_its_four_keys() {
    let arguments = Arguments::new(RawJson::from_serializer("[1, 2]"), Vec::new()).unwrap();
    for (name, payload, expected) in [
        (Some("hi"), json_payload(r#"{"a": [1]}"#), r#""name":"hi","channel":"WyJv","payload":{"a": [1]}"#),
        (None, json_payload("null"), r#""name":"message","channel":"WyJv","payload":null"#),
        (
            Some("é\""),
            Payload::Text("a\"\n😀".into()),
            r#""name":"é\"","channel":"WyJv","payload":"a\"\n😀""#,
        ),
        (
            Some("b"),
            Payload::Binary(Bytes::from_static(&[0, 255])),
            r#""name":"b","channel":"WyJv","payload":"AP8=","encoding":"base64""#,
        ),
        (Some("s"), Payload::Arguments(arguments.into()), r#""name":"s","channel":"WyJv","payload":[1, 2]"#),
    ] {
        let expected = format!(r#"42["broadcast",{{"id":"17951000000000007",{expected}}}]"#);
        assert_eq!(messages(WEBSOCKET, "WyJv", &publication(name, payload)), [expected]);
    }
}

#[test]
fn each_spelling_gets_its_own_event() {
    let label = label(["a+", "a-"]);
    let channels: Vec<_> = messages(WEBSOCKET, &label, &publication(None, json_payload("1")))
        .iter()
        .map(|message| event(message)["channel"].clone())
        .collect();
    assert_eq!(channels, ["a+", "a-"]);
}

#[test]
fn polls_of_old_clients_are_ascii() {
    let publication = publication(Some("é"), json_payload("\"😀\""));
    let [message] = &*messages(Encoding::Polling(PollForm::V3Text), "a", &publication) else { panic!() };
    let (length, packet) = message.split_once(':').unwrap();
    assert!(message.is_ascii(), "{message}");
    assert_eq!(length, packet.len().to_string());
    assert_eq!(event(packet)["payload"], json!("😀"));
    let binary = format(Encoding::Polling(PollForm::V3Binary)).stream_bytes(&publication);
    assert!(binary.starts_with(&[0]) && binary.ends_with(br#"\ude00"}]"#), "{binary:?}");
}

#[test]
fn formats_go_over_to_another_encoding() {
    for from in Encoding::ALL {
        for to in Encoding::ALL {
            let translated = translate(format(from), to).unwrap();
            assert!(std::ptr::eq(translated, format(to)));
        }
    }
    static OTHER: Format = Format { name: "other", encode: |_, _| {} };
    assert!(translate(&OTHER, WEBSOCKET).is_none());
}

proptest! {
    /// Whatever is published, under whatever name: the client reads the same, in every encoding that it may have.
    #[test]
    fn what_is_published_is_read(name: String, text: String, label in "[A-Za-z0-9+/=_-]{1,40}") {
        let json = json!({ "a": [text, null, 1.5] });
        let publication = publication(Some(&name), json_payload(&json.to_string()));
        let expected =
            json!({ "id": POSITION.0.to_string(), "name": name, "channel": label, "payload": json });
        for encoding in [WEBSOCKET, Encoding::WebSocket(Revision::V3, BinarySupport::Base64)] {
            let read = messages(encoding, &label, &publication);
            prop_assert_eq!(read.len(), 1);
            prop_assert_eq!(&event(&read[0]), &expected);
        }
        let polled = messages(Encoding::Polling(PollForm::V3Text), &label, &publication);
        let (length, packet) = polled[0].split_once(':').unwrap();
        prop_assert_eq!(length, packet.len().to_string());
        prop_assert_eq!(&event(packet), &expected);
    }
}
