//! A client that sends what no library would.

use std::net::SocketAddr;

use antiphon_tests::within;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A TCP connection and what was read from it.
pub(crate) struct Bytes {
    pub(crate) socket: TcpStream,
    read: Vec<u8>,
}

impl Bytes {
    pub(crate) async fn connect(address: SocketAddr) -> Bytes {
        Bytes::of(within("a connection", TcpStream::connect(address)).await.unwrap())
    }

    /// A connection that there is.
    pub(crate) fn of(socket: TcpStream) -> Bytes {
        Bytes { socket, read: Vec::new() }
    }

    /// Connects with a receive buffer so small that the server notices early when nothing is read.
    pub(crate) async fn connect_narrow(address: SocketAddr) -> Bytes {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let socket = within("a connection", socket.connect(address)).await.unwrap();
        Bytes { socket, read: Vec::new() }
    }

    /// Connects and switches to WebSocket.
    pub(crate) async fn websocket(address: SocketAddr, path: &str) -> Bytes {
        let mut bytes = Bytes::connect(address).await;
        bytes.upgrade(path).await;
        bytes
    }

    pub(crate) async fn upgrade(&mut self, path: &str) {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            self.socket.peer_addr().unwrap()
        );
        self.send(request.as_bytes()).await;
        let head = self.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        within("the server takes bytes", self.socket.write_all(bytes)).await.unwrap();
    }

    /// Sends for as long as the server takes it; gives how much that was.
    pub(crate) async fn flood(&mut self, chunk: &[u8], most: usize) -> usize {
        let mut sent = 0;
        while sent < most {
            match within("the server takes bytes or ends", self.socket.write(chunk)).await {
                Ok(len) if len > 0 => sent += len,
                _ => break,
            }
        }
        sent
    }

    /// A head of HTTP, up to and with the empty line.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = self.read.drain(..end + 4).collect();
                return String::from_utf8(head).unwrap();
            }
            let len = within("a head", self.socket.read_buf(&mut self.read)).await.unwrap();
            assert!(len > 0, "the server ended after {:?}", String::from_utf8_lossy(&self.read));
        }
    }

    /// Exactly so many bytes.
    pub(crate) async fn exactly(&mut self, len: usize) -> Vec<u8> {
        while self.read.len() < len {
            let read = within("bytes", self.socket.read_buf(&mut self.read)).await.unwrap();
            assert!(read > 0, "the server ended after {:?}", self.read);
        }
        self.read.drain(..len).collect()
    }

    /// An HTTP answer with `content-length`: status and body.
    pub(crate) async fn answer(&mut self) -> (u16, String) {
        let head = self.head().await.to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length = length.map_or(0, |length| length.trim().parse().unwrap());
        (status, String::from_utf8(self.exactly(length).await).unwrap())
    }

    /// All that comes until the server ends the connection, in whatever way.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let ends = async {
            while let Ok(len) = self.socket.read_buf(&mut self.read).await {
                if len == 0 {
                    break;
                }
            }
        };
        within("the server ends the connection", ends).await;
        std::mem::take(&mut self.read)
    }

    /// The code of the close frame with which the server ends the connection.
    pub(crate) async fn close_code(&mut self) -> u16 {
        let rest = self.rest().await;
        let mut frames = &rest[..];
        while let [first, length, after @ ..] = frames {
            let (length, payload) = match (length, after) {
                (126, [a, b, payload @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), payload),
                (length, payload) => (usize::from(*length), payload),
            };
            if let (0x88, [a, b, ..]) = (first, payload) {
                return u16::from_be_bytes([*a, *b]);
            }
            frames = payload.get(length..).unwrap_or_default();
        }
        panic!("no close frame in {rest:?}");
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        self.socket.set_zero_linger().unwrap();
    }
}

/// A frame of a client, masked with zeros, with the length that is claimed.
pub(crate) fn frame(opcode: u8, payload: &[u8], claimed: u64) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode, 0x80 | 127];
    frame.extend_from_slice(&claimed.to_be_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}
