//! Which server, and the paths that stand for each part in a scenario.

use std::net::{SocketAddr, ToSocketAddrs};

use clap::ValueEnum;

use crate::args::TargetArgs;
use crate::error::Error;
use crate::handshake::Request;

/// Where Socket.IO servers listen unless told otherwise, and how to have WebSocket from the start.
const SOCKET_IO_PATH: &str = "/socket.io/?EIO=4&transport=websocket";

/// A server whose paths are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Antiphon's native protocol
    Antiphon,
    /// The epoll reference of this crate
    Reference,
}

/// What is spoken over WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// Each message is a frame of its own and nothing else
    #[value(name = "websocket")]
    WebSocket,
    /// Socket.IO on Engine.IO 4, with a server that handles the events of the load: `join`, `broadcast` and `echo`
    #[value(name = "socketio")]
    SocketIo,
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
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) protocol: Protocol,
    pub(crate) channel: String,
    host: String,
    kind: Kind,
    path: Option<String>,
    publish_path: Option<String>,
    token: Option<String>,
}

impl Target {
    pub(crate) fn new(args: &TargetArgs, protocol: Protocol) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Url { url: args.url.clone(), reason };
        let rest = ["http://", "ws://"]
            .iter()
            .find_map(|scheme| args.url.strip_prefix(scheme))
            .ok_or_else(|| wrong("it must begin with http:// or ws:// (TLS is not measured)".to_owned()))?;
        let (host, path) = match rest.find('/') {
            Some(at) => (&rest[..at], &rest[at..]),
            None => (rest, "/"),
        };
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let lookup = if has_port { host.to_owned() } else { format!("{host}:80") };
        let address = lookup
            .to_socket_addrs()
            .map_err(|error| wrong(error.to_string()))?
            .next()
            .ok_or_else(|| wrong("its host has no address".to_owned()))?;
        let path_of_url = (path != "/").then(|| path.to_owned());
        Ok(Self {
            address,
            protocol,
            channel: args.channel.clone(),
            host: host.to_owned(),
            kind: args.kind,
            path: args.path.clone().or(path_of_url),
            publish_path: args.publish_path.clone(),
            token: args.token.clone(),
        })
    }

    /// What is said for `Host`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The upgrade request of connection `number`.
    pub(crate) fn request(&self, part: Part, number: usize) -> Vec<u8> {
        let path = self.path(part, number);
        let subprotocol = (part == Part::Acknowledged).then_some("antiphon.v1");
        Request { host: &self.host, path: &path, subprotocol, token: self.token.as_deref() }.encode()
    }

    fn path(&self, part: Part, number: usize) -> String {
        let given = match part {
            Part::Publisher => self.publish_path.as_ref().or(self.path.as_ref()),
            _ => self.path.as_ref(),
        };
        match given {
            Some(template) => template.replace("{i}", &number.to_string()),
            None => match self.protocol {
                Protocol::WebSocket => self.path_of_kind(part, number),
                Protocol::SocketIo => SOCKET_IO_PATH.to_owned(),
            },
        }
    }

    fn path_of_kind(&self, part: Part, number: usize) -> String {
        let channel = &self.channel;
        match (self.kind, part) {
            (Kind::Antiphon, Part::Subscriber) => format!("/v1/channels/{channel}.fanout"),
            (Kind::Antiphon, Part::Publisher) => {
                format!("/v1/channels/{channel}.fanout?echo=false&store=false")
            }
            (Kind::Antiphon, Part::Echo) => format!("/v1/channels/{channel}.echo.{number}?store=false"),
            (Kind::Antiphon, Part::Idle) => format!("/v1/channels/{channel}.idle"),
            // Not the channel that is published to, so that no publisher is also a subscriber of all the others.
            (Kind::Antiphon, Part::Acknowledged) => format!("/v1/channels/{channel}.publisher.{number}"),
            (Kind::Reference, Part::Subscriber) => "/fanout?subscribe".to_owned(),
            (Kind::Reference, Part::Publisher) => "/fanout?publish".to_owned(),
            (Kind::Reference, _) => "/echo".to_owned(),
        }
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

    #[test]
    fn a_path_in_the_url_takes_the_place_of_the_kinds_own() {
        let target = Target::new(&args("ws://127.0.0.1:9/room/{i}?x=1"), Protocol::SocketIo).unwrap();
        assert_eq!(target.address, "127.0.0.1:9".parse().unwrap());
        assert_eq!(target.path(Part::Echo, 7), "/room/7?x=1");
        let target = Target::new(&args("http://127.0.0.1/"), Protocol::WebSocket).unwrap();
        assert_eq!(target.address.port(), 80);
        assert_eq!(target.path(Part::Echo, 7), "/v1/channels/b.echo.7?store=false");
        let target = Target::new(&args("http://127.0.0.1/"), Protocol::SocketIo).unwrap();
        assert_eq!(target.path(Part::Echo, 7), SOCKET_IO_PATH);
    }

    #[test]
    fn refuses_what_it_cannot_connect_to() {
        for url in ["", "127.0.0.1:80", "https://127.0.0.1", "http://"] {
            assert!(matches!(Target::new(&args(url), Protocol::WebSocket), Err(Error::Url { .. })), "{url}");
        }
    }
}
