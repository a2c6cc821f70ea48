//! The session over a WebSocket, and the way there: `2probe`, `3probe`, `5`.

use std::time::Duration;

use antiphon_model::Monotonic;
use bytes::Bytes;

use super::{CloseReason, Link, Output, Session, SocketClose, SocketId, State, TransportFault};
use crate::handshake::Transport;
use crate::packet::{Packet, PacketError};

/// How often polls are released while an upgrade is under way, so that a client that goes on polling does not spin.
const RELEASE_INTERVAL: Duration = Duration::from_millis(100);
const PROBE: &str = "probe";

/// A WebSocket that may become the session's.
#[derive(Debug)]
pub(super) struct Probe {
    socket: SocketId,
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

/// A message of a WebSocket as it was read.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

impl Message<'_> {
    fn len(&self) -> usize {
        match self {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) => bytes.len(),
        }
    }
}

impl Session {
    /// Whether a WebSocket that names this session would be taken.
    pub fn takes_websocket(&self) -> bool {
        let polls = matches!((&self.link, &self.state), (Link::Polling { .. }, State::Open));
        polls && self.probe.is_none() && self.settings.upgrades_from(Transport::Polling)
    }

    /// Takes a WebSocket that names this session. Without leave to upgrade, beside another, or after an upgrade it is closed,
    /// and the session goes on.
    pub fn handle_websocket(&mut self, socket: SocketId, now: Monotonic) {
        self.handle_timeout(now);
        if !self.takes_websocket() {
            self.outputs.push_back(Output::CloseSocket { socket, code: SocketClose::Policy });
            return;
        }
        let deadline = now + self.settings.upgrade_timeout();
        self.probe = Some(Box::new(Probe { socket, deadline, stage: Stage::Silent }));
    }

    /// Takes a message off a WebSocket. What is malformed ends the session, or on a probe only the upgrade.
    pub fn handle_message(&mut self, socket: SocketId, message: Message<'_>, now: Monotonic) {
        self.handle_timeout(now);
        let is_too_large = message.len() > self.settings.payload_bytes_max;
        if self.probe.as_ref().is_some_and(|probe| probe.socket == socket) {
            if is_too_large {
                return self.abandon_probe(SocketClose::TooLarge);
            }
            return match self.packet(message) {
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
        let packet = self.packet(message);
        let taken = packet
            .map_err(|error| CloseReason::ParseError(error.into()))
            .and_then(|packet| self.handle_packet(packet, now));
        if let Err(reason) = taken {
            self.close(reason);
        }
    }

    fn packet(&self, message: Message<'_>) -> Result<Packet, PacketError> {
        match message {
            Message::Text(text) => Packet::from_text(self.codec.revision, text),
            Message::Binary(bytes) => Packet::from_binary(self.codec.revision, Bytes::copy_from_slice(bytes)),
        }
    }

    /// A WebSocket is gone. If it was the session's, that ends; if it was a probe, polling goes on.
    pub fn handle_socket_lost(&mut self, socket: SocketId) {
        self.lose_socket(socket, CloseReason::TransportClose);
    }

    /// A WebSocket is about to be closed by what is below: it broke the rules of its protocol, or sent too large a message.
    pub fn handle_socket_fault(&mut self, socket: SocketId, fault: TransportFault) {
        self.lose_socket(socket, CloseReason::TransportError(fault));
    }

    fn lose_socket(&mut self, socket: SocketId, reason: CloseReason) {
        if self.probe.take_if(|probe| probe.socket == socket).is_some() {
            return;
        }
        if matches!(self.link, Link::WebSocket { socket: own, .. } if own == socket) {
            self.link = Link::Gone;
            self.close(reason);
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
        let has_waiting_poll = self.has_waiting_poll();
        let Some(Probe { stage: Stage::Probed { release_at }, .. }) = self.probe.as_deref_mut() else {
            return;
        };
        if has_waiting_poll && *release_at <= now {
            *release_at = now + RELEASE_INTERVAL;
            self.release_queued();
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
                let output = Output::Probe { socket: probe.socket, packet: Packet::Pong(data) };
                self.outputs.push_back(output);
                self.release_for_probe(now);
            }
            (Packet::Upgrade, Stage::Probed { .. }) => self.upgrade(),
            _ => self.abandon_probe(SocketClose::Protocol),
        }
    }

    /// Goes over to the probed WebSocket. What waits is written there; a poll that is still open carries none of it.
    fn upgrade(&mut self) {
        let Some(socket) = self.probe.take().map(|probe| probe.socket) else { return };
        let link = Link::WebSocket { socket };
        if let Link::Polling { poll, post } = std::mem::replace(&mut self.link, link) {
            self.dismiss(poll, post, CloseReason::TransportClose);
        }
        self.outputs.push_back(Output::Upgraded(socket));
    }
}
