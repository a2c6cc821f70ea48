use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::Way;
use crate::config::{CHANNEL, ORG};
use crate::frame::{self, CLOSE, Frame, PING, PONG, TEXT};
use crate::tally::Tally;

/// How long each step of connecting may take.
const STEP: Duration = Duration::from_secs(30);

/// How often a client of Engine.IO 3 says that it is there: it is the one that does.
const HEARTBEAT: Duration = Duration::from_millis(1000);

/// A WebSocket of the crowd, of whichever dialect.
pub(super) struct Socket {
    way: Way,
    stream: TcpStream,
    read: Vec<u8>,
    beaten: Instant,
}

impl Socket {
    /// Connects and subscribes.
    pub(super) async fn connect(way: Way, address: SocketAddr, token: &str) -> Result<Socket, String> {
        let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let mut socket = Socket { way, stream, read: Vec::new(), beaten: Instant::now() };
        match way {
            Way::V1 => {
                let path = format!("/v1/channels/{CHANNEL}");
                socket.upgrade(&path, "Sec-WebSocket-Protocol: antiphon.v1\r\n").await?;
                socket.expect(r#""type":"open""#).await?;
            }
            Way::SocketIo => {
                socket.upgrade("/socket.io/?EIO=4&transport=websocket", "").await?;
                socket.expect("0{").await?;
                socket.say("40").await?;
                socket.expect("40{").await?;
                socket.say(&format!("420{}", json!(["subscribe", CHANNEL]))).await?;
                socket.expect(r#"430[{"#).await?;
            }
            Way::Exp => {
                let path = format!("/socket.io/?EIO=3&transport=websocket&token={token}");
                socket.upgrade(&path, "").await?;
                socket.expect("0{").await?;
                socket.expect("40").await?;
                socket.say(&format!("42{}", json!(["subscribe", [channel_id(CHANNEL)]]))).await?;
                socket.expect(r#"42["subscribed",["#).await?;
            }
            _ => socket.upgrade(&format!("/v1/channels/{CHANNEL}"), "").await?,
        }
        Ok(socket)
    }

    async fn upgrade(&mut self, path: &str, headers: &str) -> Result<(), String> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        self.stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
        loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.read.drain(..end + 4).collect();
                let head = String::from_utf8_lossy(&head).into_owned();
                return if head.starts_with("HTTP/1.1 101 ") { Ok(()) } else { Err(head) };
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<(), String> {
        match timeout(STEP, self.stream.read_buf(&mut self.read)).await {
            Ok(Ok(0)) => Err("the server ended it".to_owned()),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("nothing comes".to_owned()),
        }
    }

    async fn say(&mut self, text: &str) -> Result<(), String> {
        self.stream.write_all(&frame::text(text)).await.map_err(|error| error.to_string())
    }

    /// Reads a text message, which has to have this in it.
    async fn expect(&mut self, what: &str) -> Result<(), String> {
        loop {
            if let Some(Frame { opcode, payload }) = frame::first(&self.read) {
                let bytes: Vec<u8> = self.read.drain(..payload.end).collect();
                let text = String::from_utf8_lossy(&bytes[payload]).into_owned();
                // It may be asked for a sign of life while the others connect.
                if opcode == PING || text == "2" {
                    continue;
                }
                return if opcode == TEXT && text.contains(what) {
                    Ok(())
                } else {
                    Err(format!("{text} where {what} was due"))
                };
            }
            self.more().await?;
        }
    }

    /// Listens, and answers what asks whether it is there, until the connection ends.
    pub(super) async fn listen(mut self, client: usize, tally: &Tally) -> String {
        loop {
            if let Err(end) = self.take_frames(client, tally).await {
                return end;
            }
            let wait = (self.beaten + HEARTBEAT).saturating_duration_since(Instant::now());
            let beats = self.way == Way::Exp;
            let wait = if beats { wait } else { STEP };
            match timeout(wait, self.stream.read_buf(&mut self.read)).await {
                Ok(Ok(0)) => return "without a word".to_owned(),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return error.to_string(),
                Err(_) if beats => {
                    self.beaten = Instant::now();
                    if let Err(error) = self.say("2").await {
                        return error;
                    }
                }
                Err(_) => {}
            }
        }
    }

    async fn take_frames(&mut self, client: usize, tally: &Tally) -> Result<(), String> {
        let mut at = 0;
        let mut answers = Vec::new();
        while let Some(Frame { opcode, payload }) = frame::first(&self.read[at..]) {
            let body = &self.read[at..][payload.clone()];
            match opcode {
                PING => answers.extend(frame::frame(PONG, body)),
                CLOSE => {
                    let (code, reason) = frame::close_in(&self.read[at..]).unwrap_or_default();
                    return Err(format!("{code} {reason}"));
                }
                TEXT if body == b"2" && self.way == Way::SocketIo => answers.extend(frame::text("3")),
                _ => {
                    tally.hear(client, body);
                }
            }
            at += payload.end;
        }
        self.read.drain(..at);
        if !answers.is_empty() {
            self.stream.write_all(&answers).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// How a channel is called in the EXP network: neither a system nor a consumer one.
pub(crate) fn channel_id(name: &str) -> String {
    STANDARD.encode(json!([ORG, name, 0, 0]).to_string())
}
