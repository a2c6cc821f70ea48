use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::Duration;

/// How long things may take: `[timeouts]`. Durations are written as `"250ms"`, `"25s"`, `"10m"`, `"1h"` or `"2d"`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TimeoutSettings {
    /// How long a new connection may take until its request is there. Default: 10 seconds. Connections that never send one
    /// take up room for that long.
    pub(crate) handshake: Duration,
    /// How long a connection may be idle between two HTTP/1.1 requests. Default: 75 seconds, more than proxies keep their own open by default: with
    /// less than theirs, they now and then send a request on a connection that is being closed, and answer 502. Connections of pages that have gone take up room for
    /// that long. Once a request has begun, its head has as long as `handshake` says; less than that counts as that.
    pub(crate) keep_alive: Duration,
    /// After how long a silence a WebSocket client is pinged. Default: 25 seconds, less than what proxies commonly allow. Pings
    /// wake phones up.
    pub(crate) ping_interval: Duration,
    /// How long it may then stay silent. Default: 20 seconds. Together with `ping_interval`, this is how late a broken connection is
    /// noticed.
    pub(crate) ping_timeout: Duration,
    /// How long a client may take none of an HTTP answer that is sent to it. Default: 30 seconds. Its connection is closed then, or its stream of an HTTP/2
    /// connection. What it does not take is held in memory for that long.
    pub(crate) write: Duration,
    /// How long a client may take to answer a close. Default: 3 seconds.
    pub(crate) close: Duration,
    /// How long after its connection broke off a client still counts as present. Default: 5 seconds. Less makes members of shaky
    /// networks leave and join all the time.
    pub(crate) presence_grace: Duration,
    /// How often a channel with more than `limits.presence_announce_max` members tells who joined and left. Default: 10 seconds. Less keeps
    /// onlookers closer to what is, and sends them more.
    pub(crate) presence_interval: Duration,
    /// How far back a listener who comes back is sent what it missed, if it has `subscribe` but not `history`. Default: 2 minutes.
    /// Whoever may subscribe can read what was published within that time before it came.
    pub(crate) recovery_without_history: Duration,
    /// How long a channel that nobody uses stays in memory. Default: 5 minutes. Messages of storing channels that were published not to be
    /// stored are lost with it. A channel with `persist = false` stays until what it keeps is older than its rule's `history_age`: where names of such
    /// channels come and go, set that to minutes, or they fill `limits.channels_max`.
    pub(crate) channel_idle: Duration,
    /// How long the server takes at most to stop in good order when it is told to. Default: 10 seconds. Then it cuts off who is
    /// still there; whoever stops it (systemd, Kubernetes) has to wait for longer than that.
    pub(crate) drain: Duration,
    /// How long delivery waits for a commit. Default: 50 milliseconds. Past it a message is delivered before it is stored, so
    /// that a slow disk delays nobody for longer; a crash right then takes back what was seen.
    pub(crate) deliver_uncommitted_after: Duration,
    /// How long an idempotency key is remembered in memory. Default: 2 minutes. A retry that comes later, of a message that was
    /// not stored, is a new message.
    pub(crate) idempotency_keep: Duration,
}

impl Default for TimeoutSettings {
    fn default() -> TimeoutSettings {
        TimeoutSettings {
            handshake: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            write: Duration::from_secs(30),
            close: Duration::from_secs(3),
            presence_grace: Duration::from_secs(5),
            presence_interval: Duration::from_secs(10),
            recovery_without_history: Duration::from_secs(120),
            channel_idle: Duration::from_secs(300),
            drain: Duration::from_secs(10),
            deliver_uncommitted_after: Duration::from_millis(50),
            idempotency_keep: Duration::from_secs(120),
        }
    }
}

impl TimeoutSettings {
    /// The first one that would leave no time at all.
    pub(crate) fn zero(&self) -> Option<&'static str> {
        [
            ("timeouts.handshake", self.handshake),
            ("timeouts.keep_alive", self.keep_alive),
            ("timeouts.write", self.write),
            ("timeouts.ping_interval", self.ping_interval),
            ("timeouts.ping_timeout", self.ping_timeout),
            ("timeouts.presence_interval", self.presence_interval),
        ]
        .into_iter()
        .find_map(|(name, value)| value.0.is_zero().then_some(name))
    }
}
