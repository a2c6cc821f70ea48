//! Which server, and what stands for each part of a scenario there.

use std::net::{SocketAddr, ToSocketAddrs};

use clap::ValueEnum;

use crate::args::TargetArgs;
use crate::error::Error;
use crate::wire::{Script, Wire};

/// What a URL may begin with, and the port where it says none.
const SCHEMES: [(&str, u16); 5] =
    [("http://", 80), ("ws://", 80), ("mqtt://", 1883), ("nats://", 4222), ("redis://", 6379)];

/// A server whose paths and events are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Antiphon: its native protocol, and the built-in events of its Socket.IO
    Antiphon,
    /// The epoll reference of this crate, or what has the same paths: /fanout?subscribe, /fanout?publish and /echo
    Reference,
    /// Any other: at / (or --path) it sends each frame to all others, or back. Over Socket.IO it has handlers of `join`,
    /// `broadcast` and `echo`
    Plain,
}

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// WebSocket: each message is a frame of its own and nothing else
    #[value(name = "websocket")]
    WebSocket,
    /// The subprotocol antiphon.v1 over WebSocket
    #[value(name = "v1")]
    V1,
    /// Socket.IO on Engine.IO 4, over WebSocket
    #[value(name = "socketio")]
    SocketIo,
    /// Subscribers are streams of server-sent events; the publisher is a WebSocket
    #[value(name = "sse")]
    Sse,
    /// MQTT 3.1.1, QoS 0
    #[value(name = "mqtt")]
    Mqtt,
    /// NATS
    #[value(name = "nats")]
    Nats,
    /// Publish and subscribe of Redis
    #[value(name = "redis")]
    Redis,
}

impl Protocol {
    /// As the command line has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::V1 => "v1",
            Self::SocketIo => "socketio",
            Self::Sse => "sse",
            Self::Mqtt => "mqtt",
            Self::Nats => "nats",
            Self::Redis => "redis",
        }
    }
}

/// The part a connection plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Subscriber,
    Publisher,
    Echo,
    Idle,
    /// Publishes over the subprotocol and waits for acknowledgements.
    Acknowledged,
}

/// A server that was looked up, and what to ask it for.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) kind: Kind,
    pub(crate) protocol: Protocol,
    pub(crate) wire: &'static dyn Wire,
    pub(crate) channel: String,
    /// The position from which on subscribers want what they missed.
    pub(crate) since: Option<String>,
    host: String,
    path: Option<String>,
    publish_path: Option<String>,
    token: Option<String>,
}

impl Target {
    pub(crate) fn new(args: &TargetArgs, protocol: Protocol) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Url { url: args.url.clone(), reason };
        let (rest, port) = SCHEMES
            .iter()
            .find_map(|(scheme, port)| Some((args.url.strip_prefix(scheme)?, port)))
            .ok_or_else(|| wrong("it must begin with http:// or ws:// (TLS is not measured)".to_owned()))?;
        let (host, path) = match rest.find('/') {
            Some(at) => (&rest[..at], &rest[at..]),
            None => (rest, "/"),
        };
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let lookup = if has_port { host.to_owned() } else { format!("{host}:{port}") };
        let address = lookup
            .to_socket_addrs()
            .map_err(|error| wrong(error.to_string()))?
            .next()
            .ok_or_else(|| wrong("its host has no address".to_owned()))?;
        let path_of_url = (path != "/").then(|| path.to_owned());
        Ok(Self {
            address,
            kind: args.kind,
            protocol,
            wire: protocol.wire(args.kind),
            channel: args.channel.clone(),
            since: None,
            host: host.to_owned(),
            path: args.path.clone().or(path_of_url),
            publish_path: args.publish_path.clone(),
            token: args.token.clone(),
        })
    }

    /// The same, with channels of their own.
    pub(crate) fn within(&self, name: &str) -> Self {
        Self { channel: format!("{}.{name}", self.channel), ..self.clone() }
    }

    /// The same, with subscribers who want what came after a position.
    pub(crate) fn with_since(&self, position: String) -> Self {
        Self { since: Some(position), ..self.clone() }
    }

    /// Whether a path was given.
    pub(crate) fn has_path(&self) -> bool {
        self.path.is_some() || self.publish_path.is_some()
    }

    /// What is said for `Host`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// What connection `number` says first, and what it waits for.
    pub(crate) fn script(&self, part: Part, number: usize) -> Script {
        self.wire.script(self, part, number)
    }

    /// The channel of a part, which its protocol may call a topic or a subject.
    pub(crate) fn topic(&self, part: Part, number: usize) -> String {
        let channel = &self.channel;
        match part {
            Part::Subscriber | Part::Publisher => format!("{channel}.fanout"),
            Part::Echo => format!("{channel}.echo.{number}"),
            Part::Idle => format!("{channel}.idle"),
            // Not the channel that is published to, so that no publisher is also a subscriber of all the others.
            Part::Acknowledged => format!("{channel}.publisher.{number}"),
        }
    }

    /// The path of connection `number`: the one that was given, or its protocol's own.
    pub(crate) fn path(&self, part: Part, number: usize, own: impl FnOnce() -> String) -> String {
        let given = match part {
            Part::Publisher => self.publish_path.as_ref().or(self.path.as_ref()),
            _ => self.path.as_ref(),
        };
        given.map_or_else(own, |template| template.replace("{i}", &number.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(url: &str) -> TargetArgs {
        TargetArgs {
            url: url.to_owned(),
            kind: Kind::Antiphon,
            path: None,
            publish_path: None,
            channel: "b".to_owned(),
            token: None,
            pid: None,
        }
    }

    fn request(url: &str, protocol: Protocol, kind: Kind, part: Part) -> String {
        let target = Target::new(&TargetArgs { kind, ..args(url) }, protocol).unwrap();
        let hello = String::from_utf8(target.script(part, 7).hello).unwrap();
        hello.lines().next().unwrap().to_owned()
    }

    #[test]
    fn a_path_in_the_url_takes_the_place_of_the_kinds_own() {
        let url = "ws://127.0.0.1:9/room/{i}?x=1";
        for protocol in [Protocol::WebSocket, Protocol::V1, Protocol::SocketIo, Protocol::Sse] {
            let line = request(url, protocol, Kind::Antiphon, Part::Echo);
            assert_eq!(line, "GET /room/7?x=1 HTTP/1.1", "{protocol:?}");
        }
        let url = "http://127.0.0.1/";
        for (protocol, kind, path) in [
            (Protocol::WebSocket, Kind::Antiphon, "/v1/channels/b.echo.7?store=false"),
            (Protocol::WebSocket, Kind::Reference, "/echo"),
            (Protocol::WebSocket, Kind::Plain, "/"),
            (Protocol::V1, Kind::Antiphon, "/v1/events"),
            (Protocol::SocketIo, Kind::Plain, "/socket.io/?EIO=4&transport=websocket"),
        ] {
            assert_eq!(request(url, protocol, kind, Part::Echo), format!("GET {path} HTTP/1.1"));
        }
    }

    #[test]
    fn a_port_that_is_not_given_is_the_schemes() {
        for (url, port) in [("ws://127.0.0.1", 80), ("nats://127.0.0.1", 4222), ("redis://127.0.0.1:7", 7)] {
            assert_eq!(Target::new(&args(url), Protocol::Nats).unwrap().address.port(), port);
        }
    }

    #[test]
    fn refuses_what_it_cannot_connect_to() {
        for url in ["", "127.0.0.1:80", "https://127.0.0.1", "http://"] {
            assert!(matches!(Target::new(&args(url), Protocol::WebSocket), Err(Error::Url { .. })), "{url}");
        }
    }
}
