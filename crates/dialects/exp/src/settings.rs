use std::time::Duration;

/// The EXP network: how long tokens and broadcasts live, and how much may wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpSettings {
    /// How long a session token is valid. Default: 30 min; 1 s to 24 days. Clients ask for another at half of that time, or at
    /// three quarters. A token that was stolen is good for so long.
    pub token_lifetime: Duration,
    /// How long a broadcast collects responses that names no time. Default: 2 s.
    pub timeout_default: Duration,
    /// The longest that a broadcast collects responses; `timeout` is cut to it. Default: 60 s.
    pub timeout_max: Duration,
    /// How long a request's body may take to arrive. Default: 30 s.
    pub body_timeout: Duration,
    /// How many passwords are checked at a time. Default: 2. Each takes a core for some tens of milliseconds, and 19 MiB.
    pub password_checks_max: usize,
    /// How many password logins may wait for those. Default: 1000. Further ones are told to come back, as are those that
    /// waited for longer than `body_timeout`.
    pub logins_waiting_max: usize,
    /// How long the subscriptions of a connection are kept after its socket has gone. Default: 2 min. The store has them too, so that
    /// they outlive the server.
    pub subscriptions_kept_for: Duration,
    /// How many connections' subscriptions are kept that have no socket. Default: 100000. Beyond them the oldest are forgotten.
    pub subscriptions_kept_max: usize,
    /// How many channel ids one `subscribe` may have. Default: 1000. The rest of them is left out.
    pub ids_per_subscribe_max: usize,
    /// In how many ways a connection may spell one channel's id. Default: 4. Further ones are left out.
    pub spellings_per_channel_max: usize,
    /// How many bytes of channel ids are kept for a connection. Default: 256 KiB. Further ones are left out.
    pub subscription_bytes_max: usize,
    /// What clients are told to be the server's address, like `https://exp.example.com`. Default: the name that the client called it by.
    pub public_url: Option<String>,
}

impl Default for ExpSettings {
    fn default() -> ExpSettings {
        ExpSettings {
            token_lifetime: Duration::from_secs(30 * 60),
            timeout_default: Duration::from_secs(2),
            timeout_max: Duration::from_secs(60),
            body_timeout: Duration::from_secs(30),
            password_checks_max: 2,
            logins_waiting_max: 1000,
            subscriptions_kept_for: Duration::from_secs(120),
            subscriptions_kept_max: 100_000,
            ids_per_subscribe_max: 1000,
            spellings_per_channel_max: 4,
            subscription_bytes_max: 256 << 10,
            public_url: None,
        }
    }
}

/// The longest life of a token: clients wait for half of it with a timer of 32 bits of milliseconds.
pub const TOKEN_LIFETIME_MAX: Duration = Duration::from_secs(24 * 24 * 60 * 60);

/// The settings contradict what clients can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExpSettings {
    /// Clients would ask for tokens all the time, or never.
    #[error("token_lifetime has to be from 1 second to 24 days")]
    TokenLifetime,
    /// Nothing could be collected, or nothing read.
    #[error("{0} has to be at least 1 ms")]
    NoTime(&'static str),
    /// A limit that would let nothing through at all.
    #[error("{0} has to be at least 1")]
    Zero(&'static str),
    /// Not a URL of a host and nothing below it.
    #[error("public_url has to be http://… or https://… with a host, and no path")]
    PublicUrl,
}

impl ExpSettings {
    /// Checks that the times and limits are ones that clients can live with.
    ///
    /// # Errors
    /// One is not.
    pub fn check(&self) -> Result<(), InvalidExpSettings> {
        if !(Duration::from_secs(1)..=TOKEN_LIFETIME_MAX).contains(&self.token_lifetime) {
            return Err(InvalidExpSettings::TokenLifetime);
        }
        for (name, time) in [
            ("timeout_default", self.timeout_default),
            ("timeout_max", self.timeout_max),
            ("body_timeout", self.body_timeout),
        ] {
            if time.as_millis() == 0 {
                return Err(InvalidExpSettings::NoTime(name));
            }
        }
        for (name, limit) in [
            ("password_checks_max", self.password_checks_max),
            ("logins_waiting_max", self.logins_waiting_max),
            ("subscriptions_kept_max", self.subscriptions_kept_max),
            ("ids_per_subscribe_max", self.ids_per_subscribe_max),
            ("spellings_per_channel_max", self.spellings_per_channel_max),
            ("subscription_bytes_max", self.subscription_bytes_max),
        ] {
            if limit == 0 {
                return Err(InvalidExpSettings::Zero(name));
            }
        }
        match &self.public_url {
            Some(url) if !is_base(url) => Err(InvalidExpSettings::PublicUrl),
            _ => Ok(()),
        }
    }
}

/// Whether a URL is a scheme and a host, without a slash at the end: clients put paths behind it.
fn is_base(url: &str) -> bool {
    let Ok(url) = url.parse::<http::Uri>().map(http::Uri::into_parts) else { return false };
    let bare = url.path_and_query.is_none_or(|path| path == "/");
    matches!(url.scheme.as_ref().map(http::uri::Scheme::as_str), Some("http" | "https"))
        && url.authority.is_some()
        && bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_let_something_through() {
        assert_eq!(ExpSettings::default().check(), Ok(()));
    }

    #[test]
    fn what_clients_cannot_live_with_is_refused() {
        for lifetime in [Duration::from_millis(999), TOKEN_LIFETIME_MAX + Duration::from_secs(1)] {
            let settings = ExpSettings { token_lifetime: lifetime, ..ExpSettings::default() };
            assert_eq!(settings.check(), Err(InvalidExpSettings::TokenLifetime));
        }
        let settings = ExpSettings { timeout_max: Duration::from_micros(1), ..ExpSettings::default() };
        assert_eq!(settings.check(), Err(InvalidExpSettings::NoTime("timeout_max")));
        let settings = ExpSettings { password_checks_max: 0, ..ExpSettings::default() };
        assert_eq!(settings.check(), Err(InvalidExpSettings::Zero("password_checks_max")));
    }

    #[test]
    fn the_public_url_is_a_host_alone() {
        for (url, expected) in [
            ("https://exp.example.com", true),
            ("http://10.0.0.1:8080", true),
            ("https://exp.example.com/api", false),
            ("exp.example.com", false),
            ("ws://exp.example.com", false),
            ("", false),
        ] {
            let settings = ExpSettings { public_url: Some(url.into()), ..ExpSettings::default() };
            assert_eq!(settings.check().is_ok(), expected, "{url}");
        }
    }
}
