//! A client as simple as can be: one blocking socket, and our own decoder for what comes.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use antiphon_net::websocket::client::{Request, masked_frame};
use antiphon_net::websocket::{Decoder, DecoderSettings, Event, FrameStart, Inflater, Input, Opcode, Role};

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
    stream: TcpStream,
    /// How many bytes of messages have come.
    pub(crate) received: usize,
    decoder: Decoder,
    inflater: Inflater,
    heard: VecDeque<Heard>,
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
    pub(crate) fn connect(address: SocketAddr) -> Socket {
        Socket::over(TcpStream::connect(address).unwrap())
    }

    pub(crate) fn over(stream: TcpStream) -> Socket {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_nodelay(true).unwrap();
        let message_bytes_max = 1 << 30;
        let settings = DecoderSettings { role: Role::Client, deflate: false, message_bytes_max };
        Socket {
            stream,
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

    pub(crate) fn shutdown(&self, how: Shutdown) {
        self.stream.shutdown(how).unwrap();
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

    /// Everything up to the end of the connection.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        String::from_utf8(rest).unwrap()
    }

    /// The next that comes.
    pub(crate) fn next(&mut self) -> Heard {
        let mut buffer = vec![0; 256 << 10];
        loop {
            if let Some(heard) = self.heard.pop_front() {
                return heard;
            }
            let read = match self.stream.read(&mut buffer) {
                Ok(0) => return Heard::End,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Heard::End,
                Err(error) => panic!("nothing came: {error}"),
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
