//! What is spoken with a server: one file for each protocol, which says how a connection is greeted and what messages look
//! like.
//!
//! A [`Wire`] is asked before the load begins. What is done for each delivery is to cut it out of the bytes
//! ([`Framing`](crate::connection::Framing)) and to read its number ([`Shape`]).

pub(crate) mod mqtt;
pub(crate) mod nats;
pub(crate) mod redis;
mod socketio;
pub(crate) mod sse;
mod v1;
mod websocket;

use std::borrow::Cow;

use crate::connection::{Frame, Framing};
use crate::framing::{MaskKeys, PING, PONG, TEXT, push_frame};
use crate::message::Shape;
use crate::target::{Kind, Part, Protocol, Target};

/// A protocol, as the scenarios use it.
pub(crate) trait Wire: Sync {
    /// What is said on a connection until its load may begin.
    fn script(&self, target: &Target, part: Part, number: usize) -> Script;

    /// What a publisher sends to all who listen to a topic.
    fn publish(&self, topic: &str, size: usize) -> Shape;

    /// What each of them gets of it.
    fn delivery(&self, topic: &str, size: usize) -> Shape;

    /// What a client sends to get it back; the topic is its own.
    fn request(&self, topic: &str, size: usize) -> Shape {
        self.publish(topic, size)
    }

    /// What comes back.
    fn answer(&self, topic: &str, size: usize) -> Shape {
        self.delivery(topic, size)
    }

    /// How to ask whether the server is there; `None` where a client has no way to.
    fn probe(&self) -> Option<Probe>;

    /// Whether what a publisher gets says that it may not.
    fn is_refusal(&self, _frame: Frame<'_>) -> bool {
        false
    }
}

impl Protocol {
    /// How it is spoken with a server of this kind.
    pub(crate) fn wire(self, kind: Kind) -> &'static dyn Wire {
        match (self, kind) {
            (Self::WebSocket, _) => &websocket::WebSocket,
            (Self::V1, _) => &v1::V1,
            (Self::SocketIo, Kind::Antiphon) => &socketio::SocketIo { events: socketio::Events::BuiltIn },
            (Self::SocketIo, Kind::Reference | Kind::Plain) => {
                &socketio::SocketIo { events: socketio::Events::Handlers }
            }
            (Self::Sse, _) => &sse::Sse,
            (Self::Mqtt, _) => &mqtt::Mqtt,
            (Self::Nats, _) => &nats::Nats,
            (Self::Redis, _) => &redis::Redis,
        }
    }
}

/// What is said on a connection before its load.
pub(crate) struct Script {
    /// How what comes is cut into frames.
    pub(crate) framing: Framing,
    /// Sent as soon as there is a connection.
    pub(crate) hello: Vec<u8>,
    /// What is waited for after that, one after the other.
    pub(crate) steps: Vec<Step>,
}

/// A frame that has to come, and what is said then.
#[derive(Debug)]
pub(crate) struct Step {
    expected: Expected,
    pub(crate) say: Vec<u8>,
}

impl Step {
    /// Waits for a frame that begins so, and says nothing.
    pub(crate) fn wait(opcode: u8, begins: impl Into<Cow<'static, [u8]>>) -> Self {
        Self::then(opcode, begins, Vec::new())
    }

    /// Waits for a frame that begins so, and answers it.
    pub(crate) fn then(opcode: u8, begins: impl Into<Cow<'static, [u8]>>, say: Vec<u8>) -> Self {
        Self { expected: Expected { opcode, begins: begins.into() }, say }
    }

    /// Whether this is the frame.
    pub(crate) fn is(&self, frame: Frame<'_>) -> bool {
        self.expected.is(frame)
    }
}

/// How a frame begins.
#[derive(Debug)]
struct Expected {
    opcode: u8,
    begins: Cow<'static, [u8]>,
}

impl Expected {
    fn is(&self, frame: Frame<'_>) -> bool {
        frame.opcode == self.opcode && frame.payload.starts_with(&self.begins)
    }
}

/// A question that every server answers.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) question: Vec<u8>,
    answer: Expected,
}

impl Probe {
    fn new(question: Vec<u8>, opcode: u8, begins: &'static [u8]) -> Self {
        Self { question, answer: Expected { opcode, begins: begins.into() } }
    }

    /// The ping of WebSocket itself.
    fn ping() -> Self {
        let mut question = Vec::new();
        push_frame(&mut question, PING, b"antiphon-bench", Some(MaskKeys::new().next_key()));
        Self::new(question, PONG, b"")
    }

    /// Whether this is the answer.
    pub(crate) fn is_answer(&self, frame: Frame<'_>) -> bool {
        self.answer.is(frame)
    }
}

/// A text frame of a client, for what is said before the load.
fn say(text: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    push_frame(&mut frame, TEXT, text.as_bytes(), Some(MaskKeys::new().next_key()));
    frame
}

/// What comes is not the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// A whole frame at the beginning of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut<'a> {
    /// What kind of frame it is, as its protocol has it.
    pub(crate) opcode: u8,
    pub(crate) payload: &'a [u8],
    /// The bytes of all of it.
    pub(crate) bytes: usize,
}

#[cfg(test)]
mod testing {
    use std::time::Instant;

    use super::*;
    use crate::args::TargetArgs;

    /// A server whose channels begin with `b`.
    pub(super) fn target() -> Target {
        let args = TargetArgs {
            url: "http://127.0.0.1:1".to_owned(),
            kind: Kind::Antiphon,
            path: None,
            publish_path: None,
            channel: "b".to_owned(),
            token: None,
            pid: None,
        };
        Target::new(&args, Protocol::WebSocket).unwrap()
    }

    pub(super) fn frame(opcode: u8, payload: &[u8]) -> Frame<'_> {
        Frame { opcode, payload, read_at: Instant::now() }
    }
}
