use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use antiphon_access::OrgSettings;
use antiphon_engineio::{
    AllowedOrigins, Application, ClientBundle, CookieSettings, CorsSettings, Engine, EngineSettings,
    HttpCompression, ServeSettings, Transport, WhenFull,
};
use antiphon_http::HttpSettings;
use antiphon_hub::Rule;
use antiphon_net::websocket::DeflateSettings;
use antiphon_net::{NetSettings, Worker};
use antiphon_node::NodeSettings;
use antiphon_socketio as core;
use antiphon_socketio::{Parser, RecoverySettings, SocketIoSettings};
use antiphon_store::StoreSettings;
use bytes::Bytes;
use http::HeaderValue;

use crate::Io;
use crate::pages::Page;
use crate::plan::{EngineAt, Grace, Native, Plan, StoreChoice};
use crate::shared::{Shared, States};

/// How many bytes may wait for a client.
const SEND_BUFFER_BYTES: usize = 4 << 20;

/// How many times as long as what is taken what waits may be: base64, escapes, and the event's name.
const RELAYED: usize = 4;

/// The settings of a server, under the names that Socket.IO users know, and what it has beside them.
///
/// ```
/// use std::time::Duration;
/// use antiphon::Io;
///
/// let io = Io::builder()
///     .cors_origin("http://localhost:3000")
///     .ping_interval(Duration::from_secs(20))
///     .connection_state_recovery(Duration::from_secs(120))
///     .page("/", "<h1>hello</h1>")
///     .build();
/// ```
pub struct Builder {
    settings: SocketIoSettings,
    plan: Plan,
    states: States,
}

impl Default for Builder {
    fn default() -> Builder {
        let builder = Builder {
            settings: SocketIoSettings::default(),
            plan: Plan::default(),
            states: States::default(),
        };
        // The longest message that is taken can be sent on, in whatever form.
        builder.send_buffer(SEND_BUFFER_BYTES, WhenFull::Close)
    }
}

impl Builder {
    /// The server, not started yet.
    pub fn build(self) -> Io {
        let shared = Shared::new(self.states, self.plan);
        Io::of_core(core::Io::new(self.settings), Arc::new(shared))
    }

    /// Shares a value with all handlers, which ask for it as [`State`](crate::State). One of each type: the last counts.
    #[must_use]
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, state: T) -> Builder {
        self.states.insert(state);
        self
    }

    /// The path that clients connect to. Default: `/socket.io/`.
    #[must_use]
    pub fn path(mut self, path: &str) -> Builder {
        self.settings.engine.path = path.to_owned();
        self
    }

    /// How often clients are asked whether they are still there. Default: 25 s.
    #[must_use]
    pub fn ping_interval(mut self, interval: Duration) -> Builder {
        self.engine().ping_interval_ms = millis(interval);
        self
    }

    /// How long they may take to answer. Default: 20 s. Low values cut off clients on slow networks.
    #[must_use]
    pub fn ping_timeout(mut self, timeout: Duration) -> Builder {
        self.engine().ping_timeout_ms = millis(timeout);
        self
    }

    /// How long an upgrade to WebSocket may take. Default: 10 s.
    #[must_use]
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Builder {
        self.engine().upgrade_timeout_ms = millis(timeout);
        self
    }

    /// How long a client may take until it connects to a namespace. Default: 45 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Builder {
        self.settings.connect_timeout_ms = millis(timeout);
        self
    }

    /// The longest message that is taken from a client, in bytes. Default: 1,000,000. A client that sends a longer one is
    /// disconnected. Each connection may take so much memory, and a packet with attachments, which is several messages, 4 times
    /// as much. The send buffer grows with it, so that what came can be sent on.
    #[must_use]
    pub fn max_http_buffer_size(mut self, bytes: usize) -> Builder {
        self.engine().payload_bytes_max = bytes;
        let relayed = bytes.saturating_mul(RELAYED);
        self.settings.packet_bytes_max = self.settings.packet_bytes_max.max(relayed);
        let (waiting, when_full) = (self.engine().send_buffer_bytes_max, self.engine().when_full);
        self.send_buffer(waiting.max(relayed), when_full)
    }

    /// How many bytes may wait for a client that does not read, and what happens when they are more. Default: 4 MiB, and the
    /// client is disconnected; it can recover what it missed where that is on. Longer messages cannot be sent.
    #[must_use]
    pub fn send_buffer(mut self, bytes: usize, when_full: WhenFull) -> Builder {
        (self.engine().send_buffer_bytes_max, self.engine().when_full) = (bytes, when_full);
        self.plan.net.outbox_bytes_max = bytes;
        self.plan.net.slow_reader = match when_full {
            WhenFull::Close => antiphon_net::SlowReader::Disconnect,
            WhenFull::Refuse => antiphon_net::SlowReader::Drop,
        };
        self
    }

    /// The transports that clients may use. Default: polling and WebSocket.
    #[must_use]
    pub fn transports(mut self, transports: impl IntoIterator<Item = Transport>) -> Builder {
        self.engine().transports = transports.into_iter().collect();
        self
    }

    /// Whether clients of Engine.IO 3 (Socket.IO 1.x and 2.x) are served. Default: they are.
    #[must_use]
    pub fn legacy_clients(mut self, clients: LegacyClients) -> Builder {
        self.engine().allow_v3 = clients == LegacyClients::Served;
        self
    }

    /// How packets are written. Default: as the protocol has it. Clients have to use the same.
    #[must_use]
    pub fn parser(mut self, parser: Parser) -> Builder {
        self.settings.parser = parser;
        self
    }

    /// Lets web pages of this origin connect, with credentials: `https://app.example.com`. May be called for several. `*` is all,
    /// without credentials. Default: none but pages of the server's own.
    #[must_use]
    pub fn cors_origin(mut self, origin: &str) -> Builder {
        let none = || CorsSettings {
            origin: AllowedOrigins::Listed(Vec::new()),
            credentials: true,
            ..CorsSettings::default()
        };
        let cors = self.settings.engine.cors.get_or_insert_with(none);
        match &mut cors.origin {
            _ if origin == "*" => {
                // Browsers take no credentials along to a server that allows everybody.
                (cors.origin, cors.credentials) = (AllowedOrigins::Any, false);
            }
            AllowedOrigins::Listed(listed) => listed.push(origin.to_owned()),
            AllowedOrigins::Any | AllowedOrigins::Reflected | AllowedOrigins::Matching(_) => {}
        }
        self
    }

    /// All of CORS: origins, methods, headers, credentials, for how long browsers keep it.
    #[must_use]
    pub fn cors(mut self, cors: CorsSettings) -> Builder {
        self.settings.engine.cors = Some(cors);
        self
    }

    /// Has clients keep a cookie with the id of their connection, for proxies that keep them with one server by it. Default:
    /// none.
    #[must_use]
    pub fn cookie(mut self, cookie: CookieSettings) -> Builder {
        self.settings.engine.cookie = Some(cookie);
        self
    }

    /// What `<path>socket.io.js` leads to: a file, or a redirection to where the client's bundle is. Default: nothing.
    #[must_use]
    pub fn serve_client(mut self, client: ClientBundle) -> Builder {
        self.settings.engine.client_bundle = client;
        self
    }

    /// From how many bytes on answers to polls are compressed, for clients that take it; `None` is never. Default: 1024.
    #[must_use]
    pub fn http_compression(mut self, threshold_bytes: Option<usize>) -> Builder {
        let compression = threshold_bytes.map(|threshold_bytes| HttpCompression { threshold_bytes });
        self.settings.engine.http_compression = compression;
        self
    }

    /// Compresses WebSocket messages of at least so many bytes, for clients that take it. Default: not at all.
    #[must_use]
    pub fn per_message_deflate(mut self, threshold_bytes: usize) -> Builder {
        self.plan.net.deflate = DeflateSettings { enabled: true, threshold_bytes };
        self
    }

    /// Gives clients that lost their connection what they missed, if they are back in time: they keep their id, rooms and
    /// data. Default: off.
    ///
    /// Rooms are kept in memory for it, 1000 messages each at most, unless [`Builder::rules`] says otherwise. With
    /// [`Builder::sqlite`] clients recover after a restart of the server, too.
    #[must_use]
    pub fn connection_state_recovery(mut self, max_disconnection: Duration) -> Builder {
        let settings = self.settings.connection_state_recovery.get_or_insert_with(RecoverySettings::default);
        settings.max_disconnection_ms = millis(max_disconnection);
        self
    }

    /// Everything that the protocol's part of the server can be told, in place of what was said before.
    #[must_use]
    pub fn settings(mut self, settings: SocketIoSettings) -> Builder {
        self.settings = settings;
        self
    }

    /// Limits and times of connections, in place of what was said before.
    #[must_use]
    pub fn net_settings(mut self, settings: NetSettings) -> Builder {
        self.plan.net = settings;
        self
    }

    /// Limits and times of rooms.
    #[must_use]
    pub fn node_settings(mut self, settings: NodeSettings) -> Builder {
        self.plan.node = settings;
        self
    }

    /// How many threads there are. Default: one for each core.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Builder {
        self.plan.workers = NonZeroUsize::new(workers);
        self
    }

    /// Keeps what is said in rooms in a SQLite database in this directory: 1000 messages of each room for 7 days, unless
    /// [`Builder::rules`] says otherwise. Default: in memory, and only what recovery needs.
    #[must_use]
    pub fn sqlite(mut self, directory: impl Into<PathBuf>) -> Builder {
        self.plan.store = StoreChoice::Sqlite(directory.into());
        self
    }

    /// How the store behaves.
    #[must_use]
    pub fn store_settings(mut self, settings: StoreSettings) -> Builder {
        self.plan.store_settings = settings;
        self
    }

    /// What is kept of rooms, and where: the first rule whose pattern matches a room's channel counts.
    ///
    /// A room of `/` is the channel of its name, and the room `lobby` of `/chat` is `/chat#lobby`.
    #[must_use]
    pub fn rules(mut self, rules: impl IntoIterator<Item = Rule>) -> Builder {
        self.plan.rules = Some(rules.into_iter().collect());
        self
    }

    /// Serves a web page at a path, when the server listens by itself.
    #[must_use]
    pub fn page(self, path: &str, html: impl Into<Bytes>) -> Builder {
        self.file(path, HeaderValue::from_static("text/html; charset=utf-8"), html)
    }

    /// Serves a file at a path, when the server listens by itself.
    #[must_use]
    pub fn file(mut self, path: &str, content_type: HeaderValue, bytes: impl Into<Bytes>) -> Builder {
        let page = Page { content_type, bytes: bytes.into() };
        Arc::make_mut(&mut self.plan.pages).insert(path, page);
        self
    }

    /// Serves the native HTTP protocol beside Socket.IO, when the server listens by itself: `curl`, server-sent events and
    /// plain WebSockets meet Socket.IO's rooms at `/v1/channels/<room>`.
    ///
    /// The org says who may do that: its API keys and tokens, and what they permit. An open one lets everybody who reaches the
    /// server hear and speak in all rooms of all namespaces.
    #[must_use]
    pub fn native_http(self, org: OrgSettings) -> Builder {
        self.native_http_with(org, HttpSettings::default())
    }

    /// As [`Builder::native_http`], with settings of the protocol.
    #[must_use]
    pub fn native_http_with(mut self, org: OrgSettings, http: HttpSettings) -> Builder {
        self.plan.native = Some(Native { org, http });
        self
    }

    /// Serves Engine.IO alone at another path, when the server listens by itself: `application` is called for each worker.
    #[must_use]
    pub fn engine_io<A: Application>(
        mut self,
        settings: ServeSettings,
        application: impl Fn() -> A + Send + Sync + 'static,
    ) -> Builder {
        let path = settings.path.clone();
        let make =
            move |worker: &Worker| Engine::new(Rc::new(settings.clone()), Rc::new(application()), worker);
        self.plan.engines.push(EngineAt { path, make: Box::new(make) });
        self
    }

    /// Speaks TLS, when the server listens by itself. The settings say which certificate is shown, and should offer `h2` and `http/1.1` in
    /// `alpn_protocols`; a ticketer spares clients that come back a whole handshake. Default: connections are not encrypted.
    #[must_use]
    pub fn tls(mut self, config: Arc<rustls::ServerConfig>) -> Builder {
        self.plan.tls = Some(config);
        self
    }

    /// How long [`Io::close`] waits for what is under way. Default: 10 s.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Builder {
        self.plan.grace = Grace(grace);
        self
    }

    /// How Engine.IO is served by what has been said so far: to serve it elsewhere in the same way.
    pub fn engine_settings(&self) -> &ServeSettings {
        &self.settings.engine
    }

    fn engine(&mut self) -> &mut EngineSettings {
        Arc::make_mut(&mut self.settings.engine.engine)
    }
}

/// What becomes of clients of Engine.IO 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LegacyClients {
    /// They connect as others do.
    #[default]
    Served,
    /// They are told that their version is not supported.
    Refused,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
