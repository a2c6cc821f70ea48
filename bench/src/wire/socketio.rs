//! Socket.IO on Engine.IO 4, by WebSocket from the start.

use serde_json::json;

use super::websocket::upgrade;
use super::{Probe, Script, Step, Wire, say};
use crate::connection::{Frame, Framing};
use crate::framing::TEXT;
use crate::message::Shape;
use crate::target::{Part, Target};

/// Where Socket.IO servers listen unless told otherwise, and how to have WebSocket from the start.
const PATH: &str = "/socket.io/?EIO=4&transport=websocket";

pub(super) struct SocketIo {
    pub(super) events: Events,
}

/// What the server does with events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Events {
    /// Those of the standalone server: `subscribe` and `publish`.
    BuiltIn,
    /// Those of the load, for which the server has handlers: `join` puts a client in a room, `broadcast` sends its
    /// argument to the room as `m`, and `echo` acknowledges with its argument.
    Handlers,
}

impl Wire for SocketIo {
    fn script(&self, target: &Target, part: Part, number: usize) -> Script {
        let path = target.path(part, number, || PATH.to_owned());
        let listens = match (self.events, part) {
            (_, Part::Publisher | Part::Acknowledged) => None,
            (Events::Handlers, Part::Subscriber) => Some(r#"420["join"]"#.to_owned()),
            (Events::Handlers, Part::Echo | Part::Idle) => None,
            (Events::BuiltIn, Part::Subscriber | Part::Echo | Part::Idle) => {
                let mut channel = json!({ "channel": target.topic(part, number) });
                if let Some(since) = &target.since {
                    channel["since"] = json!(since);
                }
                Some(format!("420{}", json!(["subscribe", channel])))
            }
        };
        let mut steps = vec![Step::then(TEXT, &b"0{"[..], say("40"))];
        match listens {
            None => steps.push(Step::wait(TEXT, &b"40{"[..])),
            Some(event) => {
                let joined: &[u8] = match self.events {
                    Events::BuiltIn => br#"430[{"status":"ok""#,
                    Events::Handlers => b"430[",
                };
                steps.extend([Step::then(TEXT, &b"40{"[..], say(&event)), Step::wait(TEXT, joined)]);
            }
        }
        Script { framing: Framing::EngineIo, hello: upgrade(target, &path, None), steps }
    }

    fn publish(&self, topic: &str, size: usize) -> Shape {
        match self.events {
            Events::BuiltIn => publish(topic, size, r#","echo":false"#),
            Events::Handlers => Shape::text(r#"42["broadcast",""#, size, "\"]"),
        }
    }

    fn delivery(&self, _topic: &str, size: usize) -> Shape {
        match self.events {
            Events::BuiltIn => Shape::text(r#"42["message",""#, size, "\"").with_more(),
            Events::Handlers => Shape::text(r#"42["m",""#, size, "\"]"),
        }
    }

    fn request(&self, topic: &str, size: usize) -> Shape {
        match self.events {
            Events::BuiltIn => publish(topic, size, ""),
            Events::Handlers => Shape::text(r#"["echo",""#, size, "\"]").acknowledged("42"),
        }
    }

    fn answer(&self, topic: &str, size: usize) -> Shape {
        match self.events {
            Events::BuiltIn => self.delivery(topic, size),
            Events::Handlers => Shape::text("[\"", size, "\"]").acknowledged("43"),
        }
    }

    /// An event with an acknowledgement. Where nothing handles it that says so, which is an answer too.
    fn probe(&self) -> Option<Probe> {
        Some(Probe::new(say(r#"420["echo","@"]"#), TEXT, b"430["))
    }

    fn is_refusal(&self, frame: Frame<'_>) -> bool {
        frame.opcode == TEXT && frame.payload.starts_with(br#"42["antiphon.error""#)
    }
}

/// The built-in event, without an acknowledgement.
fn publish(topic: &str, size: usize, options: &str) -> Shape {
    let topic = json!(topic);
    let before = format!(r#"42["publish",{{"channel":{topic}{options},"store":false,"payload":""#);
    Shape::text(&before, size, "\"}]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::{Header, apply_mask};

    #[test]
    fn packets_are_what_socket_io_clients_send() {
        let text = |shape: Shape, number| {
            let mut frame = Vec::new();
            shape.push(number, [1, 2, 3, 4], &mut frame);
            let header = Header::read(&frame, 1000).unwrap().unwrap();
            apply_mask(&mut frame[header.header_bytes..], [1, 2, 3, 4]);
            String::from_utf8(frame.split_off(header.header_bytes)).unwrap()
        };
        let handlers = SocketIo { events: Events::Handlers };
        assert_eq!(text(handlers.publish("a", 18), 1), r#"42["broadcast","@@@@@@@@@@@@@@@Aee"]"#);
        assert_eq!(text(handlers.delivery("a", 16), 0x2F), r#"42["m","@@@@@@@@@@@@@@BO"]"#);
        assert_eq!(text(handlers.request("a", 16), 16), r#"4216["echo","@@@@@@@@@@@@@@A@"]"#);
        assert_eq!(text(handlers.answer("a", 16), 16), r#"4316["@@@@@@@@@@@@@@A@"]"#);
        let built_in = SocketIo { events: Events::BuiltIn };
        assert_eq!(
            text(built_in.request("a\"b", 16), 1),
            r#"42["publish",{"channel":"a\"b","store":false,"payload":"@@@@@@@@@@@@@@@A"}]"#
        );
    }
}
