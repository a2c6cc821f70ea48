use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::frame::{self, Frame};

/// What an attacker finds that must not be, in words.
pub(crate) type Wrong = String;

/// How long anything that ought to happen at once may take: far more than it should on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Attackers come from an address of their own, which limits by address can tell from the crowd's.
const FOE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(127, 6, 6, 6)), 0);

/// The key of every handshake: the server has no use for a random one.
const KEY: &str = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// How a connection ended, or that it did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// With an HTTP answer of this status as its last.
    Status(u16),
    /// With a WebSocket close of this code and reason.
    Close(u16, String),
    /// Without a word.
    Silent,
    /// It is still open after so long.
    Open,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            End::Status(status) => write!(f, "{status}"),
            End::Close(code, reason) => write!(f, "closed {code} {reason:?}"),
            End::Silent => f.write_str("closed"),
            End::Open => f.write_str("still open"),
        }
    }
}

/// An attacker's connection.
pub(crate) struct Foe {
    pub(crate) socket: TcpStream,
    read: Vec<u8>,
    /// It speaks WebSocket.
    upgraded: bool,
}

impl Foe {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Foe, Wrong> {
        Foe::connect_by(address, |_| Ok(())).await
    }

    /// Connects from where the crowd does.
    pub(crate) async fn neighbour(address: SocketAddr) -> Result<Foe, Wrong> {
        let connected = timeout(PATIENCE, TcpStream::connect(address)).await;
        let socket = connected.map_err(|_| "no connection in time")?.map_err(|error| error.to_string())?;
        socket.set_nodelay(true).map_err(|error| error.to_string())?;
        Ok(Foe { socket, read: Vec::new(), upgraded: false })
    }

    /// Connects with a receive buffer so small that the server notices early when nothing is read.
    pub(crate) async fn connect_narrow(address: SocketAddr) -> Result<Foe, Wrong> {
        Foe::connect_by(address, |socket| socket.set_recv_buffer_size(4096)).await
    }

    async fn connect_by(
        address: SocketAddr,
        prepare: impl FnOnce(&TcpSocket) -> std::io::Result<()>,
    ) -> Result<Foe, Wrong> {
        let connecting = async {
            let socket = TcpSocket::new_v4()?;
            prepare(&socket)?;
            // Only Linux has all of 127.0.0.0/8; elsewhere attackers come from where the crowd does.
            let _ = socket.bind(FOE);
            let socket = socket.connect(address).await?;
            socket.set_nodelay(true)?;
            Ok::<_, std::io::Error>(socket)
        };
        match timeout(PATIENCE, connecting).await {
            Ok(Ok(socket)) => Ok(Foe { socket, read: Vec::new(), upgraded: false }),
            Ok(Err(error)) => Err(format!("no connection: {error}")),
            Err(_) => Err("no connection in time".to_owned()),
        }
    }

    /// Connects and switches to WebSocket on this path, with these headers besides (each with its line end).
    pub(crate) async fn websocket(address: SocketAddr, path: &str, headers: &str) -> Result<Foe, Wrong> {
        let mut foe = Foe::connect(address).await?;
        foe.upgrade(path, headers).await?;
        Ok(foe)
    }

    /// Switches to WebSocket.
    pub(crate) async fn upgrade(&mut self, path: &str, headers: &str) -> Result<(), Wrong> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{KEY}{headers}\r\n"
        );
        self.send(request.as_bytes()).await;
        let head = self.head().await?;
        if !head.starts_with("HTTP/1.1 101 ") {
            return Err(format!("no upgrade: {}", head.lines().next().unwrap_or_default()));
        }
        self.upgraded = true;
        Ok(())
    }

    /// Sends all of the bytes; false when the server does not take them.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        matches!(timeout(PATIENCE, self.socket.write_all(bytes)).await, Ok(Ok(())))
    }

    /// Sends the same again and again for as long as the server takes it, up to so many bytes; gives how many it took.
    ///
    /// A server that takes nothing for `stall` is as good as one that has ended the connection.
    pub(crate) async fn flood(&mut self, chunk: &[u8], most: usize, stall: Duration) -> usize {
        let mut sent = 0;
        while sent < most {
            match timeout(stall, self.socket.write(&chunk[sent % chunk.len()..])).await {
                Ok(Ok(len)) if len > 0 => sent += len,
                _ => break,
            }
        }
        sent
    }

    /// Sends one byte after another, each after a pause, until all are sent, the server has ended the connection or the time is up.
    pub(crate) async fn trickle(&mut self, bytes: &[u8], pause: Duration, most: Duration) {
        let until = tokio::time::Instant::now() + most;
        for byte in bytes.iter().cycle() {
            if self.socket.write_all(&[*byte]).await.is_err() || tokio::time::Instant::now() > until {
                return;
            }
            // It is told of the end only by reading.
            let end = timeout(pause, self.socket.read_buf(&mut self.read)).await;
            if matches!(end, Ok(Ok(0) | Err(_))) {
                return;
            }
        }
    }

    /// Reads more; false at the end.
    async fn more(&mut self) -> bool {
        matches!(self.socket.read_buf(&mut self.read).await, Ok(len) if len > 0)
    }

    /// A head of HTTP, up to and with the empty line.
    pub(crate) async fn head(&mut self) -> Result<String, Wrong> {
        let reading = async {
            loop {
                if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                    let head: Vec<u8> = self.read.drain(..end + 4).collect();
                    return Ok(String::from_utf8_lossy(&head).into_owned());
                }
                if !self.more().await {
                    return Err(format!("the end after {:?}", shown(&self.read)));
                }
            }
        };
        timeout(PATIENCE, reading).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }

    /// An HTTP answer whose length is said: status and body.
    pub(crate) async fn answer(&mut self) -> Result<(u16, String), Wrong> {
        let head = self.head().await?.to_ascii_lowercase();
        let status =
            status_of(head.as_bytes()).ok_or_else(|| format!("no answer: {:?}", shown(head.as_bytes())))?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(0, |length| length.trim().parse().unwrap_or(0));
        let reading = async {
            while self.read.len() < length {
                if !self.more().await {
                    return Err(format!("the end within a body of {length} bytes"));
                }
            }
            let body: Vec<u8> = self.read.drain(..length).collect();
            Ok((status, String::from_utf8_lossy(&body).into_owned()))
        };
        timeout(PATIENCE, reading).await.unwrap_or_else(|_| Err("no body in time".to_owned()))
    }

    /// A request of one go, and its answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<(u16, String), Wrong> {
        self.send(request).await;
        self.answer().await
    }

    /// The next text message of a WebSocket; pings are passed over.
    pub(crate) async fn text(&mut self) -> Result<String, Wrong> {
        let reading = async {
            loop {
                while let Some(Frame { opcode, payload }) = frame::first(&self.read) {
                    let bytes: Vec<u8> = self.read[payload.clone()].to_vec();
                    if opcode == frame::CLOSE {
                        let (code, reason) = frame::close_in(&self.read).unwrap_or_default();
                        return Err(End::Close(code, reason).to_string());
                    }
                    self.read.drain(..payload.end);
                    if opcode == frame::TEXT {
                        return Ok(String::from_utf8_lossy(&bytes).into_owned());
                    }
                }
                if !self.more().await {
                    return Err("the end where a message was due".to_owned());
                }
            }
        };
        timeout(PATIENCE, reading).await.unwrap_or_else(|_| Err("no message in time".to_owned()))
    }

    /// Passes over messages up to the first that has this in it, and gives that one.
    pub(crate) async fn text_with(&mut self, what: &str) -> Result<String, Wrong> {
        loop {
            let text = self.text().await.map_err(|wrong| format!("{wrong}, waiting for {what}"))?;
            if text.contains(what) {
                return Ok(text);
            }
        }
    }

    /// Reads what comes, and throws it away, until the server ends the connection.
    pub(crate) async fn end(&mut self) -> End {
        self.end_within(PATIENCE).await
    }

    /// The same, for no longer than this.
    pub(crate) async fn end_within(&mut self, most: Duration) -> End {
        let ends = async { while self.more().await {} };
        let ended = timeout(most, ends).await.is_ok();
        if self.upgraded
            && let Some((code, reason)) = frame::close_in(&self.read)
        {
            return End::Close(code, reason);
        }
        match (ended, self.upgraded.then_some(0).or_else(|| last_status(&self.read))) {
            (false, _) => End::Open,
            (true, Some(status)) if status > 0 => End::Status(status),
            (true, _) => End::Silent,
        }
    }

    /// All that came and was not looked at.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.read
    }

    /// The same, which is forgotten then.
    pub(crate) fn take_unread(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.read)
    }

    /// The connection, and what came over it and was not looked at.
    pub(crate) fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.socket, self.read)
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        // If it cannot be, it ends in the ordinary way.
        let _ = self.socket.set_zero_linger();
    }
}

/// The status of the answer that the bytes begin with.
fn status_of(bytes: &[u8]) -> Option<u16> {
    let line = bytes.get(..12)?;
    let begins = line[..5].eq_ignore_ascii_case(b"HTTP/");
    begins.then(|| std::str::from_utf8(&line[9..12]).ok()?.parse().ok())?
}

/// The status of the last answer in the bytes.
fn last_status(bytes: &[u8]) -> Option<u16> {
    let at = bytes.windows(7).rposition(|seven| seven == b"HTTP/1.")?;
    status_of(&bytes[at..])
}

/// How many HTTP answers the bytes hold.
pub(crate) fn answers_in(bytes: &[u8]) -> usize {
    bytes.windows(9).filter(|nine| nine.starts_with(b"HTTP/1.1 ")).count()
}

/// The beginning of bytes, for a person to read.
pub(crate) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_answer_counts() {
        let two = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 Payload Too Large\r\n\r\n{}";
        assert_eq!((last_status(two), answers_in(two)), (Some(413), 2));
        assert_eq!(last_status(b"HTTP/1.1 4"), None);
        assert_eq!(last_status(b""), None);
    }
}
