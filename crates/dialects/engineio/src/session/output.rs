use crate::handshake::Refusal;
use crate::packet::{Data, Packet};
use crate::payload::PayloadError;

/// An HTTP request of a session, as whoever drives the session numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(pub u32);

/// A WebSocket of a session, as whoever drives the session numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketId(pub u32);

/// What a session wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Answer a request. Each gets one answer, this or [`Output::Release`], unless it was lost.
    Answer {
        /// Which.
        request: RequestId,
        /// With what.
        answer: Answer,
    },
    /// Answer a poll with all that lies in the outbox.
    Release {
        /// Which.
        request: RequestId,
        /// What comes after it.
        then: Then,
    },
    /// Put a packet into the outbox.
    Packet(Packet),
    /// Write a packet to a WebSocket that is a probe.
    Probe {
        /// Which.
        socket: SocketId,
        /// The packet.
        packet: Packet,
    },
    /// Close a WebSocket, after what was written to it; the session's own, after what lies in the outbox.
    CloseSocket {
        /// Which.
        socket: SocketId,
        /// The close code to give.
        code: SocketClose,
    },
    /// The client sent a message.
    Message(Data),
    /// The session has gone over to this WebSocket, which takes what lies in the outbox.
    Upgraded(SocketId),
    /// The session has ended. Nothing follows but refusals of what still comes for it.
    Closed(CloseReason),
}

/// What follows the packets of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing; if there are none, a noop.
    More,
    /// A close packet: there will be no more.
    Close,
}

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This packet alone, to a poll.
    Packet(Packet),
    /// The packets of a POST were taken.
    Taken,
    /// The body is over the limit.
    TooLarge,
    /// The request does not suit the session.
    Refused(Refusal),
}

impl Answer {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Answer::Packet(_) | Answer::Taken => 200,
            Answer::TooLarge => 413,
            Answer::Refused(refusal) => refusal.status(),
        }
    }
}

/// Why a WebSocket is closed, as the close codes of RFC 6455 have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketClose {
    /// 1000: the session has ended.
    Normal,
    /// 1002: it sent what is no packet, or out of turn.
    Protocol,
    /// 1008: the session needs no further WebSocket, or the upgrade took too long.
    Policy,
    /// 1009: a message over the limit.
    TooLarge,
    /// 1012: the server stops.
    Restart,
}

impl SocketClose {
    /// The number on the wire.
    pub fn code(self) -> u16 {
        match self {
            SocketClose::Normal => 1000,
            SocketClose::Protocol => 1002,
            SocketClose::Policy => 1008,
            SocketClose::TooLarge => 1009,
            SocketClose::Restart => 1012,
        }
    }
}

/// How the server ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseMode {
    /// After what waits has been fetched, or the close timeout.
    Orderly,
    /// At once; what waits for a poll is dropped.
    Discard,
    /// At once, because the server stops: a poll that is there gets what waits.
    ShutDown,
}

/// Why a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The client broke the rules of its transport, or the transport broke.
    TransportError(TransportFault),
    /// The client left, or its WebSocket is gone.
    TransportClose,
    /// The client was not heard of in time.
    PingTimeout,
    /// The server ended it.
    ForcedClose,
    /// The server stops.
    ServerShuttingDown,
    /// The client sent what is no packet.
    ParseError(PayloadError),
}

impl CloseReason {
    /// The reason in the words that applications of Socket.IO know.
    pub fn as_str(self) -> &'static str {
        match self {
            CloseReason::TransportError(_) => "transport error",
            CloseReason::TransportClose => "transport close",
            CloseReason::PingTimeout => "ping timeout",
            CloseReason::ForcedClose => "forced close",
            CloseReason::ServerShuttingDown => "server shutting down",
            CloseReason::ParseError(_) => "parse error",
        }
    }

    pub(super) fn socket_close(self) -> SocketClose {
        match self {
            CloseReason::TransportError(TransportFault::TooLarge) => SocketClose::TooLarge,
            CloseReason::TransportError(
                TransportFault::HeartbeatDirection | TransportFault::SocketViolation,
            )
            | CloseReason::ParseError(_) => SocketClose::Protocol,
            CloseReason::TransportError(TransportFault::SendBufferFull) => SocketClose::Policy,
            CloseReason::ServerShuttingDown => SocketClose::Restart,
            _ => SocketClose::Normal,
        }
    }
}

/// What was wrong with a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportFault {
    /// A poll while another waits.
    #[error("a poll while another waits")]
    PollOverlap,
    /// A POST while another is read.
    #[error("a POST while another is read")]
    PostOverlap,
    /// The client gave up a poll.
    #[error("a poll was given up")]
    PollLost,
    /// The client gave up a POST.
    #[error("a POST was given up")]
    PostLost,
    /// A body or message over the limit.
    #[error("a body or message over the limit")]
    TooLarge,
    /// A ping of revision 4 or a pong of revision 3 from the client.
    #[error("a heartbeat in the wrong direction")]
    HeartbeatDirection,
    /// The client does not take what is sent.
    #[error("the send buffer is full")]
    SendBufferFull,
    /// Its WebSocket carried what no WebSocket may.
    #[error("a violation of the WebSocket protocol")]
    SocketViolation,
}
