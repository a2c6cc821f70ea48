use std::fmt;

use antiphon_engineio::CloseReason;

/// Why a socket is disconnected, with the names that applications of Socket.IO know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisconnectReason {
    /// The client closed its connection, or the connection is gone.
    TransportClose,
    /// The connection failed, or the client broke the rules of its transport.
    TransportError,
    /// The client did not answer the heartbeat in time.
    PingTimeout,
    /// The server disconnected the socket.
    ServerNamespaceDisconnect,
    /// The client left the namespace.
    ClientNamespaceDisconnect,
    /// The server is about to stop.
    ServerShuttingDown,
    /// The server closed the connection on the level of Engine.IO.
    ForcedClose,
    /// The server closed the connection: every socket on it, or because of what the client sent.
    ForcedServerClose,
    /// The client sent what is no packet.
    ParseError,
    /// More events came than may wait for a handler. Not among the reference server's reasons: it has no such limit.
    HandlerQueueFull,
}

impl DisconnectReason {
    /// The reason as applications of Socket.IO know it.
    pub fn as_str(self) -> &'static str {
        match self {
            DisconnectReason::TransportClose => "transport close",
            DisconnectReason::TransportError => "transport error",
            DisconnectReason::PingTimeout => "ping timeout",
            DisconnectReason::ServerNamespaceDisconnect => "server namespace disconnect",
            DisconnectReason::ClientNamespaceDisconnect => "client namespace disconnect",
            DisconnectReason::ServerShuttingDown => "server shutting down",
            DisconnectReason::ForcedClose => "forced close",
            DisconnectReason::ForcedServerClose => "forced server close",
            DisconnectReason::ParseError => "parse error",
            DisconnectReason::HandlerQueueFull => "handler queue full",
        }
    }

    /// Whether a client that comes back may recover what it missed.
    pub fn is_recoverable(self) -> bool {
        match self {
            DisconnectReason::TransportClose
            | DisconnectReason::TransportError
            | DisconnectReason::PingTimeout
            | DisconnectReason::ServerShuttingDown
            | DisconnectReason::ForcedClose
            | DisconnectReason::ForcedServerClose => true,
            DisconnectReason::ServerNamespaceDisconnect
            | DisconnectReason::ClientNamespaceDisconnect
            | DisconnectReason::ParseError
            | DisconnectReason::HandlerQueueFull => false,
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<CloseReason> for DisconnectReason {
    fn from(reason: CloseReason) -> DisconnectReason {
        match reason {
            CloseReason::TransportError(_) => DisconnectReason::TransportError,
            CloseReason::TransportClose => DisconnectReason::TransportClose,
            CloseReason::PingTimeout => DisconnectReason::PingTimeout,
            CloseReason::ForcedClose => DisconnectReason::ForcedClose,
            CloseReason::ServerShuttingDown => DisconnectReason::ServerShuttingDown,
            CloseReason::ParseError(_) => DisconnectReason::ParseError,
        }
    }
}

/// What the server ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disconnect {
    /// The socket alone: the client's other namespaces go on.
    #[default]
    Namespace,
    /// The client's connection, with every socket on it.
    Connection,
}
