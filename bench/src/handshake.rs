//! The opening handshake from both sides (RFC 6455, section 4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// The most bytes of a request or answer head that are read before giving up.
pub const HEAD_BYTES_MAX: usize = 8 << 10;

/// The key every connection sends. One for all saves the load generator a hash for each, and costs a server the same.
const CLIENT_KEY: &str = "YW50aXBob24tYmVuY2gtMQ==";

/// The GUID that section 1.3 of the RFC appends to the key.
const ACCEPT_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What the server answers to `key` as `Sec-WebSocket-Accept`.
#[must_use]
pub fn accept(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(ACCEPT_GUID.as_bytes());
    STANDARD.encode(hash.finalize())
}

/// What a client asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) subprotocol: Option<&'a str>,
    pub(crate) token: Option<&'a str>,
}

impl Request<'_> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut head = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {CLIENT_KEY}\r\n",
            self.path, self.host
        );
        for (name, prefix, value) in
            [("Sec-WebSocket-Protocol", "", self.subprotocol), ("Authorization", "Bearer ", self.token)]
        {
            if let Some(value) = value {
                head.push_str(&format!("{name}: {prefix}{value}\r\n"));
            }
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// Judges servers' answers to [`Request`].
#[derive(Debug)]
pub(crate) struct Upgrade {
    accept: String,
}

impl Upgrade {
    pub(crate) fn new() -> Self {
        Self { accept: accept(CLIENT_KEY) }
    }

    /// The bytes that the answer's head takes, once all of it is there.
    ///
    /// # Errors
    /// The answer's first line if it is not a 101, or what is missing in it.
    pub(crate) fn check(&self, answer: &[u8]) -> Result<Option<usize>, String> {
        let Some(head_bytes) = head_bytes(answer) else {
            return if answer.len() > HEAD_BYTES_MAX {
                Err("its head is too long".to_owned())
            } else {
                Ok(None)
            };
        };
        let head = String::from_utf8_lossy(&answer[..head_bytes]);
        let status = head.lines().next().unwrap_or_default();
        if !status.starts_with("HTTP/1.1 101") {
            return Err(status.to_owned());
        }
        match header(&head, "sec-websocket-accept") {
            Some(value) if value == self.accept => Ok(Some(head_bytes)),
            _ => Err("its Sec-WebSocket-Accept is not right".to_owned()),
        }
    }
}

/// Bytes up to and with the empty line that ends a head.
#[must_use]
pub fn head_bytes(bytes: &[u8]) -> Option<usize> {
    let searched = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
    searched.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// The value of the first header called `name`, in any case.
#[must_use]
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .find_map(|(found, value)| found.eq_ignore_ascii_case(name).then(|| value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_as_in_section_1_3_of_the_rfc() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn takes_only_a_whole_and_right_answer() {
        let upgrade = Upgrade::new();
        let right = format!("HTTP/1.1 101 Yes\r\nsec-websocket-ACCEPT:  {}\r\n\r\n", accept(CLIENT_KEY));
        let with_frames = format!("{right}\u{1}\u{2}");
        assert_eq!(upgrade.check(with_frames.as_bytes()), Ok(Some(right.len())));
        assert_eq!(upgrade.check(&right.as_bytes()[..right.len() - 1]), Ok(None));
        assert_eq!(upgrade.check(b"HTTP/1.1 403 No\r\n\r\n"), Err("HTTP/1.1 403 No".to_owned()));
        assert!(upgrade.check(b"HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: x\r\n\r\n").is_err());
        assert!(upgrade.check(&[b'a'; HEAD_BYTES_MAX + 1]).is_err());
    }
}
