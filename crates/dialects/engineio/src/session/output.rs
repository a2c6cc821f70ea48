use bytes::Bytes;

use crate::handshake::Refusal;
use crate::packet::{Data, Frame};
use crate::payload::{BINARY_TYPE, Body, PayloadError, SCRIPT_TYPE, TEXT_TYPE};

/// An HTTP request of a session, as whoever drives the session numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(pub u64);

/// A WebSocket of a session, as whoever drives the session numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketId(pub u64);

/// What a session wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Answer a request. Each gets one answer, unless it was lost.
    Answer {
        /// Which.
        request: RequestId,
        /// With what.
        answer: Answer,
    },
    /// Write a message to a WebSocket.
    Frame {
        /// Which.
        socket: SocketId,
        /// The message.
        frame: Frame,
    },
    /// Close a WebSocket after what was written to it.
    CloseSocket {
        /// Which.
        socket: SocketId,
        /// The close code to give.
        code: SocketClose,
    },
    /// The client sent a message.
    Message(Data),
    /// The session has gone over to WebSocket.
    Upgraded,
    /// The session has ended. Nothing follows but refusals of what still comes for it.
    Closed(CloseReason),
}

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Packets, to a poll.
    Payload(Body),
    /// Packets, to a poll by JSONP.
    Script(String),
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
            Answer::Payload(_) | Answer::Script(_) | Answer::Taken => 200,
            Answer::TooLarge => 413,
            Answer::Refused(refusal) => refusal.status(),
        }
    }

    /// The media type of the body.
    pub fn media_type(&self) -> &'static str {
        match self {
            Answer::Payload(Body::Binary(_)) => BINARY_TYPE,
            Answer::Payload(Body::Text(_)) | Answer::Taken | Answer::TooLarge => TEXT_TYPE,
            Answer::Script(_) => SCRIPT_TYPE,
            Answer::Refused(_) => Refusal::MEDIA_TYPE,
        }
    }

    /// The body.
    pub fn into_body(self) -> Bytes {
        match self {
            Answer::Payload(Body::Text(text)) | Answer::Script(text) => text.into(),
            Answer::Payload(Body::Binary(bytes)) => bytes.into(),
            Answer::Taken => Bytes::from_static(b"ok"),
            Answer::TooLarge => Bytes::new(),
            Answer::Refused(refusal) => refusal.body().into(),
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
}

impl SocketClose {
    /// The number on the wire.
    pub fn code(self) -> u16 {
        match self {
            SocketClose::Normal => 1000,
            SocketClose::Protocol => 1002,
            SocketClose::Policy => 1008,
            SocketClose::TooLarge => 1009,
        }
    }
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
            CloseReason::ParseError(_) => "parse error",
        }
    }

    pub(super) fn socket_close(self) -> SocketClose {
        match self {
            CloseReason::TransportError(TransportFault::TooLarge) => SocketClose::TooLarge,
            CloseReason::TransportError(TransportFault::HeartbeatDirection) | CloseReason::ParseError(_) => {
                SocketClose::Protocol
            }
            CloseReason::TransportError(TransportFault::SendBufferFull) => SocketClose::Policy,
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
}
