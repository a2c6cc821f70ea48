//! A client as simple as can be: blocking sockets, requests and frames by hand.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use antiphon_net::websocket::client::{Request, masked_frame};
use antiphon_net::websocket::{Decoder, DecoderSettings, Event, FrameStart, Inflater, Input, Opcode, Role};

use crate::PATIENCE;

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
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

    /// The packets of an answer to a poll, in the framing that its media type says.
    pub(crate) fn packets(&self) -> Vec<String> {
        assert_eq!(self.status, 200, "{self:?}");
        match self.header("content-type") {
            Some("text/plain; charset=UTF-8") => text_packets(self.text()),
            Some("application/octet-stream") => binary_packets(&self.body),
            other => panic!("{other:?}"),
        }
    }
}

/// `<length>:<packet>`, in ASCII.
fn text_packets(mut body: &str) -> Vec<String> {
    assert!(body.is_ascii(), "{body}");
    let mut packets = Vec::new();
    while let Some((length, rest)) = body.split_once(':') {
        let (packet, rest) = rest.split_at(length.parse().unwrap());
        packets.push(packet.to_owned());
        body = rest;
    }
    packets
}

/// A zero byte, the length as bytes of its digits, 255, and the packet.
fn binary_packets(mut body: &[u8]) -> Vec<String> {
    let mut packets = Vec::new();
    while let Some((marker, rest)) = body.split_first() {
        assert_eq!(*marker, 0);
        let end = rest.iter().position(|byte| *byte == 255).unwrap();
        let length = rest[..end].iter().fold(0, |length, digit| length * 10 + usize::from(*digit));
        let (packet, rest) = rest[end + 1..].split_at(length);
        packets.push(String::from_utf8(packet.to_vec()).unwrap());
        body = rest;
    }
    packets
}

/// A connection for requests.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Sent with each request.
    headers: Vec<(&'static str, String)>,
}

impl Connection {
    pub(crate) fn to(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection { stream, headers: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Connection {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn get(&mut self, query: &str) -> Response {
        self.request("GET", &format!("/socket.io/?{query}"), &[], b"")
    }

    pub(crate) fn request(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        self.send(method, target, headers, body);
        self.response()
    }

    /// Sends a request, and leaves the answer for later.
    pub(crate) fn send(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\n");
        if method == "POST" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        let own = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.write(head.as_bytes());
        self.write(body);
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub(crate) fn response(&mut self) -> Response {
        self.try_response().unwrap()
    }

    /// The answer, if the server does not end the connection first.
    fn try_response(&mut self) -> std::io::Result<Response> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let status = head[9..12].parse().unwrap();
        let mut response = Response { status, head, body: Vec::new() };
        let length = response.header("content-length").map_or(0, |length| length.parse().unwrap());
        response.body = vec![0; length];
        self.stream.read_exact(&mut response.body)?;
        Ok(response)
    }

    /// A WebSocket on `query`, or the answer that it was refused with.
    pub(crate) fn upgrade(mut self, query: &str) -> Result<Socket, Response> {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let request = Request {
            host: "localhost",
            target: &format!("/socket.io/?{query}"),
            key: [7; 16],
            subprotocols: &[],
            deflate: false,
            headers: &headers,
        };
        let request = request.encode();
        self.write(request.as_bytes());
        self.upgraded()
    }

    /// The WebSocket that was asked for.
    pub(crate) fn upgraded(mut self) -> Result<Socket, Response> {
        let head = self.response();
        if head.status != 101 {
            return Err(head);
        }
        let settings = DecoderSettings { role: Role::Client, deflate: false, message_bytes_max: 1 << 30 };
        let decoder = Decoder::new(settings);
        Ok(Socket { stream: self.stream, decoder, inflater: Inflater::new(), heard: VecDeque::new() })
    }
}

/// A session by polling, on one connection for polls and another for what is posted.
pub(crate) struct Polls {
    polls: Connection,
    posts: Connection,
    pub(crate) query: String,
}

impl Polls {
    /// Begins a session. The open packet is to come alone.
    pub(crate) fn open(mut polls: Connection, query: &str) -> Polls {
        let posts = Connection::to(polls.stream.peer_addr().unwrap());
        let packets = polls.get(query).packets();
        let [open] = &*packets else { panic!("{packets:?}") };
        let open: serde_json::Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
        let query = format!("{query}&sid={}", open["sid"].as_str().unwrap());
        assert_eq!(open["upgrades"], serde_json::json!(["websocket"]));
        Polls { polls, posts, query }
    }

    pub(crate) fn answer(&mut self) -> Response {
        self.polls.get(&self.query)
    }

    /// What the next poll brings, but noops.
    pub(crate) fn poll(&mut self) -> Vec<String> {
        loop {
            let mut packets = self.answer().packets();
            packets.retain(|packet| packet != "6");
            if !packets.is_empty() {
                return packets;
            }
        }
    }

    /// The next packet, which comes alone.
    pub(crate) fn next(&mut self) -> String {
        let mut packets = self.poll();
        assert_eq!(packets.len(), 1, "{packets:?}");
        packets.remove(0)
    }

    /// Sends a poll, and leaves the answer for later.
    pub(crate) fn begin_poll(&mut self) {
        self.polls.send("GET", &format!("/socket.io/?{}", self.query), &[], b"");
    }

    pub(crate) fn finish_poll(&mut self) -> Response {
        self.polls.response()
    }

    /// What the poll that was sent last brings of a session that ends. None if the end came before the poll did.
    pub(crate) fn last_words(&mut self) -> Option<Vec<String>> {
        let answer = self.polls.try_response().ok()?;
        (answer.status == 200).then(|| answer.packets())
    }

    /// Posts a packet as text.
    pub(crate) fn post(&mut self, packet: &str) {
        let body = format!("{}:{packet}", packet.encode_utf16().count());
        self.post_body("text/plain;charset=UTF-8", body.as_bytes());
    }

    /// Posts a packet as bytes.
    pub(crate) fn post_binary(&mut self, packet: &str) {
        let mut body = vec![0];
        body.extend(packet.len().to_string().bytes().map(|digit| digit - b'0'));
        body.push(255);
        body.extend_from_slice(packet.as_bytes());
        self.post_body("application/octet-stream", &body);
    }

    fn post_body(&mut self, kind: &str, body: &[u8]) {
        let target = format!("/socket.io/?{}", self.query);
        let answer = self.posts.request("POST", &target, &[("content-type", kind)], body);
        assert_eq!((answer.status, answer.text()), (200, "ok"));
    }

    /// Whether the server knows the session no more.
    pub(crate) fn is_gone(&mut self) -> bool {
        self.posts.request("POST", &format!("/socket.io/?{}", self.query), &[], b"1:2").status == 400
    }

    /// A WebSocket that asks whether it can take over, and is told that it can.
    pub(crate) fn probe(&self) -> Socket {
        let connection = Connection::to(self.polls.stream.peer_addr().unwrap());
        let query = self.query.replace("transport=polling", "transport=websocket");
        let mut socket = connection.upgrade(&query).unwrap();
        socket.text("2probe");
        assert_eq!(socket.next_text(), "3probe");
        socket
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

    fn frame(&mut self, opcode: Opcode, payload: &[u8]) {
        let mut out = Vec::new();
        masked_frame(FrameStart::whole(opcode), payload, [1, 2, 3, 4], &mut out);
        self.stream.write_all(&out).unwrap();
    }

    /// Goes away without a word.
    pub(crate) fn vanish(self) {
        self.stream.shutdown(Shutdown::Both).unwrap();
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

    /// Sends a packet, and takes what has to be its answer.
    pub(crate) fn asks(&mut self, packet: &str, answer: &str) {
        self.text(packet);
        assert_eq!(self.next_text(), answer);
    }

    /// Nothing has come that is not read yet.
    pub(crate) fn has_nothing(&mut self) {
        self.asks("2check", "3check");
    }

    /// The server is to close the transport without a word.
    pub(crate) fn expect_end(&mut self) {
        match self.next() {
            Heard::Close(_) | Heard::End => {}
            other => panic!("the end was due, not {other:?}"),
        }
    }
}
