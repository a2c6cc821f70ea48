//! The server core behind real sockets: a client that is a WebSocket and the packets that a test writes on it.

#![allow(clippy::unwrap_used)]

mod acks;
mod admin;
mod broadcasts;
mod builtin;
mod client;
mod connecting;
mod disconnecting;
mod events;
mod hostile;
mod msgpack;
mod old_clients;
mod recovery;
mod rooms;
mod upgrading;

use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use antiphon_access::{Access, LimitSettings, OrgSettings};
use antiphon_hub::{Rule, Rules};
use antiphon_model::OrgId;
use antiphon_net::{Close, Listen, NetSettings, NodeInputs, Server, ServerParts};
use antiphon_node::{Node, NodeParts, NodeSettings, OrgParts, SystemClock};
use antiphon_socketio::{Event, HandlerResult, Io, Outcome, SocketIoSettings};
use antiphon_store::{MemoryStore, Store, StoreSettings};

use crate::client::Client;

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a test's server is made of.
struct Setup {
    settings: SocketIoSettings,
    net: NetSettings,
    workers: usize,
    orgs: &'static [&'static str],
    rule: Rule,
    store: Arc<dyn Store>,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            settings: SocketIoSettings::default(),
            net: NetSettings::default(),
            workers: 2,
            orgs: &["demo"],
            rule: Rule { persist: false, ..Rule::default() },
            store: Arc::new(MemoryStore::new(&StoreSettings::default()).unwrap()),
        }
    }
}

impl Setup {
    fn new(change: impl FnOnce(&mut SocketIoSettings)) -> Setup {
        let mut setup = Setup::default();
        change(&mut setup.settings);
        setup
    }

    fn start(self) -> Running {
        let Setup { settings, net, workers, orgs, rule, store } = self;
        let limits = LimitSettings::default();
        let org = |name: &&str| OrgSettings {
            name: (*name).into(),
            open: *name == "demo",
            limits: limits.clone(),
            ..OrgSettings::default()
        };
        let access = Access::load(orgs.iter().map(org).collect()).unwrap();
        let io = Io::new(settings);
        let mut installed = None;
        let node = |inputs: NodeInputs| {
            installed = Some(inputs.workers.clone());
            let parts = NodeParts {
                settings: NodeSettings::default(),
                access,
                store,
                orgs: orgs
                    .iter()
                    .map(|org| OrgParts { id: OrgId::new(org), rules: Rules::new([rule.clone()]) })
                    .collect(),
                inboxes: Vec::new(),
                on_earlier: Box::new(|| {}),
            };
            let node = Node::new(inputs.into_parts(parts), SystemClock::start())?;
            io.install(Arc::clone(&node), installed.take().unwrap());
            Ok(node)
        };
        let parts = ServerParts {
            settings: net,
            listen: vec![Listen::plain("127.0.0.1:0".parse().unwrap())],
            workers,
        };
        let served = io.clone();
        let server = Server::start(parts, node, move |worker| served.endpoint(worker)).unwrap();
        Running { server: Some(server), io }
    }
}

/// A server of the test's own.
struct Running {
    server: Option<Server>,
    io: Io,
}

impl Running {
    /// A client of protocol version 5 that is in no namespace yet.
    fn client(&self) -> Client {
        self.client_at("/socket.io/?EIO=4&transport=websocket")
    }

    fn client_at(&self, target: &str) -> Client {
        Client::open(self.address(), target)
    }

    fn address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().addresses()[0]
    }

    /// A client that is in `/`, and the id of its socket.
    fn connected(&self) -> (Client, String) {
        let mut client = self.client();
        client.send("40");
        let id = client.next_connected("40");
        (client, id)
    }

    fn stop(mut self) {
        let close = Close { code: 1012, reason: "restarting".into(), reconnect: true };
        assert!(self.server.take().unwrap().stop(&close, PATIENCE));
    }
}

/// What handlers tell the test.
#[derive(Clone)]
struct Notes(Arc<Mutex<Sender<String>>>);

impl Notes {
    fn new() -> (Notes, Told) {
        let (sender, receiver) = mpsc::channel();
        (Notes(Arc::new(Mutex::new(sender))), Told(receiver))
    }

    fn say(&self, note: impl Into<String>) {
        // A test that is over hears nothing.
        let _ = self.0.lock().unwrap().send(note.into());
    }
}

/// What handlers told.
struct Told(Receiver<String>);

impl Told {
    fn next(&self) -> String {
        self.0.recv_timeout(PATIENCE).expect("a handler says something")
    }

    fn nothing_more(&self) {
        assert_eq!(self.0.try_recv().ok(), None);
    }
}

/// Answers an event with its own arguments.
fn echo(event: Event) -> Outcome<HandlerResult> {
    if let Some(ack) = event.ack {
        ack.send(&event.arguments).unwrap();
    }
    Outcome::Ready(Ok(()))
}

fn done() -> Outcome<HandlerResult> {
    Outcome::Ready(Ok(()))
}

/// Waits for something that other threads bring about.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let late = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < late, "still waiting until {what}");
        std::thread::yield_now();
    }
}
