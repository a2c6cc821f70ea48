//! The disk is full, and has space again.

use std::time::Duration;

use antiphon_tests::{Follower, Technique};
use serde_json::json;

use crate::cases::{Context, assert_rising, post, refusals};
use crate::history::histories;
use crate::load::{Load, Shape};
use crate::probe::Probe;
use crate::publisher::Dialect;
use crate::random::Random;
use crate::server::Server;
use crate::shim::Count;

const FAULT: &str = "disk full";
const CHANNELS: [&str; 2] = ["full-a", "full-b"];
/// A short log, so that the disk becomes full while it is merged, too.
const CONFIG: &str = "[store]\nwal_bytes_max = 300000\n[[rule]]\nhistory_size = 1000000\n";

/// What delivery of an unstored message may take on a busy machine while the disk is full.
const PROMPT: Duration = Duration::from_secs(1);

pub(super) async fn run(context: Context) {
    let mut random = Random::new(context.seed, "disk-full");
    let mut server = Server::start(&context.shim, CONFIG).await;
    let api = server.api();
    let mut probe = Probe::connect(&api, "unstored").await;
    let mut listeners =
        [Technique::V1, Technique::Sse].map(|one| Follower::start(one, &server.target(CHANNELS[0]), 0));
    let shape = Shape {
        channels: &CHANNELS,
        publishers: 10,
        dialects: &Dialect::ALL,
        padding: 300,
        pause: Duration::from_millis(2),
    };
    let load = Load::start(&api, shape, "full");
    let ledger = load.ledger.clone();
    let mut slowest = Duration::ZERO;
    for round in 0..context.rounds.max(2) {
        ledger.more(50).await;
        ledger.forget_refusals();
        // At first none at all, then some: the end comes in the middle of a write.
        let left = if round == 0 { 0 } else { random.below(300_000) };
        server.control.limit_disk(left as i64);
        let storing = [Dialect::Native, Dialect::V1, Dialect::SocketIo, Dialect::PubNub];
        for (dialect, said) in refusals(&ledger, &storing).await {
            let expected = if dialect == Dialect::PubNub { "503" } else { "507 storage-full" };
            assert_eq!(said, [expected], "{}", dialect.name());
        }
        assert!(server.control.count(Count::WritesFailed) > 0);
        let heard = listeners[0].transcript().messages.len();
        slowest = slowest.max(probe.slowest_of(20).await);
        for listener in &mut listeners {
            listener.until("what is not stored", |all| all.messages.len() > heard + 20).await;
        }
        api.get("/health/ready").send().await.expect(200);
        api.get(&format!("/v1/channels/{}?limit=5", CHANNELS[1])).send().await.expect(200);
        assert!(
            ledger.refusals(Dialect::Exp).is_empty(),
            "an EXP broadcast is answered whether or not it is kept"
        );
        server.control.unlimit_disk();
        ledger.more(50).await;
        assert_eq!(post(&api, CHANNELS[0], &json!("space again")).await.0, 201);
    }
    assert!(slowest < PROMPT, "an unstored message took {slowest:?}");
    load.stop().await;
    let complaints = server.log().matches("could not be stored").count();
    server.kill9_and_run().await;
    let kept = histories(&server.api(), &CHANNELS).await;
    // The answer to an EXP broadcast is about responses.
    ledger.check(&kept, |(publisher, _)| !publisher.ends_with("EXP"), "after the disk was full");
    for listener in &listeners {
        assert_rising(&listener.transcript(), "a listener");
    }
    context.measured(&format!(
        "{} acknowledged, the slowest unstored message took {slowest:?}, {} writes failed, {complaints} lines in the log",
        ledger.taken(),
        server.control.count(Count::WritesFailed),
    ));
    assert!(complaints < 200, "{complaints} lines say the same");
    let seen = |who, what| context.seen.row(FAULT, who, what);
    seen(
        "publishers: native, Socket.IO",
        "507 `storage-full`: delivered to who listens, not kept; 201 where the database's log can be written anew from its beginning",
    );
    seen("publishers: PubNub", "503: delivered to who listens, not kept");
    seen("publishers: EXP", "the answer as ever: it tells of responses, not of the store");
    seen("listeners", "everything, also what is not kept, on the same connection");
    seen("publishers and listeners of what is not stored", "no difference");
    seen("readers of the history", "what was acknowledged");
    seen(
        "everybody, once there is space",
        "that it goes on, without a restart; nothing acknowledged is lost, after `kill -9` neither",
    );
}
