//! Engines on real workers, and raw requests.

#![allow(clippy::unwrap_used)]

mod admission;
mod app;
mod client;
mod compression;
mod cors;
mod elsewhere;
mod ending;
mod hostile;
mod jsonp;
mod polling;
mod publications;
mod revision_3;
mod upgrade;
mod websocket;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon_access::{Access, OrgSettings};
use antiphon_engineio::{Engine, EngineSettings, ServeSettings};
use antiphon_hub::{HubSettings, Rule, Rules};
use antiphon_model::OrgId;
use antiphon_net::{Close, Listen, NetSettings, NodeInputs, Server, ServerParts};
use antiphon_node::metrics::Protocol;
use antiphon_node::{Node, NodeParts, NodeSettings, OrgParts, SystemClock};
use antiphon_store::{MemoryStore, StoreSettings};

use crate::app::{Log, TestApp};
use crate::client::{Connection, Response};

/// What a test's server is made of.
struct Setup {
    workers: usize,
    net: NetSettings,
    engine: EngineSettings,
    serve: ServeSettings,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            workers: 1,
            net: NetSettings::default(),
            engine: EngineSettings::default(),
            serve: ServeSettings { path: "/engine.io".into(), ..ServeSettings::default() },
        }
    }
}

/// A server of the test's own.
struct Running {
    server: Option<Server>,
    log: Log,
}

impl Setup {
    fn start(self) -> Running {
        let Setup { workers, net, engine, serve } = self;
        let serve = ServeSettings { engine: Arc::new(engine), ..serve };
        let org = OrgSettings { name: "demo".into(), open: true, ..OrgSettings::default() };
        let access = Access::load(vec![org]).unwrap();
        let store = Arc::new(MemoryStore::new(&StoreSettings::default()).unwrap());
        let node = |inputs: NodeInputs| {
            let rule = Rule { persist: false, presence: false, ..Rule::default() };
            let parts = NodeParts {
                settings: NodeSettings { hub: HubSettings::default(), ..NodeSettings::default() },
                access,
                store,
                orgs: vec![OrgParts { id: OrgId::new("demo"), rules: Rules::new([rule]) }],
                inboxes: Vec::new(),
                on_earlier: Box::new(|| {}),
            };
            Node::new(inputs.into_parts(parts), SystemClock::start())
        };
        let log = Log::default();
        let app_log = log.clone();
        let parts = ServerParts {
            settings: net,
            listen: vec![Listen::plain("127.0.0.1:0".parse().unwrap())],
            workers,
        };
        let engine = move |worker: &antiphon_net::Worker| {
            let application = Rc::new(TestApp { log: app_log.clone() });
            Engine::new(Rc::new(serve.clone()), application, worker)
        };
        let server = Server::start(parts, node, engine).unwrap();
        Running { server: Some(server), log }
    }
}

impl Running {
    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    fn connect(&self) -> Connection {
        Connection::to(self.server().addresses()[0])
    }

    /// One request on a connection of its own.
    fn get(&self, query: &str) -> Response {
        self.connect().get(query)
    }

    fn post(&self, query: &str, body: &str) -> Response {
        self.connect().post(query, body)
    }

    /// Begins a session by polling; gives the query that names it.
    fn open(&self, revision: u8) -> String {
        self.open_by(&format!("EIO={revision}&transport=polling"))
    }

    /// The same with revision 3, for a client that takes nothing but text.
    fn open_for_text(&self) -> String {
        self.open_by("EIO=3&transport=polling&b64=1")
    }

    fn open_by(&self, query: &str) -> String {
        let answer = self.get(query);
        assert_eq!(answer.status, 200, "{answer:?}");
        format!("{query}&sid={}", answer.sid())
    }

    fn sessions(&self, protocol: &'static str) -> i64 {
        self.server().node().metrics().sessions.get_or_create(&Protocol { protocol }).get()
    }

    /// Waits until nothing is left of any client.
    fn until_empty(&self) {
        until("sessions end", || self.sessions("websocket") == 0 && self.sessions("polling") == 0);
        let metrics = self.server().node().metrics();
        until("outboxes are empty", || metrics.outbox_bytes.get() == 0);
        until("the org's count is back", || self.server().node().org(&OrgId::new("demo")).sessions() == 0);
    }

    fn stop(&mut self) -> bool {
        let close = Close { code: 1012, reason: "restarting".into(), reconnect: true };
        self.server.take().unwrap().stop(&close, PATIENCE)
    }
}

const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for something that other threads bring about.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let late = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < late, "still waiting until {what}");
        std::thread::yield_now();
    }
}
