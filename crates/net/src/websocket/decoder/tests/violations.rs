use super::*;

fn error(settings: DecoderSettings, stream: &[u8]) -> Option<ProtocolError> {
    let outcome = decode(settings, stream, &[]);
    assert_eq!(outcome, decode(settings, stream, &[1]));
    outcome.error
}

#[test]
fn each_violation_has_its_error_and_code() {
    use ProtocolError::*;
    const NO_DEFLATE: DecoderSettings = DecoderSettings { deflate: false, ..SERVER };
    for (settings, stream, expected, code) in [
        (SERVER, &b"\x91"[..], ReservedBits, 1002),
        (SERVER, b"\xa1", ReservedBits, 1002),
        (NO_DEFLATE, b"\xc1", CompressionNotNegotiated, 1002),
        (SERVER, b"\xc9", CompressionMisplaced, 1002),
        (SERVER, b"\x01\x80\0\0\0\0\x40", CompressionMisplaced, 1002),
        (SERVER, b"\x83", ReservedOpcode, 1002),
        (SERVER, b"\x87", ReservedOpcode, 1002),
        (SERVER, b"\x8b", ReservedOpcode, 1002),
        (SERVER, b"\x8f", ReservedOpcode, 1002),
        (SERVER, b"\x09", FragmentedControl, 1002),
        (SERVER, b"\x08", FragmentedControl, 1002),
        (SERVER, b"\x89\xfe", LongControl, 1002),
        (SERVER, b"\x88\xff", LongControl, 1002),
        (SERVER, b"\x81\x05", NotMasked, 1002),
        (CLIENT, b"\x81\x85", Masked, 1002),
        (SERVER, b"\x81\xfe\x00\x7d", LengthNotMinimal, 1002),
        (SERVER, b"\x82\xff\0\0\0\0\0\0\xff\xff", LengthNotMinimal, 1002),
        (SERVER, b"\x82\xff\x80\0\0\0\0\0\0\0", LengthOverflow, 1002),
        (SERVER, b"\x80\x80\0\0\0\0", UnexpectedContinuation, 1002),
        (SERVER, b"\x81\x80\0\0\0\0\x00\x80\0\0\0\0", UnexpectedContinuation, 1002),
        (SERVER, b"\x01\x80\0\0\0\0\x81\x80\0\0\0\0", ExpectedContinuation, 1002),
        (SERVER, b"\x88\x81\0\0\0\0\x03", CloseTooShort, 1002),
        (CLIENT, b"\x88\x02\x03\xed", InvalidCloseCode, 1002),
        (CLIENT, b"\x88\x02\x00\x00", InvalidCloseCode, 1002),
        (CLIENT, b"\x88\x02\x13\x88", InvalidCloseCode, 1002),
        (CLIENT, b"\x88\x03\x03\xe8\xff", InvalidUtf8, 1007),
        (CLIENT, b"\x81\x01\xff", InvalidUtf8, 1007),
        (CLIENT, b"\x81\x02\xe2\x82", InvalidUtf8, 1007),
        (CLIENT, b"\x01\x01\xe2\x80\x01\x82", InvalidUtf8, 1007),
        (CLIENT, b"\xc2\x01\x06", InvalidDeflate, 1007),
        (CLIENT, b"\x42\x01\xf2\x80\x01\x48", InvalidDeflate, 1007),
        (SERVER, b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", MessageTooBig, 1009),
    ] {
        assert_eq!(error(settings, stream), Some(expected), "{stream:02x?}");
        assert_eq!(expected.close_code().value(), code);
    }
}

#[test]
fn what_is_short_of_a_violation_is_awaited() {
    for (settings, stream) in [
        (SERVER, &b"\x81"[..]),
        (SERVER, b"\x89\xfd"),
        (SERVER, b"\x81\xfe\x00"),
        (SERVER, b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0"),
        (CLIENT, b"\x81\x02\xe2"),
        (CLIENT, b"\x88\x03\x13\x88"),
    ] {
        assert_eq!(decode(settings, stream, &[]), Outcome::default(), "{stream:02x?}");
        assert_eq!(decode(settings, stream, &[1]), Outcome::default(), "{stream:02x?}");
    }
}

#[test]
fn compressed_text_is_checked_once_inflated() {
    let mut stream = Vec::new();
    compressed_frame(MessageKind::Text, &[0xff; 100], WindowBits::MAX, &mut Deflater::new(0), &mut stream);
    assert_eq!(stream[0], 0xc1);
    assert_eq!(error(CLIENT, &stream), Some(ProtocolError::InvalidUtf8));
}

#[test]
fn reasons_fit_a_close_frame() {
    let error = ProtocolError::CompressionMisplaced;
    let mut out = Vec::new();
    close_frame(Some(error.close_code()), error.reason(), &mut out);
    assert!(out.ends_with(error.to_string().as_bytes()));
}

#[test]
fn invalid_text_fails_before_its_frame_ends() {
    // RFC 3629: overlong, a surrogate, beyond U+10FFFF. Each is settled by its second byte.
    for bytes in [&b"\xc0\x80"[..], b"\xe0\x80", b"\xed\xa0", b"\xf4\x90", b"ok\xff", b"\xe2\x28"] {
        let mut stream = masked(Opcode::Text, FIRST, &[bytes, b"and so on"].concat());
        stream.truncate(6 + bytes.len());
        assert_eq!(error(SERVER, &stream), Some(ProtocolError::InvalidUtf8), "{bytes:02x?}");
    }
}

#[test]
fn the_limit_is_on_the_message_and_known_from_the_header() {
    let settings = DecoderSettings { message_bytes_max: 1_000, ..SERVER };
    assert_eq!(events(settings, &masked(Opcode::Binary, LAST, &[1; 1_000])).len(), 1);
    let header = &masked(Opcode::Binary, LAST, &[1; 1_001])[..8];
    assert_eq!(error(settings, header), Some(ProtocolError::MessageTooBig));

    let parts = |last| {
        [
            masked(Opcode::Binary, FIRST, &[1; 600]),
            masked(Opcode::Ping, LAST, &[1; 125]),
            masked(Opcode::Continuation, LAST, &vec![1; last]),
        ]
        .concat()
    };
    assert_eq!(events(settings, &parts(400)).len(), 2);
    assert_eq!(error(settings, &parts(401)), Some(ProtocolError::MessageTooBig));
}

#[test]
fn a_compression_bomb_is_too_big() {
    let zeros = vec![0; 2 << 20];
    let mut stream = Vec::new();
    compressed_frame(MessageKind::Binary, &zeros, WindowBits::MAX, &mut Deflater::new(0), &mut stream);
    assert!(stream.len() < 10_000);
    assert_eq!(error(CLIENT, &stream), Some(ProtocolError::MessageTooBig));
}

#[test]
fn a_message_that_does_not_compress_may_still_have_the_full_size() {
    // A stored block: a few bytes more than the message.
    let payload = [&[0x00, 0xe8, 0x03, 0x17, 0xfc][..], &[b'x'; 1_000], &[0x00]].concat();
    let mut stream = Vec::new();
    let start = FrameStart { opcode: Opcode::Binary, fin: true, compressed: true };
    encode_header(start, payload.len(), &mut stream);
    stream.extend_from_slice(&payload);
    let exact = DecoderSettings { message_bytes_max: 1_000, ..CLIENT };
    assert_eq!(events(exact, &stream), [OwnedEvent::Binary(vec![b'x'; 1_000])]);
    let less = DecoderSettings { message_bytes_max: 999, ..CLIENT };
    assert_eq!(error(less, &stream), Some(ProtocolError::MessageTooBig));
}

#[test]
fn empty_fragments_do_not_go_on_for_ever() {
    let fragments = |count: usize| {
        let mut stream = b"\x02\x00".to_vec();
        stream.extend(b"\x00\x00".repeat(count - 2));
        stream.extend_from_slice(b"\x80\x00");
        decode(CLIENT, &stream, &[])
    };
    let at_most = EMPTY_FRAGMENTS_MAX as usize;
    assert_eq!(fragments(at_most).events, [OwnedEvent::Binary(Vec::new())]);
    let refused = Outcome { events: Vec::new(), error: Some(ProtocolError::TooManyFragments) };
    assert_eq!(fragments(at_most + 1), refused);

    let small = [b"\x02\x01x".to_vec(), b"\x00\x01x".repeat(100_000), b"\x80\x00".to_vec()].concat();
    assert_eq!(decode(CLIENT, &small, &[]).events, [OwnedEvent::Binary(vec![b'x'; 100_001])]);
}
