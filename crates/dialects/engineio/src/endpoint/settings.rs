use std::sync::Arc;

use super::{ClientBundle, CookieSettings, CorsSettings};
use crate::settings::EngineSettings;

/// How Engine.IO is served on one path.
#[derive(Clone, Debug)]
pub struct ServeSettings {
    /// The path, with or without a slash at its end; clients may leave it out. Default: `/socket.io/`.
    pub path: String,
    /// The sessions.
    pub engine: Arc<EngineSettings>,
    /// What pages of other origins may read. Default: nothing, without a CORS header on any answer.
    pub cors: Option<CorsSettings>,
    /// A cookie with the session's id, for balancers that keep a client on one server. Default: none.
    pub cookie: Option<CookieSettings>,
    /// Compression of the answers to polls. Default: from 1024 bytes on.
    pub http_compression: Option<HttpCompression>,
    /// Where pages get the client from, under the names that it has below the path. Default: nowhere.
    pub client_bundle: ClientBundle,
}

/// Compression of the answers to polls, by gzip or deflate, as the client takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpCompression {
    /// From how many bytes on an answer is compressed.
    pub threshold_bytes: usize,
}

impl Default for HttpCompression {
    fn default() -> HttpCompression {
        HttpCompression { threshold_bytes: 1024 }
    }
}

impl Default for ServeSettings {
    fn default() -> ServeSettings {
        ServeSettings {
            path: "/socket.io/".into(),
            engine: Arc::default(),
            cors: None,
            cookie: None,
            http_compression: Some(HttpCompression::default()),
            client_bundle: ClientBundle::Off,
        }
    }
}

impl ServeSettings {
    /// What of a request's path is below the path that is served; none if it is another.
    pub(super) fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        let own = self.path.trim_end_matches('/');
        match path.strip_prefix(own)? {
            "" => Some(""),
            rest => rest.strip_prefix('/'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slash_at_the_end_can_be_left_out() {
        for own in ["/socket.io", "/socket.io/"] {
            let settings = ServeSettings { path: own.into(), ..ServeSettings::default() };
            assert_eq!(settings.below("/socket.io"), Some(""));
            assert_eq!(settings.below("/socket.io/"), Some(""));
            assert_eq!(settings.below("/socket.io/socket.io.js"), Some("socket.io.js"));
            assert_eq!(settings.below("/socket.iox"), None);
            assert_eq!(settings.below("/other/"), None);
        }
        let all = ServeSettings { path: "/".into(), ..ServeSettings::default() };
        assert_eq!(all.below("/"), Some(""));
        assert_eq!(all.below("/a"), Some("a"));
    }
}
