//! What the messages of a run look like, and how they are known again: each carries its number, and nothing else differs.

use crate::connection::Frame;
use crate::framing::{BINARY, TEXT, apply_mask, push_header};

/// The smallest message: what a number takes in letters.
pub(crate) const MESSAGE_BYTES_MIN: usize = 16;

/// What the bytes of a message are that are not its number.
const FILLER: u8 = b'e';

/// The messages of one direction.
///
/// `size` is the bytes of the one text that a message carries; what a protocol has around it comes on top.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    envelope: Envelope,
    opcode: u8,
    /// In front of the digits, when there are some.
    head: Box<[u8]>,
    digits: Digits,
    before: Box<[u8]>,
    size: usize,
    after: Box<[u8]>,
    tail: Tail,
    numbering: Numbering,
}

/// What is around a message that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Envelope {
    /// A masked frame.
    WebSocket,
    /// Nothing: how long it is stands in the message itself.
    Bare,
}

/// Digits that differ between messages, besides the number in the text.
#[derive(Debug, Clone, Copy)]
enum Digits {
    None,
    /// The id of an acknowledgement, which is the message's number.
    Number,
    /// What the server gives each message: a position.
    Any,
}

/// What may stand behind a message.
#[derive(Debug, Clone, Copy)]
enum Tail {
    Nothing,
    /// What the server has to say besides.
    Anything,
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
    /// A binary WebSocket frame that is nothing but the message.
    pub(crate) fn binary(size: usize) -> Self {
        let bare = Self::bare(BINARY, b"", size, b"");
        Self { envelope: Envelope::WebSocket, ..bare }
    }

    /// A text frame of a WebSocket, or what else arrives as a text: `before`, the message in letters, `after`.
    pub(crate) fn text(before: &str, size: usize, after: &str) -> Self {
        let bare = Self::bare(TEXT, before.as_bytes(), size, after.as_bytes());
        Self { envelope: Envelope::WebSocket, numbering: Numbering::Letters, ..bare }
    }

    /// The same without a frame around it: `before`, the message, `after`.
    pub(crate) fn bare(opcode: u8, before: &[u8], size: usize, after: &[u8]) -> Self {
        Self {
            envelope: Envelope::Bare,
            opcode,
            head: Box::default(),
            digits: Digits::None,
            before: before.into(),
            size,
            after: after.into(),
            tail: Tail::Nothing,
            numbering: Numbering::Bytes,
        }
    }

    /// The same with `head` and the message's number in front.
    pub(crate) fn acknowledged(self, head: &str) -> Self {
        Self { head: head.as_bytes().into(), digits: Digits::Number, ..self }
    }

    /// The same with `head` and the digits of a position in front.
    pub(crate) fn positioned(self, head: &str) -> Self {
        Self { head: head.as_bytes().into(), digits: Digits::Any, ..self }
    }

    /// The same, with anything behind it.
    pub(crate) fn with_more(self) -> Self {
        Self { tail: Tail::Anything, ..self }
    }

    /// The most bytes that one of these is, but for what the server has to say besides.
    pub(crate) fn bytes_max(&self) -> usize {
        self.head.len() + DIGITS_MAX + self.before.len() + self.size + self.after.len()
    }

    /// Appends the message `number`, masked where it is a frame of a WebSocket.
    pub(crate) fn push(&self, number: u64, key: [u8; 4], out: &mut Vec<u8>) {
        let mut digits = [0; DIGITS_MAX];
        let id = match self.digits {
            Digits::None | Digits::Any => &[],
            Digits::Number => decimal(number, &mut digits),
        };
        if self.envelope == Envelope::WebSocket {
            let payload_bytes = self.head.len() + id.len() + self.before.len() + self.size + self.after.len();
            push_header(out, self.opcode, payload_bytes, Some(key));
        }
        let start = out.len();
        for part in [&self.head, id, &self.before] {
            out.extend_from_slice(part);
        }
        let text = out.len();
        match self.numbering {
            Numbering::Bytes => out.extend_from_slice(&number.to_le_bytes()),
            Numbering::Letters => out.extend_from_slice(&letters(number)),
        }
        out.resize(text + self.size, FILLER);
        out.extend_from_slice(&self.after);
        if self.envelope == Envelope::WebSocket {
            apply_mask(&mut out[start..], key);
        }
    }

    /// The number of a message; `None` for what is none of these.
    #[inline]
    pub(crate) fn number(&self, frame: Frame<'_>) -> Option<u64> {
        if frame.opcode != self.opcode {
            return None;
        }
        let mut rest = frame.payload;
        let mut id = None;
        match self.digits {
            Digits::None => {}
            Digits::Number => {
                let (number, after) = split_decimal(strip_prefix(rest, &self.head)?)?;
                (id, rest) = (Some(number), after);
            }
            Digits::Any => {
                rest = strip_prefix(rest, &self.head)?;
                rest = &rest[count_digits(rest)..];
            }
        }
        let mut text = strip_prefix(rest, &self.before)?;
        let end = self.size + self.after.len();
        if text.len() != end {
            text = match self.tail {
                Tail::Nothing => return None,
                Tail::Anything => text.get(..end)?,
            };
        }
        if !ends_with(text, &self.after) {
            return None;
        }
        let number = match self.numbering {
            Numbering::Bytes => u64::from_le_bytes(*text.first_chunk()?),
            Numbering::Letters => from_letters(text.first_chunk()?)?,
        };
        id.is_none_or(|id| id == number).then_some(number)
    }
}

/// A message as text, for requests that are no frames.
pub(crate) fn text(number: u64, size: usize) -> String {
    let mut text: String = letters(number).map(char::from).iter().collect();
    text.extend(std::iter::repeat_n(char::from(FILLER), size.saturating_sub(text.len())));
    text
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
    let (digits, rest) = bytes.split_at(count_digits(bytes));
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

#[inline]
fn count_digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
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
        if shape.envelope == Envelope::Bare {
            return out;
        }
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
        for shape in [
            Shape::binary(128),
            Shape::text("42[\"m\",\"", 128, "\"]"),
            Shape::text("[\"echo\",\"", 128, "\"]").acknowledged("42"),
            Shape::bare(3, b"\x00\x01a", 128, b"\r\n"),
        ] {
            for number in [0, 1, 9, 10, 0x0123_4567_89AB_CDEF, u64::MAX] {
                let payload = payload(&shape, number);
                assert_eq!(read(&shape, &payload), Some(number));
                assert_eq!(read(&shape, &payload[1..]), None);
                assert_eq!(read(&shape, &payload[..payload.len() - 1]), None);
            }
        }
    }

    #[test]
    fn an_acknowledgement_of_another_is_not_taken() {
        let shape = Shape::text("[\"", 16, "\"]").acknowledged("43");
        assert_eq!(read(&shape, br#"4316["@@@@@@@@@@@@@@A@"]"#), Some(16));
        assert_eq!(read(&shape, br#"4317["@@@@@@@@@@@@@@A@"]"#), None);
        assert_eq!(read(&shape, br#"43["@@@@@@@@@@@@@@A@"]"#), None);
        assert_eq!(read(&shape, br#"4316["@@@@@@@@@@@@@@a@"]"#), None);
    }

    #[test]
    fn positions_and_what_follows_may_differ() {
        let shape = Shape::text("\",\"payload\":\"", 16, "\"").positioned("{\"position\":\"").with_more();
        let message = |position: &str, rest: &str| {
            format!("{{\"position\":\"{position}\",\"payload\":\"{}\"{rest}", text(7, 16))
        };
        for (position, rest) in [("1", "}"), ("123456", ",\"publisher\":\"a\"}")] {
            assert_eq!(read(&shape, message(position, rest).as_bytes()), Some(7));
        }
        assert_eq!(read(&shape, message("1x", "}").as_bytes()), None);
        assert_eq!(read(&shape, &message("1", "").as_bytes()[..40]), None);
    }
}
