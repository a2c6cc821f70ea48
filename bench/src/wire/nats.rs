//! The client protocol of NATS.

use memchr::memchr;
use serde_json::json;

use super::{Cut, Malformed, Probe, Script, Step, Wire};
use crate::connection::Framing;
use crate::message::Shape;
use crate::target::{Part, Target};

// Frames are told apart by their first letter; those of two words with the same have another here.
const INFO: u8 = b'I';
const MESSAGE: u8 = b'M';
const PONG: u8 = b'P';
/// The server asks whether the client is there.
pub(crate) const PING: u8 = b'p';
/// `-ERR`: the connection is over, or something was refused.
pub(crate) const ERROR: u8 = b'-';

/// What a client answers a ping with.
pub(crate) const PONG_LINE: &[u8] = b"PONG\r\n";

/// The longest line: `INFO` with all that a server says of itself.
const LINE_BYTES_MAX: usize = 64 << 10;

pub(super) struct Nats;

impl Wire for Nats {
    fn script(&self, target: &Target, part: Part, number: usize) -> Script {
        let mut options = json!({
            "verbose": false, "pedantic": false, "tls_required": false, "name": "antiphon-bench",
            "lang": "rust", "version": env!("CARGO_PKG_VERSION"), "protocol": 1, "echo": part == Part::Echo,
        });
        if let Some(token) = target.token() {
            options["auth_token"] = json!(token);
        }
        let topic = target.topic(part, number);
        let subscribe = match part {
            Part::Publisher | Part::Acknowledged => String::new(),
            Part::Subscriber | Part::Echo | Part::Idle => format!("SUB {topic} 1\r\n"),
        };
        let connect = format!("CONNECT {options}\r\n{subscribe}PING\r\n").into_bytes();
        let steps = vec![Step::then(INFO, &b""[..], connect), Step::wait(PONG, &b""[..])];
        Script { framing: Framing::Nats, hello: Vec::new(), steps }
    }

    fn publish(&self, topic: &str, size: usize) -> Shape {
        Shape::bare(MESSAGE, format!("PUB {topic} {size}\r\n").as_bytes(), size, b"\r\n")
    }

    fn delivery(&self, _topic: &str, size: usize) -> Shape {
        Shape::bare(MESSAGE, b"", size, b"\r\n")
    }

    fn probe(&self) -> Option<Probe> {
        Some(Probe::new(b"PING\r\n".to_vec(), PONG, b""))
    }
}

/// The frame at the beginning of `bytes`; none while it is not all there. A message is its payload and the line end after it.
///
/// # Errors
/// A line is none of the protocol's, or something is too long.
#[inline]
pub(crate) fn cut(bytes: &[u8], payload_bytes_max: usize) -> Result<Option<Cut<'_>>, Malformed> {
    let Some(end) = memchr(b'\n', &bytes[..bytes.len().min(LINE_BYTES_MAX)]) else {
        return if bytes.len() < LINE_BYTES_MAX {
            Ok(None)
        } else {
            Err(Malformed("a line that is too long"))
        };
    };
    let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
    let line_bytes = end + 1;
    let opcode = match line {
        [b'M', b'S', b'G', b' ', ..] => {
            let payload_bytes =
                last_number(line).ok_or(Malformed("a message that does not say its length"))?;
            if payload_bytes > payload_bytes_max {
                return Err(Malformed("a message that is too long"));
            }
            let whole = line_bytes + payload_bytes + 2;
            return Ok(bytes.get(line_bytes..whole).map(|payload| Cut {
                opcode: MESSAGE,
                payload,
                bytes: whole,
            }));
        }
        b"PING" => PING,
        b"PONG" => PONG,
        [b'I', b'N', b'F', b'O', ..] => INFO,
        [b'-', ..] => ERROR,
        [b'+', ..] => b'+',
        _ => return Err(Malformed("a line that is none of NATS")),
    };
    Ok(Some(Cut { opcode, payload: line, bytes: line_bytes }))
}

/// The number at the end of a line.
#[inline]
fn last_number(line: &[u8]) -> Option<usize> {
    let (mut number, mut place) = (0_usize, 1_usize);
    for &byte in line.iter().rev() {
        match byte {
            b'0'..=b'9' if place < 10_usize.pow(9) => {
                number += usize::from(byte - b'0') * place;
                place *= 10;
            }
            b' ' if place > 1 => return Some(number),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{frame, target};

    #[test]
    fn a_client_connects_subscribes_and_asks_whether_that_is_done() {
        let script = Nats.script(&target(), Part::Subscriber, 3);
        let said = String::from_utf8(script.steps[0].say.clone()).unwrap();
        assert!(said.starts_with("CONNECT {") && said.ends_with("}\r\nSUB b.fanout 1\r\nPING\r\n"), "{said}");
        assert!(script.steps[0].is(frame(INFO, b"INFO {}")) && script.steps[1].is(frame(PONG, b"PONG")));
        assert!(script.hello.is_empty());
    }

    #[test]
    fn lines_and_messages_by_example() {
        let cases: [(&[u8], u8, &[u8]); 5] = [
            (b"INFO {\"a\":1} \r\n", INFO, b"INFO {\"a\":1} "),
            (b"PING\r\n", PING, b"PING"),
            (b"PONG\r\n", PONG, b"PONG"),
            (b"-ERR 'no'\r\n", ERROR, b"-ERR 'no'"),
            (b"MSG a.b 1 4\r\nab\r\n\r\n", MESSAGE, b"ab\r\n\r\n"),
        ];
        for (bytes, opcode, payload) in cases {
            assert_eq!(cut(bytes, 4), Ok(Some(Cut { opcode, payload, bytes: bytes.len() })));
            for end in 0..bytes.len() {
                assert_eq!(cut(&bytes[..end], 4), Ok(None), "{end}");
            }
        }
        for wrong in [&b"MSG a 1 x\r\n"[..], b"MSG 5\r", b"MSG a 1 5\r\n", b"MSG \r\n", b"HTTP/1.1 400\r\n"] {
            let whole = wrong.ends_with(b"\n");
            assert_eq!(cut(wrong, 4).is_err(), whole, "{wrong:?}");
        }
        assert!(cut(&[b'a'; LINE_BYTES_MAX], 4).is_err());
    }

    #[test]
    fn what_is_published_is_what_arrives_but_for_its_line() {
        let mut out = Vec::new();
        Nats.publish("a", 16).push(9, [0; 4], &mut out);
        assert!(out.starts_with(b"PUB a 16\r\n"));
        assert_eq!(Nats.delivery("a", 16).number(frame(MESSAGE, &out[10..])), Some(9));
    }
}
