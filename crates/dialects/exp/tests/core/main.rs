//! The socket of EXP clients behind real workers: clients that poll and clients with WebSockets, written by hand.

#![allow(clippy::unwrap_used)]

mod api;
mod client;
mod ending;
mod handshake;
mod hostile;
mod pairing;
mod polling;
mod resuming;
mod slow_store;
mod subscribing;
mod upgrading;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon_access::{
    Access, Caller, Credential, CredentialKind, HostPolicy, Login, OrgSettings, OriginPolicy, Secret,
};
use antiphon_engineio::{Engine, EngineSettings, ServeSettings};
use antiphon_exp::{Exp, ExpSettings};
use antiphon_hub::{Rule, Rules};
use antiphon_model::{
    ChannelFlags, ChannelId, ChannelPattern, Draft, OrgId, Payload, Position, RawJson, Timestamp,
};
use antiphon_net::{Close, Listen, Mounts, NetSettings, NodeInputs, Server, ServerParts, Worker};
use antiphon_node::metrics::Protocol;
use antiphon_node::{Node, NodeParts, NodeSettings, OrgParts, SystemClock};
use antiphon_socketio::{Io, SocketIoSettings};
use antiphon_store::{MemoryStore, Store, StoreSettings};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use crate::client::{Connection, Polls, Socket};

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a test's server is made of.
struct Setup {
    settings: ExpSettings,
    engine: EngineSettings,
    workers: usize,
    store: Arc<dyn Store>,
    /// Of the org `scala`.
    limits: Value,
    other: Other,
}

/// What speaks with those that are no EXP clients.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Other {
    Nobody,
    SocketIo,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            settings: ExpSettings::default(),
            engine: EngineSettings::default(),
            workers: 2,
            store: Arc::new(MemoryStore::new(&StoreSettings::default()).unwrap()),
            limits: json!({}),
            other: Other::Nobody,
        }
    }
}

impl Setup {
    fn new(change: impl FnOnce(&mut ExpSettings)) -> Setup {
        let mut setup = Setup::default();
        change(&mut setup.settings);
        setup
    }

    fn start(self) -> Running {
        let Setup { settings, engine, workers, store, limits, other } = self;
        let access = Access::load(orgs(&limits)).unwrap();
        // It lives as long as the process, with the node that it is installed in.
        let io = (other == Other::SocketIo).then(|| Io::new(SocketIoSettings::default()));
        let installed = io.clone();
        let node = |inputs: NodeInputs| {
            let workers = inputs.workers.clone();
            let org = |name: &str| OrgParts {
                id: OrgId::new(name),
                rules: Rules::new([Rule { persist: false, ..Rule::default() }]),
            };
            let parts = NodeParts {
                settings: NodeSettings::default(),
                access,
                store,
                orgs: ["scala", "other"].map(org).into(),
                inboxes: Vec::new(),
                on_earlier: Box::new(|| {}),
            };
            let node = Node::new(inputs.into_parts(parts), SystemClock::start())?;
            if let Some(io) = installed {
                io.install(Arc::clone(&node), workers);
            }
            Ok(node)
        };
        let origins = OriginPolicy::new(&["https://app.example.com"]).unwrap();
        let exp = Exp::new(settings, origins, HostPolicy::local(&[])).unwrap();
        let serve = ServeSettings { engine: Arc::new(engine), ..ServeSettings::default() };
        let endpoint = move |worker: &Worker| {
            let application = exp.application(io.as_ref().map(Io::application));
            let sockets = Engine::new(Rc::new(serve.clone()), application, worker);
            Mounts::new(exp.http(worker)).mount("/socket.io/", sockets)
        };
        let parts = ServerParts {
            settings: NetSettings::default(),
            listen: vec![Listen::plain("127.0.0.1:0".parse().unwrap())],
            workers,
        };
        Running { server: Some(Server::start(parts, node, endpoint).unwrap()) }
    }
}

fn orgs(limits: &Value) -> Vec<OrgSettings> {
    let scala = json!({
        "name": "scala",
        "limits": limits,
        "device": [
            { "uuid": "one", "secret": "secret-one" },
            { "uuid": "two", "secret": "secret-two" },
            { "uuid": "deaf", "secret": "secret-deaf", "allow": ["publish"] },
            { "uuid": "narrow", "secret": "secret-narrow", "channels": ["room.*"] },
        ],
        "consumer_app": [{ "uuid": "one", "api_key": "api-key-one" }],
        "user": [{ "username": "ann@scala.com", "password": "password-ann" }],
        "key": [{ "key": api::KEY, "allow": ["publish", "subscribe"] }],
        "allowed_origins": ["https://scala.example.com"],
    });
    let other = json!({ "name": "other", "device": [{ "uuid": "stranger", "secret": "secret-stranger" }] });
    serde_json::from_value(json!([scala, other])).unwrap()
}

/// A server of the test's own.
struct Running {
    server: Option<Server>,
}

impl Running {
    fn address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().addresses()[0]
    }

    fn node(&self) -> &Arc<Node> {
        self.server.as_ref().unwrap().node()
    }

    fn connect(&self) -> Connection {
        Connection::to(self.address())
    }

    /// A session token of a device's, whose secret is known by its uuid.
    fn token(&self, uuid: &str) -> String {
        self.token_for(CredentialKind::Device, uuid, ExpSettings::default().token_lifetime)
    }

    fn token_for(&self, kind: CredentialKind, uuid: &str, lifetime: Duration) -> String {
        let (kind, secret) = match kind {
            CredentialKind::ConsumerApp => ("consumerApp", format!("api-key-{uuid}")),
            _ => ("device", format!("secret-{uuid}")),
        };
        let claims = json!({ "type": kind, "uuid": uuid });
        self.log_in(claims, &secret, lifetime)
    }

    /// The session token for claims that are signed with a secret.
    fn log_in(&self, mut claims: Value, secret: &str, lifetime: Duration) -> String {
        let now = self.node().now().wall;
        claims["exp"] = json!(now.as_secs() + 30);
        let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
        let signed = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
        self.node().access().login(&Login::Signed(&signed), lifetime, now).unwrap().token
    }

    /// Adds a device to `scala`, or gives the one that was added other channels.
    fn add_device(&self, uuid: &str, channels: &str) {
        let secret = Secret::new(&format!("secret-{uuid}"));
        let channels = Some(vec![ChannelPattern::new(channels)]);
        let device = Credential::new(CredentialKind::Device, uuid, &secret, None, channels).unwrap();
        self.node().access().add_credential(&OrgId::new("scala"), device).unwrap();
    }

    fn revoke_device(&self, uuid: &str) {
        let access = self.node().access();
        access.remove_credential(&OrgId::new("scala"), CredentialKind::Device, uuid).unwrap();
    }

    /// What an org's store has of the connection of a token.
    fn record(&self, token: &str) -> RecordKey {
        let session = self.node().access().session(token, self.node().now().wall).unwrap();
        RecordKey { org: OrgId::new("scala"), key: format!("exp/{}", session.connection) }
    }

    fn expires(&self, token: &str) -> Timestamp {
        self.node().access().session(token, self.node().now().wall).unwrap().expires
    }

    /// The query that a client's requests begin with.
    fn query(token: &str, transport: &str) -> String {
        format!("EIO=3&transport={transport}&token={token}")
    }

    /// A WebSocket of a client's that is connected.
    fn socket(&self, token: &str) -> Socket {
        let mut socket = self.connect().upgrade(&Running::query(token, "websocket")).unwrap();
        assert!(socket.next_text().starts_with("0{"));
        assert_eq!(socket.next_text(), "40");
        socket
    }

    /// A client that polls and is connected. `more` is what it adds to its query.
    fn polls(&self, token: &str, more: &str) -> Polls {
        let mut polls = self.opened(token, more);
        assert_eq!(polls.poll(), ["40"]);
        polls
    }

    /// A client that polls and has got the open packet alone.
    fn opened(&self, token: &str, more: &str) -> Polls {
        Polls::open(self.connect(), &(Running::query(token, "polling") + more))
    }

    /// Publishes on a channel of `scala`, as the server; says at what position.
    fn publish(&self, channel: &str, name: &str, payload: &Value) -> Position {
        self.publish_on(&ChannelId::new(channel, ChannelFlags::NONE).unwrap(), name, payload)
    }

    fn publish_on(&self, channel: &ChannelId, name: &str, payload: &Value) -> Position {
        let payload = Payload::Json(RawJson::from_serializer(payload.to_string()));
        let mut draft = Draft::new(Arc::new(channel.clone()), payload);
        draft.name = Some(name.into());
        let server = Caller::server(OrgId::new("scala"), Arc::default());
        let receipt = self.node().publish(&server, draft, || Box::new(|_| {})).unwrap();
        receipt.expect("nothing is stored").position
    }

    fn sessions(&self, protocol: &'static str) -> i64 {
        self.node().metrics().sessions.get_or_create(&Protocol { protocol }).get()
    }

    /// Waits until no client is left.
    fn until_empty(&self) {
        until("sessions end", || self.sessions("websocket") == 0 && self.sessions("polling") == 0);
    }

    fn stop(mut self) {
        let close = Close { code: 1012, reason: "restarting".into(), reconnect: true };
        assert!(self.server.take().unwrap().stop(&close, PATIENCE));
    }
}

/// The record of a connection in the store.
struct RecordKey {
    org: OrgId,
    key: String,
}

impl RecordKey {
    fn put(&self, store: &dyn Store, ids: &[&str], until: Timestamp) {
        store.put_record(&self.org, &self.key, json!(ids).to_string().into(), until);
    }

    /// The ids of a record that can be read at once.
    fn read(&self, store: &dyn Store) -> Vec<String> {
        let read = store.read_record(&self.org, &self.key).now_or_never().unwrap().unwrap();
        read.map_or_else(Vec::new, |record| serde_json::from_slice(&record).unwrap())
    }
}

/// A channel's id as the JavaScript SDK writes it.
fn id(org: &str, name: &str, system: u8, consumer: u8) -> String {
    STANDARD.encode(json!([org, name, system, consumer]).to_string())
}

/// The id of an ordinary channel of `scala`.
fn channel(name: &str) -> String {
    id("scala", name, 0, 0)
}

fn subscribe<const N: usize>(ids: [&str; N]) -> String {
    format!("42{}", json!(["subscribe", ids.to_vec()]))
}

fn subscribed<const N: usize>(ids: [&str; N]) -> String {
    format!("42{}", json!(["subscribed", ids.to_vec()]))
}

/// The event of a publication.
fn broadcast(position: Position, name: &str, channel: &str, payload: &Value) -> String {
    let name = Value::from(name);
    format!(
        r#"42["broadcast",{{"id":"{}","name":{name},"channel":"{channel}","payload":{payload}}}]"#,
        position.0
    )
}

/// Waits for something that other threads bring about.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let late = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < late, "still waiting until {what}");
        std::thread::yield_now();
    }
}
