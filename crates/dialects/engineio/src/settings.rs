use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::handshake::Transport;
use crate::payload::PayloadLimits;

/// What becomes of a session whose client does not take what is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFull {
    /// It is closed; a client that connects again can recover what it missed.
    #[default]
    Close,
    /// What does not fit is not sent, and the sender is told so. The client does not learn that it misses something.
    Refuse,
}

/// Engine.IO sessions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EngineSettings {
    /// After how many milliseconds the heartbeat is due: of the server in revision 4, of the client in revision 3.
    /// Default: 25000.
    pub ping_interval_ms: u64,
    /// How many milliseconds the other side has to answer it. Default: 20000. Low values cut off clients on slow networks.
    pub ping_timeout_ms: u64,
    /// How many milliseconds an upgrade may take, from the WebSocket's beginning on. Default: 10000.
    pub upgrade_timeout_ms: u64,
    /// How many milliseconds a closing session waits for the client to fetch what was sent before. Default: 30000.
    pub close_timeout_ms: u64,
    /// The longest body or WebSocket message that is taken from a client, in bytes. Default: 1000000. Clients of revision 4
    /// are told and divide their bodies accordingly; a single longer message ends the session.
    pub payload_bytes_max: usize,
    /// How many packets a body may have. Default: 10000. Each costs about 50 bytes of memory besides its data.
    pub packets_per_payload_max: usize,
    /// How many bytes may wait for a client that does not poll or read. Default: 1 MiB. Each session may take so much memory.
    pub send_buffer_bytes_max: usize,
    /// What happens when they are more: `close` the session, or `refuse` to send. Default: `close`.
    pub when_full: WhenFull,
    /// The transports that clients may use: `polling`, `websocket`. Default: both.
    pub transports: Vec<Transport>,
    /// Whether sessions may go over from polling to WebSocket. Default: true.
    pub allow_upgrades: bool,
    /// Whether clients of revision 3 (Socket.IO 1.x and 2.x) are served. Default: true.
    pub allow_v3: bool,
}

impl Default for EngineSettings {
    fn default() -> EngineSettings {
        EngineSettings {
            ping_interval_ms: 25_000,
            ping_timeout_ms: 20_000,
            upgrade_timeout_ms: 10_000,
            close_timeout_ms: 30_000,
            payload_bytes_max: 1_000_000,
            packets_per_payload_max: 10_000,
            send_buffer_bytes_max: 1 << 20,
            when_full: WhenFull::Close,
            transports: vec![Transport::Polling, Transport::WebSocket],
            allow_upgrades: true,
            allow_v3: true,
        }
    }
}

/// The settings contradict what a session can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEngineSettings {
    /// A limit that would let nothing through at all.
    #[error("{0} has to be at least 1")]
    Zero(&'static str),
    /// Nobody could connect.
    #[error("transports has to name at least one")]
    NoTransport,
}

impl EngineSettings {
    /// Checks that no limit is zero and that there is a transport.
    ///
    /// # Errors
    /// A limit is zero, or there is none.
    pub fn check(&self) -> Result<(), InvalidEngineSettings> {
        for (name, is_zero) in [
            ("ping_interval_ms", self.ping_interval_ms == 0),
            ("ping_timeout_ms", self.ping_timeout_ms == 0),
            ("upgrade_timeout_ms", self.upgrade_timeout_ms == 0),
            ("payload_bytes_max", self.payload_bytes_max == 0),
            ("packets_per_payload_max", self.packets_per_payload_max == 0),
            ("send_buffer_bytes_max", self.send_buffer_bytes_max == 0),
        ] {
            if is_zero {
                return Err(InvalidEngineSettings::Zero(name));
            }
        }
        if self.transports.is_empty() { Err(InvalidEngineSettings::NoTransport) } else { Ok(()) }
    }

    /// Whether clients may use a transport.
    pub fn allows(&self, transport: Transport) -> bool {
        self.transports.contains(&transport)
    }

    /// Whether a session that began with `transport` may go over to WebSocket.
    pub fn upgrades_from(&self, transport: Transport) -> bool {
        self.allow_upgrades && transport == Transport::Polling && self.allows(Transport::WebSocket)
    }

    pub(crate) fn limits(&self) -> PayloadLimits {
        PayloadLimits { bytes_max: self.payload_bytes_max, packets_max: self.packets_per_payload_max }
    }

    pub(crate) fn ping_interval(&self) -> Duration {
        Duration::from_millis(self.ping_interval_ms)
    }

    pub(crate) fn ping_timeout(&self) -> Duration {
        Duration::from_millis(self.ping_timeout_ms)
    }

    pub(crate) fn upgrade_timeout(&self) -> Duration {
        Duration::from_millis(self.upgrade_timeout_ms)
    }

    pub(crate) fn close_timeout(&self) -> Duration {
        Duration::from_millis(self.close_timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        let settings = EngineSettings::default();
        assert_eq!(settings.check(), Ok(()));
        let zero = EngineSettings { payload_bytes_max: 0, ..settings.clone() };
        assert_eq!(zero.check(), Err(InvalidEngineSettings::Zero("payload_bytes_max")));
        let none = EngineSettings { transports: vec![], ..settings };
        assert_eq!(none.check(), Err(InvalidEngineSettings::NoTransport));
    }
}
