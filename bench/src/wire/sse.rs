//! Server-sent events (WHATWG HTML, 9.2): subscribers are streams of HTTP, and the publisher is a raw WebSocket that sends texts.

use memchr::{memchr, memchr_iter};

use super::websocket::{path, upgrade};
use super::{Malformed, Probe, Script, Wire};
use crate::connection::Framing;
use crate::error::Error;
use crate::framing::TEXT;
use crate::handshake::{HEAD_BYTES_MAX, head_bytes, header};
use crate::message::Shape;
use crate::target::{Part, Target};

/// The most bytes of the line in front of a chunk.
const CHUNK_LINE_BYTES_MAX: usize = 256;

pub(super) struct Sse;

impl Wire for Sse {
    fn script(&self, target: &Target, part: Part, number: usize) -> Script {
        let path = target.path(part, number, || path(target, part, number));
        let (framing, hello) = match part {
            Part::Publisher => (Framing::WebSocket, upgrade(target, &path, None)),
            _ => (Framing::EventStream(Box::default()), request(target, &path)),
        };
        Script { framing, hello, steps: Vec::new() }
    }

    /// No JSON, so that it arrives as it was sent.
    fn publish(&self, _topic: &str, size: usize) -> Shape {
        Shape::text("", size, "")
    }

    fn delivery(&self, _topic: &str, size: usize) -> Shape {
        Shape::text("", size, "")
    }

    fn probe(&self) -> Option<Probe> {
        None
    }
}

fn request(target: &Target, path: &str) -> Vec<u8> {
    let authorization =
        target.token().map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    let host = target.host();
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n{authorization}\r\n").into()
}

/// Cuts a stream into events. What comes in pieces is put together here, since neither chunks nor reads end where events do.
#[derive(Debug, Default)]
pub(crate) struct EventStream {
    body: Body,
    /// The beginning of an event whose rest has not come.
    event: Vec<u8>,
}

/// Where the body stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Body {
    /// The head has not come.
    #[default]
    Unknown,
    /// The line with a chunk's size is due.
    Size,
    /// So many bytes of a chunk are.
    Data(usize),
    /// The line end after a chunk is.
    End,
    /// It is not in chunks, and goes on until the connection ends.
    Plain,
}

impl EventStream {
    /// The bytes that the answer's head takes, once all of it is there.
    ///
    /// # Errors
    /// The answer's first line if it is not a 200, or that there is no end to it.
    pub(crate) fn check_head(&mut self, answer: &[u8]) -> Result<Option<usize>, String> {
        let Some(head_bytes) = head_bytes(answer) else {
            return if answer.len() > HEAD_BYTES_MAX {
                Err("its head is too long".to_owned())
            } else {
                Ok(None)
            };
        };
        let head = String::from_utf8_lossy(&answer[..head_bytes]);
        let status = head.lines().next().unwrap_or_default();
        if !status.starts_with("HTTP/1.1 200") {
            return Err(status.to_owned());
        }
        let chunked = header(&head, "transfer-encoding").is_some_and(|it| it.eq_ignore_ascii_case("chunked"));
        self.body = if chunked { Body::Size } else { Body::Plain };
        Ok(Some(head_bytes))
    }

    /// Hands over the data of every whole event, and says how many bytes were taken.
    ///
    /// # Errors
    /// It is no body in chunks, an event is longer than `event_bytes_max`, or `on_frame` failed.
    #[inline]
    pub(crate) fn take(
        &mut self,
        bytes: &[u8],
        event_bytes_max: usize,
        mut on_event: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<usize, TakeError> {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            match self.body {
                Body::Unknown | Body::Plain => {
                    self.take_data(rest, event_bytes_max, &mut on_event)?;
                    return Ok(bytes.len());
                }
                Body::Size => {
                    let Some((size, line_bytes)) = chunk_size(rest)? else { return Ok(at) };
                    self.body = Body::Data(size);
                    at += line_bytes;
                }
                Body::Data(left) => {
                    let here = left.min(rest.len());
                    if here == 0 {
                        return Ok(at);
                    }
                    self.take_data(&rest[..here], event_bytes_max, &mut on_event)?;
                    self.body = if here == left { Body::End } else { Body::Data(left - here) };
                    at += here;
                }
                Body::End => match rest {
                    [b'\r', b'\n', ..] => {
                        self.body = Body::Size;
                        at += 2;
                    }
                    [] | [b'\r'] => return Ok(at),
                    _ => return Err(Malformed("a chunk that is longer than it says").into()),
                },
            }
        }
    }

    #[inline]
    fn take_data(
        &mut self,
        data: &[u8],
        event_bytes_max: usize,
        on_event: &mut impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), TakeError> {
        let mut rest = data;
        if !self.event.is_empty() {
            rest = &rest[self.complete(rest)..];
            let Some((data, _)) = next_event(&self.event) else {
                return self.keep(b"", event_bytes_max);
            };
            data.map_or(Ok(()), &mut *on_event)?;
            self.event.clear();
        }
        while let Some((data, event_bytes)) = next_event(rest) {
            data.map_or(Ok(()), &mut *on_event)?;
            rest = &rest[event_bytes..];
        }
        self.keep(rest, event_bytes_max)
    }

    /// Takes the rest of the event that has begun, as far as it is there, and says how many bytes that is.
    fn complete(&mut self, data: &[u8]) -> usize {
        let mut taken = 0;
        for end in memchr_iter(b'\n', data) {
            self.event.extend_from_slice(&data[taken..=end]);
            taken = end + 1;
            if self.event.ends_with(b"\n\n") || self.event.ends_with(b"\n\r\n") {
                return taken;
            }
        }
        self.event.extend_from_slice(&data[taken..]);
        data.len()
    }

    fn keep(&mut self, data: &[u8], event_bytes_max: usize) -> Result<(), TakeError> {
        self.event.extend_from_slice(data);
        if self.event.len() > event_bytes_max {
            return Err(Malformed("an event that is too long").into());
        }
        Ok(())
    }
}

/// Why a stream cannot be read on.
pub(crate) enum TakeError {
    Malformed(Malformed),
    /// The stream came to its end.
    Ended,
    Run(Error),
}

impl From<Malformed> for TakeError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<Error> for TakeError {
    fn from(error: Error) -> Self {
        Self::Run(error)
    }
}

/// The size that a chunk's line says, and the bytes of the line.
fn chunk_size(bytes: &[u8]) -> Result<Option<(usize, usize)>, TakeError> {
    const WRONG: Malformed = Malformed("a line in front of a chunk that is no number");
    let Some(end) = memchr(b'\n', bytes) else {
        return if bytes.len() > CHUNK_LINE_BYTES_MAX { Err(WRONG.into()) } else { Ok(None) };
    };
    let digits = bytes[..end].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if !(1..=15).contains(&digits) {
        return Err(WRONG.into());
    }
    let size = bytes[..digits].iter().fold(0, |size, digit| {
        size << 4 | char::from(*digit).to_digit(16).expect("it was found to be one") as usize
    });
    if size == 0 {
        return Err(TakeError::Ended);
    }
    Ok(Some((size, end + 1)))
}

/// The data of the event that the bytes begin with, if it has any, and the bytes of the event; none while it is not all
/// there. Of several lines of data it is the last.
#[inline]
fn next_event(bytes: &[u8]) -> Option<(Option<&[u8]>, usize)> {
    let (mut at, mut data) = (0, None);
    loop {
        let line = &bytes[at..at + memchr(b'\n', &bytes[at..])?];
        at += line.len() + 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Some((data, at));
        }
        if let Some(value) = line.strip_prefix(b"data:") {
            data = Some(value.strip_prefix(b" ").unwrap_or(value));
        }
    }
}

/// The opcode of events.
pub(crate) const EVENT: u8 = TEXT;

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"retry: 1000\nid: 1\n\n: heartbeat\n\nid: 2\ndata: one\n\nevent: x\r\ndata:two\r\n\r\nid: 3\ndata: \n\n";

    /// The data of what comes in these pieces, and what is left of the last.
    fn taken<'a>(head: &str, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<String>, Malformed> {
        let mut stream = EventStream::default();
        assert_eq!(stream.check_head(head.as_bytes()), Ok(Some(head.len())));
        let (mut all, mut kept) = (Vec::new(), Vec::new());
        for piece in pieces {
            kept.extend_from_slice(piece);
            let result = stream.take(&kept, 100, |data| {
                all.push(String::from_utf8(data.to_vec()).unwrap());
                Ok(())
            });
            match result {
                Ok(count) => kept.drain(..count),
                Err(TakeError::Malformed(malformed)) => return Err(malformed),
                Err(TakeError::Ended) => return Ok(all),
                Err(TakeError::Run(error)) => panic!("{error}"),
            };
        }
        assert_eq!(kept, b"");
        Ok(all)
    }

    fn chunked(size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for chunk in STREAM.chunks(size) {
            out.extend_from_slice(format!("{:X};a=b\r\n", chunk.len()).as_bytes());
            out.extend_from_slice(chunk);
            out.extend_from_slice(b"\r\n");
        }
        out
    }

    #[test]
    fn events_are_found_wherever_chunks_and_reads_end() {
        let expected = ["one", "two", ""];
        for chunk_bytes in 1..=STREAM.len() {
            let body = chunked(chunk_bytes);
            for piece_bytes in [1, 2, 3, 7, body.len()] {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                assert_eq!(taken(head, body.chunks(piece_bytes)).unwrap(), expected, "{chunk_bytes}");
            }
        }
        for piece_bytes in 1..=STREAM.len() {
            assert_eq!(taken("HTTP/1.1 200 OK\r\n\r\n", STREAM.chunks(piece_bytes)).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_no_stream_is_told() {
        let mut stream = EventStream::default();
        assert_eq!(stream.check_head(b"HTTP/1.1 403 No\r\n\r\n"), Err("HTTP/1.1 403 No".to_owned()));
        assert_eq!(stream.check_head(b"HTTP/1.1 200 OK\r\n"), Ok(None));
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for wrong in [&b"x\r\n"[..], b"\r\n", b"1\r\nabc", b"ffffffffffffffff\r\n"] {
            assert!(taken(head, [wrong]).is_err(), "{wrong:?}");
        }
        assert!(taken("HTTP/1.1 200 OK\r\n\r\n", [&[b'a'; 101][..]]).is_err());
    }
}
