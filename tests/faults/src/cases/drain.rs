//! SIGTERM while clients of all dialects publish and listen.

use std::time::Duration;

use antiphon_tests::{Follower, Technique};
use rustix::process::Signal;
use tokio::time::Instant;

use crate::cases::{Context, heard_all, publish_last};
use crate::history::history;
use crate::load::{Load, Shape};
use crate::publisher::Dialect;
use crate::server::Server;

const FAULT: &str = "`SIGTERM` under load";
const CONFIG: &str =
    "[timeouts]\ndrain = \"10s\"\ndeliver_uncommitted_after = \"1m\"\n[[rule]]\nhistory_size = 1000000\n";

pub(super) async fn run(context: Context) {
    let mut server = Server::start(&context.shim, CONFIG).await;
    let mut listening: Vec<_> = [Technique::V1, Technique::Sse, Technique::Ndjson, Technique::LongPolling]
        .map(|one| Follower::start(one, &server.target("room"), 0))
        .into();
    let shape = Shape {
        channels: &["room"],
        publishers: 15,
        dialects: &Dialect::ALL,
        padding: 20,
        pause: Duration::ZERO,
    };
    let load = Load::start(&server.api(), shape, "drain");
    let ledger = load.ledger.clone();
    ledger.more(300).await;
    let started = Instant::now();
    server.signal(Signal::TERM);
    let status = server.wait().await;
    let took = started.elapsed();
    assert!(status.success(), "it ended with {status}");
    assert!(!server.log().contains("cut off"), "somebody was cut off");
    server.run().await;
    ledger.more(100).await;
    load.stop().await;
    let allowed = ["connection lost", "503 closing", "503"];
    for dialect in Dialect::ALL {
        let said = ledger.refusals(dialect);
        assert!(said.iter().all(|one| allowed.contains(&one.as_str())), "{}: {said:?}", dialect.name());
    }
    let kept = history(&server.api(), "room").await;
    ledger.check(&kept, |_| true, "after the restart");
    publish_last(&server.api(), "room").await;
    heard_all(&server.api(), "room", &mut listening, &kept).await;
    for one in &listening {
        let transcript = one.transcript();
        if one.technique != Technique::LongPolling {
            assert_eq!(transcript.closings.len(), 1, "{:?}: {:?}", one.technique, transcript.closings);
        }
    }
    context.measured(&format!("ended after {took:?}, {} acknowledged", ledger.taken()));
    let seen = |who, what| context.seen.row(FAULT, who, what);
    seen(
        "publishers",
        "503 `closing`, or a connection that ends; what was acknowledged is kept once, in order",
    );
    seen(
        "listeners",
        "that the server restarts (1012, `antiphon.close`, `close`); with their position they miss nothing",
    );
    seen("the operator", "exit status 0");
}
