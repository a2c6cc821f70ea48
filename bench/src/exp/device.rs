//! A device: its socket, and the connection for its responses.

use std::io::Write;
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::login::{self, Session};
use crate::connection::Connection;
use crate::error::Error;
use crate::framing::{Header, TEXT, push_frame};
use crate::handshake::{Request, Upgrade};
use crate::http::{HttpConnection, connect, nonblocking, read_more};
use crate::target::Target;

/// The largest frame that is read before the load begins.
const GREETING_BYTES_MAX: usize = 16 << 10;

/// What the frames of the greeting are masked with; they are too few to matter.
const MASK: [u8; 4] = *b"exp!";

pub(super) struct Device {
    pub(super) socket: Connection,
    pub(super) responses: HttpConnection,
    pub(super) token: String,
    /// The id of the channel that it listens to.
    pub(super) channel: String,
    /// How many broadcasts it has got.
    pub(super) got: u32,
    /// The last of them, until it is answered.
    pub(super) heard: Vec<u8>,
}

impl Device {
    /// Logs in, and listens to the channel.
    ///
    /// # Errors
    /// The server refuses, or says something else than is due.
    pub(super) fn open(number: usize, target: &Target, secret: &str) -> Result<Device, Error> {
        let uuid = format!("bench-{number:05}");
        let Session { token, org, http } = login::login(number, target, &uuid, secret)?;
        let channel = channel_id(&org, &target.channel);
        let mut greeting = Greeting { number, stream: connect(number, target)?, bytes: Vec::new() };
        greeting.upgrade(target, &token)?;
        greeting.expect(|text| text.starts_with("0{"))?;
        greeting.expect(|text| text == "40")?;
        let ids = json!([channel]);
        greeting.say(&format!(r#"42["subscribe",{ids}]"#))?;
        let subscribed = format!(r#"42["subscribed",{ids}]"#);
        greeting.expect(|text| text == subscribed)?;
        let socket = greeting.finish()?;
        let responses = HttpConnection::new(number, http);
        Ok(Device { socket, responses, token, channel, got: 0, heard: Vec::new() })
    }
}

/// How a channel is called in the EXP network: neither a system nor a consumer one.
fn channel_id(org: &str, name: &str) -> String {
    STANDARD.encode(json!([org, name, 0, 0]).to_string())
}

/// What is said on a socket before the load may begin. It blocks.
struct Greeting {
    number: usize,
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Greeting {
    fn upgrade(&mut self, target: &Target, token: &str) -> Result<(), Error> {
        let path = format!("/socket.io/?EIO=3&transport=websocket&token={token}");
        let request = Request { host: target.host(), path: &path, subprotocol: None, token: None };
        self.write(&request.encode())?;
        let upgrade = Upgrade::new();
        loop {
            read_more(self.number, &mut self.stream, &mut self.bytes)?;
            let connection = self.number;
            let asked_for = "an upgrade to WebSocket";
            let refused = |answer| Error::NotUpgraded { connection, asked_for, answer };
            let head = upgrade.check(&self.bytes).map_err(refused)?;
            if let Some(head_bytes) = head {
                self.bytes.drain(..head_bytes);
                return Ok(());
            }
        }
    }

    fn say(&mut self, text: &str) -> Result<(), Error> {
        let mut frame = Vec::new();
        push_frame(&mut frame, TEXT, text.as_bytes(), Some(MASK));
        self.write(&frame)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stream.write_all(bytes).map_err(|source| Error::Socket { connection: self.number, source })
    }

    /// Reads a frame, which has to be this one.
    fn expect(&mut self, is_due: impl FnOnce(&str) -> bool) -> Result<(), Error> {
        loop {
            let header = Header::read(&self.bytes, GREETING_BYTES_MAX)
                .map_err(|source| Error::Frame { connection: self.number, source })?;
            if let Some(header) = header.filter(|header| header.frame_bytes() <= self.bytes.len()) {
                let frame: Vec<u8> = self.bytes.drain(..header.frame_bytes()).collect();
                let text = String::from_utf8_lossy(&frame[header.header_bytes..]);
                if header.opcode == TEXT && is_due(&text) {
                    return Ok(());
                }
                let detail = format!("opcode {}: {text}", header.opcode);
                return Err(Error::Unexpected { connection: self.number, detail });
            }
            read_more(self.number, &mut self.stream, &mut self.bytes)?;
        }
    }

    fn finish(self) -> Result<Connection, Error> {
        match self.bytes.is_empty() {
            true => Ok(nonblocking(self.number, self.stream)),
            false => {
                let detail = "more than was asked for".to_owned();
                Err(Error::Unexpected { connection: self.number, detail })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_called_as_the_sdk_calls_it() {
        assert_eq!(channel_id("scala", "testChannel"), "WyJzY2FsYSIsInRlc3RDaGFubmVsIiwwLDBd");
    }
}
