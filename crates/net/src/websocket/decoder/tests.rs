use super::super::client::masked_frame;
use super::super::fuzzing::{Outcome, OwnedEvent, decode};
use super::super::{Deflater, FrameStart, WindowBits, close_frame, compressed_frame, encode_header, frame};
use super::*;

mod properties;
mod violations;

const SERVER: DecoderSettings =
    DecoderSettings { role: Role::Server, deflate: true, message_bytes_max: MESSAGE_BYTES_MAX_DEFAULT };
const CLIENT: DecoderSettings = DecoderSettings { role: Role::Client, ..SERVER };

const FIRST: bool = false;
const LAST: bool = true;

/// A masked frame.
fn masked(opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    masked_frame(FrameStart { opcode, fin, compressed: false }, payload, [0x37, 0xfa, 0x21, 0x3d], &mut out);
    out
}

fn events(settings: DecoderSettings, stream: &[u8]) -> Vec<OwnedEvent> {
    let outcome = decode(settings, stream, &[]);
    assert_eq!(outcome.error, None);
    assert_eq!(outcome, decode(settings, stream, &[1]));
    outcome.events
}

fn text(text: &str) -> OwnedEvent {
    OwnedEvent::Text(text.to_owned())
}

#[test]
fn the_frames_of_rfc_6455_section_5_7() {
    let hello = b"Hello".to_vec();
    assert_eq!(events(CLIENT, b"\x81\x05Hello"), [text("Hello")]);
    assert_eq!(events(SERVER, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), [text("Hello")]);
    assert_eq!(events(CLIENT, b"\x01\x03Hel\x80\x02lo"), [text("Hello")]);
    assert_eq!(events(CLIENT, b"\x89\x05Hello"), [OwnedEvent::Ping(hello.clone())]);
    assert_eq!(events(SERVER, b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), [OwnedEvent::Pong(hello)]);
    for (header, length) in
        [(&b"\x82\x7e\x01\x00"[..], 256), (b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 65_536)]
    {
        let payload = vec![7; length];
        assert_eq!(events(CLIENT, &[header, &payload].concat()), [OwnedEvent::Binary(payload)]);
    }
}

#[test]
fn the_frames_of_rfc_7692_section_7_2_3() {
    for stream in [
        &b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"[..],
        // Two fragments; a block without compression; a last block; two blocks.
        b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00",
        b"\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
        b"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
        b"\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
    ] {
        assert_eq!(events(CLIENT, stream), [text("Hello")], "{stream:02x?}");
    }
    // Section 7.2.3.2: with the context taken over, which was ruled out.
    let taken_over = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00";
    assert_eq!(decode(CLIENT, taken_over, &[]).error, Some(ProtocolError::InvalidDeflate));
}

#[test]
fn control_frames_come_between_fragments() {
    let stream = [
        masked(Opcode::Text, FIRST, "gré".as_bytes()),
        masked(Opcode::Ping, LAST, b"1"),
        masked(Opcode::Continuation, FIRST, b""),
        masked(Opcode::Pong, LAST, b""),
        masked(Opcode::Continuation, LAST, b"ve"),
        masked(Opcode::Text, LAST, b""),
    ]
    .concat();
    let expected = [OwnedEvent::Ping(b"1".to_vec()), OwnedEvent::Pong(Vec::new()), text("gréve"), text("")];
    assert_eq!(events(SERVER, &stream), expected);
}

#[test]
fn characters_may_be_cut_between_fragments() {
    for character in ["é", "€", "\u{1d11e}"] {
        let bytes = character.as_bytes();
        for cut in 0..=bytes.len() {
            let stream = [
                masked(Opcode::Text, FIRST, &bytes[..cut]),
                masked(Opcode::Ping, LAST, b"?"),
                masked(Opcode::Continuation, LAST, &bytes[cut..]),
            ]
            .concat();
            assert_eq!(events(SERVER, &stream), [OwnedEvent::Ping(b"?".to_vec()), text(character)]);
        }
    }
}

#[test]
fn whole_messages_are_lent_from_the_input_and_nothing_is_allocated() {
    let mut read = [masked(Opcode::Binary, LAST, &[9; 300]), masked(Opcode::Text, LAST, b"two")].concat();
    let range = read.as_ptr_range();
    let mut decoder = Decoder::new(SERVER);
    let mut inflater = Inflater::new();
    let mut input = Input::new(&mut read);
    let mut messages = 0;
    while let Some(event) = decoder.next(&mut input, &mut inflater).expect("valid") {
        let start = match event {
            Event::Binary(bytes) => bytes.as_ptr(),
            Event::Text(text) => text.as_ptr(),
            other => panic!("{other:?}"),
        };
        assert!(range.contains(&start));
        messages += 1;
    }
    assert_eq!(messages, 2);
    assert_eq!(decoder.buffered_bytes(), 0);
}

#[test]
fn an_idle_decoder_is_small_and_holds_nothing() {
    assert!(size_of::<Decoder>() <= 64 + size_of::<Vec<u8>>(), "{}", size_of::<Decoder>());

    let mut decoder = Decoder::new(SERVER);
    let mut inflater = Inflater::new();
    for mut piece in [masked(Opcode::Text, FIRST, b"a"), masked(Opcode::Continuation, LAST, b"b")] {
        let mut input = Input::new(&mut piece);
        while decoder.next(&mut input, &mut inflater).expect("valid").is_some() {}
    }
    assert_eq!(decoder.buffered_bytes(), 0);
}

#[test]
fn memory_follows_what_comes_and_not_what_is_announced() {
    let announced = masked(Opcode::Binary, LAST, &vec![0; 1 << 20]);
    let mut decoder = Decoder::new(SERVER);
    let mut inflater = Inflater::new();
    let mut read = announced[..1_000].to_vec();
    assert_eq!(decoder.next(&mut Input::new(&mut read), &mut inflater), Ok(None));
    assert!(decoder.buffered_bytes() <= 1_000);
}

#[test]
fn memory_does_not_exceed_the_frame() {
    let frame = masked(Opcode::Binary, LAST, &[0; 1_000]);
    let mut decoder = Decoder::new(SERVER);
    let mut inflater = Inflater::new();
    for piece in [0..700, 700..800, 800..900] {
        let mut read = frame[piece].to_vec();
        assert_eq!(decoder.next(&mut Input::new(&mut read), &mut inflater), Ok(None));
        assert!(decoder.buffered_bytes() <= 1_000);
    }
}

#[test]
fn nothing_is_read_after_a_close_frame() {
    let stream = [
        masked(Opcode::Text, FIRST, b"unfinished"),
        masked(Opcode::Close, LAST, b"\x03\xe8bye"),
        masked(Opcode::Ping, LAST, b""),
        vec![0xff; 100],
    ]
    .concat();
    assert_eq!(events(SERVER, &stream), [OwnedEvent::Close(Some((CloseCode::NORMAL, "bye".to_owned())))]);
}

#[test]
fn close_frames_may_be_empty() {
    assert_eq!(events(SERVER, &masked(Opcode::Close, LAST, b"")), [OwnedEvent::Close(None)]);
    let mut ours = Vec::new();
    close_frame(Some(CloseCode::TOO_BIG), "too big", &mut ours);
    assert_eq!(events(CLIENT, &ours), [OwnedEvent::Close(Some((CloseCode::TOO_BIG, "too big".to_owned())))]);
}

#[test]
fn one_compressed_frame_serves_everybody_and_stands_alone() {
    let message = "to be or not to be, ".repeat(50);
    let mut deflater = Deflater::new(100);
    let mut stream = Vec::new();
    for _ in 0..2 {
        compressed_frame(MessageKind::Text, message.as_bytes(), WindowBits::MAX, &mut deflater, &mut stream);
        compressed_frame(MessageKind::Text, b"short", WindowBits::MAX, &mut deflater, &mut stream);
    }
    assert_eq!(stream[0], 0xc1);
    assert!(stream.len() < message.len() / 2);
    let twice = [text(&message), text("short"), text(&message), text("short")];
    assert_eq!(events(CLIENT, &stream), twice);
}
