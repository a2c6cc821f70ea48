//! A client as simple as can be: one blocking socket, and our own decoder for what comes.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use antiphon_net::websocket::client::{Request, masked_frame};
use antiphon_net::websocket::{Decoder, DecoderSettings, Event, FrameStart, Inflater, Input, Opcode, Role};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::{OVER_TLS, tls};

/// Something that came on a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Ping,
    Pong(Vec<u8>),
    Close(Option<u16>),
    /// The server has closed the connection.
    End,
}

pub(crate) struct Socket {
    stream: Stream,
    /// Whether the server has ended an encrypted connection without a word.
    pub(crate) torn: bool,
    /// How many bytes of messages have come.
    pub(crate) received: usize,
    decoder: Decoder,
    inflater: Inflater,
    heard: VecDeque<Heard>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.read(into),
            Stream::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}

pub(crate) fn request(target: &str) -> String {
    template(target).encode()
}

fn template(target: &str) -> Request<'_> {
    Request { host: "localhost", target, key: [7; 16], subprotocols: &[], deflate: false, headers: &[] }
}

pub(crate) fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    masked_frame(FrameStart::whole(opcode), payload, [1, 2, 3, 4], &mut out);
    out
}

impl Socket {
    /// With TLS, if this is the suite for it.
    pub(crate) fn connect(address: SocketAddr) -> Socket {
        match OVER_TLS {
            true => Socket::encrypted(address, tls::client()),
            false => Socket::over(TcpStream::connect(address).unwrap()),
        }
    }

    /// The handshake begins with what is written or read first.
    pub(crate) fn encrypted(address: SocketAddr, config: ClientConfig) -> Socket {
        Socket::encrypted_over(TcpStream::connect(address).unwrap(), config)
    }

    /// As [`Socket::connect`], on a connection that has begun with these bytes.
    pub(crate) fn connect_after(address: SocketAddr, pieces: &[&[u8]]) -> Socket {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        pieces.iter().for_each(|piece| stream.write_all(piece).unwrap());
        match OVER_TLS {
            true => Socket::encrypted_over(stream, tls::client()),
            false => Socket::over(stream),
        }
    }

    fn encrypted_over(stream: TcpStream, config: ClientConfig) -> Socket {
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut socket = Socket::over(stream);
        let Stream::Plain(stream) = socket.stream else { unreachable!() };
        socket.stream = Stream::Tls(Box::new(StreamOwned::new(session, stream)));
        socket
    }

    pub(crate) fn over(stream: TcpStream) -> Socket {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_nodelay(true).unwrap();
        let message_bytes_max = 1 << 30;
        let settings = DecoderSettings { role: Role::Client, deflate: false, message_bytes_max };
        Socket {
            stream: Stream::Plain(stream),
            torn: false,
            received: 0,
            decoder: Decoder::new(settings),
            inflater: Inflater::new(),
            heard: VecDeque::new(),
        }
    }

    pub(crate) fn upgraded(mut self, target: &str) -> Socket {
        self.write(request(target).as_bytes());
        let head = self.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        self
    }

    /// As [`Socket::upgraded`], with compression.
    pub(crate) fn deflated(mut self, target: &str) -> Socket {
        let request = Request { deflate: true, ..template(target) };
        self.write(request.encode().as_bytes());
        let head = self.head();
        assert!(head.contains("permessage-deflate"), "{head}");
        let settings = DecoderSettings { role: Role::Client, deflate: true, message_bytes_max: 1 << 30 };
        self.decoder = Decoder::new(settings);
        self
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Writes, though the server may have closed the connection.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.write(&frame(Opcode::Text, text.as_bytes()));
    }

    pub(crate) fn close(&mut self, code: u16) {
        self.write(&frame(Opcode::Close, &code.to_be_bytes()));
    }

    pub(crate) fn shutdown(&mut self, how: Shutdown) {
        match &mut self.stream {
            Stream::Plain(stream) => stream.shutdown(how).unwrap(),
            Stream::Tls(stream) => {
                stream.conn.send_close_notify();
                stream.flush().unwrap();
                stream.sock.shutdown(how).unwrap();
            }
        }
    }

    /// What was agreed on in the handshake.
    pub(crate) fn session(&self) -> &ClientConnection {
        match &self.stream {
            Stream::Tls(stream) => &stream.conn,
            Stream::Plain(_) => panic!("it is not encrypted"),
        }
    }

    /// The head of an HTTP answer, byte by byte so that nothing behind it is taken.
    pub(crate) fn head(&mut self) -> String {
        self.line_until(b"\r\n\r\n")
    }

    pub(crate) fn line(&mut self) -> String {
        self.line_until(b"\n")
    }

    fn line_until(&mut self, end: &[u8]) -> String {
        let mut line = Vec::new();
        while !line.ends_with(end) {
            let mut byte = [0];
            match self.stream.read(&mut byte).unwrap() {
                0 => panic!("the connection ended after {:?}", String::from_utf8_lossy(&line)),
                _ => line.push(byte[0]),
            }
        }
        String::from_utf8(line).unwrap()
    }

    /// So many bytes.
    pub(crate) fn exactly(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Writes past the encryption.
    pub(crate) fn write_raw(&mut self, bytes: &[u8]) {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes).unwrap(),
            Stream::Tls(stream) => stream.sock.write_all(bytes).unwrap(),
        }
    }

    /// Waits for the end of the connection, in whatever way.
    pub(crate) fn ends(&mut self) -> bool {
        let mut buffer = [0; 4096];
        while let Ok(1..) = self.stream.read(&mut buffer) {}
        true
    }

    /// Everything up to the end of the connection.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let mut buffer = [0; 4096];
        while let read @ 1.. = self.read(&mut buffer) {
            rest.extend_from_slice(&buffer[..read]);
        }
        String::from_utf8(rest).unwrap()
    }

    fn read(&mut self, buffer: &mut [u8]) -> usize {
        match self.stream.read(buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            // How rustls says that nobody said goodbye.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                self.torn = true;
                0
            }
            Err(error) => panic!("nothing came: {error}"),
        }
    }

    /// The next that comes.
    pub(crate) fn next(&mut self) -> Heard {
        let mut buffer = vec![0; 256 << 10];
        loop {
            if let Some(heard) = self.heard.pop_front() {
                return heard;
            }
            let read = match self.read(&mut buffer) {
                0 => return Heard::End,
                read => read,
            };
            self.received += read;
            let mut input = Input::new(&mut buffer[..read]);
            while let Some(event) = self.decoder.next(&mut input, &mut self.inflater).unwrap() {
                self.heard.push_back(match event {
                    Event::Text(text) => Heard::Text(text.into()),
                    Event::Binary(bytes) => Heard::Binary(bytes.into()),
                    Event::Ping(_) => Heard::Ping,
                    Event::Pong(payload) => Heard::Pong(payload.into()),
                    Event::Close(received) => Heard::Close(received.map(|(code, _)| code.value())),
                });
            }
        }
    }

    /// The next text.
    pub(crate) fn next_text(&mut self) -> String {
        match self.next() {
            Heard::Text(text) => text,
            other => panic!("a text was due, not {other:?}"),
        }
    }

    /// The next publication: its position and its payload.
    pub(crate) fn next_publication(&mut self) -> (u64, String) {
        let text = self.next_text();
        let (position, payload) = text.split_once(' ').unwrap_or_else(|| panic!("{text:?}"));
        (position.parse().unwrap(), payload.into())
    }

    /// Everything up to the end.
    pub(crate) fn last_words(&mut self) -> Vec<Heard> {
        let mut all = Vec::new();
        loop {
            match self.next() {
                Heard::End => return all,
                heard => all.push(heard),
            }
        }
    }
}
