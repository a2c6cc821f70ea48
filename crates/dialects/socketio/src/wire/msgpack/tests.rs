use super::*;
use crate::{AckId, Body, DataBuilder};
use antiphon_model::{JSON_DEPTH_MAX, RawJson};

/// A packet's bytes out of MessagePack written by hand.
fn packed(parts: &[&[u8]]) -> Bytes {
    parts.concat().into()
}

const EVENT: &[u8] = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data";

fn decode_v5(bytes: &Bytes) -> Result<Message, DecodeError> {
    decode(bytes, Version::V5, &Limits::default())
}

fn json_of(data: &[u8]) -> Result<String, DecodeError> {
    let message = decode_v5(&packed(&[EVENT, b"\x92\xa1a", data]))?;
    let Body::Event { data, .. } = message.packet.body else { panic!("not an event") };
    Ok(data.json().as_str().to_owned())
}

#[test]
fn values_become_the_json_that_javascript_would_write() {
    for (packed, json) in [
        (&b"\xc0"[..], "null"),
        (b"\xc3", "true"),
        (b"\xff", "-1"),
        (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"),
        (b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", "-9223372036854775808"),
        (b"\xd1\x00\x05", "5"),
        (b"\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", "1.5"),
        (b"\xca\x7f\x80\x00\x00", "null"),
        (b"\xd9\x02\"\n", r#""\"\n""#),
        (b"\x82\xa1x\x91\xa1y\xa1z\x80", r#"{"x":["y"],"z":{}}"#),
        (b"\xd4\x00\x00", "null"),
        (b"\xd7\x00\x00\x00\x00\x00\x00\x00\x00\x01", r#""1970-01-01T00:00:00.001Z""#),
        (b"\xd6\xff\x00\x00\x00\x01", r#""1970-01-01T00:00:01.000Z""#),
    ] {
        assert_eq!(json_of(packed).unwrap(), format!("[\"a\",{json}]"));
    }
}

#[test]
fn members_that_are_not_the_packets_are_skipped() {
    let packet = packed(&[
        b"\x85\xa4type\x02\xa4data\x92\xa1a\xc4\x01\x07\xa7options\x81\xa8compress\xc3\xa2id\x0c\xa3nsp\xa2/x",
    ]);
    let message = decode_v5(&packet).unwrap();
    assert_eq!(message.packet.namespace.as_str(), "/x");
    assert_eq!(message.attachments, [&b"\x07"[..]]);
    let Body::BinaryEvent { attachments: 1, ack, data } = message.packet.body else { panic!("no event") };
    assert_eq!((ack, data.name()), (AckId::new(12), "a"));
}

#[test]
fn malformed_packets_are_refused() {
    use DecodeError::*;
    let deep = [EVENT, &[0x92, 0xa1, b'a'], &[0x91; JSON_DEPTH_MAX], b"\xc0"].concat();
    let eleven = [EVENT, &[0x9c, 0xa1, b'a'], &b"\xc4\x00".repeat(11)].concat();
    for (packet, error) in [
        (Vec::new(), Empty),
        (b"\x90".to_vec(), InvalidPayload),
        (b"\x80".to_vec(), UnknownType),
        (b"\xc1".to_vec(), InvalidMsgpack),
        (b"\x82\xa4type\x01\xa3nsp\xa1/ ".to_vec(), InvalidMsgpack),
        (b"\x82\xa4type\x05\xa3nsp\xa1/".to_vec(), UnknownType),
        (b"\x82\xa4type\xff\xa3nsp\xa1/".to_vec(), UnknownType),
        (b"\x82\xa4type\x01\xa4type\x01".to_vec(), InvalidMsgpack),
        (b"\x81\xa4type\x01".to_vec(), InvalidNamespace),
        (b"\x82\xa4type\x01\xa3nsp\x01".to_vec(), InvalidNamespace),
        (b"\x82\xa4type\x01\xa3nsp\xa1x".to_vec(), InvalidNamespace),
        (b"\x82\xa4type\x01\xa3nsp\xa1\xff".to_vec(), NotUtf8),
        (b"\x81\x01\x01".to_vec(), UnsupportedMsgpack),
        (b"\x82\xa4type\x02\xa3nsp\xa1/".to_vec(), MissingPayload),
        (b"\x83\xa4type\x02\xa3nsp\xa1/\xa2id\xffx".to_vec(), InvalidAckId),
        (b"\x83\xa4type\x02\xa3nsp\xa1/\xa2id\xcf\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(), InvalidAckId),
        (b"\x83\xa4type\x00\xa3nsp\xa1/\xa4data\x81\xa1x\xc4\x00".to_vec(), InvalidPayload),
        (b"\x83\xa4type\x00\xa3nsp\xa1/\xa4data\x90".to_vec(), InvalidPayload),
        ([EVENT, b"\x91\xa7connect"].concat(), ReservedEvent),
        ([EVENT, b"\x92\xa1a\x81\x01\x02"].concat(), UnsupportedMsgpack),
        ([EVENT, b"\x92\xa1a\xd4\x05\x00"].concat(), UnsupportedMsgpack),
        ([EVENT, b"\xdd\xff\xff\xff\xff\xa1a"].concat(), InvalidMsgpack),
        ([EVENT, b"\x92\xa1a\xc6\xff\xff\xff\xff"].concat(), InvalidMsgpack),
        (b"\x81\xa1x\xdf\xff\xff\xff\xff".to_vec(), InvalidMsgpack),
        (deep, TooDeep),
        (eleven, TooManyAttachments),
    ] {
        assert_eq!(decode_v5(&packet.clone().into()), Err(error), "{packet:x?}");
    }
    let small = Limits { packet_bytes_max: 60, namespace_bytes_max: 3, ..Limits::default() };
    let grows = packed(&[EVENT, b"\x92\xa1a\xae", &[0; 14]]);
    assert_eq!(decode(&grows, Version::V5, &small), Err(TooLarge), "JSON has six bytes for each of these");
    let long = packed(&[b"\x82\xa4type\x01\xa3nsp\xa4/abc"]);
    assert_eq!(decode(&long, Version::V5, &small), Err(NamespaceTooLong));
}

#[test]
fn json_becomes_msgpack_and_back() {
    let json = r#"{"n":[0,-1,1.5,18446744073709551615,-0.0,null,true,false],"s":"\u00e9","deep":[[[{}]]]}"#;
    let json = RawJson::new(Bytes::from_static(json.as_bytes())).unwrap();
    let (data, attachments) = DataBuilder::event("a")
        .unwrap()
        .binary(Bytes::from_static(b"one"))
        .json(&json)
        .binary(Bytes::from_static(b"two"))
        .into_event()
        .unwrap();
    let body = Body::BinaryEvent { attachments: 2, ack: AckId::new(1), data };
    let message = Message { packet: Packet { namespace: Namespace::root(), body }, attachments };
    let back = decode_v5(&encode(&message).unwrap()).unwrap();
    assert_eq!(back.attachments, message.attachments);
    let value = |message: &Message| -> serde_json::Value {
        serde_json::from_str(message.packet.json().unwrap().as_str()).unwrap()
    };
    assert_eq!(value(&back), value(&message));
}

#[test]
fn halves_of_surrogate_pairs_are_replaced() {
    let json = br#"["\ud800",{"\udc00\\\n":"\ud83d\ude00\ud83d\u00e9\\ud800"}]"#;
    let json = RawJson::new(Bytes::from_static(json)).unwrap();
    let (data, attachments) = DataBuilder::event("a").unwrap().json(&json).into_event().unwrap();
    let packet = Packet { namespace: Namespace::root(), body: Body::Event { ack: None, data } };
    let back = decode_v5(&encode(&Message { packet, attachments }).unwrap()).unwrap();
    let expected = r#"["a",["\ufffd",{"\ufffd\\\n":"😀\ufffdé\\ud800"}]]"#;
    let parsed = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
    assert_eq!(parsed(back.packet.json().unwrap().as_str()), parsed(expected));
}

/// What `socket.io-msgpack-parser` 3.0.2 writes for an event with arguments of every kind.
const FROM_JAVASCRIPT: &str = "85a47479706502a46461746199a161d7000000000000000001d4000081a162c4020102fbcb3ff80000\
    00000000a2c3a9cd012ccb7ff8000000000000a76f7074696f6e7381a8636f6d7072657373c3a269640ca36e7370a62f61646d696e";

#[test]
fn what_clients_write_is_read() {
    let bytes: Vec<u8> = (0..FROM_JAVASCRIPT.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&FROM_JAVASCRIPT[at..at + 2], 16).unwrap())
        .collect();
    let message = decode_v5(&bytes.into()).unwrap();
    assert_eq!(
        message.packet.encode(Version::V5),
        concat!(
            r#"51-/admin,12["a","1970-01-01T00:00:00.001Z",null,"#,
            r#"{"b":{"_placeholder":true,"num":0}},-5,1.5,"é",300,null]"#
        )
    );
    assert_eq!(message.attachments, [&b"\x01\x02"[..]]);
}

#[test]
fn packets_are_written_compactly() {
    let data = crate::AckData::parse(Bytes::from_static(b"[]")).unwrap();
    let body = Body::Ack { ack: AckId::new(7).unwrap(), data };
    let message = Message { packet: Packet { namespace: Namespace::root(), body }, attachments: Vec::new() };
    assert_eq!(encode(&message).unwrap(), &b"\x84\xa4type\x03\xa3nsp\xa1/\xa4data\x90\xa2id\x07"[..]);
}
