//! `kill -9` at random moments, while clients of all dialects publish and others listen.

use std::time::Duration;

use crate::cases::{Context, followers, heard_all, last_of, publish_last};
use crate::history::{histories, history};
use crate::ledger::Ledger;
use crate::load::{Load, Shape};
use crate::publisher::Dialect;
use crate::random::Random;
use crate::server::Server;
use crate::subscriber::Subscriber;

const FAULT: &str = "`kill -9` under load";
const CHANNELS: [&str; 4] = ["load-a", "load-b", "load-c", "load-d"];

/// Nothing is delivered before its commit, however slow the machine is: so what a listener has heard has to be kept.
/// The log is short, so that kills come while it is merged, too.
const CONFIG: &str = "[store]\nwal_bytes_max = 300000\n[timeouts]\ndeliver_uncommitted_after = \"1m\"\n[[rule]]\nhistory_size = 1000000\n";

pub(super) async fn run(context: Context) {
    let mut random = Random::new(context.seed, "kill");
    let mut server = Server::start(&context.shim, CONFIG).await;
    let ledger = Ledger::new();
    let mut listening = followers(&server.target(CHANNELS[0]));
    let shape = Shape {
        channels: &CHANNELS,
        publishers: 16,
        dialects: &Dialect::ALL,
        padding: 20,
        pause: Duration::ZERO,
    };
    let mut polling = Subscriber::start(&server.api(), CHANNELS[1]).await;
    for round in 0..context.rounds {
        let load = Load::start_on(&server.api(), shape, &format!("r{round}"), ledger.clone());
        // Several times within one load, so that those who send again until they are heard do it over a restart.
        for _ in 0..2 {
            ledger.more(40 + random.below(300) as usize).await;
            tokio::time::sleep(Duration::from_micros(random.below(20_000))).await;
            server.kill9_and_run().await;
        }
        ledger.more(20).await;
        load.stop().await;
        let kept = histories(&server.api(), &CHANNELS).await;
        ledger.check(&kept, |_| true, &format!("after round {round}"));
    }
    for dialect in Dialect::ALL {
        let said: Vec<_> = ledger.refusals(dialect).into_iter().collect();
        // PubNub's clients are let go with an answer when the server begins; nobody else is refused.
        assert!(said.iter().all(|one| one == "connection lost"), "{}: {said:?}", dialect.name());
    }
    let kept = history(&server.api(), CHANNELS[0]).await;
    publish_last(&server.api(), CHANNELS[0]).await;
    heard_all(&server.api(), CHANNELS[0], &mut listening, &kept).await;
    let kept_there: Vec<_> =
        history(&server.api(), CHANNELS[1]).await.into_iter().map(|one| one.position).collect();
    publish_last(&server.api(), CHANNELS[1]).await;
    assert_eq!(polling.until(&last_of(CHANNELS[1])).await, kept_there, "what a PubNub listener heard");
    let connections: Vec<_> = listening.iter().map(|one| one.transcript().connections).collect();
    context.measured(&format!(
        "{} kills, {} acknowledged, {} kept on {} alone, listeners connected {connections:?} times",
        context.rounds * 2,
        ledger.taken(),
        kept.len(),
        CHANNELS[0]
    ));
    let seen = |who, what| context.seen.row(FAULT, who, what);
    seen(
        "publishers of all dialects",
        "the connection breaks off; what was acknowledged is in the history after the restart: once, in order, at the position that was told",
    );
    seen(
        "publishers that repeat with the same idempotency key (native, Socket.IO)",
        "an acknowledgement after the restart; the message is there once, whether or not the first attempt was stored",
    );
    seen(
        "publishers without one (PubNub, EXP)",
        "no answer to the last message: it is there once, or not at all",
    );
    seen(
        "listeners that come back with their position (native, PubNub)",
        "each message once, in order, no gap, and none that is not in the history",
    );
}
