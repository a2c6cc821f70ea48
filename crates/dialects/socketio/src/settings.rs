use std::time::Duration;

use antiphon_engineio::{InvalidEngineSettings, ServeSettings};
use serde::{Deserialize, Serialize};

use crate::Limits;

/// How packets are written on the wire. Clients have to use the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Parser {
    /// As the protocol has it: JSON in text, with attachments after it.
    #[default]
    Default,
    /// As `socket.io-msgpack-parser` has it: one binary message of MessagePack.
    Msgpack,
}

/// Socket.IO: connections, namespaces, handlers.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SocketIoSettings {
    /// The transport below. Parts of it are code, so that it is no part of a configuration file.
    #[serde(skip)]
    pub engine: ServeSettings,
    /// How many milliseconds a client has to connect to a namespace before its connection is closed. Default: 45000.
    pub connect_timeout_ms: u64,
    /// How packets are written: `default` or `msgpack`. Default: `default`. Clients of the other parser cannot be served.
    pub parser: Parser,
    /// How many binary attachments an event may have. Default: 10.
    pub attachments_max: usize,
    /// The longest packet with its attachments, in bytes. Default: 4000000. Each connection may take so much memory while
    /// attachments are due.
    pub packet_bytes_max: usize,
    /// How many namespaces a client may be connected to at a time. Default: 100.
    pub namespaces_per_connection_max: usize,
    /// How many dynamic namespaces there may be. Default: 10000. Clients name them.
    pub dynamic_namespaces_max: usize,
    /// Whether a dynamic namespace is dropped when its last socket is gone. Default: true. With false, each name that a
    /// client ever asked for takes memory, until there are as many as may be.
    pub cleanup_empty_child_namespaces: bool,
    /// How many events of a socket may wait while a handler runs. Default: 1000. A client that sends more is disconnected.
    pub handler_queue_max: usize,
    /// How many bytes of events of a socket may wait while a handler runs. Default: 4 MiB. A single event may have more.
    pub handler_queue_bytes_max: usize,
    /// How many acknowledgements of a client may be awaited at a time, for each of its sockets. Default: 10000. Further
    /// events that want one fail at once.
    pub acks_max: usize,
    /// How many milliseconds the acknowledgement of an event is awaited that names no time of its own. Default: 10000.
    pub ack_timeout_ms: u64,
    /// How many bytes of acknowledgements one event to several sockets may collect. Default: 16 MiB. Further ones are dropped,
    /// as if they had not come.
    pub broadcast_ack_bytes_max: usize,
    /// How many rooms a socket may be in, besides its own. Default: 1000.
    pub rooms_per_socket_max: usize,
    /// Connection state recovery: what a client that lost its connection gets back. Default: off.
    pub connection_state_recovery: Option<RecoverySettings>,
}

/// Connection state recovery.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RecoverySettings {
    /// How many milliseconds after it lost its connection a client can recover. Default: 120000.
    pub max_disconnection_ms: u64,
    /// Whether clients that recover pass by the middlewares. Default: true. With false each middleware has to take clients
    /// that were let in before.
    pub skip_middlewares: bool,
    /// When it is stored what a client could recover: `while-connected`, so that it outlives a crash of the server, or
    /// `at-disconnection`, which is enough for a server that stops in good order. Default: `while-connected`. That is one
    /// small write about a second after a socket connected or changed its rooms or data, and one every ten minutes.
    pub stored: RecoveryStored,
    /// How many lost connections are remembered at a time. Default: 100000. Beyond them the oldest cannot recover. Each
    /// takes about 500 bytes and what the application keeps with the socket.
    pub sessions_max: usize,
}

/// When it is stored what a client could recover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RecoveryStored {
    /// As long as the client is connected, and when it loses its connection.
    #[default]
    WhileConnected,
    /// When the client loses its connection.
    AtDisconnection,
}

impl Default for SocketIoSettings {
    fn default() -> SocketIoSettings {
        SocketIoSettings {
            engine: ServeSettings::default(),
            connect_timeout_ms: 45_000,
            parser: Parser::Default,
            attachments_max: 10,
            packet_bytes_max: 4_000_000,
            namespaces_per_connection_max: 100,
            dynamic_namespaces_max: 10_000,
            cleanup_empty_child_namespaces: true,
            handler_queue_max: 1000,
            handler_queue_bytes_max: 4 << 20,
            acks_max: 10_000,
            ack_timeout_ms: 10_000,
            broadcast_ack_bytes_max: 16 << 20,
            rooms_per_socket_max: 1000,
            connection_state_recovery: None,
        }
    }
}

impl Default for RecoverySettings {
    fn default() -> RecoverySettings {
        RecoverySettings {
            max_disconnection_ms: 120_000,
            skip_middlewares: true,
            stored: RecoveryStored::WhileConnected,
            sessions_max: 100_000,
        }
    }
}

/// The settings contradict what a server can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSocketIoSettings {
    /// A limit that would let nothing through at all.
    #[error("{0} has to be at least 1")]
    Zero(&'static str),
    /// The transport could not work.
    #[error(transparent)]
    Engine(#[from] InvalidEngineSettings),
}

impl SocketIoSettings {
    /// Checks that no limit is zero.
    ///
    /// # Errors
    /// One is, or the transport's settings are wrong.
    pub fn check(&self) -> Result<(), InvalidSocketIoSettings> {
        self.engine.engine.check()?;
        for (name, is_zero) in [
            ("connect_timeout_ms", self.connect_timeout_ms == 0),
            ("packet_bytes_max", self.packet_bytes_max == 0),
            ("namespaces_per_connection_max", self.namespaces_per_connection_max == 0),
            ("handler_queue_max", self.handler_queue_max == 0),
            ("handler_queue_bytes_max", self.handler_queue_bytes_max == 0),
        ] {
            if is_zero {
                return Err(InvalidSocketIoSettings::Zero(name));
            }
        }
        Ok(())
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            attachments_max: self.attachments_max,
            packet_bytes_max: self.packet_bytes_max,
            ..Limits::default()
        }
    }

    pub(crate) fn ack_timeout(&self) -> Duration {
        Duration::from_millis(self.ack_timeout_ms)
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }
}

impl RecoverySettings {
    pub(crate) fn max_disconnection(&self) -> Duration {
        Duration::from_millis(self.max_disconnection_ms)
    }
}
