//! A server that speaks this dialect and nothing else, with the keyset `demo`/`demo` and the one that the arguments name.
//!
//! `cargo run --package antiphon-pubnub --example serve -- 127.0.0.1:8081 [publish-key subscribe-key secret-key]`

use std::net::SocketAddr;
use std::sync::Arc;

use antiphon_access::{Access, HostPolicy, OrgSettings, Secret};
use antiphon_hub::{Rule, Rules};
use antiphon_model::OrgId;
use antiphon_net::{Listen, Mounts, NetSettings, NodeInputs, Server, ServerParts, Worker};
use antiphon_node::{Node, NodeParts, NodeSettings, OrgParts, SystemClock};
use antiphon_pubnub::{PubNub, PubNubSettings};
use antiphon_store::{MemoryStore, StoreSettings};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen: SocketAddr = arguments.next().unwrap_or_else(|| "127.0.0.1:8081".into()).parse()?;
    let mut orgs = vec![OrgSettings {
        name: "demo".into(),
        publish_key: Some("demo".into()),
        subscribe_key: Some("demo".into()),
        ..OrgSettings::default()
    }];
    if let (Some(publish), Some(subscribe), Some(secret)) =
        (arguments.next(), arguments.next(), arguments.next())
    {
        orgs.push(OrgSettings {
            name: "guarded".into(),
            publish_key: Some(publish),
            subscribe_key: Some(subscribe),
            secret_key: Some(Secret::new(&secret)),
            access_manager: true,
            ..OrgSettings::default()
        });
    }
    let parts = orgs.iter().map(|org| OrgParts {
        id: OrgId::new(&org.name),
        rules: Rules::new([Rule { history_size: 100_000, ..Rule::default() }]),
    });
    let (parts, access) = (parts.collect(), Access::load(orgs)?);
    let store = Arc::new(MemoryStore::new(&StoreSettings::default())?);
    let files = tempfile::tempdir()?;
    let settings = PubNubSettings { files_dir: Some(files.path().to_owned()), ..PubNubSettings::default() };
    let pubnub = PubNub::new(settings, HostPolicy::Any)?;
    let restored = pubnub.clone();
    let node = |inputs: NodeInputs| {
        let parts = NodeParts {
            settings: NodeSettings::default(),
            access,
            store,
            orgs: parts,
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
    let net = NetSettings { head_bytes_max: 128 << 10, ..NetSettings::default() };
    let server = Server::start(
        ServerParts { settings: net, listen: vec![Listen::plain(listen)], workers: 1 },
        node,
        endpoint,
    )?;
    println!("listening on http://{}", server.addresses()[0]);
    loop {
        std::thread::park();
    }
}
