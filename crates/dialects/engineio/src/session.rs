//! A session: packets in order over whatever transport there is, without IO or a clock.
//!
//! ```text
//!            5 on the probed WebSocket
//!  Polling ─────────────────────────────▶ WebSocket
//!     │        (beside it: a probe)           │
//!     └───────────────┬───────────────────────┘
//!                     ▼
//!      Closing, until what waits is fetched ──▶ Closed
//! ```
//!
//! Whoever drives a session feeds it by `handle_*`, and after each of these takes everything that [`Session::poll_output`] gives
//! before the next; it calls [`Session::handle_timeout`] when [`Session::poll_timeout`] has come. Packets to the client wait in
//! an outbox until a poll or a writable WebSocket takes them, whichever the session has by then: that keeps their order through an upgrade.

mod heartbeat;
mod outbox;
mod output;
mod polling;
mod websocket;

use std::collections::VecDeque;
use std::sync::Arc;

use antiphon_model::Monotonic;

use crate::handshake::{Sid, Transport, open_packet};
use crate::packet::{BinarySupport, Data, Packet, Revision};
use crate::payload::{Codec, JsonpIndex};
use crate::settings::{EngineSettings, WhenFull};
use heartbeat::{Due, Heartbeat};
use outbox::{Full, Outbox};

pub use output::{Answer, CloseReason, Output, RequestId, SocketClose, SocketId, TransportFault};
use polling::Poll;
use websocket::Probe;
pub use websocket::Writability;

/// The request that a session begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenOn {
    /// A first poll.
    Poll {
        /// The request.
        request: RequestId,
        /// The callback to answer with, if it is JSONP.
        jsonp: Option<JsonpIndex>,
    },
    /// A WebSocket.
    Socket(SocketId),
}

/// Whether a message may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It waits until the client takes it.
    Reliable,
    /// It is dropped if the client cannot take it at once.
    Volatile,
}

/// What has become of a message that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It will be written in its turn.
    Queued,
    /// It was volatile, and the client not ready.
    Dropped,
}

/// A message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The session has ended or is ending.
    #[error("the session is closed")]
    Closed,
    /// The send buffer is full; with [`WhenFull::Close`] the session has ended by it.
    #[error("the send buffer is full")]
    Full,
    /// Text with U+001E, which revision 4 cannot carry by polling.
    #[error("the text has a record separator in it")]
    Separator,
}

/// How the server ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseMode {
    /// After what waits has been fetched, or the close timeout.
    Orderly,
    /// At once; what waits is dropped.
    Discard,
}

#[derive(Debug)]
enum State {
    Open,
    Closing { deadline: Monotonic },
    Closed,
}

/// The transport that packets take.
#[derive(Debug)]
enum Link {
    Polling { poll: Option<Poll>, post: Option<RequestId> },
    WebSocket { socket: SocketId, binary: BinarySupport, writability: Writability },
    Gone,
}

/// A client as the server knows it, across requests and an upgrade.
#[derive(Debug)]
pub struct Session {
    sid: Sid,
    settings: Arc<EngineSettings>,
    codec: Codec,
    state: State,
    link: Link,
    probe: Option<Probe>,
    heartbeat: Heartbeat,
    outbox: Outbox,
    outputs: VecDeque<Output>,
}

impl Session {
    /// Begins a session and answers its first request with the open packet, alone: some clients read nothing after it.
    pub fn open(
        sid: Sid,
        revision: Revision,
        binary: BinarySupport,
        on: OpenOn,
        settings: Arc<EngineSettings>,
        now: Monotonic,
    ) -> Session {
        let codec = Codec { revision, binary, v3_framing: settings.v3_framing, v3_text: settings.v3_text };
        let transport = match on {
            OpenOn::Poll { .. } => Transport::Polling,
            OpenOn::Socket(_) => Transport::WebSocket,
        };
        let open = Packet::Open(open_packet(&sid, transport, &settings).into());
        let (link, first) = match on {
            OpenOn::Poll { request, jsonp } => {
                let answer = Poll::new(request, jsonp).answer(&codec, &[open]);
                (Link::Polling { poll: None, post: None }, answer)
            }
            OpenOn::Socket(socket) => {
                let frame = open.to_frame(revision, binary);
                (
                    Link::WebSocket { socket, binary, writability: Writability::Writable },
                    Output::Frame { socket, frame },
                )
            }
        };
        Session {
            sid,
            codec,
            state: State::Open,
            link,
            probe: None,
            heartbeat: Heartbeat::new(revision, &settings, now),
            outbox: Outbox::new(settings.send_buffer_bytes_max),
            outputs: VecDeque::from([first]),
            settings,
        }
    }

    /// The session's id.
    pub fn sid(&self) -> &Sid {
        &self.sid
    }

    /// The revision that its client speaks.
    pub fn revision(&self) -> Revision {
        self.codec.revision
    }

    /// The transport that packets take; nothing once the session has ended.
    pub fn transport(&self) -> Option<Transport> {
        match self.link {
            Link::Polling { .. } => Some(Transport::Polling),
            Link::WebSocket { .. } => Some(Transport::WebSocket),
            Link::Gone => None,
        }
    }

    /// About how many bytes wait for the client.
    pub fn buffered_bytes(&self) -> usize {
        self.outbox.bytes()
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The message is not sent: see [`SendError`].
    pub fn handle_send(&mut self, data: Data, delivery: Delivery) -> Result<Sent, SendError> {
        if !matches!(self.state, State::Open) {
            return Err(SendError::Closed);
        }
        if let Data::Text(text) = &data
            && self.codec.revision == Revision::V4
            && text.contains('\x1e')
        {
            return Err(SendError::Separator);
        }
        if delivery == Delivery::Volatile && !self.is_ready() {
            return Ok(Sent::Dropped);
        }
        match (self.outbox.push(Packet::Message(data)), self.settings.when_full) {
            (Ok(()), _) => Ok(Sent::Queued),
            (Err(Full), WhenFull::Refuse) => Err(SendError::Full),
            (Err(Full), WhenFull::Close) => {
                self.close(CloseReason::TransportError(TransportFault::SendBufferFull));
                Err(SendError::Full)
            }
        }
    }

    /// Ends the session from the server's side.
    pub fn handle_close(&mut self, mode: CloseMode, now: Monotonic) {
        match (mode, &self.state) {
            (CloseMode::Discard, _) => self.close(CloseReason::ForcedClose),
            (CloseMode::Orderly, State::Open) => {
                self.abandon_probe(SocketClose::Normal);
                self.state = State::Closing { deadline: now + self.settings.close_timeout() };
            }
            (CloseMode::Orderly, State::Closing { .. } | State::Closed) => {}
        }
    }

    /// When [`Session::handle_timeout`] is due next; never, once the session has ended.
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        match self.state {
            State::Closed => None,
            State::Closing { deadline } => Some(deadline),
            State::Open => {
                let probe = self.probe.as_ref().map(|probe| probe.timeout(self.has_waiting_poll()));
                Some(probe.map_or(self.heartbeat.deadline(), |probe| probe.min(self.heartbeat.deadline())))
            }
        }
    }

    /// Does what is due by `now`. Early and late calls do no harm; inputs that know the time do it as well.
    pub fn handle_timeout(&mut self, now: Monotonic) {
        match self.state {
            State::Closed => {}
            State::Closing { deadline } => {
                if deadline <= now {
                    self.close(CloseReason::ForcedClose);
                }
            }
            State::Open => {
                self.handle_probe_timeout(now);
                match self.heartbeat.handle_timeout(&self.settings, now) {
                    Some(Due::Ping) => self.push_control(Packet::Ping("".into())),
                    Some(Due::Lost) => self.close(CloseReason::PingTimeout),
                    None => {}
                }
            }
        }
    }

    /// What is to be done next; nothing until another input.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            self.flush();
        }
        self.outputs.pop_front()
    }

    /// Takes a packet off the session's transport.
    fn handle_packet(&mut self, packet: Packet, now: Monotonic) -> Result<(), CloseReason> {
        if packet == Packet::Close {
            return Err(CloseReason::TransportClose);
        }
        if !matches!(self.state, State::Open) {
            return Ok(());
        }
        self.heartbeat.handle_packet(&self.settings, now);
        match (packet, self.codec.revision) {
            (Packet::Message(data), _) => self.outputs.push_back(Output::Message(data)),
            (Packet::Ping(data), Revision::V3) => {
                let room = self.outbox.push(Packet::Pong(data));
                room.map_err(|Full| CloseReason::TransportError(TransportFault::SendBufferFull))?;
            }
            (Packet::Pong(_), Revision::V4) => self.heartbeat.handle_pong(&self.settings, now),
            (Packet::Ping(_), Revision::V4) | (Packet::Pong(_), Revision::V3) => {
                return Err(CloseReason::TransportError(TransportFault::HeartbeatDirection));
            }
            (Packet::Open(_) | Packet::Close | Packet::Upgrade | Packet::Noop, _) => {}
        }
        Ok(())
    }

    /// Whether a packet would go out at once.
    fn is_ready(&self) -> bool {
        match &self.link {
            Link::Polling { poll, .. } => poll.is_some() && self.outbox.is_empty(),
            Link::WebSocket { writability, .. } => *writability == Writability::Writable,
            Link::Gone => false,
        }
    }

    /// Packets of the protocol itself cannot be left out.
    fn push_control(&mut self, packet: Packet) {
        if self.outbox.push(packet).is_err() {
            self.close(CloseReason::TransportError(TransportFault::SendBufferFull));
        }
    }

    /// Moves what waits to the transport, if that takes it.
    fn flush(&mut self) {
        match self.link {
            Link::Polling { .. } => self.flush_polling(),
            Link::WebSocket { .. } => self.flush_websocket(),
            Link::Gone => {}
        }
    }

    /// Ends the session. Whatever the reason, one that was closing has been closed by the server.
    fn close(&mut self, reason: CloseReason) {
        let reason = match self.state {
            State::Closed => return,
            State::Closing { .. } => CloseReason::ForcedClose,
            State::Open => reason,
        };
        self.state = State::Closed;
        self.outbox.take_all();
        self.abandon_probe(SocketClose::Normal);
        match std::mem::replace(&mut self.link, Link::Gone) {
            Link::Polling { poll, post } => self.dismiss(poll, post, reason),
            Link::WebSocket { socket, .. } => {
                let code = reason.socket_close();
                self.outputs.push_back(Output::CloseSocket { socket, code });
            }
            Link::Gone => {}
        }
        self.outputs.push_back(Output::Closed(reason));
    }
}

#[cfg(test)]
mod tests;
