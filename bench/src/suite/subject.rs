//! Who is measured.

use antiphon_bench::Kind;

/// A server under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// Bare epoll.
    Reference,
    /// Ours: the binary, or a program with the library where a load needs handlers.
    Antiphon,
    /// socketioxide on axum.
    Socketioxide,
    /// socket.io on node.
    NodeSocketIo,
}

impl Subject {
    /// The heading of its column.
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Antiphon => "antiphon",
            Self::Socketioxide => "socketioxide",
            Self::NodeSocketIo => "socket.io on node",
        }
    }

    /// Whether it is a server of other people, there to be compared with.
    pub(super) fn is_peer(self) -> bool {
        matches!(self, Self::Socketioxide | Self::NodeSocketIo)
    }

    /// Whose paths to use.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Reference => Kind::Reference,
            Self::Antiphon | Self::Socketioxide | Self::NodeSocketIo => Kind::Antiphon,
        }
    }
}
