//! Frames as a server sends them: unmasked, unfragmented, appended one after the other to one buffer.

use super::frame::LengthBytes;
use super::{CONTROL_BYTES_MAX, CloseCode, Deflater, FrameStart, MessageKind, Opcode, WindowBits};

/// Appends the header of an unmasked frame; its `payload_bytes` bytes of payload must follow.
pub fn encode_header(start: FrameStart, payload_bytes: usize, out: &mut Vec<u8>) {
    out.push(start.byte());
    out.extend_from_slice(LengthBytes::new(payload_bytes, false).as_slice());
}

/// How many bytes an unmasked frame takes with so many bytes of payload.
pub fn frame_bytes(payload_bytes: usize) -> usize {
    1 + LengthBytes::new(payload_bytes, false).as_slice().len() + payload_bytes
}

/// Appends a message as one frame. The payload of a text message must be UTF-8.
pub fn frame(kind: MessageKind, payload: &[u8], out: &mut Vec<u8>) {
    whole_frame(kind.into(), payload, out);
}

/// Appends a message as one frame whose payload `write` appends in place, and passes on what `write` returns.
///
/// `size_hint` is how many bytes that will be, roughly: only when it is in the wrong one of the classes up to 125, up to
/// 65,535 and beyond is the payload moved.
///
/// # Panics
/// If `write` takes away from what was in the buffer before.
pub fn frame_with<R>(
    kind: MessageKind,
    size_hint: usize,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> R,
) -> R {
    let start = out.len();
    encode_header(FrameStart::whole(kind.into()), size_hint, out);
    let payload = out.len();
    let result = write(out);
    let payload_bytes = out.len().checked_sub(payload).expect("the payload is only ever appended");
    let length = LengthBytes::new(payload_bytes, false);
    // The opcode's byte stands; the length bytes, which may be too few or too many, are exchanged.
    if length.as_slice().len() == payload - start - 1 {
        out[start + 1..payload].copy_from_slice(length.as_slice());
    } else {
        out.splice(start + 1..payload, length.as_slice().iter().copied());
    }
    result
}

/// Appends a message as one frame, compressed if that makes it smaller and it has at least the deflater's threshold.
///
/// The frame depends on no other (`server_no_context_takeover`), so whoever agreed on `window_bits` can be sent it.
pub fn compressed_frame(
    kind: MessageKind,
    payload: &[u8],
    window_bits: WindowBits,
    deflater: &mut Deflater,
    out: &mut Vec<u8>,
) {
    match deflater.deflate(payload, window_bits) {
        Some(compressed) => {
            let start = FrameStart { opcode: kind.into(), fin: true, compressed: true };
            encode_header(start, compressed.len(), out);
            out.extend_from_slice(compressed);
        }
        None => frame(kind, payload, out),
    }
}

/// Appends a close frame. The reason is cut, between characters, to the 123 bytes that have room.
pub fn close_frame(code: Option<CloseCode>, reason: &str, out: &mut Vec<u8>) {
    let Some(code) = code else { return whole_frame(Opcode::Close, &[], out) };
    let reason = &reason[..reason.floor_char_boundary(CONTROL_BYTES_MAX - 2)];
    encode_header(FrameStart::whole(Opcode::Close), 2 + reason.len(), out);
    out.extend_from_slice(&code.value().to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

/// Appends a ping, its payload cut to 125 bytes.
pub fn ping_frame(payload: &[u8], out: &mut Vec<u8>) {
    control_frame(Opcode::Ping, payload, out);
}

/// Appends a pong, its payload cut to 125 bytes.
pub fn pong_frame(payload: &[u8], out: &mut Vec<u8>) {
    control_frame(Opcode::Pong, payload, out);
}

fn control_frame(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    whole_frame(opcode, &payload[..payload.len().min(CONTROL_BYTES_MAX)], out);
}

fn whole_frame(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    encode_header(FrameStart::whole(opcode), payload.len(), out);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_forms_are_the_shortest() {
        for (length, header) in [
            (0, &[0x82, 0][..]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (65_535, &[0x82, 126, 0xff, 0xff]),
            (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut out = Vec::new();
            frame(MessageKind::Binary, &vec![7; length], &mut out);
            assert_eq!(&out[..header.len()], header);
            assert_eq!(out.len(), header.len() + length);
            assert_eq!(out.len(), frame_bytes(length));
        }
    }

    #[test]
    fn a_payload_written_in_place_is_the_same_frame_whatever_the_hint() {
        for length in [0, 1, 125, 126, 300, 65_535, 65_536, 70_000] {
            let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let mut expected = b"before".to_vec();
            frame(MessageKind::Text, &payload, &mut expected);
            for hint in [0, 125, 126, 65_535, 65_536, usize::MAX >> 1] {
                let mut out = b"before".to_vec();
                let written = frame_with(MessageKind::Text, hint, &mut out, |out| {
                    out.extend_from_slice(&payload);
                    out.len()
                });
                assert!(written > length);
                assert!(out == expected, "length {length}, hint {hint}");
            }
        }
    }

    #[test]
    fn a_long_close_reason_is_cut_between_characters() {
        let mut out = Vec::new();
        close_frame(Some(CloseCode::NORMAL), &"é".repeat(100), &mut out);
        assert_eq!(out[..4], [0x88, 124, 0x03, 0xe8]);
        assert_eq!(std::str::from_utf8(&out[4..]), Ok("é".repeat(61).as_str()));

        out.clear();
        close_frame(None, "unsaid", &mut out);
        assert_eq!(out, [0x88, 0]);
    }

    #[test]
    fn control_payloads_are_cut_to_what_a_control_frame_carries() {
        let mut out = Vec::new();
        ping_frame(&[1; 200], &mut out);
        assert_eq!((out[0], out[1], out.len()), (0x89, 125, 127));
        out.clear();
        pong_frame(b"Hello", &mut out);
        assert_eq!(out, *b"\x8a\x05Hello");
    }
}
