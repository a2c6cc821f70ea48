//! What the messages of a run look like, and how they are known again: each carries its number, and nothing else differs.

use crate::connection::Frame;
use crate::framing::{BINARY, TEXT, apply_mask, push_header};
use crate::target::Protocol;

/// The smallest message: what a number takes in letters.
pub(crate) const MESSAGE_BYTES_MIN: usize = 16;

/// What the bytes of a message are that are not its number.
const FILLER: u8 = b'e';

/// The messages of one direction.
///
/// Of a Socket.IO packet, `size` is the bytes of the one text that it carries; what is around it comes on top.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    opcode: u8,
    /// In front of the acknowledgement's id, when there is one.
    head: &'static [u8],
    id: Id,
    before: &'static [u8],
    size: usize,
    after: &'static [u8],
    numbering: Numbering,
}

/// Whether a message has an acknowledgement's id, which is its number then.
#[derive(Debug, Clone, Copy)]
enum Id {
    None,
    Number,
}

/// How a number is written at the beginning of a message.
#[derive(Debug, Clone, Copy)]
enum Numbering {
    /// Eight bytes, the least significant one first.
    Bytes,
    /// Sixteen letters of four bits each, the most significant one first: `@` is 0, `A` is 1 and `O` is 15.
    Letters,
}

impl Shape {
    /// What a publisher sends to all.
    pub(crate) fn publish(protocol: Protocol, size: usize) -> Self {
        match protocol {
            Protocol::WebSocket => Self::frame(size),
            Protocol::SocketIo => Self::packet(b"", Id::None, b"42[\"broadcast\",\"", size),
        }
    }

    /// What each subscriber gets of it.
    pub(crate) fn delivery(protocol: Protocol, size: usize) -> Self {
        match protocol {
            Protocol::WebSocket => Self::frame(size),
            Protocol::SocketIo => Self::packet(b"", Id::None, b"42[\"m\",\"", size),
        }
    }

    /// What a client sends to get it back.
    pub(crate) fn request(protocol: Protocol, size: usize) -> Self {
        match protocol {
            Protocol::WebSocket => Self::frame(size),
            Protocol::SocketIo => Self::packet(b"42", Id::Number, b"[\"echo\",\"", size),
        }
    }

    /// What comes back.
    pub(crate) fn answer(protocol: Protocol, size: usize) -> Self {
        match protocol {
            Protocol::WebSocket => Self::frame(size),
            Protocol::SocketIo => Self::packet(b"43", Id::Number, b"[\"", size),
        }
    }

    fn frame(size: usize) -> Self {
        let (opcode, numbering) = (BINARY, Numbering::Bytes);
        Self { opcode, head: b"", id: Id::None, before: b"", size, after: b"", numbering }
    }

    fn packet(head: &'static [u8], id: Id, before: &'static [u8], size: usize) -> Self {
        Self { opcode: TEXT, head, id, before, size, after: b"\"]", numbering: Numbering::Letters }
    }

    /// The most bytes that one of these is.
    pub(crate) fn bytes_max(&self) -> usize {
        self.head.len() + DIGITS_MAX + self.before.len() + self.size + self.after.len()
    }

    /// Appends the message `number` as a masked frame.
    pub(crate) fn push(&self, number: u64, key: [u8; 4], out: &mut Vec<u8>) {
        let mut digits = [0; DIGITS_MAX];
        let id = match self.id {
            Id::None => &[],
            Id::Number => decimal(number, &mut digits),
        };
        let payload_bytes = self.head.len() + id.len() + self.before.len() + self.size + self.after.len();
        push_header(out, self.opcode, payload_bytes, Some(key));
        let start = out.len();
        for part in [self.head, id, self.before] {
            out.extend_from_slice(part);
        }
        let text = out.len();
        match self.numbering {
            Numbering::Bytes => out.extend_from_slice(&number.to_le_bytes()),
            Numbering::Letters => out.extend_from_slice(&letters(number)),
        }
        out.resize(text + self.size, FILLER);
        out.extend_from_slice(self.after);
        apply_mask(&mut out[start..], key);
    }

    /// The number of a message; `None` for what is none of these.
    #[inline]
    pub(crate) fn number(&self, frame: Frame<'_>) -> Option<u64> {
        if frame.opcode != self.opcode {
            return None;
        }
        let rest = strip_prefix(frame.payload, self.head)?;
        let (id, rest) = match self.id {
            Id::None => (None, rest),
            Id::Number => split_decimal(rest).map(|(id, rest)| (Some(id), rest))?,
        };
        let text = strip_prefix(rest, self.before)?;
        if text.len() != self.size + self.after.len() || !ends_with(text, self.after) {
            return None;
        }
        let number = match self.numbering {
            Numbering::Bytes => u64::from_le_bytes(*text.first_chunk()?),
            Numbering::Letters => from_letters(text.first_chunk()?)?,
        };
        id.is_none_or(|id| id == number).then_some(number)
    }
}

/// As the method of slices, without a call for nothing: comparing no bytes at a dangling address is what some
/// processors stumble over.
#[inline]
fn strip_prefix<'a>(bytes: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    if prefix.is_empty() { Some(bytes) } else { bytes.strip_prefix(prefix) }
}

/// As the method of slices, with the same care as [`strip_prefix`].
#[inline]
fn ends_with(bytes: &[u8], suffix: &[u8]) -> bool {
    suffix.is_empty() || bytes.ends_with(suffix)
}

/// Digits of the largest number.
const DIGITS_MAX: usize = 20;

fn decimal(mut number: u64, digits: &mut [u8; DIGITS_MAX]) -> &[u8] {
    let mut at = DIGITS_MAX;
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

fn split_decimal(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = bytes.split_at(digits);
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

fn letters(number: u64) -> [u8; 16] {
    std::array::from_fn(|at| b'@' | (number >> (60 - 4 * at)) as u8 & 0xF)
}

#[inline]
fn from_letters(letters: &[u8; 16]) -> Option<u64> {
    let all = u128::from_be_bytes(*letters);
    if all & 0xF0F0_F0F0_F0F0_F0F0_F0F0_F0F0_F0F0_F0F0 != 0x4040_4040_4040_4040_4040_4040_4040_4040 {
        return None;
    }
    Some(u64::from(pack((all >> 64) as u64)) << 32 | u64::from(pack(all as u64)))
}

/// Moves the low halves of eight bytes together.
#[inline]
fn pack(bytes: u64) -> u32 {
    let halves = bytes & 0x0F0F_0F0F_0F0F_0F0F;
    let bytes = (halves | halves >> 4) & 0x00FF_00FF_00FF_00FF;
    let words = (bytes | bytes >> 8) & 0x0000_FFFF_0000_FFFF;
    (words | words >> 16) as u32
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::framing::Header;

    const KEY: [u8; 4] = [1, 2, 3, 4];

    fn payload(shape: &Shape, number: u64) -> Vec<u8> {
        let mut out = Vec::new();
        shape.push(number, KEY, &mut out);
        let header = Header::read(&out, shape.bytes_max()).unwrap().unwrap();
        assert_eq!(header.frame_bytes(), out.len());
        assert_eq!(header.opcode, shape.opcode);
        let mut payload = out.split_off(header.header_bytes);
        apply_mask(&mut payload, KEY);
        payload
    }

    fn read(shape: &Shape, payload: &[u8]) -> Option<u64> {
        shape.number(Frame { opcode: shape.opcode, payload, read_at: Instant::now() })
    }

    #[test]
    fn every_number_comes_back_as_it_was_written() {
        for protocol in [Protocol::WebSocket, Protocol::SocketIo] {
            for shape in [Shape::publish, Shape::delivery, Shape::request, Shape::answer] {
                let shape = shape(protocol, 128);
                for number in [0, 1, 9, 10, 0x0123_4567_89AB_CDEF, u64::MAX] {
                    let payload = payload(&shape, number);
                    assert_eq!(read(&shape, &payload), Some(number));
                    assert_eq!(read(&shape, &payload[1..]), None);
                    assert_eq!(read(&shape, &payload[..payload.len() - 1]), None);
                }
            }
        }
    }

    #[test]
    fn packets_are_what_socket_io_clients_send() {
        let text = |shape: Shape, number| String::from_utf8(payload(&shape, number)).unwrap();
        let of = Protocol::SocketIo;
        assert_eq!(text(Shape::publish(of, 18), 1), r#"42["broadcast","@@@@@@@@@@@@@@@Aee"]"#);
        assert_eq!(text(Shape::delivery(of, 16), 0x2F), r#"42["m","@@@@@@@@@@@@@@BO"]"#);
        assert_eq!(text(Shape::request(of, 16), 16), r#"4216["echo","@@@@@@@@@@@@@@A@"]"#);
        assert_eq!(text(Shape::answer(of, 16), 16), r#"4316["@@@@@@@@@@@@@@A@"]"#);
    }

    #[test]
    fn an_acknowledgement_of_another_is_not_taken() {
        let shape = Shape::answer(Protocol::SocketIo, 16);
        assert_eq!(read(&shape, br#"4317["@@@@@@@@@@@@@@A@"]"#), None);
        assert_eq!(read(&shape, br#"43["@@@@@@@@@@@@@@A@"]"#), None);
        assert_eq!(read(&shape, br#"4316["@@@@@@@@@@@@@@a@"]"#), None);
    }
}
