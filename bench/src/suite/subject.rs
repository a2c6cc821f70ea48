//! Who is measured, and what each is spoken to.

/// A server under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// Bare epoll.
    Reference,
    /// Ours: the binary, or a program with the library where a load needs handlers.
    Antiphon,
    /// tokio-tungstenite, a task for each connection, as its examples do it.
    Tungstenite,
    /// `ws` on node.
    NodeWs,
    /// Redis, by its publish and subscribe.
    Redis,
    /// nats-server.
    Nats,
    /// mosquitto, by MQTT.
    Mosquitto,
    /// rumqttd, by MQTT.
    Rumqttd,
    /// socketioxide on axum, with TCP_NODELAY set on its sockets.
    SocketioxideNoDelay,
    /// socketioxide on axum, as its documentation starts it.
    Socketioxide,
    /// socket.io on node.
    NodeSocketIo,
}

/// What is spoken in a case, by those who speak it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    WebSocket,
    V1,
    Sse,
    SocketIo,
    /// Socket.IO, with the events that the binary has built in and not with handlers of a program's.
    SocketIoBuiltIn,
    /// Long polls as PubNub's SDKs make them.
    PubNub,
    /// The scenario knows only one thing to speak.
    OfTheScenario,
}

/// What has to be built or installed before a subject can be measured, by the names that `cargo xtask bench` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    Tungstenite,
    Rumqttd,
    Socketioxide,
    Node,
    Mosquitto,
    Nats,
    Redis,
}

impl Subject {
    /// How it is called in tables.
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Antiphon => "antiphon",
            Self::Tungstenite => "tokio-tungstenite",
            Self::NodeWs => "ws on node",
            Self::Redis => "redis",
            Self::Nats => "nats-server",
            Self::Mosquitto => "mosquitto",
            Self::Rumqttd => "rumqttd",
            Self::SocketioxideNoDelay => "socketioxide with TCP_NODELAY",
            Self::Socketioxide => "socketioxide as it comes",
            Self::NodeSocketIo => "socket.io on node",
        }
    }

    /// Whether it is a server of other people, there to be compared with.
    pub(super) fn is_peer(self) -> bool {
        self.need().is_some()
    }

    /// What has to be had before a peer can be measured.
    pub(super) fn need(self) -> Option<Need> {
        match self {
            Self::Reference | Self::Antiphon => None,
            Self::Tungstenite => Some(Need::Tungstenite),
            Self::Rumqttd => Some(Need::Rumqttd),
            Self::Socketioxide | Self::SocketioxideNoDelay => Some(Need::Socketioxide),
            Self::NodeWs | Self::NodeSocketIo => Some(Need::Node),
            Self::Mosquitto => Some(Need::Mosquitto),
            Self::Nats => Some(Need::Nats),
            Self::Redis => Some(Need::Redis),
        }
    }

    /// The options of `antiphon bench` that say how it is spoken to in a case.
    pub(super) fn options(self, spoken: Spoken) -> Vec<&'static str> {
        let kind = match (self, spoken) {
            (Self::Reference | Self::Tungstenite | Self::NodeWs, _) => "reference",
            (Self::Socketioxide | Self::SocketioxideNoDelay | Self::NodeSocketIo, _) => "plain",
            // A program with the library has the same handlers as the peers.
            (Self::Antiphon, Spoken::SocketIo) => "plain",
            _ => "antiphon",
        };
        let protocol = match (self, spoken) {
            (Self::Mosquitto | Self::Rumqttd, _) => Some("mqtt"),
            (Self::Nats, _) => Some("nats"),
            (Self::Redis, _) => Some("redis"),
            // What the streams are held against is the same load as bare frames.
            (Self::Reference, Spoken::Sse | Spoken::V1) => Some("websocket"),
            (_, Spoken::WebSocket) => Some("websocket"),
            (_, Spoken::V1) => Some("v1"),
            (_, Spoken::Sse) => Some("sse"),
            (_, Spoken::SocketIo | Spoken::SocketIoBuiltIn) => Some("socketio"),
            (_, Spoken::PubNub) => Some("pubnub"),
            (_, Spoken::OfTheScenario) => None,
        };
        let mut options = vec!["--kind", kind];
        if let Some(protocol) = protocol {
            options.extend(["--protocol", protocol]);
        }
        options
    }
}

impl Need {
    /// The name by which `cargo xtask bench` knows it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tungstenite => "tungstenite",
            Self::Rumqttd => "rumqttd",
            Self::Socketioxide => "socketioxide",
            Self::Node => "node",
            Self::Mosquitto => "mosquitto",
            Self::Nats => "nats-server",
            Self::Redis => "redis-server",
        }
    }
}
