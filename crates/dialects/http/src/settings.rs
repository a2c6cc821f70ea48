use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The native dialect: `[http]` in the configuration.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// Origins of web pages that may connect to any org, besides each org's own `allowed_origins`:
    /// `https://app.example.com`, `https://*.example.com` (subdomains), `null`, or `*` for all but `null`.
    /// Default: none. With `*`, every page that a visitor opens can speak to the server from his browser.
    pub cors_origins: Vec<String>,
    /// The longest that a long poll waits, in seconds; `wait` is cut to it. Default: 60. Proxies often give up
    /// after 60 seconds of silence, so a higher value needs theirs to be raised as well.
    pub long_poll_wait_secs_max: u64,
    /// After how many seconds of silence a stream (SSE, NDJSON) sends a heartbeat. Default: 15. A client that hears
    /// nothing for twice as long can take the connection for dead.
    pub heartbeat_secs: u64,
    /// The highest `limit` of a poll, and how many publications one poll looks at. Default: 1000.
    pub history_limit_max: usize,
    /// About how many bytes of messages one poll answers; the rest is for the next one. Default: 4 MiB. Answers are put
    /// together in memory.
    pub poll_bytes_max: usize,
    /// The longest that a broadcast over HTTP collects replies, in milliseconds; `timeout` is cut to it.
    /// Default: 60000.
    pub broadcast_timeout_ms_max: u64,
    /// How many publications a batch may have, if the org's `publications_per_batch_max` is not lower. Default: 1000.
    pub batch_max: usize,
    /// The longest body of a batch, in bytes. Default: 16 MiB. It is held in memory.
    pub batch_bytes_max: usize,
    /// How many seconds a request's body may take to arrive. Default: 30.
    pub body_secs_max: u64,
    /// The longest `ttl` of presence without a connection, in seconds; it is cut to it. Default: 3600. For so long a
    /// client that is gone may count as present.
    pub presence_ttl_secs_max: u64,
    /// From how many bytes on an answer is compressed, if the client takes gzip, br or zstd. Default: 1024. Streams
    /// never are.
    pub compress_bytes_min: usize,
}

impl Default for HttpSettings {
    fn default() -> HttpSettings {
        HttpSettings {
            cors_origins: Vec::new(),
            long_poll_wait_secs_max: 60,
            heartbeat_secs: 15,
            history_limit_max: 1000,
            poll_bytes_max: 4 << 20,
            broadcast_timeout_ms_max: 60_000,
            batch_max: 1000,
            batch_bytes_max: 16 << 20,
            body_secs_max: 30,
            presence_ttl_secs_max: 3600,
            compress_bytes_min: 1024,
        }
    }
}

/// The settings contradict what the dialect can do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHttpSettings {
    /// A limit that would let nothing through at all.
    #[error("{0} has to be at least 1")]
    Zero(&'static str),
    /// Not an origin.
    #[error("cors_origins: {0}")]
    Origin(#[from] antiphon_access::InvalidOrigin),
}

impl HttpSettings {
    /// Checks that no limit is zero.
    ///
    /// # Errors
    /// One is.
    pub(crate) fn check(&self) -> Result<(), InvalidHttpSettings> {
        for (name, value) in [
            ("heartbeat_secs", self.heartbeat_secs as usize),
            ("history_limit_max", self.history_limit_max),
            ("poll_bytes_max", self.poll_bytes_max),
            ("batch_max", self.batch_max),
            ("batch_bytes_max", self.batch_bytes_max),
            ("body_secs_max", self.body_secs_max as usize),
            ("presence_ttl_secs_max", self.presence_ttl_secs_max as usize),
        ] {
            if value == 0 {
                return Err(InvalidHttpSettings::Zero(name));
            }
        }
        Ok(())
    }

    pub(crate) fn long_poll_wait_max(&self) -> Duration {
        Duration::from_secs(self.long_poll_wait_secs_max)
    }

    pub(crate) fn broadcast_timeout_max(&self) -> Duration {
        Duration::from_millis(self.broadcast_timeout_ms_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_let_something_through() {
        assert_eq!(HttpSettings::default().check(), Ok(()));
        let settings = HttpSettings { batch_max: 0, ..HttpSettings::default() };
        assert_eq!(settings.check(), Err(InvalidHttpSettings::Zero("batch_max")));
    }

    #[test]
    fn every_setting_has_its_documentation_in_the_schema() {
        let schema = schemars::schema_for!(HttpSettings).to_value();
        let properties = schema["properties"].as_object().unwrap();
        assert!(properties.len() > 5);
        for (name, property) in properties {
            assert!(
                property["description"].as_str().is_some_and(|text| text.contains("Default: ")),
                "{name}"
            );
        }
    }
}
