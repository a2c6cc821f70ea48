//! WebSocket frames, as little of them as a client needs that also writes wrong ones (RFC 6455, section 5).

/// Opcode of a continuation.
pub(crate) const CONTINUATION: u8 = 0x0;
/// Opcode of a text frame.
pub(crate) const TEXT: u8 = 0x1;
/// Opcode of a binary frame.
pub(crate) const BINARY: u8 = 0x2;
/// Opcode of a close.
pub(crate) const CLOSE: u8 = 0x8;
/// Opcode of a ping.
pub(crate) const PING: u8 = 0x9;
/// Opcode of a pong.
pub(crate) const PONG: u8 = 0xA;
/// The bit of a frame that ends its message.
pub(crate) const FIN: u8 = 0x80;
/// The bit of a compressed message.
pub(crate) const RSV1: u8 = 0x40;

/// A key that leaves the payload as it is.
const MASK: [u8; 4] = [0; 4];

/// A client's frame, whole and right, of this opcode.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    raw(FIN | opcode, payload.len() as u64, payload)
}

/// A client's text message.
pub(crate) fn text(text: &str) -> Vec<u8> {
    frame(TEXT, text.as_bytes())
}

/// A masked frame with this first byte that claims to be this long, whatever comes of it.
pub(crate) fn raw(first: u8, claimed: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, claimed, 0x80);
    frame.extend_from_slice(&MASK);
    frame.extend_from_slice(payload);
    frame
}

/// A frame without a mask, as no client may send it.
pub(crate) fn unmasked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(FIN | opcode, payload.len() as u64, 0);
    frame.extend_from_slice(payload);
    frame
}

fn header(first: u8, length: u64, mask: u8) -> Vec<u8> {
    let mut header = vec![first];
    match length {
        0..=125 => header.push(mask | length as u8),
        126..=0xFFFF => {
            header.push(mask | 126);
            header.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            header.push(mask | 127);
            header.extend_from_slice(&length.to_be_bytes());
        }
    }
    header
}

/// A server's frame: its opcode, where its payload stands in the bytes, and where it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) payload: std::ops::Range<usize>,
}

/// The frame that the bytes begin with; none while it is not all there.
pub(crate) fn first(bytes: &[u8]) -> Option<Frame> {
    let &[first, length, ..] = bytes else { return None };
    let (length, from) = match length & 0x7F {
        126 => (u64::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?), 10),
        short => (u64::from(short), 2),
    };
    let end = from + usize::try_from(length).ok()?;
    (bytes.len() >= end).then_some(Frame { opcode: first & 0x0F, payload: from..end })
}

/// Code and reason of the first close frame among these frames.
pub(crate) fn close_in(mut bytes: &[u8]) -> Option<(u16, String)> {
    while let Some(Frame { opcode, payload }) = first(bytes) {
        if opcode == CLOSE {
            let body = &bytes[payload];
            let code = body.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
            return Some((code, String::from_utf8_lossy(body.get(2..).unwrap_or_default()).into_owned()));
        }
        bytes = &bytes[payload.end..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_a_server_are_read_once_they_are_whole() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let bytes = unmasked(TEXT, &vec![b'x'; length]);
            assert_eq!(first(&bytes[..bytes.len() - 1]), None, "{length}");
            let read = first(&bytes).unwrap();
            assert_eq!((read.opcode, read.payload.len(), read.payload.end), (TEXT, length, bytes.len()));
        }
    }

    #[test]
    fn a_close_is_found_behind_other_frames() {
        let close = unmasked(CLOSE, &[&1009_u16.to_be_bytes()[..], b"too big"].concat());
        let bytes = [unmasked(TEXT, b"hello"), close].concat();
        assert_eq!(close_in(&bytes), Some((1009, "too big".to_owned())));
        assert_eq!(close_in(&bytes[..9]), None);
        assert_eq!(close_in(&unmasked(CLOSE, b"")), Some((1005, String::new())));
    }

    #[test]
    fn a_frame_can_claim_what_it_does_not_have() {
        assert_eq!(raw(FIN | TEXT, 1 << 40, b""), [0x81, 0xFF, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
}
