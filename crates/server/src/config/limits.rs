use antiphon_access::{AddressRange, AttemptSettings, Ipv6Prefix, Rate};
use antiphon_hub::HubSettings;
use antiphon_net::{AddressSettings, NetSettings, SlowReader as NetSlowReader};
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
    /// How many connections there may be from one address. Default: 10,000, so that no single address takes a share of `connections_max` that others
    /// would miss, and an office or a mobile carrier behind one address has room. A connection beyond it is answered 429, or closed if it is encrypted. A proxy
    /// on another machine is one address for all its clients unless `proxy.trusted` names it.
    pub(crate) connections_per_address_max: usize,
    /// How fast connections may come from one address. Default: no limit. Each connection counts, whatever it is for; what sessions begin has
    /// limits of its own in `[org.limits]`. A crowd behind one address that comes back after a fault comes all at once, so give it a `burst`.
    pub(crate) connect_rate_per_address: Option<Rate>,
    /// How many addresses are told apart for what they used of their rate, those with connections included. Default: 100,000, about 100 bytes each. When
    /// more come at once, the rest share a few rates: have room for as many as connect.
    pub(crate) addresses_max: usize,
    /// How often one address may show a credential that is none: an API key, a JWT, a login, a signature or a key of PubNub's that is not
    /// valid. Default: 1 a second, 100 at once. Beyond it, what comes from there with a credential, be it valid, is answered 429 before it is looked at. One
    /// that is valid never counts, nor one that was until it expired or was revoked. With less, a client with a wrong key can lock out
    /// others behind its address; with more, guesses can cost more time.
    pub(crate) failed_credentials_per_address: Rate,
    /// How often a login with a password may fail under one name, from wherever it comes. Default: one every 50 seconds, 10 at once. Beyond it,
    /// logins under the name are answered 429, whether there is such a name or not, except from addresses where it has logged in before, which have as
    /// much for themselves: so strangers do not keep its owner out. With more, passwords are guessed faster.
    pub(crate) failed_logins_per_name: Rate,
    /// How many addresses, and how many names, with failures are remembered. Default: 100,000, 16 bytes each. When there are more, those are
    /// forgotten that have used up the least.
    pub(crate) failures_remembered_max: usize,
    /// How many bits of an IPv6 address count as one address in limits. Default: 64, which is what a customer is given at least. With more, one customer
    /// counts as many; with fewer, such as 56 or 48, many may count as one.
    pub(crate) ipv6_prefix: Ipv6Prefix,
    /// Addresses without limits by address, each alone or as a range like `10.0.0.0/8`. Default: loopback, where proxies on this machine come from, and who is on it
    /// can do worse. They are accepted beyond `memory_bytes_max` as well, so give those of health checks here. Trusted proxies need not be in it.
    pub(crate) exempt_addresses: Vec<AddressRange>,
    /// How much memory the process may have in use before it takes nothing more on. Default: 80% of what the machine, or the control group that the server
    /// runs in, has. At the ceiling new connections, sessions, channels, broadcasts, logins and uploads are refused with 503 and `Retry-After`, and
    /// what is there goes on; it ends when a tenth of it is free again. 0 turns it off: then the operating system ends the process
    /// when there is no more.
    pub(crate) memory_bytes_max: Option<u64>,
    /// How many requests may be under way on one HTTP/2 connection. Default: 100. Pages that listen to more streams than that open a second connection. Each
    /// may hold an answer in memory that its client does not read, for as long as `timeouts.write` says.
    pub(crate) http2_streams_max: u32,
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
        let attempts = AttemptSettings::default();
        LimitSettings {
            message_bytes_max: net.message_bytes_max,
            outbox_bytes_max: net.outbox_bytes_max,
            slow_reader: SlowReader::Disconnect,
            connections_max: net.connections_max,
            connections_per_address_max: net.addresses.connections_max,
            connect_rate_per_address: net.addresses.connect_rate,
            addresses_max: net.addresses.remembered_max,
            failed_credentials_per_address: attempts.failed_credentials_per_address,
            failed_logins_per_name: attempts.failed_logins_per_name,
            failures_remembered_max: attempts.remembered_max,
            ipv6_prefix: net.addresses.ipv6_prefix,
            exempt_addresses: net.addresses.exempt,
            memory_bytes_max: None,
            http2_streams_max: net.http2_streams_max,
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
    /// The limits of what comes from one address.
    pub(crate) fn addresses(&self) -> AddressSettings {
        AddressSettings {
            connections_max: self.connections_per_address_max,
            connect_rate: self.connect_rate_per_address,
            remembered_max: self.addresses_max,
            ipv6_prefix: self.ipv6_prefix,
            exempt: self.exempt_addresses.clone(),
        }
    }

    /// The limits of credentials that are none.
    pub(crate) fn attempts(&self) -> AttemptSettings {
        AttemptSettings {
            failed_credentials_per_address: self.failed_credentials_per_address,
            failed_logins_per_name: self.failed_logins_per_name,
            remembered_max: self.failures_remembered_max,
        }
    }

    /// The first limit that would let nothing through at all.
    pub(crate) fn zero(&self) -> Option<&'static str> {
        [
            ("limits.message_bytes_max", self.message_bytes_max),
            ("limits.outbox_bytes_max", self.outbox_bytes_max),
            ("limits.connections_max", self.connections_max),
            ("limits.connections_per_address_max", self.connections_per_address_max),
            ("limits.addresses_max", self.addresses_max),
            ("limits.failures_remembered_max", self.failures_remembered_max),
            ("limits.http2_streams_max", self.http2_streams_max as usize),
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

#[cfg(test)]
mod tests;
