//! A driver without IO: its outbox is a list of packets, and what it does are lines of text.

use super::*;
use crate::payload::V3Framing;

pub(super) struct Driven {
    pub(super) session: Session,
    pub(super) outbox: Vec<Packet>,
    pub(super) now: u64,
    socket: Option<SocketId>,
}

impl Driven {
    pub(super) fn open(revision: Revision, on: OpenOn, settings: EngineSettings) -> Driven {
        let codec = Codec {
            revision,
            binary: BinarySupport::Native,
            v3_framing: V3Framing::WhenNeeded,
            v3_text: V3Text::Unknown,
        };
        let socket = match on {
            OpenOn::Socket(socket) => Some(socket),
            OpenOn::Poll(_) => None,
        };
        let sid = Sid::new(0, [0; Sid::RANDOM_BYTES]);
        let session = Session::open(&sid, codec, on, Arc::new(settings), at(0));
        Driven { session, outbox: Vec::new(), now: 0, socket }
    }

    pub(super) fn send(&mut self, text: &str) {
        assert!(self.session.is_open());
        self.outbox.push(Packet::text(text));
    }

    /// Does all that is to be done; says what in a short form.
    pub(super) fn drain(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            while let Some(output) = self.session.poll_output() {
                self.output(output, &mut lines);
            }
            if self.outbox.is_empty() || self.write_to_socket(&mut lines) {
                return lines;
            }
            self.session.handle_queued(at(self.now));
            let Some(output) = self.session.poll_output() else { return lines };
            self.output(output, &mut lines);
        }
    }

    /// False if there is none.
    fn write_to_socket(&mut self, lines: &mut Vec<String>) -> bool {
        let Some(socket) = self.socket else { return false };
        lines.extend(self.outbox.drain(..).map(|packet| format!("ws{} {}", socket.0, text(&packet))));
        true
    }

    fn output(&mut self, output: Output, lines: &mut Vec<String>) {
        let line = match output {
            Output::Answer { request, answer } => match &answer {
                Answer::Packet(packet) => self.body(request, std::slice::from_ref(packet)),
                Answer::Taken => format!("{} 200 ok", request.0),
                Answer::TooLarge | Answer::Refused(_) => format!("{} {}", request.0, answer.status()),
            },
            Output::Release { request, then } => {
                let mut packets = std::mem::take(&mut self.outbox);
                match then {
                    Then::Close => packets.push(Packet::Close),
                    Then::More if packets.is_empty() => packets.push(Packet::Noop),
                    Then::More => {}
                }
                self.body(request, &packets)
            }
            Output::Packet(packet) => return self.outbox.push(packet),
            Output::Probe { socket, packet } => format!("ws{} {}", socket.0, text(&packet)),
            Output::CloseSocket { socket, code } => {
                if self.socket == Some(socket) {
                    self.write_to_socket(lines);
                    self.socket = None;
                }
                format!("ws{} close {}", socket.0, code.code())
            }
            Output::Message(Data::Text(text)) => format!("message {text}"),
            Output::Message(Data::Binary(bytes)) => format!("message {bytes:?}"),
            Output::Upgraded(socket) => {
                self.socket = Some(socket);
                "upgraded".into()
            }
            Output::Closed(reason) => {
                self.outbox.clear();
                format!("closed: {}", reason.as_str())
            }
        };
        lines.push(line);
    }

    fn body(&self, request: RequestId, packets: &[Packet]) -> String {
        let body = self.session.codec().encode_text(packets).replace('\x1e', "|");
        format!("{} 200 {body}", request.0)
    }

    pub(super) fn at(&mut self, now: u64) -> &mut Driven {
        self.now = now;
        self
    }

    pub(super) fn poll(&mut self, request: u32, now: u64) {
        self.at(now).session.handle_poll(RequestId(request), at(now));
    }

    pub(super) fn post_head(&mut self, request: u32, now: u64) {
        self.at(now).session.handle_post(RequestId(request), at(now));
    }

    pub(super) fn post(&mut self, request: u32, body: &str, now: u64) {
        self.post_head(request, now);
        let body = Bytes::copy_from_slice(body.as_bytes());
        self.session.handle_post_body(RequestId(request), BodyForm::Text, body, at(now));
    }

    pub(super) fn lost(&mut self, request: u32, now: u64) {
        self.at(now).session.handle_request_lost(RequestId(request), at(now));
    }

    pub(super) fn websocket(&mut self, socket: SocketId, now: u64) {
        self.at(now).session.handle_websocket(socket, at(now));
    }

    pub(super) fn frame(&mut self, socket: SocketId, text: &str, now: u64) {
        self.at(now).session.handle_message(socket, Message::Text(text), at(now));
    }

    pub(super) fn timeout(&mut self, now: u64) {
        self.at(now).session.handle_timeout(at(now));
    }

    pub(super) fn close(&mut self, mode: CloseMode, now: u64) {
        self.at(now).session.handle_close(mode, at(now));
    }
}

fn text(packet: &Packet) -> String {
    let mut text = String::new();
    packet.write_text(Revision::V4, &mut text);
    text
}
