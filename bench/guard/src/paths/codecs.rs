//! Bytes that come and bytes that go: frames and packets of each protocol.

use std::hint::black_box;

use antiphon_engineio::{
    BinarySupport, BodyForm, Codec, Frame, Packet as EnginePacket, PayloadLimits, Revision, V3Framing, V3Text,
};
use antiphon_net::websocket::client::masked_frame;
use antiphon_net::websocket::{
    Decoder, DecoderSettings, FrameStart, Inflater, Input, MessageKind, Opcode, Role, frame,
};
use antiphon_socketio::{EventData, Limits, Message, NamespaceName, Packet, RoomEvent, Version, msgpack};
use bytes::Bytes;

use super::HotPath;

/// As in the benchmarks.
const MESSAGE_BYTES: usize = 128;
/// A client that has much to say sends several frames at once.
const FRAMES: u64 = 64;
const TIMES: u64 = 2000;

pub(super) const PATHS: &[HotPath] = &[
    HotPath {
        name: "websocket-encode",
        what: "a message of 128 bytes becomes a WebSocket frame",
        unit: "frame",
        units: FRAMES,
        times: TIMES,
        run: websocket_encode,
    },
    HotPath {
        name: "websocket-decode",
        what: "64 frames of 128 bytes that came with one read are unmasked and handed out",
        unit: "frame",
        units: FRAMES,
        times: TIMES,
        run: websocket_decode,
    },
    HotPath {
        name: "websocket-decode-large",
        what: "a text of 64 KiB is unmasked and its UTF-8 checked",
        unit: "KiB",
        units: 64,
        times: 100,
        run: websocket_decode_large,
    },
    HotPath {
        name: "engineio-packet",
        what: "an Engine.IO message of 128 bytes is read and written",
        unit: "packet",
        units: 1,
        times: TIMES,
        run: engineio_packet,
    },
    HotPath {
        name: "engineio-payload",
        what: "the body of a poll with 16 packets is read and written",
        unit: "packet",
        units: 16,
        times: TIMES,
        run: engineio_payload,
    },
    HotPath {
        name: "socketio-decode",
        what: "an event with an argument of 128 bytes is read",
        unit: "packet",
        units: 1,
        times: TIMES,
        run: socketio_decode,
    },
    HotPath {
        name: "socketio-encode",
        what: "an event with an argument of 128 bytes is written for a room",
        unit: "packet",
        units: 1,
        times: TIMES,
        run: socketio_encode,
    },
    HotPath {
        name: "socketio-msgpack",
        what: "an event with an argument of 128 bytes is written and read as MessagePack",
        unit: "packet",
        units: 1,
        times: TIMES,
        run: socketio_msgpack,
    },
];

fn text() -> String {
    "e".repeat(MESSAGE_BYTES)
}

fn websocket_encode(times: u64) {
    let message = text();
    let mut out = Vec::with_capacity(FRAMES as usize * (MESSAGE_BYTES + 10));
    for _ in 0..times {
        out.clear();
        for _ in 0..FRAMES {
            frame(MessageKind::Binary, black_box(message.as_bytes()), &mut out);
        }
        black_box(&out);
    }
}

fn websocket_decode(times: u64) {
    let mut frames = Vec::new();
    for _ in 0..FRAMES {
        masked_frame(FrameStart::whole(Opcode::Binary), text().as_bytes(), [1, 2, 3, 4], &mut frames);
    }
    decode(&frames, FRAMES, times);
}

fn websocket_decode_large(times: u64) {
    let mut frame = Vec::new();
    let text = "häufig ".repeat(8 << 10);
    masked_frame(FrameStart::whole(Opcode::Text), &text.as_bytes()[..64 << 10], [1, 2, 3, 4], &mut frame);
    decode(&frame, 1, times);
}

/// Decodes `bytes` so many times, each as if one read had brought it. Copying them into place is the kernel's part in a server.
fn decode(bytes: &[u8], frames: u64, times: u64) {
    let settings = DecoderSettings { role: Role::Server, deflate: false, message_bytes_max: 1 << 20 };
    let (mut decoder, mut inflater) = (Decoder::new(settings), Inflater::new());
    let mut read = vec![0; bytes.len()];
    for _ in 0..times {
        read.copy_from_slice(bytes);
        let mut input = Input::new(&mut read);
        for _ in 0..frames {
            let event = decoder.next(&mut input, &mut inflater).expect("the frames are right");
            black_box(event.expect("there are so many"));
        }
    }
}

fn engineio_packet(times: u64) {
    let message = Bytes::from(format!("4{}", text()));
    for _ in 0..times {
        let text = antiphon_engineio::Text::from_utf8(black_box(&message).clone()).expect("it is UTF-8");
        let packet = EnginePacket::from_frame(Revision::V4, Frame::Text(text)).expect("it is one");
        black_box(packet.to_frame(Revision::V4, BinarySupport::Native));
    }
}

fn engineio_payload(times: u64) {
    let packets: Vec<_> = (0..16).map(|_| EnginePacket::text(text().as_str())).collect();
    let limits = PayloadLimits { bytes_max: 1 << 20, packets_max: 1000 };
    let mut codec = Codec {
        revision: Revision::V4,
        binary: BinarySupport::Native,
        v3_framing: V3Framing::default(),
        v3_text: V3Text::default(),
    };
    let body = Bytes::from(codec.encode_text(&packets));
    for _ in 0..times {
        let read = codec.decode(BodyForm::Text, black_box(&body).clone(), limits).expect("it is one");
        black_box(codec.encode_text(&read));
    }
}

fn event() -> Bytes {
    Bytes::from(format!("[\"m\",\"{}\"]", text()))
}

fn socketio_decode(times: u64) {
    let packet = Bytes::from([b"2", &event()[..]].concat());
    let limits = Limits::default();
    for _ in 0..times {
        black_box(Packet::decode(black_box(&packet), Version::V5, &limits).expect("it is one"));
    }
}

fn room_event() -> RoomEvent {
    RoomEvent {
        namespace: NamespaceName::root(),
        ack: None,
        data: EventData::parse(event()).expect("it is one"),
        attachments: Vec::new(),
    }
}

fn socketio_encode(times: u64) {
    let event = room_event();
    for _ in 0..times {
        black_box(black_box(&event).encode(None));
    }
}

fn socketio_msgpack(times: u64) {
    let packet = Bytes::from([b"2", &event()[..]].concat());
    let limits = Limits::default();
    let packet = Packet::decode(&packet, Version::V5, &limits).expect("it is one");
    let message = Message { packet, attachments: Vec::new() };
    for _ in 0..times {
        let packed = msgpack::encode(black_box(&message)).expect("it has a form");
        black_box(msgpack::decode(&packed, Version::V5, &limits).expect("it is one"));
    }
}
