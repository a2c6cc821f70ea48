//! HTTP/1.1 over a connection that is kept: a request at a time.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use mio::event::Event;
use socket2::SockRef;

use crate::connection::{Connection, Framing};
use crate::error::Error;
use crate::handshake::{HEAD_BYTES_MAX, head_bytes, header};
use crate::meter::STALL;
use crate::target::Target;

/// Bytes of an answer that are shown where it is not the one expected.
const SHOWN_BYTES: usize = 200;

/// A whole answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// What came is no answer that is understood here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoAnswer(&'static str);

impl NoAnswer {
    pub(crate) fn of(self, connection: usize) -> Error {
        Error::Unexpected { connection, detail: format!("an answer that {}", self.0) }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.body[..self.body.len().min(SHOWN_BYTES)];
        write!(f, "{} {}", self.status, String::from_utf8_lossy(shown))
    }
}

/// A request without a body.
pub(crate) fn get(host: &str, path: &str, token: Option<&str>) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{}\r\n", authorization(token)).into_bytes()
}

fn authorization(token: Option<&str>) -> String {
    token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"))
}

/// A request with a body of JSON.
pub(crate) fn post(host: &str, path: &str, token: Option<&str>, body: &[u8]) -> Vec<u8> {
    post_as("application/json", host, path, token, body)
}

/// A request with a body of text.
pub(crate) fn post_text(host: &str, path: &str, token: Option<&str>, body: &[u8]) -> Vec<u8> {
    post_as("text/plain", host, path, token, body)
}

fn post_as(content_type: &str, host: &str, path: &str, token: Option<&str>, body: &[u8]) -> Vec<u8> {
    let authorization = authorization(token);
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\n{authorization}Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
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
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Answer, usize)>, NoAnswer> {
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
pub(crate) struct HttpConnection {
    number: usize,
    connection: Connection,
    bytes: Vec<u8>,
}

impl HttpConnection {
    /// Takes over a connection on which nothing is under way.
    pub(crate) fn new(number: usize, stream: TcpStream) -> HttpConnection {
        HttpConnection { number, connection: nonblocking(number, stream), bytes: Vec::new() }
    }

    pub(crate) fn stream_mut(&mut self) -> &mut mio::net::TcpStream {
        self.connection.stream_mut()
    }

    pub(crate) fn send(&mut self, request: &[u8]) -> Result<(), Error> {
        self.connection.send(request)
    }

    /// Does what an event asks for; gives the answer once all of it is there.
    ///
    /// # Errors
    /// The connection ended or broke, or what came is no answer.
    pub(crate) fn handle_event(&mut self, event: &Event) -> Result<Option<Answer>, Error> {
        if event.is_writable() {
            self.connection.flush()?;
        }
        let mut chunk = [0; 8 << 10];
        loop {
            match self.connection.stream_mut().read(&mut chunk) {
                Ok(0) => {
                    return Err(Error::Closed { connection: self.number, code: None, reason: String::new() });
                }
                Ok(count) => {
                    self.bytes.extend_from_slice(&chunk[..count]);
                    // There is nothing more, unless it is the end, of which no other event would tell.
                    if count < chunk.len() && !event.is_read_closed() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.connection.socket_error(error)),
            }
        }
        self.next_answer()
    }

    /// The next answer that is there already, where more than one request was sent.
    ///
    /// # Errors
    /// What came is no answer.
    pub(crate) fn next_answer(&mut self) -> Result<Option<Answer>, Error> {
        let Some((answer, end)) = parse(&self.bytes).map_err(|error| error.of(self.number))? else {
            return Ok(None);
        };
        self.bytes.drain(..end);
        Ok(Some(answer))
    }
}

/// A connection that blocked so far, for the load.
pub(crate) fn nonblocking(number: usize, stream: TcpStream) -> Connection {
    // Where it fails the first read waits, and the run with it, until the stall is noticed.
    let _ = stream.set_nonblocking(true);
    Connection::new(number, Framing::WebSocket, mio::net::TcpStream::from_std(stream))
}

/// A connection that blocks, for what is said before the load.
pub(crate) fn connect(number: usize, target: &Target) -> Result<TcpStream, Error> {
    let connect = || {
        let stream = TcpStream::connect(target.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(STALL))?;
        // Closing resets: thousands of ports left in TIME_WAIT would make the connects of the next run dearer.
        SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        Ok(stream)
    };
    connect().map_err(|source| Error::Socket { connection: number, source })
}

/// Sends a request and waits for the answer.
///
/// # Errors
/// There is none.
pub(crate) fn exchange(number: usize, stream: &mut TcpStream, request: &[u8]) -> Result<Answer, Error> {
    stream.write_all(request).map_err(|source| Error::Socket { connection: number, source })?;
    let mut bytes = Vec::new();
    loop {
        read_more(number, stream, &mut bytes)?;
        if let Some((answer, _)) = parse(&bytes).map_err(|detail| detail.of(number))? {
            return Ok(answer);
        }
    }
}

/// Reads once, at least one byte.
pub(crate) fn read_more(number: usize, stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<(), Error> {
    let mut chunk = [0; 4096];
    match stream.read(&mut chunk) {
        Ok(0) => Err(Error::Closed { connection: number, code: None, reason: String::new() }),
        Ok(count) => {
            bytes.extend_from_slice(&chunk[..count]);
            Ok(())
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Err(Error::Stalled { seconds: STALL.as_secs(), outstanding: 1 })
        }
        Err(source) => Err(Error::Socket { connection: number, source }),
    }
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
