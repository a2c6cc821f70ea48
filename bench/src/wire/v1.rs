//! The subprotocol `antiphon.v1`: JSON in text frames (docs/protocol.md).

use serde_json::json;

use super::websocket::upgrade;
use super::{Probe, Script, Step, Wire, say};
use crate::connection::{Frame, Framing};
use crate::framing::TEXT;
use crate::message::Shape;
use crate::target::{Part, Target};

const SUBPROTOCOL: &str = "antiphon.v1";

pub(super) struct V1;

impl Wire for V1 {
    fn script(&self, target: &Target, part: Part, number: usize) -> Script {
        let path = target.path(part, number, || "/v1/events".to_owned());
        let hello = upgrade(target, &path, Some(SUBPROTOCOL));
        let opened = |answer| Step::then(TEXT, &br#"{"type":"open""#[..], answer);
        let steps = match part {
            Part::Publisher | Part::Acknowledged => vec![opened(Vec::new())],
            Part::Subscriber | Part::Echo | Part::Idle => {
                let mut channel = json!({ "channel": target.topic(part, number) });
                if let Some(since) = &target.since {
                    channel["since"] = json!(since);
                }
                let subscribe = json!({ "type": "subscribe", "id": 0, "channels": [channel] });
                let subscribed = Step::wait(TEXT, &br#"{"type":"ok","id":0,"#[..]);
                vec![opened(say(&subscribe.to_string())), subscribed]
            }
        };
        Script { framing: Framing::WebSocket, hello, steps }
    }

    fn publish(&self, topic: &str, size: usize) -> Shape {
        publish(topic, size, r#","echo":false"#)
    }

    fn delivery(&self, topic: &str, size: usize) -> Shape {
        let topic = json!(topic);
        let before = format!(r#"","channel":{topic},"name":"message","payload":""#);
        Shape::text(&before, size, "\"").positioned(r#"{"type":"message","position":""#).with_more()
    }

    fn request(&self, topic: &str, size: usize) -> Shape {
        publish(topic, size, "")
    }

    fn probe(&self) -> Option<Probe> {
        Some(Probe::ping())
    }

    fn is_refusal(&self, frame: Frame<'_>) -> bool {
        frame.opcode == TEXT && frame.payload.starts_with(br#"{"type":"error""#)
    }
}

fn publish(topic: &str, size: usize, options: &str) -> Shape {
    let topic = json!(topic);
    let before = format!(r#"{{"type":"publish","channel":{topic}{options},"store":false,"payload":""#);
    Shape::text(&before, size, "\"}")
}
