use proptest::prelude::*;

use super::*;

const MIB: usize = 1 << 20;

fn inflate(payload: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    let mut inflater = Inflater::new();
    inflater.inflate(payload, MIB).map(|()| inflater.output().to_vec())
}

/// Text that repeats itself over many distances.
fn repetitive(bytes: usize) -> Vec<u8> {
    (0_u64..)
        .flat_map(|i| format!("{}, {}; ", i % 700, i.wrapping_mul(i) % 13).into_bytes())
        .take(bytes)
        .collect()
}

/// Bytes that do not compress.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

#[test]
fn the_payloads_of_rfc_7692_section_7_2_3_inflate() {
    for payload in [
        // One block; no compression; BFINAL; two blocks.
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
        &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
    ] {
        assert_eq!(inflate(payload).as_deref(), Ok(&b"Hello"[..]), "{payload:02x?}");
    }
}

#[test]
fn a_last_block_may_be_the_end_or_be_followed_by_blocks_that_refer_to_it() {
    // Without the zero byte that section 7.2.3.4 appends.
    assert_eq!(inflate(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]).as_deref(), Ok(&b"Hello"[..]));
    // Section 7.2.3.2's second message: five bytes, five back.
    let twice = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0xf2, 0x00, 0x11, 0x00, 0x00];
    assert_eq!(inflate(&twice).as_deref(), Ok(&b"HelloHello"[..]));
}

#[test]
fn a_last_block_may_end_wherever_the_output_buffer_does() {
    // With the end of the block in the last byte of the input, while output is still pending.
    for length in OUTPUT_BYTES_FIRST - 20..OUTPUT_BYTES_FIRST + 300 {
        for message in [noise(length), repetitive(length), vec![b'0'; length]] {
            let mut finished = vec![0; 2 * length];
            let mut stream = Compress::new(Compression::default(), false);
            stream.compress(&message, &mut finished, FlushCompress::Finish).expect("there is room");
            finished.truncate(stream.total_out() as usize);
            assert!(inflate(&finished) == Ok(message), "length {length}");
        }
    }
}

#[test]
fn last_blocks_without_end_are_refused() {
    let empty_last_block = [0x03, 0x00];
    assert_eq!(inflate(&empty_last_block.repeat(LAST_BLOCKS_MAX)), Ok(Vec::new()));
    assert_eq!(inflate(&empty_last_block.repeat(LAST_BLOCKS_MAX * 100)), Err(ProtocolError::InvalidDeflate));
}

#[test]
fn empty_messages_inflate() {
    assert_eq!(inflate(&[0x00]), Ok(Vec::new()));
    assert_eq!(inflate(&[]), Ok(Vec::new()));
}

#[test]
fn what_is_no_whole_deflate_stream_is_refused() {
    for payload in [
        // Refers to a message before; reserved block type; stored length and its complement differ; tail not stripped.
        &[0xf2, 0x00, 0x11, 0x00, 0x00][..],
        &[0x06],
        &[0x00, 0x05, 0x00, 0x00, 0x00, 0x48],
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff],
    ] {
        assert_eq!(inflate(payload), Err(ProtocolError::InvalidDeflate), "{payload:02x?}");
    }
}

#[test]
fn a_truncated_message_is_refused_at_every_cut() {
    let message = repetitive(5_000);
    let mut deflater = Deflater::new(0);
    let compressed = deflater.deflate(&message, WindowBits::MAX).expect("it repeats itself").to_vec();
    for cut in 1..compressed.len() {
        assert_eq!(inflate(&compressed[..cut]), Err(ProtocolError::InvalidDeflate), "cut at {cut}");
    }
    assert_eq!(inflate(&compressed), Ok(message));
}

#[test]
fn a_bomb_is_stopped_at_the_limit() {
    let bomb = Deflater::new(0).deflate(&vec![0; 64 * MIB], WindowBits::MAX).expect("zeros").to_vec();
    assert!(bomb.len() < MIB / 10);
    let mut inflater = Inflater::new();
    assert_eq!(inflater.inflate(&bomb, 100_000), Err(ProtocolError::MessageTooBig));
    assert!(inflater.output.capacity() <= 2 * 100_000);

    assert_eq!(inflater.inflate(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], 5), Ok(()));
    assert_eq!(inflater.output(), b"Hello");
    assert_eq!(
        inflater.inflate(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], 4),
        Err(ProtocolError::MessageTooBig)
    );
}

#[test]
fn what_gets_no_smaller_or_is_too_small_is_left_alone() {
    let mut deflater = Deflater::new(100);
    assert_eq!(deflater.deflate(&noise(4_000), WindowBits::MAX), None);
    assert_eq!(deflater.deflate(&[b'a'; 99], WindowBits::MAX), None);
    assert!(deflater.deflate(&[b'a'; 100], WindowBits::MAX).is_some());
    assert_eq!(Deflater::new(0).deflate(b"", WindowBits::MAX), None);
}

#[test]
fn every_window_is_kept_to() {
    let mut deflater = Deflater::new(0);
    for bits in WindowBits::MIN.value()..WindowBits::MAX.value() {
        // What repeats itself only beyond the window does not get smaller.
        let beyond = noise((1 << bits) + 1).repeat(2);
        let window_bits = WindowBits::new(bits).expect("in range");
        assert_eq!(deflater.deflate(&beyond, window_bits), None, "window bits {bits}");
        let larger = WindowBits::new(bits + 1).expect("in range");
        assert!(deflater.deflate(&beyond, larger).is_some(), "window bits {bits} plus one");
    }
}

#[test]
fn large_buffers_are_given_back() {
    let message = repetitive(BUFFER_BYTES_KEPT * 3);
    let mut deflater = Deflater::new(0);
    let compressed = deflater.deflate(&message, WindowBits::MAX).expect("it repeats itself").to_vec();
    let mut inflater = Inflater::new();
    inflater.inflate(&compressed, MIB).expect("whole");
    assert!(inflater.output() == message);

    deflater.deflate(&message[..1_000], WindowBits::MAX).expect("it repeats itself");
    assert!(deflater.output.capacity() <= BUFFER_BYTES_KEPT);
    inflater.inflate(&[0x00], MIB).expect("empty");
    assert!(inflater.output.capacity() <= BUFFER_BYTES_KEPT);
}

proptest! {
    #[test]
    fn what_is_deflated_inflates_to_itself(
        messages in prop::collection::vec((prop::collection::vec(0_u8..4, 1..5_000), 9_u8..=15), 1..8),
    ) {
        let mut deflater = Deflater::new(0);
        let mut inflater = Inflater::new();
        for (message, bits) in messages {
            let window = WindowBits::new(bits).expect("in range");
            if let Some(compressed) = deflater.deflate(&message, window) {
                prop_assert!(compressed.len() < message.len());
                prop_assert_eq!(inflater.inflate(compressed, message.len()), Ok(()));
                prop_assert_eq!(inflater.output(), &message[..]);
            }
        }
    }

    #[test]
    fn arbitrary_payloads_stay_within_the_limit(payload in prop::collection::vec(any::<u8>(), 0..3_000)) {
        let mut inflater = Inflater::new();
        let result = inflater.inflate(&payload, 2_000);
        prop_assert!(inflater.output.capacity() <= OUTPUT_BYTES_FIRST);
        if result.is_ok() {
            prop_assert!(inflater.output().len() <= 2_000);
        }
    }
}
