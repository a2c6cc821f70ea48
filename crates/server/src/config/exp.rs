//! The section `[exp]`.

use antiphon_exp::ExpSettings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::Duration;

/// The EXP network: `[exp]`. Who may log in is said by each org's `[[org.device]]`, `[[org.consumer_app]]` and `[[org.user]]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ExpSection {
    /// Whether it is served: `/api/auth/`, `/api/networks/current/`, and sockets at `/socket.io/`. Default: true.
    pub(crate) enabled: bool,
    /// How long a session token is valid: `1s` to `24d`. Default: `30m`. Clients ask for another at half of that time, or at three
    /// quarters. A token that was stolen is good for so long.
    pub(crate) token_lifetime: Duration,
    /// How long a broadcast collects responses that names no `timeout`. Default: `2s`.
    pub(crate) broadcast_timeout: Duration,
    /// The longest that a broadcast collects responses; a longer `timeout` is cut to it. Default: `60s`.
    pub(crate) broadcast_timeout_max: Duration,
    /// How long a request's body may take to arrive. Default: `30s`.
    pub(crate) body_timeout: Duration,
    /// How many passwords are checked at a time. Default: 2. Each takes a core for some tens of milliseconds, and 19 MiB.
    pub(crate) password_checks_max: usize,
    /// How many logins by password may wait for those. Default: 1000. Further ones are told to come back.
    pub(crate) logins_waiting_max: usize,
    /// How long the subscriptions of a client are kept after it lost its connection. Default: `2m`. Some clients come back without saying
    /// what they listened to.
    pub(crate) subscriptions_kept_for: Duration,
    /// How many lost connections' subscriptions are kept at a time. Default: 100000. Beyond them the oldest are forgotten.
    pub(crate) subscriptions_kept_max: usize,
    /// How many channel ids one `subscribe` may have; those beyond are not subscribed to. Default: 1000.
    pub(crate) ids_per_subscribe_max: usize,
    /// In how many ways a client may write the id of one channel. Default: 4. Each way is sent an event of its own.
    pub(crate) spellings_per_channel_max: usize,
    /// How many bytes the channel ids of a connection may have in all. Default: 262144.
    pub(crate) subscription_bytes_max: usize,
    /// What clients are told to be the server's address, like `https://exp.example.com`. Default: the name that the client called
    /// it by.
    pub(crate) public_url: Option<String>,
}

impl Default for ExpSection {
    fn default() -> ExpSection {
        let settings = ExpSettings::default();
        ExpSection {
            enabled: true,
            token_lifetime: Duration(settings.token_lifetime),
            broadcast_timeout: Duration(settings.timeout_default),
            broadcast_timeout_max: Duration(settings.timeout_max),
            body_timeout: Duration(settings.body_timeout),
            password_checks_max: settings.password_checks_max,
            logins_waiting_max: settings.logins_waiting_max,
            subscriptions_kept_for: Duration(settings.subscriptions_kept_for),
            subscriptions_kept_max: settings.subscriptions_kept_max,
            ids_per_subscribe_max: settings.ids_per_subscribe_max,
            spellings_per_channel_max: settings.spellings_per_channel_max,
            subscription_bytes_max: settings.subscription_bytes_max,
            public_url: settings.public_url,
        }
    }
}

impl ExpSection {
    /// The settings of the dialect.
    pub(crate) fn settings(&self) -> ExpSettings {
        ExpSettings {
            token_lifetime: self.token_lifetime.0,
            timeout_default: self.broadcast_timeout.0,
            timeout_max: self.broadcast_timeout_max.0,
            body_timeout: self.body_timeout.0,
            password_checks_max: self.password_checks_max,
            logins_waiting_max: self.logins_waiting_max,
            subscriptions_kept_for: self.subscriptions_kept_for.0,
            subscriptions_kept_max: self.subscriptions_kept_max,
            ids_per_subscribe_max: self.ids_per_subscribe_max,
            spellings_per_channel_max: self.spellings_per_channel_max,
            subscription_bytes_max: self.subscription_bytes_max,
            public_url: self.public_url.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_reaches_the_dialect_and_the_rest_is_its_default() {
        assert_eq!(ExpSection::default().settings(), ExpSettings::default());
        let section: ExpSection =
            toml::from_str("token_lifetime = \"4s\"\nbroadcast_timeout = \"100ms\"").unwrap();
        let settings = section.settings();
        assert_eq!((settings.token_lifetime.as_secs(), settings.timeout_default.as_millis()), (4, 100));
        assert_eq!(settings.timeout_max, ExpSettings::default().timeout_max);
    }
}
