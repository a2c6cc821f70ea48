//! A session: transports, polls, the probe, heartbeats and the end, without IO or a clock.
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
//! What is sent to the client does not pass through it. It lies in an outbox of whoever drives the session, encoded for the
//! transport of the moment, and the session says when it is handed out: with [`Output::Release`] to a poll, and to a
//! WebSocket from [`Output::Upgraded`] on. That there is one outbox keeps the order through an upgrade.
//!
//! The driver feeds the session by `handle_*`, and after each of these takes everything that [`Session::poll_output`] gives
//! before the next. It calls [`Session::handle_timeout`] when [`Session::poll_timeout`] has come, and
//! [`Session::handle_queued`] while a poll waits and something lies in the outbox.

mod heartbeat;
mod output;
mod outputs;
mod polling;
mod websocket;

use std::sync::Arc;

use antiphon_model::Monotonic;

use crate::handshake::{Sid, Transport, open_packet};
use crate::packet::{Data, Packet, Revision};
use crate::payload::Codec;
use crate::settings::EngineSettings;
use crate::text::Text;
use heartbeat::{Due, Heartbeat};

pub use output::{
    Answer, CloseMode, CloseReason, Output, RequestId, SocketClose, SocketId, Then, TransportFault,
};
use outputs::Outputs;
use polling::Poll;
pub use websocket::Message;
use websocket::Probe;

/// The request that a session begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenOn {
    /// A first poll.
    Poll(RequestId),
    /// A WebSocket.
    Socket(SocketId),
}

#[derive(Debug)]
enum State {
    Open,
    /// What waits goes with one poll, and the close packet with the next: clients that handle messages a moment later than packets
    /// would lose those that come with it.
    Closing {
        deadline: Monotonic,
        /// Whether a poll has taken what waited.
        flushed: bool,
    },
    Closed,
}

/// The transport that packets take.
#[derive(Debug)]
enum Link {
    Polling { poll: Option<Poll>, post: Option<RequestId> },
    WebSocket { socket: SocketId },
    Gone,
}

/// A client as the server knows it, across requests and an upgrade.
#[derive(Debug)]
pub struct Session {
    settings: Arc<EngineSettings>,
    codec: Codec,
    state: State,
    link: Link,
    probe: Option<Box<Probe>>,
    heartbeat: Heartbeat,
    outputs: Outputs,
}

impl Session {
    /// Begins a session and answers its first request with the open packet, alone: some clients read nothing after it.
    pub fn open(
        sid: &Sid,
        codec: Codec,
        on: OpenOn,
        settings: Arc<EngineSettings>,
        now: Monotonic,
    ) -> Session {
        let transport = match on {
            OpenOn::Poll(_) => Transport::Polling,
            OpenOn::Socket(_) => Transport::WebSocket,
        };
        let open = Packet::Open(open_packet(sid, transport, &settings).into());
        let (link, first) = match on {
            OpenOn::Poll(request) => {
                let answer = Answer::Packet(open);
                (Link::Polling { poll: None, post: None }, Output::Answer { request, answer })
            }
            OpenOn::Socket(socket) => (Link::WebSocket { socket }, Output::Packet(open)),
        };
        Session {
            codec,
            state: State::Open,
            link,
            probe: None,
            heartbeat: Heartbeat::new(codec.revision, &settings, now),
            outputs: Outputs::new(first),
            settings,
        }
    }

    /// The revision that its client speaks.
    pub fn revision(&self) -> Revision {
        self.codec.revision
    }

    /// How its payloads are written and read.
    pub fn codec(&self) -> &Codec {
        &self.codec
    }

    /// The transport that packets take; nothing once the session has ended.
    pub fn transport(&self) -> Option<Transport> {
        match self.link {
            Link::Polling { .. } => Some(Transport::Polling),
            Link::WebSocket { .. } => Some(Transport::WebSocket),
            Link::Gone => None,
        }
    }

    /// Whether messages can be sent: it has not ended and is not about to.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Something lies in the outbox: if a poll waits, it is released.
    pub fn handle_queued(&mut self, now: Monotonic) {
        self.handle_timeout(now);
        self.release_queued();
    }

    /// What waits is more than may, and the session is to end by it.
    pub fn handle_overflow(&mut self) {
        self.close(CloseReason::TransportError(TransportFault::SendBufferFull));
    }

    /// Ends the session from the server's side.
    pub fn handle_close(&mut self, mode: CloseMode, now: Monotonic) {
        match (mode, &self.state) {
            (CloseMode::Discard, _) => self.close(CloseReason::ForcedClose),
            (CloseMode::ShutDown, _) => {
                self.release_last(CloseReason::ServerShuttingDown);
                self.close(CloseReason::ServerShuttingDown);
            }
            (CloseMode::Orderly, State::Open) => {
                self.abandon_probe(SocketClose::Normal);
                let flushed = self.has_waiting_poll();
                self.state = State::Closing { deadline: now + self.settings.close_timeout(), flushed };
                self.release_queued();
                if matches!(self.link, Link::WebSocket { .. }) {
                    // What waits is written before the WebSocket is closed.
                    self.close(CloseReason::ForcedClose);
                }
            }
            (CloseMode::Orderly, State::Closing { .. } | State::Closed) => {}
        }
    }

    /// When [`Session::handle_timeout`] is due next; never, once the session has ended.
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        match self.state {
            State::Closed => None,
            State::Closing { deadline, .. } => Some(deadline),
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
            State::Closing { deadline, .. } => {
                if deadline <= now {
                    self.close(CloseReason::ForcedClose);
                }
            }
            State::Open => {
                self.handle_probe_timeout(now);
                match self.heartbeat.handle_timeout(&self.settings, now) {
                    Some(Due::Ping) => self.outputs.push_back(Output::Packet(Packet::Ping(Text::EMPTY))),
                    Some(Due::Lost) => self.close(CloseReason::PingTimeout),
                    None => {}
                }
            }
        }
    }

    /// What is to be done next; nothing until another input.
    pub fn poll_output(&mut self) -> Option<Output> {
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
            (Packet::Message(data), _) => self.message(data),
            (Packet::Ping(data), Revision::V3) => self.outputs.push_back(Output::Packet(Packet::Pong(data))),
            (Packet::Pong(_), Revision::V4) => self.heartbeat.handle_pong(now),
            (Packet::Ping(_), Revision::V4) | (Packet::Pong(_), Revision::V3) => {
                return Err(CloseReason::TransportError(TransportFault::HeartbeatDirection));
            }
            (Packet::Open(_) | Packet::Close | Packet::Upgrade | Packet::Noop, _) => {}
        }
        Ok(())
    }

    fn message(&mut self, data: Data) {
        self.outputs.push_back(Output::Message(data));
    }

    /// Ends the session. Whatever the reason, one that was closing has been closed by the server.
    fn close(&mut self, reason: CloseReason) {
        let reason = match self.state {
            State::Closed => return,
            State::Closing { .. } => CloseReason::ForcedClose,
            State::Open => reason,
        };
        self.state = State::Closed;
        self.abandon_probe(SocketClose::Normal);
        match std::mem::replace(&mut self.link, Link::Gone) {
            Link::Polling { poll, post } => self.dismiss(poll, post, reason),
            Link::WebSocket { socket } => {
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
