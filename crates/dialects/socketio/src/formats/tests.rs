use std::sync::Arc;

use antiphon_engineio::{BinarySupport, PollForm, Revision};
use antiphon_model::{Arguments, ChannelFlags, ChannelId, Draft, Payload, Position, RawJson};
use antiphon_net::MessageKind;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::arguments::EventArguments;
use crate::{Body, Decoder, Limits, Message, Version, msgpack};

const WEBSOCKET: Encoding = Encoding::WebSocket(Revision::V4, BinarySupport::Native);
const POSITION: Position = Position(17_951_000_000_000_007);

fn publication(channel: &str, name: Option<&str>, payload: Payload) -> Publication {
    let channel = Arc::new(ChannelId::new(channel, ChannelFlags::NONE).unwrap());
    let mut draft = Draft::new(channel, payload);
    draft.name = name.map(Into::into);
    draft.at(POSITION)
}

fn json(text: &str) -> Payload {
    Payload::Json(RawJson::new(Bytes::copy_from_slice(text.as_bytes())).unwrap())
}

fn arguments(text: &str, attachments: &[&'static str]) -> Payload {
    let json = RawJson::new(Bytes::copy_from_slice(text.as_bytes())).unwrap();
    let attachments = attachments.iter().map(|text| Bytes::from(*text)).collect();
    Payload::Arguments(Arc::new(Arguments::new(json, attachments).unwrap()))
}

/// The messages on a WebSocket, shown as text.
fn shown(encoding: Encoding, parser: Parser, offsets: Offsets, publication: &Publication) -> Vec<String> {
    let messages = format(encoding, parser, offsets).messages(publication);
    messages.into_iter().map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned()).collect()
}

fn default(publication: &Publication) -> Vec<String> {
    shown(WEBSOCKET, Parser::Default, Offsets::LeftOut, publication)
}

const PLACEHOLDER: &str = r#"{"_placeholder":true,"num":0}"#;

#[test]
fn what_a_publication_is_on_a_websocket() {
    for (channel, name, payload, expected) in [
        ("room", None, json("1"), vec![r#"42["message",1]"#.to_owned()]),
        ("room", Some("é\""), json(" {\"a\": [1]} "), vec![r#"42["é\"", {"a": [1]} ]"#.to_owned()]),
        ("/#", Some("e"), Payload::Text("a\"\n😀".into()), vec![r#"42["e","a\"\n😀"]"#.to_owned()]),
        ("/chat#", Some("e"), json("null"), vec![r#"42/chat,["e",null]"#.to_owned()]),
        ("/a%23b#room", Some("e"), json("[]"), vec![r#"42/a#b,["e",[]]"#.to_owned()]),
        ("/no-namespace", Some("e"), json("[]"), vec![r#"42["e",[]]"#.to_owned()]),
        ("room", Some("e"), arguments(" [ ] ", &[]), vec![r#"42["e"]"#.to_owned()]),
        ("room", Some("e"), arguments(" [1, [2]] ", &[]), vec![r#"42["e",1, [2]]"#.to_owned()]),
        (
            "/chat#room",
            Some("e"),
            Payload::Binary("abc".into()),
            vec![format!("451-/chat,[\"e\",{PLACEHOLDER}]"), "abc".to_owned()],
        ),
        (
            "room",
            Some("e"),
            arguments(r#"[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#, &["one", "two"]),
            vec![
                r#"452-["e",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#.to_owned(),
                "one".to_owned(),
                "two".to_owned(),
            ],
        ),
    ] {
        assert_eq!(default(&publication(channel, name, payload)), expected);
    }
    let kinds = format(WEBSOCKET, Parser::Default, Offsets::LeftOut).messages(&publication(
        "room",
        None,
        Payload::Binary("x".into()),
    ));
    assert_eq!(
        kinds.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(),
        [MessageKind::Text, MessageKind::Binary]
    );
}

#[test]
fn acknowledgements_are_asked_for_by_position_and_offsets_written_where_they_help() {
    let plain = publication("room", Some("e"), json("1"));
    let offset = |publication: &_| shown(WEBSOCKET, Parser::Default, Offsets::Written, publication);
    assert_eq!(offset(&plain), [r#"42["e",1,"17951000000000007"]"#]);
    assert_eq!(
        offset(&publication("room", Some("e"), arguments("[]", &[]))),
        [r#"42["e","17951000000000007"]"#]
    );
    let acked = Publication { expects: Expects::Replies, ..plain.clone() };
    assert_eq!(default(&acked), [r#"42278744000000007["e",1]"#]);
    assert_eq!(offset(&acked), default(&acked));
    let volatile = Publication { kind: Kind::Signal, ..plain.clone() };
    assert_eq!(offset(&volatile), default(&plain));
    // A client takes whatever string comes last for an offset.
    for (payload, expected) in [
        (Payload::Text("x".into()), r#"42["e","x",null]"#),
        (arguments("[1,\"x\" ]", &[]), r#"42["e",1,"x",null]"#),
        (arguments("[\"x\",[\"y\"]]", &[]), r#"42["e","x",["y"]]"#),
        (arguments("[]", &[]), r#"42["e",null]"#),
    ] {
        let volatile = Publication { kind: Kind::Signal, ..publication("room", Some("e"), payload) };
        assert_eq!(offset(&volatile), [expected]);
        for encoding in Encoding::ALL {
            let packed = format(encoding, Parser::Msgpack, Offsets::Written);
            assert_eq!(unframed(encoding, packed, &volatile).len(), 1);
        }
    }
    let of_namespace =
        Publication { channel: Arc::new(ChannelId::new("/chat#", ChannelFlags::NONE).unwrap()), ..acked };
    assert_eq!(default(&of_namespace), [r#"42/chat,278744000000007["e",1]"#]);
}

#[test]
fn reserved_names_are_not_written_and_presence_has_a_name_of_its_own() {
    for name in RESERVED_EVENTS {
        assert!(default(&publication("room", Some(name), json("1"))).is_empty());
    }
    let joined = publication("/chat#room", Some("join"), json(r#"{"identity":"ann"}"#));
    let joined = Publication { kind: Kind::Presence, ..joined };
    assert_eq!(default(&joined), [r#"42/chat,["presence","/chat#room","join",{"identity":"ann"}]"#]);
}

#[test]
fn older_clients_and_polls_get_it_in_their_framing() {
    let binary = publication("/é#", Some("😀"), Payload::Binary("\u{1}a".into()));
    let text = format!("451-/é,[\"😀\",{PLACEHOLDER}]");
    let v3 = Encoding::WebSocket(Revision::V3, BinarySupport::Native);
    assert_eq!(shown(v3, Parser::Default, Offsets::LeftOut, &binary), [&text, "\u{4}\u{1}a"]);
    let v3_base64 = Encoding::WebSocket(Revision::V3, BinarySupport::Base64);
    assert_eq!(shown(v3_base64, Parser::Default, Offsets::LeftOut, &binary), [&text, "b4AWE="]);
    let poll = |form| {
        let format = format(Encoding::Polling(form), Parser::Default, Offsets::LeftOut);
        String::from_utf8_lossy(&format.stream_bytes(&binary)).into_owned()
    };
    assert_eq!(poll(PollForm::V4), format!("{text}\u{1e}bAWE=\u{1e}"));
    // Such clients read characters beyond ASCII in different ways; only a namespace cannot be said without.
    let text = text.replace("😀", r"\ud83d\ude00");
    assert_eq!(poll(PollForm::V3Text), format!("{}:{text}6:b4AWE=", text.chars().count()));
    let bytes = format(Encoding::Polling(PollForm::V3Binary), Parser::Default, Offsets::LeftOut);
    let length: Vec<u8> = text.len().to_string().bytes().map(|digit| digit - b'0').collect();
    let expected = [&[0], &length[..], b"\xff", text.as_bytes(), b"\x01\x03\xff\x04\x01a"].concat();
    assert_eq!(bytes.stream_bytes(&binary), expected);
}

#[test]
fn the_msgpack_parser_gets_one_binary_message() {
    let event = publication("/chat#room", Some("e"), Payload::Binary(Bytes::from_static(b"\x00")));
    let event = Publication { expects: Expects::Replies, ..event };
    let packed =
        b"\x84\xa4type\x02\xa3nsp\xa5/chat\xa4data\x92\xa1e\xc4\x01\x00\xa2id\xcf\x00\x00\xfd\x84%\x1ap\x07";
    let on = |encoding| format(encoding, Parser::Msgpack, Offsets::Written).messages(&event);
    assert_eq!(on(WEBSOCKET), [(MessageKind::Binary, packed.to_vec())]);
    let v3 = on(Encoding::WebSocket(Revision::V3, BinarySupport::Native));
    assert_eq!(v3, [(MessageKind::Binary, [b"\x04", &packed[..]].concat())]);
    let polled = format(Encoding::Polling(PollForm::V4), Parser::Msgpack, Offsets::Written);
    let base64 = format!("b{}\u{1e}", STANDARD.encode(packed));
    assert_eq!(String::from_utf8(polled.stream_bytes(&event)).unwrap(), base64);
}

#[test]
fn formats_are_found_again_for_another_encoding() {
    for from in Encoding::ALL {
        for parser in [Parser::Default, Parser::Msgpack] {
            for offsets in [Offsets::Written, Offsets::LeftOut] {
                for to in Encoding::ALL {
                    let translated = translate(format(from, parser, offsets), to);
                    assert!(std::ptr::eq(translated, format(to, parser, offsets)));
                }
            }
        }
    }
    static OTHER: Format = Format { name: "other", encode: |_, _| {} };
    assert!(std::ptr::eq(translate(&OTHER, WEBSOCKET), &raw const OTHER));
}

/// Takes the packets of Engine.IO off, whichever encoding they are in.
fn unframed(encoding: Encoding, format: &Format, publication: &Publication) -> Vec<(MessageKind, Bytes)> {
    match encoding {
        Encoding::WebSocket(revision, _) => {
            let messages = format.messages(publication).into_iter();
            messages.map(|(kind, bytes)| packet(revision, kind, &bytes)).collect()
        }
        Encoding::Polling(form) => split(form, &format.stream_bytes(publication)),
    }
}

fn packet(revision: Revision, kind: MessageKind, bytes: &[u8]) -> (MessageKind, Bytes) {
    match (kind, revision, bytes) {
        (MessageKind::Binary, Revision::V4, bytes) => (kind, Bytes::copy_from_slice(bytes)),
        (MessageKind::Binary, Revision::V3, [4, bytes @ ..]) => (kind, Bytes::copy_from_slice(bytes)),
        (MessageKind::Text, _, [b'4', text @ ..]) => (kind, Bytes::copy_from_slice(text)),
        (MessageKind::Text, Revision::V4, [b'b', base64 @ ..])
        | (MessageKind::Text, Revision::V3, [b'b', b'4', base64 @ ..]) => {
            (MessageKind::Binary, STANDARD.decode(base64).unwrap().into())
        }
        _ => panic!("no packet: {bytes:?}"),
    }
}

fn split(form: PollForm, mut bytes: &[u8]) -> Vec<(MessageKind, Bytes)> {
    let mut packets = Vec::new();
    while !bytes.is_empty() {
        let (kind, revision, one, rest) = match form {
            PollForm::V4 => {
                let end = bytes.iter().position(|byte| *byte == 0x1e).unwrap();
                (MessageKind::Text, Revision::V4, bytes[..end].to_vec(), &bytes[end + 1..])
            }
            PollForm::V3Text => {
                let colon = bytes.iter().position(|byte| *byte == b':').unwrap();
                let length: usize = std::str::from_utf8(&bytes[..colon]).unwrap().parse().unwrap();
                let (mut units, mut one) = (0, String::new());
                let rest = std::str::from_utf8(&bytes[colon + 1..]).unwrap();
                for character in rest.chars().take_while(|character| {
                    units += character.len_utf16();
                    units <= length
                }) {
                    one.push(character);
                }
                let rest = &bytes[colon + 1 + one.len()..];
                (MessageKind::Text, Revision::V3, one.into_bytes(), rest)
            }
            PollForm::V3Binary => {
                let kind = if bytes[0] == 0 { MessageKind::Text } else { MessageKind::Binary };
                let end = bytes.iter().position(|byte| *byte == 0xFF).unwrap();
                let length = bytes[1..end].iter().fold(0, |length, digit| length * 10 + usize::from(*digit));
                let (one, rest) = bytes[end + 1..].split_at(length);
                (kind, Revision::V3, one.to_vec(), rest)
            }
        };
        packets.push(packet(revision, kind, &one));
        bytes = rest;
    }
    packets
}

fn decode(parser: Parser, packets: &[(MessageKind, Bytes)]) -> Message {
    let limits = Limits { attachments_max: 100, ..Limits::default() };
    match (parser, packets) {
        (Parser::Msgpack, [(MessageKind::Binary, only)]) => {
            msgpack::decode(only, Version::V5, &limits).unwrap()
        }
        (Parser::Default, [(MessageKind::Text, text), attachments @ ..]) => {
            let mut decoder = Decoder::new(Version::V5, limits);
            let mut message = decoder.handle_text(text).unwrap();
            for (kind, attachment) in attachments {
                assert_eq!((*kind, message.is_none()), (MessageKind::Binary, true));
                message = decoder.handle_binary(attachment.clone()).unwrap();
            }
            message.unwrap()
        }
        _ => panic!("{packets:?}"),
    }
}

fn payloads() -> impl Strategy<Value = Payload> {
    let binary = prop::collection::vec(any::<u8>(), 0..40).prop_map(crate::Binary::from).boxed();
    let text = "[a-z\\\\\"é😀\n\u{1}]{0,12}";
    prop_oneof![
        text.prop_map(|text| Payload::Text(text.into())),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| Payload::Binary(bytes.into())),
        (text, any::<i64>(), any::<bool>())
            .prop_map(
                |(key, number, flag)| crate::to_payload(&serde_json::json!({key: [number, flag]})).unwrap()
            ),
        (text, prop::collection::vec(binary.clone(), 0..3), binary)
            .prop_map(|(text, several, one)| crate::to_payload(&(text, several, (one, 1))).unwrap()),
        Just(crate::to_payload(&()).unwrap()),
    ]
}

proptest! {
    /// Whatever is published is read by clients as the same event, on every wire.
    #[test]
    fn every_format_reads_the_same(
        payload in payloads(),
        name in "[a-z\"é😀]{1,5}",
        namespace in prop::sample::select(vec!["/", "/chat", "/é#1"]),
        acked: bool,
        offsets: bool,
    ) {
        let namespace = crate::wire::namespace::Namespace::new(namespace).unwrap();
        let channel = crate::channel_of(&namespace, Some("room")).unwrap();
        let mut publication = publication(channel.name(), Some(&name), payload.clone());
        publication.expects = if acked { Expects::Replies } else { Expects::Nothing };
        let expected: Vec<serde_json::Value> = {
            let arguments = EventArguments::of_payload(&payload);
            let mut values: Vec<_> = arguments.iter().map(|one| serde_json::from_str(one).unwrap()).collect();
            if offsets && !acked {
                values.push(POSITION.to_string().into());
            }
            values
        };
        let offsets = if offsets { Offsets::Written } else { Offsets::LeftOut };
        for encoding in Encoding::ALL {
            for parser in [Parser::Default, Parser::Msgpack] {
                let packets = unframed(encoding, format(encoding, parser, offsets), &publication);
                let message = decode(parser, &packets);
                prop_assert_eq!(&message.packet.namespace, &namespace);
                let (Body::Event { ack, data } | Body::BinaryEvent { ack, data, .. }) = message.packet.body else {
                    panic!("no event: {packets:?}");
                };
                prop_assert_eq!(ack, broadcast_ack_id(POSITION).filter(|_| acked));
                prop_assert_eq!(data.name(), &name);
                let arguments = EventArguments::from_event(&data, message.attachments);
                let values: Vec<serde_json::Value> =
                    arguments.iter().map(|one| serde_json::from_str(one).unwrap()).collect();
                // MessagePack numbers attachments in the order in which they stand.
                prop_assert_eq!(&values, &expected);
                prop_assert_eq!(arguments.attachments(), crate::arguments::attachments(&payload));
            }
        }
    }
}
