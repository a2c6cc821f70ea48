use bytes::Bytes;
use proptest::prelude::*;

use super::body;
use super::*;
use crate::packet::Frame;
use crate::payload::{Body, Codec, V3Framing, V3Text};
use crate::testing::packet;

fn codecs() -> Vec<Codec> {
    let mut all = Vec::new();
    for revision in [Revision::V3, Revision::V4] {
        for binary in [BinarySupport::Native, BinarySupport::Base64] {
            for v3_text in [V3Text::Unknown, V3Text::Utf8, V3Text::DoubleUtf8] {
                for v3_framing in [V3Framing::WhenNeeded, V3Framing::Always] {
                    all.push(Codec { revision, binary, v3_framing, v3_text });
                }
            }
        }
    }
    all
}

fn waiting(encoding: Encoding, packets: &[Packet]) -> Vec<u8> {
    let mut out = Vec::new();
    for packet in packets {
        packet_into(encoding, packet, &mut out);
    }
    out
}

#[test]
fn every_encoding_has_its_place() {
    for (index, encoding) in Encoding::ALL.into_iter().enumerate() {
        assert_eq!(encoding.index(), index);
    }
}

#[test]
fn nobody_ends_another_packet_with_his_text() {
    let mut out = Vec::new();
    text_into(Encoding::Polling(PollForm::V4), &mut out, |out| out.extend_from_slice(b"a\x1e1"));
    assert_eq!(out, b"4a 1\x1e");
    out.clear();
    text_into(Encoding::Polling(PollForm::V3Text), &mut out, |out| out.push(0x1e));
    assert_eq!(out, b"2:4\x1e");
}

proptest! {
    #[test]
    fn what_waits_becomes_the_payload_of_its_packets(packets in prop::collection::vec(packet(), 1..8)) {
        let is_one = |packet: &Packet| !format!("{packet:?}").contains("\\u{1e}");
        let packets: Vec<Packet> = packets.into_iter().filter(is_one).collect();
        prop_assume!(!packets.is_empty());
        for codec in codecs() {
            let waiting = waiting(Encoding::Polling(codec.poll_form()), &packets);
            prop_assert_eq!(body(&codec, waiting.clone(), Wanted::Any), codec.encode(&packets));
            let Body::Text(text) = body(&codec, waiting.clone(), Wanted::Text) else {
                panic!("text was wanted");
            };
            prop_assert_eq!(text, codec.encode_text(&packets));
            let read = super::packets(&codec, &Bytes::from(waiting));
            prop_assert_eq!(read.as_ref(), Ok(&packets));
        }
    }

    #[test]
    fn some_packets_and_the_rest_are_all(packets in prop::collection::vec(packet(), 0..8), count_max in 0..9_usize) {
        for codec in codecs().into_iter().filter(|codec| codec.poll_form() != PollForm::V3Text) {
            let encoding = Encoding::Polling(codec.poll_form());
            let expected = packets.len().min(count_max);
            let some = waiting(encoding, &packets[..expected]).len();
            let all = waiting(encoding, &packets);
            prop_assert_eq!(first_packets(codec.poll_form(), &all, count_max), (expected, some));
        }
    }

    #[test]
    fn messages_of_a_websocket_are_its_frames(packet in packet()) {
        for revision in [Revision::V3, Revision::V4] {
            for binary in [BinarySupport::Native, BinarySupport::Base64] {
                let mut out = Vec::new();
                let kind = packet_into(Encoding::WebSocket(revision, binary), &packet, &mut out);
                let frame = match kind {
                    MessageKind::Text => Frame::Text(String::from_utf8(out).unwrap().into()),
                    MessageKind::Binary => Frame::Binary(out.into()),
                };
                prop_assert_eq!(frame, packet.to_frame(revision, binary));
            }
        }
    }
}
