use proptest::prelude::*;

use super::*;
use crate::testing::packet;

const LIMITS: PayloadLimits = PayloadLimits { bytes_max: 1 << 20, packets_max: 1000 };
const V4: Codec = Codec {
    revision: Revision::V4,
    binary: BinarySupport::Native,
    v3_framing: V3Framing::WhenNeeded,
    v3_text: V3Text::Unknown,
};
const V3: Codec = Codec { revision: Revision::V3, ..V4 };
const V3_BASE64: Codec = Codec { binary: BinarySupport::Base64, ..V3 };

fn decode(mut codec: Codec, form: BodyForm, body: &[u8]) -> Result<Vec<Packet>, PayloadError> {
    codec.decode(form, Bytes::copy_from_slice(body), LIMITS)
}

fn text(codec: Codec, body: &str) -> Result<Vec<Packet>, PayloadError> {
    decode(codec, BodyForm::Text, body.as_bytes())
}

fn both(codec: Codec, packets: &[Packet], body: &str) {
    assert_eq!(codec.encode(packets), Body::Text(body.into()));
    assert_eq!(text(codec, body).as_deref(), Ok(packets), "{body}");
}

#[test]
fn revision_4_separates_packets() {
    both(V4, &[Packet::text("hello")], "4hello");
    let three = [Packet::text("hello"), Packet::Ping("".into()), Packet::text("world")];
    both(V4, &three, "4hello\x1e2\x1e4world");
    both(V4, &[Packet::text("hello"), Packet::binary(vec![1, 2, 3, 4])], "4hello\x1ebAQIDBA==");
}

#[test]
fn revision_3_counts_utf16_units() {
    both(V3_BASE64, &[Packet::text("hello"), Packet::text("€")], "6:4hello2:4€");
    both(V3_BASE64, &[Packet::text("😀"), Packet::Close], "3:4😀1:1");
    both(V3_BASE64, &[Packet::text("€"), Packet::binary(vec![1, 2, 3, 4])], "2:4€10:b4AQIDBA==");
    assert_eq!(text(V3, "0:"), Ok(vec![]));
}

#[test]
fn revision_3_is_binary_when_it_has_bytes_or_more_than_ascii() {
    let packets = [Packet::text("€"), Packet::binary(vec![1, 2, 3, 4])];
    let body = [0, 4, 255, 0x34, 0xe2, 0x82, 0xac, 1, 5, 255, 4, 1, 2, 3, 4];
    assert_eq!(V3.encode(&packets), Body::Binary(body.to_vec()));
    assert_eq!(decode(V3, BodyForm::Binary, &body).as_deref(), Ok(&packets[..]));

    assert_eq!(V3.encode(&packets[..1]), Body::Binary(body[..7].to_vec()));
    assert_eq!(V3.encode(&[Packet::text("a"), Packet::Close]), Body::Text("2:4a1:1".into()));

    let long = [Packet::text("x".repeat(122))];
    let always = Codec { v3_framing: V3Framing::Always, ..V3 };
    let Body::Binary(bytes) = always.encode(&long) else { panic!("it is binary") };
    assert_eq!(bytes[..6], [0, 1, 2, 3, 255, b'4']);
    assert_eq!(decode(always, BodyForm::Binary, &bytes).as_deref(), Ok(&long[..]));
    assert!(matches!(Codec { binary: BinarySupport::Base64, ..always }.encode(&long), Body::Text(_)));
}

#[test]
fn either_framing_is_read_whatever_the_client_takes() {
    let hello = Ok(vec![Packet::text("hi")]);
    for codec in [V3, V3_BASE64] {
        assert_eq!(decode(codec, BodyForm::Binary, b"\0\x03\xff4hi"), hello);
        assert_eq!(text(codec, "3:4hi"), hello);
    }
}

#[test]
fn old_clients_encode_utf8_twice() {
    let codec = Codec { v3_text: V3Text::DoubleUtf8, ..V3_BASE64 };
    both(codec, &[Packet::text("é")], "3:4\u{c3}\u{a9}");
    both(codec, &[Packet::text("ascii"), Packet::binary(vec![1])], "6:4ascii6:b4AQ==");
    assert_eq!(text(codec, "2:4é"), Ok(vec![Packet::text("é")]), "encoded once");
    assert_eq!(text(codec, "2:4€"), Ok(vec![Packet::text("€")]), "encoded once");
}

#[test]
fn what_a_client_sends_tells_how_it_has_text() {
    let twice = "3:4\u{c3}\u{a9}";
    for (bodies, read, known) in [
        (&["3:4hi"][..], "hi", V3Text::Unknown),
        (&[twice], "é", V3Text::DoubleUtf8),
        (&["5:4\u{f0}\u{9f}\u{98}\u{80}"], "😀", V3Text::DoubleUtf8),
        (&[twice, "3:4hi"], "hi", V3Text::DoubleUtf8),
        (&["2:4é"], "é", V3Text::Utf8),
        (&["3:4😀"], "😀", V3Text::Utf8),
        // Certain is more than likely, in whatever order.
        (&["2:4é", twice], "\u{c3}\u{a9}", V3Text::Utf8),
        (&[twice, "2:4€"], "€", V3Text::Utf8),
        (&[twice, "2:4€", twice], "\u{c3}\u{a9}", V3Text::Utf8),
        // A surrogate alone, as the first round has it.
        (&["5:4\u{ed}\u{a0}\u{bd}!"], "\u{FFFD}!", V3Text::DoubleUtf8),
    ] {
        let mut codec = V3;
        let decoded = bodies.iter().map(|body| codec.decode(BodyForm::Text, Bytes::from(*body), LIMITS));
        assert_eq!(decoded.last(), Some(Ok(vec![Packet::text(read)])), "{bodies:?}");
        assert_eq!(codec.v3_text, known, "{bodies:?}");
    }
    // One packet tells of all in the body.
    assert_eq!(text(V3, "3:4\u{c3}\u{a9}2:4€").map(|read| read[0].clone()), Ok(Packet::text("\u{c3}\u{a9}")));
    assert_eq!(text(V3, "2:4\u{c3}\u{a9}"), Err(PayloadError::Length));
    assert_eq!(text(V3, "4:4\u{c3}\u{a9}"), Err(PayloadError::Truncated));
}

#[test]
fn malformed_payloads_are_refused() {
    for (body, error) in [
        ("", PayloadError::Length),
        ("abc", PayloadError::Length),
        (":4", PayloadError::Length),
        ("-1:4", PayloadError::Length),
        ("+1:4", PayloadError::Length),
        ("1.0:4", PayloadError::Length),
        ("99999999999:4", PayloadError::Length),
        ("2:4", PayloadError::Truncated),
        ("9999999999:4", PayloadError::Truncated),
        ("2:4😀", PayloadError::Length),
        ("1:41", PayloadError::Length),
        ("1:9", PayloadError::Packet(PacketError::UnknownType)),
    ] {
        assert_eq!(text(V3, body), Err(error), "{body}");
    }
    for (body, error) in [
        ("", PacketError::Empty),
        ("4a\x1e", PacketError::Empty),
        ("\x1e4a", PacketError::Empty),
        ("abc", PacketError::UnknownType),
        ("4a\x1eb?", PacketError::Base64),
    ] {
        assert_eq!(text(V4, body), Err(error.into()), "{body}");
    }
    for (body, error) in [
        (&b""[..], PayloadError::Truncated),
        (b"\0", PayloadError::Truncated),
        (b"\0\xff", PayloadError::Length),
        (b"\0\x01", PayloadError::Truncated),
        (b"\0\x02\xff4", PayloadError::Truncated),
        (b"\0\x0a\xff4", PayloadError::Length),
        (b"\0\0\0\0\0\0\0\0\0\0\0\x01\xff4", PayloadError::Length),
        (b"\x02\x01\xff4", PayloadError::Marker),
        (b"\0\x02\xff4\xff", PayloadError::NotUtf8),
        (b"\x01\x01\xff\x02", PayloadError::Packet(PacketError::BinaryControl)),
    ] {
        assert_eq!(decode(V3, BodyForm::Binary, body), Err(error), "{body:?}");
    }
    assert_eq!(decode(V4, BodyForm::Binary, b"4a"), Err(PayloadError::Binary));
    assert_eq!(decode(V4, BodyForm::Text, b"4\xff"), Err(PayloadError::NotUtf8));
}

#[test]
fn limits_hold() {
    let limits = PayloadLimits { bytes_max: 8, packets_max: 2 };
    let decode =
        |mut codec: Codec, form, body: &'static [u8]| codec.decode(form, Bytes::from_static(body), limits);
    assert_eq!(decode(V4, BodyForm::Text, b"4aaaaaaa").map(|read| read.len()), Ok(1));
    assert_eq!(decode(V4, BodyForm::Text, b"4aaaaaaaa"), Err(PayloadError::TooLarge { max: 8 }));
    assert_eq!(decode(V4, BodyForm::Text, b"6\x1e6").map(|read| read.len()), Ok(2));
    for (codec, form, body) in [
        (V4, BodyForm::Text, &b"6\x1e6\x1e6"[..]),
        (V3, BodyForm::Text, b"0:0:0:"),
        (Codec { v3_framing: V3Framing::Always, ..V3 }, BodyForm::Text, b"0:1:60:"),
    ] {
        assert_eq!(decode(codec, form, body), Err(PayloadError::TooManyPackets { max: 2 }));
    }
    let one = PayloadLimits { packets_max: 1, ..limits };
    let two = Bytes::from_static(b"\0\x01\xff6\0\x01\xff6");
    assert_eq!({ V3 }.decode(BodyForm::Binary, two, one), Err(PayloadError::TooManyPackets { max: 1 }));
}

#[test]
fn jsonp_answers_are_scripts() {
    let index = JsonpIndex::parse("4").unwrap();
    assert_eq!(jsonp_script(index, "packet data"), "___eio[4](\"packet data\");");
    assert_eq!(
        jsonp_script(index, "a\"\\\n\x1e\u{2028}\u{2029}</script>€"),
        "___eio[4](\"a\\\"\\\\\\n\\u001e\\u2028\\u2029\\u003c/script>€\");"
    );
    for not_an_index in ["", "a", "1)", "-1", "+1", "4294967296"] {
        assert_eq!(JsonpIndex::parse(not_an_index), None, "{not_an_index}");
    }
}

#[test]
fn jsonp_bodies_are_forms() {
    let body = |body: &str| jsonp_body(body.as_bytes());
    assert_eq!(body("d=4hello").as_deref(), Ok("4hello"));
    assert_eq!(body("d=4a%5Cnb").as_deref(), Ok("4a\nb"));
    assert_eq!(body("d=4a%5C%5Cnb").as_deref(), Ok("4a\\nb"));
    assert_eq!(body("d=4a%5C%5C%5Cnb%5C").as_deref(), Ok("4a\\\\nb\\"));
    assert_eq!(body("d=4%E2%82%AC+1").as_deref(), Ok("4€ 1"));
    assert_eq!(body("x=4"), Err(PayloadError::Form));
    assert_eq!(body("d=%ff"), Err(PayloadError::NotUtf8));
    assert_eq!(decode(V3, BodyForm::Jsonp, b"d=3%3A4hi"), Ok(vec![Packet::text("hi")]));
    assert_eq!(decode(V4, BodyForm::Jsonp, b"d=4a%1E4b").map(|read| read.len()), Ok(2));
}

proptest! {
    #[test]
    fn payloads_round_trip(packets in prop::collection::vec(packet(), 1..8), base64: bool, always: bool, twice: bool) {
        let codec = Codec {
            binary: if base64 { BinarySupport::Base64 } else { BinarySupport::Native },
            v3_framing: if always { V3Framing::Always } else { V3Framing::WhenNeeded },
            v3_text: if twice { V3Text::DoubleUtf8 } else { V3Text::Utf8 },
            ..V3
        };
        let read = match codec.encode(&packets) {
            Body::Text(body) => text(codec, &body),
            Body::Binary(body) => decode(codec, BodyForm::Binary, &body),
        };
        prop_assert_eq!(read.as_ref(), Ok(&packets));

        // Nobody said so before.
        let twice = Codec { v3_text: V3Text::DoubleUtf8, ..V3 }.encode_text(&packets);
        prop_assert_eq!(&text(V3, &twice), &Ok(packets.clone()));
        let once = Codec { v3_text: V3Text::Utf8, ..V3 }.encode_text(&packets);
        if once.chars().any(|character| character > '\u{ff}') {
            prop_assert_eq!(&text(V3, &once), &Ok(packets.clone()));
        }

        let body = V4.encode_text(&packets);
        if body.matches('\x1e').count() == packets.len() - 1 {
            prop_assert_eq!(text(V4, &body), Ok(packets));
        }
    }

    #[test]
    fn scripts_hold_the_payload(payload: String) {
        let script = jsonp_script(JsonpIndex::parse("0").unwrap(), &payload);
        let literal = script.strip_prefix("___eio[0](").and_then(|rest| rest.strip_suffix(");")).unwrap();
        prop_assert_eq!(serde_json::from_str::<String>(literal).unwrap(), payload);
        let unsafe_in_scripts = literal.contains(['\u{2028}', '\u{2029}', '\n', '<']);
        prop_assert!(!unsafe_in_scripts);
    }

    #[test]
    fn garbage_is_survived(body: Vec<u8>, characters: String) {
        for codec in [V3, V4, Codec { v3_text: V3Text::Utf8, ..V3 }] {
            let _ = text(codec, &characters);
            for form in [BodyForm::Text, BodyForm::Binary, BodyForm::Jsonp] {
                let _ = decode(codec, form, &body);
            }
        }
    }

    #[test]
    fn a_cut_payload_is_never_more(packets in prop::collection::vec(packet(), 1..4), at: prop::sample::Index) {
        let body = super::v3_binary::encode(&packets);
        let cut = at.index(body.len());
        if let Ok(read) = decode(V3, BodyForm::Binary, &body[..cut]) {
            prop_assert!(read.len() < packets.len());
            prop_assert_eq!(&packets[..read.len()], &read[..]);
        }
    }
}
