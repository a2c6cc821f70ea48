use std::time::Duration;

use crate::websocket::DeflateSettings;
use crate::{AddressSettings, Proxies};

/// What happens to a session that does not read what it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlowReader {
    /// It is closed with a reason, and comes back with its position to get what it missed.
    #[default]
    Disconnect,
    /// It loses what does not fit, without being told.
    Drop,
}

/// The limits and times of connections.
#[derive(Clone, Debug)]
pub struct NetSettings {
    /// How many bytes may wait to be written to one session.
    pub outbox_bytes_max: usize,
    /// How many bytes of what it missed a session is sent at most when it comes back; beyond it gets the newest, and is
    /// told of the gap.
    pub recovery_bytes_max: usize,
    /// What happens when more than `outbox_bytes_max` wait.
    pub slow_reader: SlowReader,
    /// How many bytes a WebSocket message may have.
    pub message_bytes_max: usize,
    /// How many connections all workers together take, and how many sessions there may be of whom nobody knows who they are.
    pub connections_max: usize,
    /// How long a new connection may take until its request is there.
    pub handshake_timeout: Duration,
    /// After how long a silence a WebSocket client is pinged.
    pub ping_interval: Duration,
    /// How long it may then stay silent.
    pub ping_timeout: Duration,
    /// How long a peer may take to answer a close.
    pub close_timeout: Duration,
    /// How long the peer of an HTTP answer may take none of it.
    pub write_timeout: Duration,
    /// Compression of WebSocket messages.
    pub deflate: DeflateSettings,
    /// How many bytes the head of an HTTP request may have.
    pub head_bytes_max: usize,
    /// How long a connection may be idle between two HTTP/1.1 requests.
    pub keep_alive_timeout: Duration,
    /// How many requests may be under way on one HTTP/2 connection.
    pub http2_streams_max: u32,
    /// The limits of what comes from one address.
    pub addresses: AddressSettings,
    /// The proxies in front of the server.
    pub proxies: Proxies,
}

impl Default for NetSettings {
    fn default() -> NetSettings {
        NetSettings {
            outbox_bytes_max: 1 << 20,
            recovery_bytes_max: 16 << 20,
            slow_reader: SlowReader::Disconnect,
            message_bytes_max: (1 << 20) + 4096,
            connections_max: 1_000_000,
            handshake_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(3),
            write_timeout: Duration::from_secs(30),
            deflate: DeflateSettings::default(),
            head_bytes_max: 16 << 10,
            keep_alive_timeout: Duration::from_secs(75),
            http2_streams_max: 100,
            addresses: AddressSettings::default(),
            proxies: Proxies::default(),
        }
    }
}
