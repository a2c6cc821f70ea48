//! The API behind real workers, asked by requests written by hand.

#![allow(clippy::unwrap_used)]

mod actions;
mod basics;
mod client;
mod files;
mod grants;
mod groups;
mod guarded;
mod history;
mod load;
mod objects;
mod presence;
mod push;
mod signing;
mod subscribing;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon_access::{Access, HostPolicy};
use antiphon_hub::{Rule, Rules};
use antiphon_model::OrgId;
use antiphon_net::{Close, Listen, Mounts, NetSettings, NodeInputs, Server, ServerParts, Worker};
use antiphon_node::{Node, NodeParts, NodeSettings, OrgParts, SystemClock};
use antiphon_pubnub::{PubNub, PubNubSettings};
use antiphon_store::{MemoryStore, Store, StoreSettings};
use serde_json::{Value, json};

use crate::client::{Connection, Response};

/// How long a test waits for what has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a test's server is made of: an org `demo` with the keys `demo` and `demo`, and `guarded` with an access manager.
pub(crate) struct Setup {
    pub(crate) settings: PubNubSettings,
    pub(crate) node: NodeSettings,
    pub(crate) rule: Rule,
    pub(crate) store: Arc<dyn Store>,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            settings: PubNubSettings::default(),
            node: NodeSettings::default(),
            rule: Rule::default(),
            store: Arc::new(MemoryStore::new(&StoreSettings::default()).unwrap()),
        }
    }
}

/// The secret key of `guarded`.
pub(crate) const SECRET: &str = "sec-of-guarded-keyset";

impl Setup {
    pub(crate) fn new(change: impl FnOnce(&mut PubNubSettings)) -> Setup {
        let mut setup = Setup::default();
        change(&mut setup.settings);
        setup
    }

    pub(crate) fn start(self) -> Running {
        let Setup { settings, node: node_settings, rule, store } = self;
        let access = Access::load(
            serde_json::from_value(json!([
                { "name": "demo", "publish_key": "demo", "subscribe_key": "demo" },
                {
                    "name": "guarded", "publish_key": "pub-guarded", "subscribe_key": "sub-guarded",
                    "secret_key": SECRET, "access_manager": true,
                },
                {
                    "name": "other", "publish_key": "pub-other", "subscribe_key": "sub-other",
                    "secret_key": "sec-of-other-keyset", "access_manager": true,
                },
            ]))
            .unwrap(),
        )
        .unwrap();
        let pubnub = PubNub::new(settings, HostPolicy::Any).unwrap();
        let restored = pubnub.clone();
        let node = |inputs: NodeInputs| {
            let org = |name: &str| OrgParts { id: OrgId::new(name), rules: Rules::new([rule.clone()]) };
            let parts = NodeParts {
                settings: node_settings,
                access,
                store,
                orgs: ["demo", "guarded", "other"].map(org).into(),
                inboxes: Vec::new(),
                on_earlier: Box::new(|| {}),
            };
            let node = Node::new(inputs.into_parts(parts), SystemClock::start())?;
            restored.restore(&node)?;
            Ok(node)
        };
        let endpoint = move |worker: &Worker| {
            let endpoint = pubnub.endpoint(worker);
            let mounts = Mounts::new(endpoint.clone());
            PubNub::PREFIXES.iter().fold(mounts, |mounts, prefix| mounts.mount(*prefix, endpoint.clone()))
        };
        let settings = NetSettings { head_bytes_max: 128 << 10, ..NetSettings::default() };
        let parts =
            ServerParts { settings, listen: vec![Listen::plain("127.0.0.1:0".parse().unwrap())], workers: 2 };
        Running { server: Some(Server::start(parts, node, endpoint).unwrap()) }
    }
}

/// A server of the test's own.
pub(crate) struct Running {
    server: Option<Server>,
}

impl Running {
    pub(crate) fn start() -> Running {
        Setup::default().start()
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        self.server.as_ref().unwrap().node()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().addresses()[0]
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::to(self.address())
    }

    pub(crate) fn request(&self, method: &str, target: &str, body: &[u8]) -> Response {
        self.connect().request(method, target, &[], body)
    }

    /// The answer to a request that is answered 200.
    pub(crate) fn get(&self, target: &str) -> Value {
        let response = self.request("GET", target, b"");
        assert_eq!(response.status, 200, "{target}: {response:?}");
        response.json()
    }

    /// The status and answer of one that is not.
    pub(crate) fn refused(&self, target: &str) -> (u16, Value) {
        let response = self.request("GET", target, b"");
        assert_ne!(response.status, 200, "{target}: {response:?}");
        (response.status, response.json())
    }

    /// Publishes as `uuid`, and says at what timetoken. `more` is what the query has besides.
    pub(crate) fn publish(&self, channel: &str, uuid: &str, message: &Value, more: &str) -> String {
        let (channel, message) = (encoded(channel), encoded(&message.to_string()));
        let sent = self.get(&format!("/publish/demo/demo/0/{channel}/0/{message}?uuid={uuid}{more}"));
        assert_eq!((&sent[0], &sent[1]), (&json!(1), &json!("Sent")));
        sent[2].as_str().unwrap().to_owned()
    }

    /// Begins to subscribe as `uuid`, and says where.
    pub(crate) fn handshake(&self, channels: &str, uuid: &str, more: &str) -> String {
        let answer = self.get(&subscribe(channels, uuid, "0", more));
        assert_eq!(answer["m"], json!([]));
        assert_eq!(answer["t"]["r"], 1);
        answer["t"]["t"].as_str().unwrap().to_owned()
    }

    /// Subscribes from a timetoken on, and waits for the answer.
    pub(crate) fn poll(&self, channels: &str, uuid: &str, since: &str, more: &str) -> Polled {
        Polled::of(&self.get(&subscribe(channels, uuid, since, more)))
    }

    /// The same, without waiting.
    pub(crate) fn begin_poll(&self, channels: &str, uuid: &str, since: &str, more: &str) -> Connection {
        let mut connection = self.connect();
        connection.send("GET", &subscribe(channels, uuid, since, more), &[], b"");
        connection
    }

    /// Waits until so many polls wait.
    pub(crate) fn until_waiting(&self, polls: i64) {
        let protocol = antiphon_node::metrics::Protocol { protocol: "pubnub" };
        let sessions = self.node().metrics().sessions.get_or_create(&protocol).clone();
        until("polls wait", || sessions.get() == polls);
    }

    pub(crate) fn stop(mut self) {
        let close = Close { code: 1012, reason: "restarting".into(), reconnect: true };
        assert!(self.server.take().unwrap().stop(&close, PATIENCE));
    }
}

/// The answer to a subscribe.
#[derive(Debug)]
pub(crate) struct Polled {
    pub(crate) since: String,
    pub(crate) envelopes: Vec<Value>,
}

impl Polled {
    pub(crate) fn of(answer: &Value) -> Polled {
        let since = answer["t"]["t"].as_str().unwrap().to_owned();
        Polled { since, envelopes: answer["m"].as_array().unwrap().clone() }
    }

    pub(crate) fn payloads(&self) -> Vec<Value> {
        self.envelopes.iter().map(|envelope| envelope["d"].clone()).collect()
    }

    /// Actions and uuids of presence events.
    pub(crate) fn events(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.envelopes.iter().map(|one| (text(&one["d"]["action"]), text(&one["d"]["uuid"]))).collect()
    }
}

fn subscribe(channels: &str, uuid: &str, since: &str, more: &str) -> String {
    format!("/v2/subscribe/demo/{channels}/0?uuid={uuid}&tt={since}{more}")
}

/// A text as a segment of a path, or a value of a query.
pub(crate) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Waits for something that other threads bring about.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let late = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < late, "still waiting until {what}");
        std::thread::yield_now();
    }
}
