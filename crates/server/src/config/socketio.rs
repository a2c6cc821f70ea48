//! The section `[socketio]`.

mod admin;
mod check;

use std::path::PathBuf;
use std::sync::Arc;

use antiphon_engineio::{
    AllowedOrigins, ClientBundle, CookieSettings, CorsSettings, EngineSettings, HttpCompression, SameSite,
    ServeSettings,
};
use antiphon_socketio::{Parser, RecoverySettings, RecoveryStored, SocketIoSettings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::admin::AdminSection;
use super::duration::Duration;
use crate::failure::Failure;

/// Clients of Socket.IO: `[socketio]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SocketIoSection {
    /// Whether they are served. Default: true.
    pub(crate) enabled: bool,
    /// The path. Default: `/socket.io/`, which clients take for granted.
    pub(crate) path: String,
    /// Whether packets are written in the `default` form or as `socket.io-msgpack-parser` does: `msgpack`. Default: `default`. All
    /// clients have to use the same.
    pub(crate) parser: Parser,
    /// A URL that `<path>socket.io.js` is redirected to, for pages that load the client from the server; if it ends in a slash, the
    /// file's name is put behind it. Default: none.
    pub(crate) client_url: Option<String>,
    /// A file, or a directory of files of the client, that `<path>socket.io.js` and its like are answered with, in place of
    /// `client_url`. Default: none.
    pub(crate) client_files: Option<PathBuf>,
    /// Answers to polls of fewer bytes than this are not compressed. Default: 1024.
    pub(crate) http_compression_threshold_bytes: usize,
    /// How long a client may take to connect to a namespace, before its connection is closed. Default: `45s`.
    pub(crate) connect_timeout: Duration,
    /// How many binary attachments an event may have. Default: 10.
    pub(crate) attachments_max: usize,
    /// The longest event with its attachments, in bytes. Default: 4000000. Each connection may take so much memory while
    /// attachments are due.
    pub(crate) packet_bytes_max: usize,
    /// How many events of a client may wait for one that reads the store. Default: 1000. A client that sends more is
    /// disconnected.
    pub(crate) handler_queue_max: usize,
    /// The transport below: timeouts, limits, and which clients are served.
    pub(crate) engine: EngineSettings,
    /// What web pages of other origins may do. Which origins these are is said by `http.cors_origins` and each org's
    /// `allowed_origins`.
    pub(crate) cors: CorsSection,
    /// A cookie with the session's id, for balancers that keep a client on one server.
    pub(crate) cookie: CookieSection,
    /// What a client that lost its connection gets back.
    pub(crate) recovery: RecoverySection,
    /// The dashboard `@socket.io/admin-ui`.
    pub(crate) admin: AdminSection,
}

/// Web pages of other origins: `[socketio.cors]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CorsSection {
    /// Whether they may send cookies and credentials. Default: false, but they may where the EXP network is served on the same path, whose
    /// SDKs ask for it.
    pub(crate) credentials: bool,
    /// Headers that they may send. Default: those that they ask for.
    pub(crate) allowed_headers: Vec<String>,
    /// Headers of answers that they may read, beside those that they always may. Default: none.
    pub(crate) exposed_headers: Vec<String>,
    /// For how long a browser may remember what it was told. Default: what it does by itself.
    pub(crate) max_age: Option<Duration>,
    /// The status that a browser's question is answered with, where 204 is not taken. Default: 204.
    pub(crate) options_success_status: Option<u16>,
}

/// A cookie with the session's id: `[socketio.cookie]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CookieSection {
    /// Its name; without one there is no cookie. Default: none. Socket.IO users call it `io`.
    pub(crate) name: Option<String>,
    /// The paths that it is sent to. Default: `/`.
    pub(crate) path: String,
    /// Whether pages cannot read it. Default: true.
    pub(crate) http_only: bool,
    /// Whether it is sent over TLS only. Default: false.
    pub(crate) secure: bool,
    /// Whether requests that pages of other sites make have it: `strict`, `lax`, or `none`, which needs `secure`. Default: `lax`.
    pub(crate) same_site: SameSiteWord,
    /// For how long it is kept. Default: until the browser is closed.
    pub(crate) max_age: Option<Duration>,
}

/// A word for `SameSite`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SameSiteWord {
    /// Never.
    Strict,
    /// Where the visitor follows a link.
    #[default]
    Lax,
    /// Always.
    None,
}

/// Connection state recovery: `[socketio.recovery]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RecoverySection {
    /// Whether there is any. Default: false. With it, each event to clients 3.x and later has one argument more, its position, as the
    /// protocol wants it: those before 4.6 and those of other languages show it to their handlers.
    pub(crate) enabled: bool,
    /// For how long after its connection was lost. Default: `2m`.
    pub(crate) max_disconnection: Duration,
    /// When it is stored what a client could recover: `while-connected`, so that it outlives a crash of the server, or
    /// `at-disconnection`, which is enough for a server that stops in good order. Default: `while-connected`. That is a small
    /// write when a client connected or subscribed, and one every ten minutes.
    pub(crate) stored: RecoveryStored,
    /// How many lost connections are remembered at a time. Default: 100000. Beyond them the oldest cannot recover.
    pub(crate) sessions_max: usize,
}

impl Default for SocketIoSection {
    fn default() -> SocketIoSection {
        let settings = SocketIoSettings::default();
        SocketIoSection {
            enabled: true,
            path: "/socket.io/".into(),
            parser: Parser::Default,
            client_url: None,
            client_files: None,
            http_compression_threshold_bytes: HttpCompression::default().threshold_bytes,
            connect_timeout: Duration::from_millis(settings.connect_timeout_ms),
            attachments_max: settings.attachments_max,
            packet_bytes_max: settings.packet_bytes_max,
            handler_queue_max: settings.handler_queue_max,
            engine: EngineSettings::default(),
            cors: CorsSection::default(),
            cookie: CookieSection::default(),
            recovery: RecoverySection::default(),
            admin: AdminSection::default(),
        }
    }
}

impl Default for CookieSection {
    fn default() -> CookieSection {
        CookieSection {
            name: None,
            path: "/".into(),
            http_only: true,
            secure: false,
            same_site: SameSiteWord::Lax,
            max_age: None,
        }
    }
}

impl Default for RecoverySection {
    fn default() -> RecoverySection {
        let settings = RecoverySettings::default();
        RecoverySection {
            enabled: false,
            max_disconnection: Duration::from_millis(settings.max_disconnection_ms),
            stored: settings.stored,
            sessions_max: settings.sessions_max,
        }
    }
}

impl SocketIoSection {
    /// The settings of the dialect. `origins` says which web pages may read its answers.
    ///
    /// # Errors
    /// They contradict each other, or the client's files cannot be read.
    pub(crate) fn settings(&self, origins: AllowedOrigins) -> Result<SocketIoSettings, Failure> {
        let settings = SocketIoSettings {
            engine: ServeSettings {
                path: self.path.clone(),
                engine: Arc::new(self.engine.clone()),
                cors: Some(self.cors.settings(origins)),
                cookie: self.cookie.settings(),
                http_compression: Some(HttpCompression {
                    threshold_bytes: self.http_compression_threshold_bytes,
                }),
                client_bundle: self.client_bundle()?,
            },
            connect_timeout_ms: u64::try_from(self.connect_timeout.0.as_millis()).unwrap_or(u64::MAX),
            parser: self.parser,
            attachments_max: self.attachments_max,
            packet_bytes_max: self.packet_bytes_max,
            handler_queue_max: self.handler_queue_max,
            connection_state_recovery: self.recovery.settings(),
            ..SocketIoSettings::default()
        };
        self.check(&settings)?;
        Ok(settings)
    }

    fn client_bundle(&self) -> Result<ClientBundle, Failure> {
        match (&self.client_files, &self.client_url) {
            (Some(path), _) => ClientBundle::read(path)
                .map_err(|error| Failure::new(format!("socketio.client_files: {}: {error}", path.display()))),
            (None, Some(url)) => Ok(ClientBundle::Redirect(url.clone())),
            (None, None) => Ok(ClientBundle::Off),
        }
    }
}

impl CorsSection {
    fn settings(&self, origin: AllowedOrigins) -> CorsSettings {
        let default = CorsSettings::default();
        CorsSettings {
            origin,
            credentials: self.credentials,
            allowed_headers: (!self.allowed_headers.is_empty()).then(|| self.allowed_headers.clone()),
            exposed_headers: self.exposed_headers.clone(),
            max_age: self.max_age.map(|age| age.0),
            options_success_status: self.options_success_status.unwrap_or(default.options_success_status),
            ..default
        }
    }
}

impl CookieSection {
    fn settings(&self) -> Option<CookieSettings> {
        Some(CookieSettings {
            name: self.name.clone()?,
            path: self.path.clone(),
            domain: None,
            http_only: self.http_only,
            secure: self.secure,
            same_site: Some(match self.same_site {
                SameSiteWord::Strict => SameSite::Strict,
                SameSiteWord::Lax => SameSite::Lax,
                SameSiteWord::None => SameSite::None,
            }),
            max_age: self.max_age.map(|age| age.0),
        })
    }
}

impl RecoverySection {
    fn settings(&self) -> Option<RecoverySettings> {
        let max_disconnection_ms = u64::try_from(self.max_disconnection.0.as_millis()).unwrap_or(u64::MAX);
        self.enabled.then(|| RecoverySettings {
            max_disconnection_ms,
            stored: self.stored,
            sessions_max: self.sessions_max,
            ..RecoverySettings::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_reaches_the_dialect_and_the_rest_is_its_default() {
        let default = SocketIoSection::default().settings(AllowedOrigins::Any).unwrap();
        let own = SocketIoSettings::default();
        assert_eq!(default.connect_timeout_ms, own.connect_timeout_ms);
        assert_eq!(default.connection_state_recovery, None);
        assert!(default.engine.cookie.is_none());
        let text = "path = \"/live\"\nconnect_timeout = \"1s\"\n[cookie]\nname = \"io\"\n[recovery]\nenabled = true\n\
                    [engine]\nping_interval_ms = 5\n[admin]\nenabled = true\nreadonly = true\nauth.none = true";
        let section: SocketIoSection = toml::from_str(text).unwrap();
        let settings = section.settings(AllowedOrigins::Any).unwrap();
        assert_eq!((&*settings.engine.path, settings.connect_timeout_ms), ("/live", 1000));
        assert_eq!(settings.engine.engine.ping_interval_ms, 5);
        assert_eq!(settings.connection_state_recovery, Some(RecoverySettings::default()));
        assert_eq!(settings.engine.cookie.unwrap().name, "io");
        assert!(section.admin.enabled && section.admin.settings().readonly);
    }
}
