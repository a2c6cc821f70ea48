use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use antiphon::engineio::BundleFile;
use antiphon::{
    AllowedOrigins, ClientBundle, CookieSettings, CorsSettings, Io, LegacyClients, Parser, SameSite,
    Transport,
};
use serde::Deserialize;

/// From how many bytes on WebSocket messages are compressed where that is on.
const DEFLATE_THRESHOLD_BYTES: usize = 1024;

/// What a test asks of its server; what it leaves out is as the library has it.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Where it listens on loopback; 0 takes a free port.
    pub(crate) port: u16,
    path: Option<String>,
    ping_interval_ms: Option<u64>,
    ping_timeout_ms: Option<u64>,
    connect_timeout_ms: Option<u64>,
    max_payload_bytes: Option<usize>,
    transports: Option<Vec<String>>,
    allow_eio3: Option<bool>,
    msgpack: bool,
    per_message_deflate: bool,
    /// The name of a cookie with the id of the connection.
    cookie: Option<String>,
    /// The one origin whose pages may connect; all if there is none.
    cors_origin: Option<String>,
    cors_credentials: bool,
    /// The file to give to who asks for the client's bundle.
    serve_client: Option<PathBuf>,
    /// For how long connections can be recovered, if they can.
    recovery_ms: Option<u64>,
    /// Where to keep what is to outlive the process.
    data_dir: Option<PathBuf>,
}

impl Settings {
    /// A server of these settings, not started yet.
    ///
    /// # Errors
    /// The client's bundle cannot be read.
    pub(crate) fn build(&self) -> Result<Io, Box<dyn Error>> {
        let mut builder = Io::builder().cors(self.cors());
        if let Some(path) = &self.path {
            builder = builder.path(path);
        }
        if let Some(interval) = self.ping_interval_ms {
            builder = builder.ping_interval(Duration::from_millis(interval));
        }
        if let Some(timeout) = self.ping_timeout_ms {
            builder = builder.ping_timeout(Duration::from_millis(timeout));
        }
        if let Some(timeout) = self.connect_timeout_ms {
            builder = builder.connect_timeout(Duration::from_millis(timeout));
        }
        if let Some(bytes) = self.max_payload_bytes {
            builder = builder.max_http_buffer_size(bytes);
        }
        if let Some(transports) = &self.transports {
            builder = builder.transports(transports.iter().map(|name| transport(name)));
        }
        if self.allow_eio3 == Some(false) {
            builder = builder.legacy_clients(LegacyClients::Refused);
        }
        if self.msgpack {
            builder = builder.parser(Parser::Msgpack);
        }
        if self.per_message_deflate {
            builder = builder.per_message_deflate(DEFLATE_THRESHOLD_BYTES);
        }
        if let Some(name) = &self.cookie {
            let same_site = Some(SameSite::Lax);
            builder =
                builder.cookie(CookieSettings { name: name.clone(), same_site, ..CookieSettings::default() });
        }
        if let Some(file) = &self.serve_client {
            let bundle = BundleFile::new("socket.io.js", std::fs::read(file)?);
            builder = builder.serve_client(ClientBundle::Files(vec![bundle]));
        }
        if let Some(recovery) = self.recovery_ms {
            builder = builder.connection_state_recovery(Duration::from_millis(recovery));
        }
        if let Some(directory) = &self.data_dir {
            builder = builder.sqlite(directory);
        }
        Ok(builder.build())
    }

    fn cors(&self) -> CorsSettings {
        let origin = match &self.cors_origin {
            None => AllowedOrigins::Any,
            Some(origin) => AllowedOrigins::Listed(vec![origin.clone()]),
        };
        CorsSettings { origin, credentials: self.cors_credentials, ..CorsSettings::default() }
    }
}

fn transport(name: &str) -> Transport {
    if name == "polling" { Transport::Polling } else { Transport::WebSocket }
}
