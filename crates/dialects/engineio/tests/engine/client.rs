//! A client as simple as can be: one blocking socket, requests and frames by hand.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use antiphon_net::websocket::client::{Request, masked_frame};
use antiphon_net::websocket::{Decoder, DecoderSettings, Event, FrameStart, Inflater, Input, Opcode, Role};

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (one, value) = line.split_once(": ")?;
            one.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The `sid` of an open packet.
    pub(crate) fn sid(&self) -> String {
        sid(&String::from_utf8_lossy(&self.body))
    }
}

pub(crate) fn sid(open: &str) -> String {
    let (_, rest) = open.split_once("\"sid\":\"").unwrap_or_else(|| panic!("{open}"));
    rest[..20].to_owned()
}

/// A connection for requests.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Sent with each request.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Connection {
    pub(crate) fn to(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection { stream, headers: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Connection {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn get(&mut self, query: &str) -> Response {
        self.begin_get(query);
        self.response()
    }

    /// Sends the request, and leaves the answer for later.
    pub(crate) fn begin_get(&mut self, query: &str) {
        self.send("GET", &format!("/engine.io/?{query}"), b"");
    }

    pub(crate) fn post(&mut self, query: &str, body: &str) -> Response {
        self.request("POST", &format!("/engine.io/?{query}"), body.as_bytes())
    }

    pub(crate) fn request(&mut self, method: &str, target: &str, body: &[u8]) -> Response {
        self.send(method, target, body);
        self.response()
    }

    pub(crate) fn send(&mut self, method: &str, target: &str, body: &[u8]) {
        let length =
            if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        self.send_head(method, target, &length);
        self.write(body);
    }

    pub(crate) fn send_head(&mut self, method: &str, target: &str, headers: &str) {
        let mut head = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\n{headers}");
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.write(head.as_bytes());
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub(crate) fn shut_down(&self, how: Shutdown) {
        self.stream.shutdown(how).unwrap();
    }

    pub(crate) fn response(&mut self) -> Response {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).unwrap_or_else(|error| {
                panic!("{error} after {:?}", String::from_utf8_lossy(&head));
            });
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let status = head[9..12].parse().unwrap();
        let mut response = Response { status, head, body: Vec::new() };
        let length = response.header("content-length").map_or(0, |length| length.parse().unwrap());
        response.body = vec![0; length];
        self.stream.read_exact(&mut response.body).unwrap();
        response
    }

    /// A WebSocket on `query`, or the answer that it was refused with.
    pub(crate) fn upgrade(mut self, query: &str) -> Result<Socket, Response> {
        self.begin_upgrade(query);
        let head = self.response();
        if head.status != 101 {
            return Err(head);
        }
        let message_bytes_max = 1 << 30;
        let settings = DecoderSettings { role: Role::Client, deflate: false, message_bytes_max };
        let decoder = Decoder::new(settings);
        Ok(Socket { stream: self.stream, decoder, inflater: Inflater::new(), heard: VecDeque::new() })
    }

    pub(crate) fn begin_upgrade(&mut self, query: &str) {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let request = Request {
            host: "localhost",
            target: &format!("/engine.io/?{query}"),
            key: [7; 16],
            subprotocols: &[],
            deflate: false,
            headers: &headers,
        };
        let request = request.encode();
        self.write(request.as_bytes());
    }
}

/// Something that came on a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Close(u16),
    End,
}

pub(crate) struct Socket {
    stream: TcpStream,
    decoder: Decoder,
    inflater: Inflater,
    heard: VecDeque<Heard>,
}

impl Socket {
    pub(crate) fn text(&mut self, text: &str) {
        self.frame(Opcode::Text, text.as_bytes());
    }

    pub(crate) fn binary(&mut self, bytes: &[u8]) {
        self.frame(Opcode::Binary, bytes);
    }

    pub(crate) fn close(&mut self, code: u16) {
        self.frame(Opcode::Close, &code.to_be_bytes());
    }

    fn frame(&mut self, opcode: Opcode, payload: &[u8]) {
        let mut out = Vec::new();
        masked_frame(FrameStart::whole(opcode), payload, [1, 2, 3, 4], &mut out);
        self.raw(&out);
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub(crate) fn next(&mut self) -> Heard {
        let mut buffer = vec![0; 64 << 10];
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
            let mut input = Input::new(&mut buffer[..read]);
            while let Some(event) = self.decoder.next(&mut input, &mut self.inflater).unwrap() {
                self.heard.push_back(match event {
                    Event::Text(text) => Heard::Text(text.into()),
                    Event::Binary(bytes) => Heard::Binary(bytes.into()),
                    Event::Close(received) => Heard::Close(received.map_or(1005, |(code, _)| code.value())),
                    Event::Ping(_) | Event::Pong(_) => continue,
                });
            }
        }
    }

    pub(crate) fn next_text(&mut self) -> String {
        match self.next() {
            Heard::Text(text) => text,
            other => panic!("a text was due, not {other:?}"),
        }
    }

    /// The close code; everything before it is left out.
    pub(crate) fn until_closed(&mut self) -> Option<u16> {
        loop {
            match self.next() {
                Heard::Close(code) => return Some(code),
                Heard::End => return None,
                Heard::Text(_) | Heard::Binary(_) => {}
            }
        }
    }
}
