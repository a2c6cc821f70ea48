//! The limits of an org: what its settings say, and the limiters that hold a rate.

pub(crate) mod acts;
pub(crate) mod attempts;
pub(crate) mod characters;
pub(crate) mod gcra;
pub(crate) mod keyed;
pub(crate) mod network;
pub(crate) mod range;
pub(crate) mod rate;
mod slots;

use antiphon_model::CHANNEL_NAME_BYTES_MAX;
use serde::{Deserialize, Serialize};

use self::acts::Rates;
use crate::{Act, ChannelCharacters, Rate};

/// What the clients of an org can grow, and how far.
///
/// Sizes are in bytes. Rates have no limit unless they are set.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// How fast one WebSocket connection may publish. Default: no limit. Requests over HTTP count for their identity and
    /// org only.
    pub publish_rate_per_connection: Option<Rate>,
    /// How fast one identity may publish over all its connections and requests. Default: no limit. Where
    /// clients name themselves (API keys, the open org) a client can get around it with other names.
    pub publish_rate_per_identity: Option<Rate>,
    /// How fast all clients at one address may publish together. Default: no limit, because a company or a mobile network can be one
    /// address, and servers publish for many from one. IPv6 counts by network, and addresses that are exempt do not count: see
    /// `limits.ipv6_prefix` and `limits.exempt_addresses`.
    pub publish_rate_per_address: Option<Rate>,
    /// How fast all clients of the org together may publish. Default: no limit. One client that floods
    /// takes the others' share, so set it with one of the rates above.
    pub publish_rate_per_org: Option<Rate>,
    /// How fast one identity may begin to listen to channels, each channel counted; polls that go on from a position do not count.
    /// Default: no limit. A request for more channels than the burst waits until nothing of it is used up. A client that comes back
    /// listens to all its channels anew, so leave it a burst of `subscriptions_per_session_max`.
    pub subscribe_rate_per_identity: Option<Rate>,
    /// How fast all clients at one address may begin to listen to channels. Default: no limit, as with `publish_rate_per_address`.
    pub subscribe_rate_per_address: Option<Rate>,
    /// How fast all clients of the org together may begin to listen to channels. Default: no limit. It spreads a crowd that comes back
    /// over time, and one client that floods takes the others' share.
    pub subscribe_rate_per_org: Option<Rate>,
    /// How often one identity may connect: a WebSocket, a stream, a session of Socket.IO, or the first of several polls. Default: no limit.
    /// Where clients name themselves a client can get around it with other names.
    pub connect_rate_per_identity: Option<Rate>,
    /// How often all clients at one address may connect to this org. Default: no limit, as with `publish_rate_per_address`.
    /// `limits.connect_rate_per_address` counts connections before anything is known of them.
    pub connect_rate_per_address: Option<Rate>,
    /// How often all clients of the org together may connect. Default: no limit. It spreads a crowd that comes back over time.
    pub connect_rate_per_org: Option<Rate>,
    /// The longest payload of a publication. Default: 1 MiB. Rings and outboxes hold payloads in memory, so
    /// a high limit lets few clients use much of it.
    pub payload_bytes_max: usize,
    /// The longest meta of a publication, as JSON. Default: 16 KiB.
    pub meta_bytes_max: usize,
    /// The longest state of a member of a channel, as JSON. Default: 4 KiB. Each member's is kept in memory.
    pub presence_state_bytes_max: usize,
    /// The longest event name. Default: 256.
    pub event_name_bytes_max: usize,
    /// The longest channel name. Default, and the highest that can be set: 1024.
    pub channel_name_bytes_max: usize,
    /// What the names that clients give channels consist of: `any` but control characters, `printable-ascii`, or `url-safe`: A-Z, a-z,
    /// 0-9, `-`, `.`, `_` and `~`. Default: `any`. With fewer, no two names look alike, and none has to be escaped in a path. Channels
    /// with other names that are there already cannot be used, and their history cannot be read.
    pub channel_name_characters: ChannelCharacters,
    /// How many publications one request may hold. Default: 1000.
    pub publications_per_batch_max: usize,
    /// How many channels one session may listen to. Default: 1000.
    pub subscriptions_per_session_max: usize,
    /// How many channels of the org may be in use at once. Default: 1,000,000, about 1 GiB when all are.
    pub channels_max: usize,
    /// How many connections the org may have. Default: 1,000,000.
    pub connections_max: usize,
    /// How many connections one identity may have. Default: 10,000.
    pub connections_per_identity_max: usize,
    /// How many identities' rates are told apart, for each of publishing, subscribing and connecting. Default: 100,000, about 100 bytes
    /// each. When more are active at once, the rest share one rate.
    pub rated_identities_max: usize,
    /// How many addresses' rates are told apart, for each of publishing, subscribing and connecting. Default: 100,000, about 100 bytes
    /// each. When more are active at once, the rest share one rate.
    pub rated_addresses_max: usize,
    /// How many devices, consumer apps and users the org may have, those of the configuration and those that
    /// were added to the running server together. Default: 100,000, about 1 KiB of memory each.
    pub credentials_max: usize,
    /// The longest access manager token, as text. Default: 32 KiB. It has to fit the URL of a request.
    pub token_bytes_max: usize,
    /// How big the patterns of an access manager token may become once they are compiled. Default: 8 MiB. A `\w{1,64}` is
    /// about 4 MiB, because it means the letters of all languages.
    pub token_patterns_bytes_max: usize,
    /// How much memory is used for the tokens that were read last, so that they are not read and compiled again with each request.
    /// Default: 64 MiB. A token takes about 1 KiB, one with patterns from 16 KiB up.
    pub tokens_remembered_bytes_max: usize,
    /// How many revoked tokens the org may have that are not over yet. Default: 1,000,000, about 100 bytes each. When there are
    /// more, none can be revoked but by another secret key.
    pub revoked_tokens_max: usize,
    /// How many grants to auth keys the org may have, each for one channel, group or user and one key. Default:
    /// 1,000,000, about 200 bytes each.
    pub auth_key_grants_max: usize,
}

impl Default for LimitSettings {
    fn default() -> LimitSettings {
        LimitSettings {
            publish_rate_per_connection: None,
            publish_rate_per_identity: None,
            publish_rate_per_address: None,
            publish_rate_per_org: None,
            subscribe_rate_per_identity: None,
            subscribe_rate_per_address: None,
            subscribe_rate_per_org: None,
            connect_rate_per_identity: None,
            connect_rate_per_address: None,
            connect_rate_per_org: None,
            payload_bytes_max: 1024 * 1024,
            meta_bytes_max: 16 * 1024,
            presence_state_bytes_max: 4 * 1024,
            event_name_bytes_max: 256,
            channel_name_bytes_max: CHANNEL_NAME_BYTES_MAX,
            channel_name_characters: ChannelCharacters::Any,
            publications_per_batch_max: 1000,
            subscriptions_per_session_max: 1000,
            channels_max: 1_000_000,
            connections_max: 1_000_000,
            connections_per_identity_max: 10_000,
            rated_identities_max: 100_000,
            rated_addresses_max: 100_000,
            credentials_max: 100_000,
            token_bytes_max: 32 * 1024,
            token_patterns_bytes_max: 8 * 1024 * 1024,
            tokens_remembered_bytes_max: 64 * 1024 * 1024,
            revoked_tokens_max: 1_000_000,
            auth_key_grants_max: 1_000_000,
        }
    }
}

/// The limits contradict themselves or what the server can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimits {
    /// Higher than any channel name can be.
    #[error("channel_name_bytes_max is at most {CHANNEL_NAME_BYTES_MAX}")]
    ChannelName,
    /// A limit that would let nothing through at all.
    #[error("{0} has to be at least 1")]
    Zero(&'static str),
}

impl LimitSettings {
    /// The rates that are set for an act.
    pub(crate) fn rates(&self, act: Act) -> Rates {
        let (identity, address, org) = match act {
            Act::Publish => {
                (self.publish_rate_per_identity, self.publish_rate_per_address, self.publish_rate_per_org)
            }
            Act::Subscribe => (
                self.subscribe_rate_per_identity,
                self.subscribe_rate_per_address,
                self.subscribe_rate_per_org,
            ),
            Act::Connect => {
                (self.connect_rate_per_identity, self.connect_rate_per_address, self.connect_rate_per_org)
            }
        };
        Rates { identity, address, org }
    }

    pub(crate) fn check(&self) -> Result<(), InvalidLimits> {
        if self.channel_name_bytes_max > CHANNEL_NAME_BYTES_MAX {
            return Err(InvalidLimits::ChannelName);
        }
        for (name, value) in [
            ("payload_bytes_max", self.payload_bytes_max),
            ("channel_name_bytes_max", self.channel_name_bytes_max),
            ("publications_per_batch_max", self.publications_per_batch_max),
            ("subscriptions_per_session_max", self.subscriptions_per_session_max),
            ("channels_max", self.channels_max),
            ("connections_max", self.connections_max),
            ("connections_per_identity_max", self.connections_per_identity_max),
            ("rated_identities_max", self.rated_identities_max),
            ("rated_addresses_max", self.rated_addresses_max),
        ] {
            if value == 0 {
                return Err(InvalidLimits::Zero(name));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_with_defaults() {
        let limits: LimitSettings = toml::from_str(
            "payload_bytes_max = 10\npublish_rate_per_connection = { per_second = 5, burst = 20 }",
        )
        .unwrap();
        assert_eq!(limits.payload_bytes_max, 10);
        assert_eq!(limits.publish_rate_per_connection, Some(Rate::new(5.0, 20).unwrap()));
        assert_eq!(limits.channels_max, 1_000_000);
        assert!(toml::from_str::<LimitSettings>("payload_byte_max = 10").is_err());
    }

    #[test]
    fn limits_that_let_nothing_through_are_refused() {
        assert_eq!(LimitSettings::default().check(), Ok(()));
        let limits = LimitSettings { channels_max: 0, ..LimitSettings::default() };
        assert_eq!(limits.check(), Err(InvalidLimits::Zero("channels_max")));
        let limits = LimitSettings { channel_name_bytes_max: 1025, ..LimitSettings::default() };
        assert_eq!(limits.check(), Err(InvalidLimits::ChannelName));
    }
}
