//! The session over a WebSocket, and the way there: `2probe`, `3probe`, `5`.

use std::time::Duration;

use antiphon_model::Monotonic;

use super::polling::Release;
use super::{CloseReason, Link, Output, Session, SocketClose, SocketId, State, TransportFault};
use crate::handshake::Transport;
use crate::packet::{BinarySupport, Frame, Packet};

/// How often polls are released while an upgrade is under way, so that a client that goes on polling does not spin.
const RELEASE_INTERVAL: Duration = Duration::from_millis(100);
const PROBE: &str = "probe";

/// Whether a WebSocket takes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writability {
    /// It does.
    Writable,
    /// Packets wait in the session, up to its bound.
    Blocked,
}

/// A WebSocket that may become the session's.
#[derive(Debug)]
pub(super) struct Probe {
    socket: SocketId,
    binary: BinarySupport,
    deadline: Monotonic,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Before `2probe`.
    Silent,
    /// After it: the client ends its polling, for which a poll that waits is released.
    Probed { release_at: Monotonic },
}

impl Probe {
    pub(super) fn timeout(&self, has_waiting_poll: bool) -> Monotonic {
        match self.stage {
            Stage::Probed { release_at } if has_waiting_poll => self.deadline.min(release_at),
            _ => self.deadline,
        }
    }
}

impl Session {
    /// Takes a WebSocket that names this session. Without leave to upgrade, beside another, or after an upgrade it is closed,
    /// and the session goes on.
    pub fn handle_websocket(&mut self, socket: SocketId, binary: BinarySupport, now: Monotonic) {
        self.handle_timeout(now);
        let polls = matches!((&self.link, &self.state), (Link::Polling { .. }, State::Open));
        if !polls || self.probe.is_some() || !self.settings.upgrades_from(Transport::Polling) {
            self.outputs.push_back(Output::CloseSocket { socket, code: SocketClose::Policy });
            return;
        }
        let deadline = now + self.settings.upgrade_timeout();
        self.probe = Some(Probe { socket, binary, deadline, stage: Stage::Silent });
    }

    /// Takes a message off a WebSocket. What is malformed ends the session, or on a probe only the upgrade.
    pub fn handle_frame(&mut self, socket: SocketId, frame: Frame, now: Monotonic) {
        self.handle_timeout(now);
        let bytes = match &frame {
            Frame::Text(text) => text.len(),
            Frame::Binary(bytes) => bytes.len(),
        };
        let is_too_large = bytes > self.settings.payload_bytes_max;
        if self.probe.as_ref().is_some_and(|probe| probe.socket == socket) {
            if is_too_large {
                return self.abandon_probe(SocketClose::TooLarge);
            }
            return match Packet::from_frame(self.codec.revision, frame) {
                Ok(packet) => self.handle_probe_packet(packet, now),
                Err(_) => self.abandon_probe(SocketClose::Protocol),
            };
        }
        if !matches!(self.link, Link::WebSocket { socket: own, .. } if own == socket) {
            return;
        }
        if is_too_large {
            return self.close(CloseReason::TransportError(TransportFault::TooLarge));
        }
        let packet = Packet::from_frame(self.codec.revision, frame);
        let taken = packet
            .map_err(|error| CloseReason::ParseError(error.into()))
            .and_then(|packet| self.handle_packet(packet, now));
        if let Err(reason) = taken {
            self.close(reason);
        }
    }

    /// A WebSocket is gone. If it was the session's, that ends; if it was a probe, polling goes on.
    pub fn handle_socket_lost(&mut self, socket: SocketId) {
        if self.probe.take_if(|probe| probe.socket == socket).is_some() {
            return;
        }
        if matches!(self.link, Link::WebSocket { socket: own, .. } if own == socket) {
            self.link = Link::Gone;
            self.close(CloseReason::TransportClose);
        }
    }

    /// A WebSocket takes no more for the moment, or takes more again.
    pub fn handle_writability(&mut self, socket: SocketId, writability: Writability) {
        if let Link::WebSocket { socket: own, writability: current, .. } = &mut self.link
            && *own == socket
        {
            *current = writability;
        }
    }

    pub(super) fn flush_websocket(&mut self) {
        let Link::WebSocket { socket, binary, writability: Writability::Writable } = self.link else {
            return;
        };
        if let Some(packet) = self.outbox.pop() {
            let frame = packet.to_frame(self.codec.revision, binary);
            self.outputs.push_back(Output::Frame { socket, frame });
        } else if matches!(self.state, State::Closing { .. }) {
            self.close(CloseReason::ForcedClose);
        }
    }

    pub(super) fn handle_probe_timeout(&mut self, now: Monotonic) {
        if self.probe.as_ref().is_some_and(|probe| probe.deadline <= now) {
            self.abandon_probe(SocketClose::Policy);
        }
        self.release_for_probe(now);
    }

    /// Lets a waiting poll go if a probed client waits for it.
    pub(super) fn release_for_probe(&mut self, now: Monotonic) {
        let Some(Probe { stage: Stage::Probed { release_at }, .. }) = &mut self.probe else { return };
        if let Link::Polling { poll: Some(poll), .. } = &mut self.link
            && poll.release == Release::WithPackets
            && *release_at <= now
        {
            poll.release = Release::AtOnce;
            *release_at = now + RELEASE_INTERVAL;
        }
    }

    pub(super) fn abandon_probe(&mut self, code: SocketClose) {
        if let Some(probe) = self.probe.take() {
            self.outputs.push_back(Output::CloseSocket { socket: probe.socket, code });
        }
    }

    fn handle_probe_packet(&mut self, packet: Packet, now: Monotonic) {
        let Some(probe) = &mut self.probe else { return };
        match (packet, probe.stage) {
            (Packet::Ping(data), _) if &*data == PROBE => {
                if let Stage::Silent = probe.stage {
                    probe.stage = Stage::Probed { release_at: now };
                }
                let frame = Packet::Pong(data).to_frame(self.codec.revision, probe.binary);
                self.outputs.push_back(Output::Frame { socket: probe.socket, frame });
                self.release_for_probe(now);
            }
            (Packet::Upgrade, Stage::Probed { .. }) => self.upgrade(),
            _ => self.abandon_probe(SocketClose::Protocol),
        }
    }

    /// Goes over to the probed WebSocket. What waits is written there; a poll that is still open carries none of it.
    fn upgrade(&mut self) {
        let Some(Probe { socket, binary, .. }) = self.probe.take() else { return };
        let link = Link::WebSocket { socket, binary, writability: Writability::Writable };
        if let Link::Polling { poll, post } = std::mem::replace(&mut self.link, link) {
            self.dismiss(poll, post, CloseReason::TransportClose);
        }
        self.outputs.push_back(Output::Upgraded);
    }
}
