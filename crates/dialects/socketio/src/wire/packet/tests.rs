use antiphon_model::{JSON_DEPTH_MAX, RawJson};
use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{DecodeError, Decoder, Limits, Message, RESERVED_EVENTS, msgpack};

fn decode(text: &str, version: Version) -> Result<Packet, DecodeError> {
    Packet::decode(&Bytes::copy_from_slice(text.as_bytes()), version, &Limits::default())
}

fn json(text: &str) -> RawJson {
    RawJson::new(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn event(text: &str) -> EventData {
    EventData::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn arguments(text: &str) -> Arguments {
    Arguments::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn connect(query: Option<&str>, payload: Option<&str>) -> Body {
    Body::Connect { query: query.map(Into::into), payload: payload.map(json) }
}

/// Reads `text` as `namespace` and `body`, and writes the same text again.
#[track_caller]
fn both_ways(version: Version, text: &str, namespace: &str, body: Body) {
    let packet = Packet { namespace: Namespace::new(namespace.to_owned()).unwrap(), body };
    assert_eq!(decode(text, version).as_ref(), Ok(&packet), "{text}");
    assert_eq!(packet.encode(version), text);
}

#[test]
fn packets_of_both_versions() {
    const PLACEHOLDER: &str = r#"["baz",{"_placeholder":true,"num":0}]"#;
    let id = AckId::new;
    for version in [Version::V4, Version::V5] {
        both_ways(version, "0", "/", connect(None, None));
        both_ways(version, "0/admin,", "/admin", connect(None, None));
        both_ways(version, "1", "/", Body::Disconnect);
        both_ways(version, "1/admin,", "/admin", Body::Disconnect);
        both_ways(version, r#"2["foo"]"#, "/", Body::Event { ack: None, data: event(r#"["foo"]"#) });
        both_ways(
            version,
            r#"2/admin,["bar"]"#,
            "/admin",
            Body::Event { ack: None, data: event(r#"["bar"]"#) },
        );
        both_ways(version, r#"212["foo"]"#, "/", Body::Event { ack: id(12), data: event(r#"["foo"]"#) });
        both_ways(version, "20[1,2]", "/", Body::Event { ack: id(0), data: event("[1,2]") });
        both_ways(
            version,
            r#"3/admin,13["bar"]"#,
            "/admin",
            Body::Ack { ack: id(13).unwrap(), data: arguments(r#"["bar"]"#) },
        );
        both_ways(version, "39007199254740991[]", "/", Body::Ack { ack: AckId::MAX, data: arguments("[]") });
        both_ways(
            version,
            &format!("51-{PLACEHOLDER}"),
            "/",
            Body::BinaryEvent { attachments: 1, ack: None, data: event(PLACEHOLDER) },
        );
        both_ways(
            version,
            &format!("62-/admin,15{PLACEHOLDER}"),
            "/admin",
            Body::BinaryAck { attachments: 2, ack: id(15).unwrap(), data: arguments(PLACEHOLDER) },
        );
    }
}

#[test]
fn packets_of_version_5() {
    let v5 = Version::V5;
    both_ways(v5, r#"0{"token":"123"}"#, "/", connect(None, Some(r#"{"token":"123"}"#)));
    both_ways(
        v5,
        r#"0/admin,{"sid":"oSO0OpakMV_3jnilAAAA"}"#,
        "/admin",
        connect(None, Some(r#"{"sid":"oSO0OpakMV_3jnilAAAA"}"#)),
    );
    both_ways(
        v5,
        r#"4{"message":"Not authorized"}"#,
        "/",
        Body::ConnectError { payload: Some(json(r#"{"message":"Not authorized"}"#)) },
    );
    both_ways(v5, "0/a?b=c,", "/a?b=c", connect(None, None));
}

#[test]
fn packets_of_version_4() {
    let v4 = Version::V4;
    both_ways(v4, "0/nsp?token=x&y=%2C,", "/nsp", connect(Some("token=x&y=%2C"), None));
    both_ways(v4, "0/?token=x,", "/", connect(Some("token=x"), None));
    both_ways(
        v4,
        r#"4"Not authorized""#,
        "/",
        Body::ConnectError { payload: Some(json(r#""Not authorized""#)) },
    );
    both_ways(v4, "4", "/", Body::ConnectError { payload: None });
    assert_eq!(decode("2/nsp?token=x,[\"a\"]", v4).unwrap().namespace.as_str(), "/nsp");
    assert_eq!(decode("35", v4), decode("35[]", v4), "an answer without arguments");
    let granted = Packet { namespace: Namespace::root(), body: connect(None, Some("{}")) };
    assert_eq!(granted.encode(v4), "0");
}

#[test]
fn the_comma_at_the_end_may_be_missing() {
    for version in [Version::V4, Version::V5] {
        assert_eq!(decode("1/admin", version), decode("1/admin,", version));
        assert_eq!(decode("0/admin", version), decode("0/admin,", version));
        assert_eq!(decode("2/,[\"a\"]", version), decode("2[\"a\"]", version));
    }
}

#[test]
fn refusals_are_what_each_version_expects() {
    let refusal = |version, data: Option<&str>| {
        let data = data.map(json);
        let name = Namespace::new("/random").unwrap();
        Packet::refusal(name, version, "Invalid \"namespace\"", data.as_ref()).encode(version)
    };
    assert_eq!(refusal(Version::V5, None), r#"4/random,{"message":"Invalid \"namespace\""}"#);
    assert_eq!(refusal(Version::V5, Some("7")), r#"4/random,{"message":"Invalid \"namespace\"","data":7}"#);
    assert_eq!(refusal(Version::V4, None), r#"4/random,"Invalid \"namespace\"""#);
    assert_eq!(refusal(Version::V4, Some("7")), r#"4/random,"Invalid \"namespace\"""#);
    assert_eq!(refusal(Version::V4, Some(r#"{"code":1}"#)), r#"4/random,{"code":1}"#);
}

#[test]
fn malformed_packets_are_refused() {
    use DecodeError::*;
    for (text, error) in [
        ("", Empty),
        ("7", UnknownType),
        ("a", UnknownType),
        ("\u{0}", UnknownType),
        (" 2[\"a\"]", UnknownType),
        ("1{}", UnexpectedPayload),
        ("1x", UnexpectedPayload),
        ("11", UnexpectedAckId),
        ("01", UnexpectedAckId),
        ("41{}", UnexpectedAckId),
        ("2", MissingPayload),
        ("2/admin", MissingPayload),
        ("2/admin,", MissingPayload),
        ("21", MissingPayload),
        ("3[]", MissingAckId),
        ("60-[]", MissingAckId),
        ("2{}", InvalidPayload),
        ("2\"a\"", InvalidPayload),
        ("2 [\"a\"]", InvalidPayload),
        ("2admin,[\"a\"]", InvalidPayload),
        ("2-1[\"a\"]", InvalidPayload),
        ("30{}", InvalidPayload),
        ("2[]", InvalidEventName),
        ("2[null]", InvalidEventName),
        ("2[{}]", InvalidEventName),
        ("2[1.5]", InvalidEventName),
        ("2[\"a\"", InvalidJson),
        ("2[\"a\",]", InvalidJson),
        ("2[\"a\"]x", InvalidJson),
        ("2[\"a\"][]", InvalidJson),
        ("2[\"\\ud800\"]", InvalidJson),
        ("2[\"a\",\"\n\"]", InvalidJson),
        ("30[}", InvalidJson),
        ("2[\"connect\"]", ReservedEvent),
        ("2[\"\\u0063onnect\"]", ReservedEvent),
        ("50-[\"disconnect\"]", ReservedEvent),
        ("2007[\"a\"]", InvalidAckId),
        ("29007199254740992[\"a\"]", InvalidAckId),
        ("299999999999999999999999[\"a\"]", InvalidAckId),
        ("5[\"a\"]", InvalidAttachmentCount),
        ("5-[\"a\"]", InvalidAttachmentCount),
        ("51", InvalidAttachmentCount),
        ("501-[\"a\"]", InvalidAttachmentCount),
        ("51.0-[\"a\"]", InvalidAttachmentCount),
        ("5+1-[\"a\"]", InvalidAttachmentCount),
        ("511-[\"a\"]", TooManyAttachments),
        ("599999999999999999999999-[\"a\"]", TooManyAttachments),
    ] {
        for version in [Version::V4, Version::V5] {
            assert_eq!(decode(text, version), Err(error), "{text:?} in {version:?}");
        }
    }
    for (text, error) in [
        ("0[]", InvalidPayload),
        ("0\"x\"", InvalidPayload),
        ("0{", InvalidJson),
        ("0{}{}", InvalidJson),
        ("4", MissingPayload),
        ("31", MissingPayload),
        ("4\"x\"", InvalidPayload),
    ] {
        assert_eq!(decode(text, Version::V5), Err(error), "{text:?}");
    }
    for (text, error) in [("0{}", UnexpectedPayload), ("4[]", InvalidPayload), ("4\"", InvalidJson)] {
        assert_eq!(decode(text, Version::V4), Err(error), "{text:?}");
    }
}

#[test]
fn all_reserved_names_are_refused() {
    for name in RESERVED_EVENTS {
        assert_eq!(decode(&format!("2[\"{name}\"]"), Version::V5), Err(DecodeError::ReservedEvent));
    }
    assert!(decode("2[\"connection\"]", Version::V5).is_ok());
}

#[test]
fn text_has_to_be_utf8() {
    for text in [&b"2[\"\xff\"]"[..], b"2/\xff,[\"a\"]", b"0{\"a\":\"\xff\"}", b"0/a?\xff,", b"30[\"\xc3\"]"]
    {
        let text = Bytes::copy_from_slice(text);
        for version in [Version::V4, Version::V5] {
            let decoded = Packet::decode(&text, version, &Limits::default());
            let refused = matches!(decoded, Err(DecodeError::NotUtf8 | DecodeError::UnexpectedPayload));
            assert!(refused, "{text:?}: {decoded:?}");
        }
    }
}

#[test]
fn limits_hold_to_the_byte() {
    let limits =
        Limits { attachments_max: 1, packet_bytes_max: 30, ack_id_digits_max: 2, namespace_bytes_max: 4 };
    let decode =
        |text: &str| Packet::decode(&Bytes::copy_from_slice(text.as_bytes()), Version::V5, &limits).map(drop);
    for (allowed, refused, error) in [
        ("1/abc,", "1/abcd,", DecodeError::NamespaceTooLong),
        ("1/abc", "1/abcd", DecodeError::NamespaceTooLong),
        ("299[\"a\"]", "2100[\"a\"]", DecodeError::InvalidAckId),
        ("51-[\"a\"]", "52-[\"a\"]", DecodeError::TooManyAttachments),
        ("2[\"1234567890123456789012345\"]", "2[\"12345678901234567890123456\"]", DecodeError::TooLarge),
    ] {
        assert_eq!(decode(allowed), Ok(()), "{allowed}");
        assert_eq!(decode(refused), Err(error), "{refused}");
    }
}

#[test]
fn payloads_nest_only_so_deep() {
    let nested = |levels: usize| format!("2[\"a\",{}{}]", "[".repeat(levels - 1), "]".repeat(levels - 1));
    assert!(decode(&nested(JSON_DEPTH_MAX), Version::V5).is_ok());
    assert_eq!(decode(&nested(JSON_DEPTH_MAX + 1), Version::V5), Err(DecodeError::TooDeep));
    assert_eq!(decode(&nested(100_000), Version::V5), Err(DecodeError::TooDeep));
    let object = format!("0{}1{}", "{\"a\":".repeat(200), "}".repeat(200));
    assert_eq!(decode(&object, Version::V5), Err(DecodeError::TooDeep));
}

#[test]
fn arguments_are_what_follows_the_name() {
    let data = event(r#"["a",1, {"b":[2]}]"#);
    let arguments: Vec<_> = data.arguments().into_iter().map(|raw| raw.get()).collect();
    assert_eq!((data.name(), arguments), ("a", vec!["1", r#"{"b":[2]}"#]));
    assert_eq!(event("[7]").name(), "7");
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

fn any_message() -> impl Strategy<Value = Message> {
    let name = any::<String>().prop_filter("reserved", |name| !RESERVED_EVENTS.contains(&name.as_str()));
    let binary = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..4);
    let ack = prop::option::of(0..=AckId::MAX.0);
    let namespace = "(/|/[^,?]{0,20})";
    (name, prop::collection::vec(any_json(), 0..4), binary, ack, namespace).prop_map(
        |(name, values, binary, ack, namespace)| {
            let mut builder = crate::DataBuilder::event(&name).unwrap();
            for value in values {
                builder = builder.json(&RawJson::from_serializer(value.to_string()));
            }
            for bytes in binary {
                builder = builder.binary(bytes.into());
            }
            let (data, attachments) = builder.into_event().unwrap();
            let ack = ack.and_then(AckId::new);
            let body = match attachments.len() {
                0 => Body::Event { ack, data },
                attachments => Body::BinaryEvent { attachments, ack, data },
            };
            Message { packet: Packet { namespace: Namespace::new(namespace).unwrap(), body }, attachments }
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_reads_the_same(message in any_message(), v5 in any::<bool>()) {
        let version = if v5 { Version::V5 } else { Version::V4 };
        let mut decoder = Decoder::new(version, Limits::default());
        let mut read = decoder.handle_text(&message.packet.encode(version)).unwrap();
        for attachment in &message.attachments {
            prop_assert!(read.is_none());
            read = decoder.handle_binary(attachment.clone()).unwrap();
        }
        prop_assert_eq!(read.as_ref(), Some(&message));
        let packed = msgpack::encode(&message).unwrap();
        let unpacked = msgpack::decode(&packed, version, &Limits::default()).unwrap();
        prop_assert_eq!(unpacked, message);
    }

    #[test]
    fn garbage_does_no_harm(text in "[0-7][0-9]{0,3}-?(/[a-z?=]{0,5},)?[0-9]{0,3}[\\[{\"].{0,40}", bytes: Vec<u8>) {
        crate::fuzzing::packets(text.as_bytes());
        crate::fuzzing::packets(&bytes);
    }

    #[test]
    fn a_packet_cut_short_or_changed_does_no_harm(message in any_message(), at: prop::sample::Index, byte: u8) {
        for whole in [message.packet.encode(Version::V5), msgpack::encode(&message).unwrap()] {
            let at = at.index(whole.len());
            crate::fuzzing::packets(&whole[..at]);
            let mut changed = whole.to_vec();
            changed[at] = byte;
            crate::fuzzing::packets(&changed);
        }
    }
}
