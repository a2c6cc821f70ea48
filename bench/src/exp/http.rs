//! HTTP/1.1 over a connection that is kept: a request at a time.

use std::fmt;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;

use mio::event::Event;

use crate::connection::Connection;
use crate::error::Error;
use crate::handshake::{HEAD_BYTES_MAX, head_bytes, header};
use crate::target::Protocol;

/// Bytes of an answer that are shown where it is not the one expected.
const SHOWN_BYTES: usize = 200;

/// A whole answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// What came is no answer that is understood here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoAnswer(&'static str);

impl NoAnswer {
    pub(super) fn of(self, connection: usize) -> Error {
        Error::Unexpected { connection, detail: format!("an answer that {}", self.0) }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.body[..self.body.len().min(SHOWN_BYTES)];
        write!(f, "{} {}", self.status, String::from_utf8_lossy(shown))
    }
}

/// A request with a body of JSON.
pub(super) fn post(host: &str, path: &str, token: Option<&str>, body: &[u8]) -> Vec<u8> {
    let authorization = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\n{authorization}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// The answer that `bytes` begin with, and how many of them it takes; none while it is not all there.
///
/// # Errors
/// It is none whose length is known beforehand.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Answer, usize)>, NoAnswer> {
    let Some(head_bytes) = head_bytes(bytes) else {
        return if bytes.len() > HEAD_BYTES_MAX { Err(NoAnswer("has too long a head")) } else { Ok(None) };
    };
    let head = String::from_utf8_lossy(&bytes[..head_bytes]);
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.ok_or(NoAnswer("does not begin as one of HTTP/1.1"))?;
    let length: usize = header(&head, "content-length")
        .and_then(|length| length.parse().ok())
        .ok_or(NoAnswer("does not say how long it is"))?;
    let end = head_bytes.saturating_add(length);
    Ok(bytes.get(head_bytes..end).map(|body| (Answer { status, body: body.to_vec() }, end)))
}

/// A connection that does not block. Registered once for both directions, edge-triggered.
pub(super) struct HttpConnection {
    number: usize,
    connection: Connection,
    bytes: Vec<u8>,
}

impl HttpConnection {
    /// Takes over a connection on which nothing is under way.
    pub(super) fn new(number: usize, stream: TcpStream) -> HttpConnection {
        HttpConnection { number, connection: nonblocking(number, stream), bytes: Vec::new() }
    }

    pub(super) fn stream_mut(&mut self) -> &mut mio::net::TcpStream {
        self.connection.stream_mut()
    }

    pub(super) fn send(&mut self, request: &[u8]) -> Result<(), Error> {
        self.connection.send(request)
    }

    /// Does what an event asks for; gives the answer once all of it is there.
    ///
    /// # Errors
    /// The connection ended or broke, or what came is no answer.
    pub(super) fn handle_event(&mut self, event: &Event) -> Result<Option<Answer>, Error> {
        if event.is_writable() {
            self.connection.flush()?;
        }
        let mut chunk = [0; 16 << 10];
        loop {
            match self.connection.stream_mut().read(&mut chunk) {
                Ok(0) => {
                    return Err(Error::Closed { connection: self.number, code: None, reason: String::new() });
                }
                Ok(count) => self.bytes.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.connection.socket_error(error)),
            }
        }
        let Some((answer, end)) = parse(&self.bytes).map_err(|error| error.of(self.number))? else {
            return Ok(None);
        };
        self.bytes.drain(..end);
        Ok(Some(answer))
    }
}

/// A connection that blocked so far, for the load.
pub(super) fn nonblocking(number: usize, stream: TcpStream) -> Connection {
    // Where it fails the first read waits, and the run with it, until the stall is noticed.
    let _ = stream.set_nonblocking(true);
    Connection::new(number, Protocol::WebSocket, mio::net::TcpStream::from_std(stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_once_all_of_it_is_there() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-Length: 2\r\n\r\n[]HTTP/1.1";
        let whole = Answer { status: 200, body: b"[]".to_vec() };
        assert_eq!(parse(bytes), Ok(Some((whole, bytes.len() - 8))));
        for cut in 0..bytes.len() - 8 {
            assert_eq!(parse(&bytes[..cut]), Ok(None), "{cut}");
        }
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(parse(b"SSH-2.0\r\n\r\n").is_err());
        assert!(parse(&[b'a'; HEAD_BYTES_MAX + 1]).is_err());
    }
}
