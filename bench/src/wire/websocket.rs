//! WebSocket with nothing on it: each message is a binary frame, and the path says what a connection is for.

use super::{Probe, Script, Wire};
use crate::connection::Framing;
use crate::handshake::Request;
use crate::message::Shape;
use crate::target::{Kind, Part, Target};

pub(super) struct WebSocket;

impl Wire for WebSocket {
    fn script(&self, target: &Target, part: Part, number: usize) -> Script {
        let path = target.path(part, number, || path(target, part, number));
        Script { framing: Framing::WebSocket, hello: upgrade(target, &path, None), steps: Vec::new() }
    }

    fn publish(&self, _topic: &str, size: usize) -> Shape {
        Shape::binary(size)
    }

    fn delivery(&self, _topic: &str, size: usize) -> Shape {
        Shape::binary(size)
    }

    fn probe(&self) -> Option<Probe> {
        Some(Probe::ping())
    }
}

/// The path of a part, where none is given.
pub(super) fn path(target: &Target, part: Part, number: usize) -> String {
    let topic = target.topic(part, number);
    match (target.kind, part) {
        (Kind::Antiphon, Part::Publisher | Part::Acknowledged) => {
            format!("/v1/channels/{topic}?echo=false&store=false")
        }
        (Kind::Antiphon, Part::Echo) => format!("/v1/channels/{topic}?store=false"),
        (Kind::Antiphon, Part::Subscriber | Part::Idle) => match &target.since {
            Some(since) => format!("/v1/channels/{topic}?since={since}"),
            None => format!("/v1/channels/{topic}"),
        },
        (Kind::Reference, Part::Subscriber) => "/fanout?subscribe".to_owned(),
        (Kind::Reference, Part::Publisher) => "/fanout?publish".to_owned(),
        (Kind::Reference, _) => "/echo".to_owned(),
        (Kind::Plain, _) => "/".to_owned(),
    }
}

/// An upgrade request.
pub(super) fn upgrade(target: &Target, path: &str, subprotocol: Option<&str>) -> Vec<u8> {
    Request { host: target.host(), path, subprotocol, token: target.token() }.encode()
}
