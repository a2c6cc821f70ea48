//! A client as simple as can be: one blocking WebSocket, and packets as they are written.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use antiphon_net::websocket::client::{Request, masked_frame};
use antiphon_net::websocket::{Decoder, DecoderSettings, Event, FrameStart, Inflater, Input, Opcode, Role};

use crate::PATIENCE;

/// Something that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Text(String),
    Binary(Vec<u8>),
    /// The server has closed the WebSocket, or the connection.
    End,
}

pub(crate) struct Client {
    stream: TcpStream,
    decoder: Decoder,
    inflater: Inflater,
    heard: VecDeque<Heard>,
    /// What the open packet says.
    pub(crate) opened: serde_json::Value,
}

impl Client {
    pub(crate) fn open(address: SocketAddr, target: &str) -> Client {
        let mut client = Client::raw(address, target);
        let open = client.next_text();
        client.opened = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
        client
    }

    /// A WebSocket that is not greeted: one to upgrade to.
    pub(crate) fn raw(address: SocketAddr, target: &str) -> Client {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let request = Request {
            host: "localhost",
            target,
            key: [7; 16],
            subprotocols: &[],
            deflate: false,
            headers: &[],
        };
        stream.write_all(request.encode().as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            assert_eq!(stream.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&head));
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        let settings = DecoderSettings { role: Role::Client, deflate: false, message_bytes_max: 1 << 30 };
        let opened = serde_json::Value::Null;
        let (decoder, inflater) = (Decoder::new(settings), Inflater::new());
        Client { stream, decoder, inflater, heard: VecDeque::new(), opened }
    }

    /// Sends a message of Engine.IO, as it is written.
    pub(crate) fn send(&mut self, text: &str) {
        self.write(Opcode::Text, text.as_bytes());
    }

    pub(crate) fn send_binary(&mut self, bytes: &[u8]) {
        self.write(Opcode::Binary, bytes);
    }

    fn write(&mut self, opcode: Opcode, payload: &[u8]) {
        let mut frame = Vec::new();
        masked_frame(FrameStart::whole(opcode), payload, [1, 2, 3, 4], &mut frame);
        self.stream.write_all(&frame).unwrap();
    }

    /// Goes away without a word.
    pub(crate) fn vanish(self) {
        self.stream.shutdown(Shutdown::Both).unwrap();
    }

    /// The next that comes. Pings are not passed on.
    pub(crate) fn next(&mut self) -> Heard {
        let mut buffer = vec![0; 64 << 10];
        loop {
            if let Some(heard) = self.heard.pop_front() {
                if heard == Heard::Text("2".into()) {
                    continue;
                }
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
                self.heard.extend(match event {
                    Event::Text(text) => Some(Heard::Text(text.into())),
                    Event::Binary(bytes) => Some(Heard::Binary(bytes.into())),
                    Event::Ping(_) | Event::Pong(_) => None,
                    Event::Close(_) => Some(Heard::End),
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

    pub(crate) fn next_binary(&mut self) -> Vec<u8> {
        match self.next() {
            Heard::Binary(bytes) => bytes,
            other => panic!("bytes were due, not {other:?}"),
        }
    }

    /// The server is to close the connection, with nothing before it but what closes Engine.IO.
    pub(crate) fn expect_end(&mut self) {
        loop {
            match self.next() {
                Heard::End => return,
                Heard::Text(text) if text == "1" => {}
                other => panic!("the end was due, not {other:?}"),
            }
        }
    }

    /// The answer to a CONNECT, which begins with `head`: the object in it.
    pub(crate) fn next_granted(&mut self, head: &str) -> serde_json::Value {
        let text = self.next_text();
        let json = text.strip_prefix(head).unwrap_or_else(|| panic!("{text} is no {head}"));
        serde_json::from_str(json).unwrap()
    }

    /// The answer to a CONNECT: the id in it.
    pub(crate) fn next_connected(&mut self, head: &str) -> String {
        self.next_granted(head)["sid"].as_str().unwrap().to_owned()
    }
}
