//! Publish and subscribe of Redis, in its protocol RESP.

use super::{Cut, Malformed, Probe, Script, Step, Wire};
use crate::connection::Framing;
use crate::message::Shape;
use crate::target::{Part, Target};

// Frames are whole replies, and told apart by their first byte.
const ARRAY: u8 = b'*';
const BULK: u8 = b'$';
const SIMPLE: u8 = b'+';
/// The server refused.
pub(crate) const ERROR: u8 = b'-';

/// The most items of an array that this crate asks for.
const ITEMS_MAX: usize = 16;

/// The longest line.
const LINE_BYTES_MAX: usize = 1024;

pub(super) struct Redis;

impl Wire for Redis {
    fn script(&self, target: &Target, part: Part, number: usize) -> Script {
        let topic = target.topic(part, number);
        let mut hello = Vec::new();
        let mut steps = Vec::new();
        if let Some(token) = target.token() {
            push_command(&["AUTH", token], &mut hello);
            steps.push(Step::wait(SIMPLE, &b"+OK"[..]));
        }
        match part {
            Part::Subscriber | Part::Idle => {
                push_command(&["SUBSCRIBE", &topic], &mut hello);
                steps.push(Step::wait(ARRAY, &b"*3\r\n$9\r\nsubscribe\r\n"[..]));
            }
            // One that subscribes may not do anything else.
            Part::Publisher | Part::Echo | Part::Acknowledged => {
                push_command(&["PING"], &mut hello);
                steps.push(Step::wait(SIMPLE, &b"+PONG"[..]));
            }
        }
        Script { framing: Framing::Redis, hello, steps }
    }

    fn publish(&self, topic: &str, size: usize) -> Shape {
        let before = format!("*3\r\n$7\r\nPUBLISH\r\n${}\r\n{topic}\r\n${size}\r\n", topic.len());
        Shape::bare(ARRAY, before.as_bytes(), size, b"\r\n")
    }

    fn delivery(&self, topic: &str, size: usize) -> Shape {
        let before = format!("*3\r\n$7\r\nmessage\r\n${}\r\n{topic}\r\n${size}\r\n", topic.len());
        Shape::bare(ARRAY, before.as_bytes(), size, b"\r\n")
    }

    fn request(&self, _topic: &str, size: usize) -> Shape {
        Shape::bare(ARRAY, format!("*2\r\n$4\r\nECHO\r\n${size}\r\n").as_bytes(), size, b"\r\n")
    }

    fn answer(&self, _topic: &str, size: usize) -> Shape {
        Shape::bare(BULK, format!("${size}\r\n").as_bytes(), size, b"\r\n")
    }

    /// Of one that subscribes.
    fn probe(&self) -> Option<Probe> {
        let mut question = Vec::new();
        push_command(&["PING"], &mut question);
        Some(Probe::new(question, ARRAY, b"*2\r\n$4\r\npong\r\n"))
    }
}

fn push_command(words: &[&str], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
}

/// The reply at the beginning of `bytes`; none while it is not all there.
///
/// # Errors
/// It is none, or one that is too long, or an array within an array, for which nothing here asks.
#[inline]
pub(crate) fn cut(bytes: &[u8], payload_bytes_max: usize) -> Result<Option<Cut<'_>>, Malformed> {
    let (mut at, mut left, mut is_first) = (0, 1, true);
    while left > 0 {
        let Some(rest) = bytes.get(at..) else { return Ok(None) };
        let Some((kind, number, line_bytes)) = line(rest)? else { return Ok(None) };
        at += line_bytes;
        left -= 1;
        match kind {
            b'*' | b'>' if is_first => left = number.filter(|items| *items <= ITEMS_MAX).ok_or(WRONG)?,
            b'$' => at += number.filter(|bytes| *bytes <= payload_bytes_max).ok_or(WRONG)? + 2,
            b'+' | b'-' | b':' => {}
            _ => return Err(WRONG),
        }
        is_first = false;
    }
    Ok(bytes.get(..at).map(|payload| Cut { opcode: payload[0], payload, bytes: at }))
}

const WRONG: Malformed = Malformed("a reply that is none of RESP, or too long");

/// What a line begins with, the number it has if it has one, and its bytes.
#[inline]
fn line(bytes: &[u8]) -> Result<Option<(u8, Option<usize>, usize)>, Malformed> {
    let Some(&kind) = bytes.first() else { return Ok(None) };
    let (mut number, mut is_number) = (0_usize, true);
    for (at, &byte) in bytes.iter().enumerate().take(LINE_BYTES_MAX).skip(1) {
        match byte {
            b'0'..=b'9' => number = number.saturating_mul(10).saturating_add(usize::from(byte - b'0')),
            b'\r' => {}
            b'\n' => return Ok(Some((kind, Some(number).filter(|_| is_number), at + 1))),
            _ => is_number = false,
        }
    }
    if bytes.len() < LINE_BYTES_MAX { Ok(None) } else { Err(WRONG) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{frame, target};

    #[test]
    fn replies_by_example() {
        let cases: [(&[u8], u8); 6] = [
            (b"+PONG\r\n", SIMPLE),
            (b"-ERR no such command\r\n", ERROR),
            (b":12\r\n", b':'),
            (b"$4\r\na\r\nb\r\n", BULK),
            (b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n", ARRAY),
            (b"*2\r\n$4\r\npong\r\n$0\r\n\r\n", ARRAY),
        ];
        for (bytes, opcode) in cases {
            let mut more = bytes.to_vec();
            more.extend_from_slice(b"+OK\r\n");
            assert_eq!(cut(&more, 9), Ok(Some(Cut { opcode, payload: bytes, bytes: bytes.len() })));
            for end in 0..bytes.len() {
                assert_eq!(cut(&bytes[..end], 9), Ok(None), "{end}");
            }
        }
        for wrong in
            [&b"$10\r\n"[..], b"*17\r\n", b"*x\r\n", b"*1\r\n*1\r\n", b"HTTP/1.1 400\r\n", b"$-1\r\n"]
        {
            assert!(cut(wrong, 9).is_err(), "{wrong:?}");
        }
        assert!(cut(&[b'+'; LINE_BYTES_MAX], 9).is_err());
    }

    #[test]
    fn commands_and_deliveries_by_example() {
        let script = Redis.script(&target(), Part::Subscriber, 3);
        assert_eq!(script.hello, b"*2\r\n$9\r\nSUBSCRIBE\r\n$8\r\nb.fanout\r\n");
        assert!(script.steps[0].is(frame(ARRAY, b"*3\r\n$9\r\nsubscribe\r\n$8\r\nb.fanout\r\n:1\r\n")));
        let mut out = Vec::new();
        Redis.publish("a", 16).push(9, [0; 4], &mut out);
        assert!(out.starts_with(b"*3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n$16\r\n") && out.ends_with(b"e\r\n"));
        let delivered = [b"*3\r\n$7\r\nmessage\r\n", &out[17..]].concat();
        let delivered = cut(&delivered, 16).unwrap().unwrap();
        assert_eq!(Redis.delivery("a", 16).number(frame(delivered.opcode, delivered.payload)), Some(9));
    }
}
