//! Workers and real sockets, with a small dialect of their own. All of it is run twice: plain, and over TLS.

#![allow(clippy::unwrap_used)]

mod arrivals;
mod attach;
mod callers;
mod client;
mod closing;
mod dialect;
mod draining;
mod except;
mod fanout;
mod http;
mod limits;
mod messages;
mod order;
mod proxied;
mod recovery;
mod script;
mod slow;
mod streams;
mod take_over;
mod tls;
mod volatile;
mod wildcards;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use antiphon_access::{Access, Caller, LimitSettings, OrgSettings};
use antiphon_hub::{HubSettings, Rule, Rules};
use antiphon_model::{Draft, OrgId, Payload};
use antiphon_net::{ClientAddress, Close, Listen, Mounts, NetSettings, NodeInputs, Server, ServerParts};
use antiphon_node::metrics::{Protocol, Reason};
use antiphon_node::{Node, NodeParts, NodeSettings, OrgParts, SystemClock};
use antiphon_store::{MemoryStore, Store, StoreSettings};

use crate::client::Socket;
use crate::dialect::{Dialect, Gate, channel};
use crate::script::{Script, Scripted};

/// Whether sockets are encrypted where a test does not say: `tests/net_over_tls` is a link to this directory.
const OVER_TLS: bool = matches!(env!("CARGO_CRATE_NAME").as_bytes(), b"net_over_tls");

/// What a test's server is made of.
struct Setup {
    workers: usize,
    /// With TLS.
    tls: Option<Arc<rustls::ServerConfig>>,
    net: NetSettings,
    hub: HubSettings,
    limits: LimitSettings,
    rule: Rule,
    store: Arc<dyn Store>,
    /// What is spoken below `/x`.
    script: Script,
}

impl Default for Setup {
    fn default() -> Setup {
        let mut setup = Setup {
            workers: 3,
            tls: OVER_TLS.then(tls::server),
            net: NetSettings::default(),
            hub: HubSettings::default(),
            limits: LimitSettings::default(),
            rule: Rule { persist: false, presence: false, ..Rule::default() },
            store: Arc::new(MemoryStore::new(&StoreSettings::default()).unwrap()),
            script: Script::default(),
        };
        setup.limits.payload_bytes_max = 32 << 20;
        setup.net.message_bytes_max = 32 << 20;
        setup
    }
}

/// A server of the test's own.
struct Running {
    server: Option<Server>,
    gate: Gate,
    script: Script,
}

impl Setup {
    fn start(self) -> Running {
        let Setup { workers, tls, net, hub, limits, rule, store, script } = self;
        let org = OrgSettings { name: "demo".into(), open: true, limits, ..OrgSettings::default() };
        let access = Access::load(vec![org]).unwrap();
        let node = |inputs: NodeInputs| {
            let parts = NodeParts {
                settings: NodeSettings { hub, ..NodeSettings::default() },
                access,
                store,
                orgs: vec![OrgParts { id: OrgId::new("demo"), rules: Rules::new([rule]) }],
                inboxes: Vec::new(),
                on_earlier: Box::new(|| {}),
            };
            Node::new(inputs.into_parts(parts), SystemClock::start())
        };
        let gate = Gate::default();
        let gates = gate.clone();
        let parts = ServerParts {
            settings: net,
            listen: vec![Listen { tls, ..Listen::plain("127.0.0.1:0".parse().unwrap()) }],
            workers,
        };
        let scripted = script.clone();
        let endpoint = move |_: &antiphon_net::Worker| {
            Mounts::new(Dialect::new(gates.clone())).mount("/x/", Scripted::new(scripted.clone()))
        };
        let server = Server::start(parts, node, endpoint).unwrap();
        Running { server: Some(server), gate, script }
    }
}

impl Running {
    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    fn node(&self) -> &Arc<Node> {
        self.server().node()
    }

    fn socket(&self) -> Socket {
        Socket::connect(self.server().addresses()[0])
    }

    /// Who publishes for the server itself.
    fn caller(&self) -> Arc<Caller> {
        Arc::new(Caller::server(OrgId::new("demo"), Arc::default()))
    }

    /// Publishes on this thread.
    fn publish(&self, name: &str, text: impl Into<bytes::Bytes>) {
        self.publish_draft(Draft::new(channel(name), Payload::Binary(text.into())));
    }

    fn publish_draft(&self, draft: Draft) {
        self.node().publish(&self.caller(), draft, || Box::new(|_| {})).unwrap();
    }

    /// A WebSocket of the script's, and where its session is.
    fn scripted(&self, target: &str) -> (Socket, ClientAddress) {
        let mut socket = self.open(target);
        let hello = socket.next_text();
        let number: u64 = hello.strip_prefix("hello ").unwrap().parse().unwrap();
        let clients = self.script.clients.lock().unwrap();
        (socket, *clients.iter().find(|address| address.session().0 == number).unwrap())
    }

    /// A WebSocket on `target`.
    fn open(&self, target: &str) -> Socket {
        self.socket().upgraded(target)
    }

    fn connections(&self) -> i64 {
        self.node().metrics().connections.get()
    }

    fn sessions(&self, protocol: &'static str) -> i64 {
        self.node().metrics().sessions.get_or_create(&Protocol { protocol }).get()
    }

    fn drops(&self, reason: &'static str) -> u64 {
        self.node().metrics().drops.get_or_create(&Reason { reason }).get()
    }

    /// Waits until nothing is left of any client.
    fn until_empty(&self) {
        let metrics = self.node().metrics();
        until("connections end", || self.connections() == 0);
        until("sessions end", || self.sessions("websocket") == 0 && self.sessions("lines") == 0);
        until("outboxes are empty", || metrics.outbox_bytes.get() == 0);
        until("the org's count is back", || self.node().org(&OrgId::new("demo")).sessions() == 0);
    }

    /// Stops in good order; says whether all were through in time.
    fn stop(&mut self, deadline: Duration) -> bool {
        let close = Close { code: 1012, reason: "restarting".into(), reconnect: true };
        self.server.take().unwrap().stop(&close, deadline)
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

/// Ends another thread's work when this one is done with its own, or fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
