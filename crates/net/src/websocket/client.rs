//! The client's half, for our own benches and tests: the request, the check of the answer, masked frames.
//!
//! What a server sends is decoded by [`Decoder`](super::Decoder) with [`Role::Client`](super::Role::Client). Keys and
//! masks are the caller's to draw.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::frame::LengthBytes;
use super::{FrameStart, extension, handshake, mask};

/// How many headers an answer may have.
const HEADERS_MAX: usize = 64;
/// How large the head of an answer may be, in bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The `Host` header.
    pub host: &'a str,
    /// The path with its query.
    pub target: &'a str,
    /// 16 random bytes.
    pub key: [u8; 16],
    /// Subprotocols, the favourite first.
    pub subprotocols: &'a [&'a str],
    /// Offers permessage-deflate without context takeover.
    pub deflate: bool,
    /// Headers besides, such as `Authorization`.
    pub headers: &'a [(&'a str, &'a str)],
}

/// What the server agreed to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connected {
    /// The subprotocol it chose.
    pub subprotocol: Option<String>,
    /// It takes compressed messages, and may send them.
    pub deflate: bool,
    /// The bytes of its answer; frames follow them.
    pub head_bytes: usize,
}

/// Why an answer opens no connection.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConnectError {
    /// The answer is not HTTP, or its head is too large.
    #[error("the answer is not an HTTP response")]
    NotHttp,
    /// The server answers with another status than 101.
    #[error("the server answered {0} instead of 101")]
    Status(u16),
    /// The answer is a 101 without what makes it one for this request.
    #[error("the 101 is wrong: {0}")]
    Mismatch(&'static str),
}

impl Request<'_> {
    /// The request as it is sent.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n",
            self.target,
            self.host,
            STANDARD.encode(self.key)
        );
        let mut header = |name: &str, value: &str| {
            write!(request, "{name}: {value}\r\n").expect("a string takes what is written");
        };
        if !self.subprotocols.is_empty() {
            header("Sec-WebSocket-Protocol", &self.subprotocols.join(", "));
        }
        if self.deflate {
            let offer = format!("{}; {}", extension::NAME, extension::SERVER_NO_CONTEXT_TAKEOVER);
            header("Sec-WebSocket-Extensions", &offer);
        }
        for (name, value) in self.headers {
            header(name, value);
        }
        request.push_str("\r\n");
        request
    }

    /// Reads the server's answer from the beginning of what came; `None` if more has to come.
    ///
    /// # Errors
    /// If the answer does not open a WebSocket as RFC 6455 section 4.1 wants it.
    pub fn check_response(&self, received: &[u8]) -> Result<Option<Connected>, ConnectError> {
        let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut fields);
        let head_bytes = match response.parse(received) {
            Ok(httparse::Status::Complete(bytes)) => bytes,
            Ok(httparse::Status::Partial) if received.len() < HEAD_BYTES_MAX => return Ok(None),
            Ok(httparse::Status::Partial) | Err(_) => return Err(ConnectError::NotHttp),
        };
        match response.code {
            Some(101) => {}
            Some(status) => return Err(ConnectError::Status(status)),
            None => return Err(ConnectError::NotHttp),
        }
        let headers = header_map(response.headers)?;
        self.check_headers(&headers)
            .map(|(subprotocol, deflate)| Some(Connected { subprotocol, deflate, head_bytes }))
    }

    fn check_headers(&self, headers: &HeaderMap) -> Result<(Option<String>, bool), ConnectError> {
        if !handshake::list_contains(headers, UPGRADE, "websocket") {
            return Err(ConnectError::Mismatch("Upgrade is not websocket"));
        }
        if !handshake::list_contains(headers, CONNECTION, "upgrade") {
            return Err(ConnectError::Mismatch("Connection does not contain Upgrade"));
        }
        let accept = handshake::accept(STANDARD.encode(self.key).as_bytes());
        if headers.get(SEC_WEBSOCKET_ACCEPT) != Some(&accept) {
            return Err(ConnectError::Mismatch("Sec-WebSocket-Accept does not answer the key"));
        }
        let subprotocol = match headers.get(SEC_WEBSOCKET_PROTOCOL) {
            Some(name) => match self.subprotocols.iter().find(|offered| name == **offered) {
                Some(name) => Some((*name).to_owned()),
                None => return Err(ConnectError::Mismatch("the subprotocol was not offered")),
            },
            None => None,
        };
        Ok((subprotocol, self.check_extensions(headers)?))
    }

    fn check_extensions(&self, headers: &HeaderMap) -> Result<bool, ConnectError> {
        let malformed = ConnectError::Mismatch("Sec-WebSocket-Extensions is malformed");
        let extensions = extension::parse(headers).map_err(|_| malformed)?;
        match &extensions[..] {
            [] => Ok(false),
            [answer]
                if self.deflate
                    && answer.name == extension::NAME
                    && answer.parameters.contains(&(extension::SERVER_NO_CONTEXT_TAKEOVER, None)) =>
            {
                Ok(true)
            }
            _ => Err(ConnectError::Mismatch("the extension was not offered like this")),
        }
    }
}

fn header_map(fields: &[httparse::Header<'_>]) -> Result<HeaderMap, ConnectError> {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| ConnectError::NotHttp)?;
        let value = HeaderValue::from_bytes(field.value).map_err(|_| ConnectError::NotHttp)?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// Appends a masked frame. A message is one with `fin`, or several of which the last has it.
pub fn masked_frame(start: FrameStart, payload: &[u8], key: [u8; 4], out: &mut Vec<u8>) {
    out.push(start.byte());
    out.extend_from_slice(LengthBytes::new(payload.len(), true).as_slice());
    out.extend_from_slice(&key);
    let payload_start = out.len();
    out.extend_from_slice(payload);
    mask::apply(&mut out[payload_start..], key);
}

#[cfg(test)]
mod tests {
    use http::{Method, Version};

    use super::super::{DeflateSettings, Opcode, Upgrade};
    use super::*;

    const REQUEST: Request<'_> = Request {
        host: "127.0.0.1:4000",
        target: "/v1/events?channel=a",
        key: *b"the sample nonce",
        subprotocols: &["antiphon.v1"],
        deflate: true,
        headers: &[("Authorization", "Bearer key")],
    };

    /// What our own server answers.
    fn answer() -> String {
        let encoded = REQUEST.encode();
        let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut fields);
        assert_eq!(request.parse(encoded.as_bytes()), Ok(httparse::Status::Complete(encoded.len())));
        assert_eq!(request.path, Some(REQUEST.target));
        let headers = header_map(request.headers).expect("valid");
        assert_eq!(headers["authorization"], "Bearer key");

        let settings = DeflateSettings { enabled: true, ..DeflateSettings::default() };
        let upgrade = Upgrade::from_request(&Method::GET, Version::HTTP_11, &headers, &settings);
        let upgrade = upgrade.expect("valid").expect("an upgrade");
        let mut answer = "HTTP/1.1 101 Switching Protocols\r\n".to_owned();
        for (name, value) in &upgrade.response_headers(Some("antiphon.v1")) {
            answer += &format!("{name}: {}\r\n", value.to_str().expect("text"));
        }
        answer + "\r\n"
    }

    #[test]
    fn client_and_server_shake_hands() {
        let answer = answer();
        for cut in 0..answer.len() {
            assert_eq!(REQUEST.check_response(&answer.as_bytes()[..cut]), Ok(None));
        }
        let connected = Connected {
            subprotocol: Some("antiphon.v1".to_owned()),
            deflate: true,
            head_bytes: answer.len(),
        };
        assert_eq!(REQUEST.check_response((answer + "\x01\x02").as_bytes()), Ok(Some(connected)));
    }

    #[test]
    fn answers_that_open_nothing_are_refused() {
        let answer = answer();
        let other_key = Request { key: [0; 16], ..REQUEST };
        assert!(matches!(other_key.check_response(answer.as_bytes()), Err(ConnectError::Mismatch(_))));
        for (offered, instead) in [
            ("antiphon.v1", "antiphon.v2"),
            ("server_no_context_takeover; ", ""),
            ("permessage-deflate", "permessage-other"),
            ("upgrade: websocket", "upgrade: h2c"),
            ("connection: Upgrade", "connection: close"),
        ] {
            let wrong = answer.replace(offered, instead);
            assert_ne!(wrong, answer);
            assert!(
                matches!(REQUEST.check_response(wrong.as_bytes()), Err(ConnectError::Mismatch(_))),
                "{wrong}"
            );
        }
        let refused = b"HTTP/1.1 403 Forbidden\r\n\r\n";
        assert_eq!(REQUEST.check_response(refused), Err(ConnectError::Status(403)));
        assert_eq!(REQUEST.check_response(b"SSH-2.0-x\r\n"), Err(ConnectError::NotHttp));
        let endless = [&b"HTTP/1.1 101 x\r\na: "[..], &[b'a'; HEAD_BYTES_MAX]].concat();
        assert_eq!(REQUEST.check_response(&endless), Err(ConnectError::NotHttp));
    }

    #[test]
    fn the_masked_frame_of_rfc_6455_section_5_7() {
        let mut out = Vec::new();
        masked_frame(FrameStart::whole(Opcode::Text), b"Hello", [0x37, 0xfa, 0x21, 0x3d], &mut out);
        assert_eq!(out, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }
}
