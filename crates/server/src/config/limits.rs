use antiphon_hub::HubSettings;
use antiphon_net::{NetSettings, SlowReader as NetSlowReader};
use antiphon_node::NodeSettings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far things can grow: `[limits]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitSettings {
    /// How many bytes a WebSocket message may have. Default: 1 MiB and 4 KiB, so that the longest payload of an org (`payload_bytes_max`) fits
    /// with what is around it; raise it together with that. Each connection that sends such messages holds one in memory.
    pub(crate) message_bytes_max: usize,
    /// How many bytes may wait to be written to one client. Default: 1 MiB. A client that reads too slowly costs as much memory;
    /// with less, short stalls already count as too slow.
    pub(crate) outbox_bytes_max: usize,
    /// What happens to a client for which more than that waits: it is disconnected and comes back with its position, or
    /// it loses what does not fit. Default: `disconnect`. With `drop`, clients miss messages and are not told.
    pub(crate) slow_reader: SlowReader,
    /// How many connections there may be. Default: 1,000,000. Each needs a file descriptor, so the hard limit of the process
    /// (`ulimit -Hn`) counts as well.
    pub(crate) connections_max: usize,
    /// How many bytes the head of a request may have. Default: 80 KiB: PubNub's SDKs publish by the path, where a message of 20 KiB may
    /// become one of 60. Where they are not served, 16 KiB are room for the longest token.
    pub(crate) head_bytes_max: usize,
    /// How many channels may be in memory at a time, in each org. Default: 1,000,000. A channel without messages takes about
    /// 1 KiB. Beyond it, channels that are not in memory cannot be used.
    pub(crate) channels_max: usize,
    /// How many bytes of messages a channel keeps in memory, whatever its `ring_size`. Default: 4 MiB. Times the channels in
    /// use, this is what recovery from memory can take.
    pub(crate) ring_bytes_max: usize,
    /// How many identities may be present on a channel. Default: 100,000. Each holds its name and state in memory.
    pub(crate) members_max: usize,
    /// Up to how many members of a channel each who joins or leaves is told of by an event of its own. Default: 1000. With more there is
    /// one event every `timeouts.presence_interval` that names them all: with a high limit, a crowd that comes to a channel is sent the
    /// square of its number.
    pub(crate) presence_announce_max: usize,
    /// How many bytes of names the event of a crowded channel has. Default: 24 KiB. If there are more it names nobody, and says that who wants to know
    /// has to ask.
    pub(crate) presence_interval_bytes_max: usize,
    /// How many broadcasts may collect replies at a time, in each org. Default: 10,000.
    pub(crate) broadcasts_max: usize,
    /// How many replies are collected for a broadcast. Default: 10,000; later ones are refused.
    pub(crate) replies_max: usize,
    /// How many bytes of replies are collected for a broadcast. Default: 16 MiB. Times the broadcasts that collect, this is
    /// what replies can take in memory.
    pub(crate) reply_bytes_max: usize,
    /// How many messages a listener who comes back is sent at most, for each channel. Default: 10,000. Who missed more gets the
    /// newest and is told of the gap. They are read at once, so a high limit makes a crowd that comes back expensive.
    pub(crate) recovery_max: usize,
    /// How many bytes of messages a listener who comes back is sent at most. Default: 16 MiB. Who missed more gets the newest and is
    /// told of the gap. They wait in memory until they are written, so times the clients of a crowd that comes back, this is what
    /// they can take.
    pub(crate) recovery_bytes_max: usize,
    /// How many deliveries may wait for a worker before publishers are slowed down. Default: 100,000. Each is small, but
    /// what it delivers stays in memory for as long as it waits.
    pub(crate) inbox_max: usize,
    /// How many idempotency keys are remembered in memory, in each org; those of stored messages are in the store besides. Default: 100,000, about 200
    /// bytes each. Beyond it the oldest are forgotten, and a retry of theirs that was not stored is a new message.
    pub(crate) idempotency_keys_max: usize,
}

/// What happens to a client that reads too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SlowReader {
    /// It is closed, and comes back for what it missed.
    Disconnect,
    /// It loses what does not fit.
    Drop,
}

impl From<SlowReader> for NetSlowReader {
    fn from(policy: SlowReader) -> NetSlowReader {
        match policy {
            SlowReader::Disconnect => NetSlowReader::Disconnect,
            SlowReader::Drop => NetSlowReader::Drop,
        }
    }
}

impl Default for LimitSettings {
    fn default() -> LimitSettings {
        let (net, hub, node) = (NetSettings::default(), HubSettings::default(), NodeSettings::default());
        LimitSettings {
            message_bytes_max: net.message_bytes_max,
            outbox_bytes_max: net.outbox_bytes_max,
            slow_reader: SlowReader::Disconnect,
            connections_max: net.connections_max,
            head_bytes_max: 80 << 10,
            channels_max: hub.channels_max,
            ring_bytes_max: hub.ring_bytes_max,
            members_max: hub.members_max,
            presence_announce_max: hub.presence_announce_max,
            presence_interval_bytes_max: hub.presence_interval_bytes_max,
            broadcasts_max: hub.broadcasts_max,
            replies_max: hub.replies_max,
            reply_bytes_max: hub.reply_bytes_max,
            recovery_max: node.recovery_max,
            recovery_bytes_max: net.recovery_bytes_max,
            inbox_max: hub.inbox_max,
            idempotency_keys_max: node.idempotency_keys_max,
        }
    }
}

impl LimitSettings {
    /// The first limit that would let nothing through at all.
    pub(crate) fn zero(&self) -> Option<&'static str> {
        [
            ("limits.message_bytes_max", self.message_bytes_max),
            ("limits.outbox_bytes_max", self.outbox_bytes_max),
            ("limits.connections_max", self.connections_max),
            ("limits.head_bytes_max", self.head_bytes_max),
            ("limits.channels_max", self.channels_max),
            ("limits.recovery_max", self.recovery_max),
            ("limits.recovery_bytes_max", self.recovery_bytes_max),
            ("limits.inbox_max", self.inbox_max),
        ]
        .into_iter()
        .find_map(|(name, value)| (value == 0).then_some(name))
    }
}
