//! temporary
#![allow(missing_docs, clippy::unwrap_used)]
use antiphon_access::*;
use antiphon_http::*;
use antiphon_model::*;
use antiphon_net::*;
use antiphon_node::*;
use antiphon_store::*;
use std::rc::Rc;
use std::sync::Arc;
fn main() {
    let port: u16 = std::env::args().nth(1).unwrap().parse().unwrap();
    let wait: u64 = std::env::args().nth(2).map_or(60, |w| w.parse().unwrap());
    let demo = OrgSettings {
        name: "demo".into(),
        open: true,
        allowed_origins: vec!["https://app.example.com".into()],
        ..Default::default()
    };
    let acme = OrgSettings {
        name: "acme".into(),
        keys: vec![KeySettings {
            key: Some(Secret::new("key-of-acme")),
            allow: vec![Permission::Subscribe],
            channels: vec![ChannelPattern::new("room*")],
            ..Default::default()
        }],
        ..Default::default()
    };
    let access = Access::load(vec![demo, acme]).unwrap();
    let store = Arc::new(MemoryStore::new(&StoreSettings::default()).unwrap());
    let orgs = ["demo", "acme"].map(|o| OrgParts { id: OrgId::new(o), rules: Default::default() }).to_vec();
    let listen = vec![format!("127.0.0.1:{port}").parse().unwrap()];
    let server = Server::start(
        ServerParts { settings: NetSettings::default(), listen: listen.clone(), workers: 2 },
        move |inputs| {
            let parts = NodeParts {
                settings: NodeSettings::default(),
                access,
                store,
                orgs,
                inboxes: Vec::new(),
                on_earlier: Box::new(|| {}),
            };
            Node::new(inputs.into_parts(parts), SystemClock::start())
        },
        move |_| {
            HttpDialect::new(
                HttpSettings {
                    long_poll_wait_secs_max: wait,
                    heartbeat_secs: 2.min(wait),
                    broadcast_timeout_ms_max: wait * 1000,
                    ..Default::default()
                },
                HttpParts {
                    hosts: HostPolicy::local(&listen),
                    assets: vec![
                        Asset { path: "/", content_type: "text/html; charset=utf-8", bytes: b"<p>hi" },
                        Asset { path: "/chat/", content_type: "text/html", bytes: b"chat" },
                    ],
                    extra: vec![(
                        "/health/live",
                        Rc::new(|_: &http::request::Parts| {
                            http::Response::new(bytes::Bytes::from_static(b"ok"))
                        }) as Handler,
                    )],
                },
            )
            .unwrap()
        },
    )
    .unwrap();
    println!("{:?}", server.addresses());
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    server.stop(
        &Close { code: 1012, reason: "the server restarts".into(), reconnect: true },
        std::time::Duration::from_secs(5),
    );
}
