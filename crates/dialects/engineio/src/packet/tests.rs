use proptest::prelude::*;

use super::*;
use crate::testing::{packet, revision};

fn text(text: &str) -> Frame {
    Frame::Text(text.into())
}

#[test]
fn text_packets_are_a_digit_and_data() {
    for revision in [Revision::V3, Revision::V4] {
        for (wire, packet) in [
            ("0{\"sid\":\"a\"}", Packet::Open("{\"sid\":\"a\"}".into())),
            ("1", Packet::Close),
            ("2", Packet::Ping("".into())),
            ("2probe", Packet::Ping("probe".into())),
            ("3probe", Packet::Pong("probe".into())),
            ("4", Packet::text("")),
            ("4hello", Packet::text("hello")),
            ("4€😀", Packet::text("€😀")),
            ("5", Packet::Upgrade),
            ("6", Packet::Noop),
        ] {
            assert_eq!(Packet::from_frame(revision, text(wire)), Ok(packet.clone()), "{wire}");
            assert_eq!(packet.to_frame(revision, BinarySupport::Native), text(wire), "{wire}");
        }
    }
}

#[test]
fn binary_packets_differ_by_revision() {
    let packet = Packet::binary(vec![1, 2, 3, 4]);
    for (revision, native, base64) in
        [(Revision::V3, vec![4, 1, 2, 3, 4], "b4AQIDBA=="), (Revision::V4, vec![1, 2, 3, 4], "bAQIDBA==")]
    {
        let native = Frame::Binary(native.into());
        assert_eq!(packet.to_frame(revision, BinarySupport::Native), native);
        assert_eq!(packet.to_frame(revision, BinarySupport::Base64), text(base64));
        assert_eq!(Packet::from_frame(revision, native), Ok(packet.clone()));
        assert_eq!(Packet::from_frame(revision, text(base64)), Ok(packet.clone()));
        let unpadded = base64.trim_end_matches('=');
        assert_eq!(Packet::from_frame(revision, text(unpadded)), Ok(packet.clone()));
    }
}

#[test]
fn data_of_packets_that_have_none_is_dropped() {
    assert_eq!(Packet::from_text(Revision::V4, "1bye"), Ok(Packet::Close));
    assert_eq!(Packet::from_text(Revision::V4, "5now"), Ok(Packet::Upgrade));
    assert_eq!(Packet::from_text(Revision::V4, "6é"), Ok(Packet::Noop));
}

#[test]
fn what_is_no_packet_is_refused() {
    for (revision, wire, error) in [
        (Revision::V4, "", PacketError::Empty),
        (Revision::V4, "abc", PacketError::UnknownType),
        (Revision::V4, "7", PacketError::UnknownType),
        (Revision::V4, "é", PacketError::UnknownType),
        (Revision::V4, "b*", PacketError::Base64),
        (Revision::V4, "bA", PacketError::Base64),
        (Revision::V3, "b", PacketError::Empty),
        (Revision::V3, "bé", PacketError::UnknownType),
        (Revision::V3, "b2AQ==", PacketError::BinaryControl),
    ] {
        assert_eq!(Packet::from_text(revision, wire), Err(error), "{wire}");
    }
    let binary = |bytes: &'static [u8]| Packet::from_binary(Revision::V3, Bytes::from_static(bytes));
    assert_eq!(binary(b""), Err(PacketError::Empty));
    assert_eq!(binary(&[2]), Err(PacketError::BinaryControl));
    assert_eq!(binary(&[7]), Err(PacketError::UnknownType));
    assert_eq!(Packet::from_binary(Revision::V4, Bytes::new()), Ok(Packet::binary(vec![])));
}

proptest! {
    #[test]
    fn frames_round_trip(packet in packet(), revision in revision(), native: bool) {
        let binary = if native { BinarySupport::Native } else { BinarySupport::Base64 };
        let frame = packet.to_frame(revision, binary);
        prop_assert_eq!(Packet::from_frame(revision, frame), Ok(packet));
    }

    #[test]
    fn garbage_is_survived(text: String, bytes: Vec<u8>, revision in revision()) {
        let _ = Packet::from_text(revision, &text);
        let _ = Packet::from_binary(revision, bytes.into());
    }
}
