//! A disk that takes its time for `fsync` and for writes.

use std::time::Duration;

use antiphon_tests::{Lost, V1};
use serde_json::json;
use tokio::time::Instant;

use crate::cases::Context;
use crate::history::histories;
use crate::load::{Load, Shape};
use crate::probe::Probe;
use crate::publisher::Dialect;
use crate::server::Server;
use crate::shim::{Count, Rule};

const FAULT: &str = "a slow disk (200 ms, 2 s for each `fsync`, 50 ms for each write)";
const CHANNELS: [&str; 2] = ["slow-a", "slow-b"];
/// How many entries may wait for the store.
const QUEUE: usize = 500;
/// What listeners may wait for: `deliver_uncommitted_after`, and what a busy machine adds to it; less than the fastest of these disks.
const DELIVERED: Duration = Duration::from_millis(190);
/// What memory may grow by while the disk does not keep up: the queue is far less.
const GROWTH: u64 = 64 << 20;

pub(super) async fn run(context: Context) {
    let config = format!(
        "[store]\ndurability = \"power\"\nqueue_entries_max = {QUEUE}\n[[rule]]\nhistory_size = 1000000\n"
    );
    let mut server = Server::start(&context.shim, &config).await;
    let api = server.api();
    let mut probe = Probe::connect(&api, "unstored").await;
    let mut listener = V1::connect(&api, "identity=listener").await;
    listener.subscribe(json!("heard")).await;
    let dialects = [Dialect::Native, Dialect::V1, Dialect::SocketIo, Dialect::PubNub];
    let shape = Shape {
        channels: &CHANNELS,
        publishers: 8,
        dialects: &dialects,
        padding: 100,
        pause: Duration::ZERO,
    };
    let load = Load::start(&api, shape, "slow");
    let ledger = load.ledger.clone();
    ledger.more(50).await;
    let delays = [
        (Rule::SyncDelayMicros, 200_000, 10),
        (Rule::SyncDelayMicros, 2_000_000, 6),
        (Rule::WriteDelayMicros, 50_000, 6),
    ];
    for (rule, micros, times) in delays {
        server.control.set(rule, micros);
        ledger.more(8).await;
        ledger.slowest();
        let mut heard = Vec::new();
        let mut publisher = V1::connect(&api, "identity=publisher").await;
        for number in 0..times {
            let publish = json!({"type": "publish", "channel": "heard", "payload": number});
            let started = Instant::now();
            publisher.send(publish).await.expect("it is connected");
            assert_eq!(listener.next().await["payload"], number);
            heard.push(started.elapsed());
        }
        heard.sort();
        let (median, most) = (heard[heard.len() / 2], heard[heard.len() - 1]);
        let unstored = probe.slowest_of(10).await;
        ledger.more(8).await;
        let acknowledged = ledger.slowest();
        context.measured(&format!(
            "{rule:?} {micros}: heard after {median:?} (at most {most:?}), unstored {unstored:?}, acknowledged after {acknowledged:?}"
        ));
        assert!(median <= DELIVERED, "{rule:?} {micros}: listeners waited {heard:?}");
        assert!(acknowledged >= Duration::from_micros(micros as u64), "acknowledged before the disk had it");
        server.control.set(rule, 0);
        ledger.more(50).await;
    }
    pressure(&context, &server).await;
    load.stop().await;
    assert!(server.control.count(Count::Syncs) > 0);
    server.kill9_and_run().await;
    ledger.check(&histories(&server.api(), &CHANNELS).await, |_| true, "after the disk was slow");
    let seen = |who, what| context.seen.row(FAULT, who, what);
    seen("publishers", "acknowledgements as late as the disk is, and never before it has the message");
    seen(
        "publishers that do not wait for them",
        "503 `unavailable` (the store is overloaded) as soon as `store.queue_entries_max` wait: delivered, not kept; memory does not grow",
    );
    seen("listeners", "messages after `timeouts.deliver_uncommitted_after` (50 ms) at the latest");
    seen(
        "publishers and listeners of what is not stored",
        "at most the same 50 ms behind what waits in their org",
    );
}

/// Clients that send without waiting for answers are refused before memory grows.
async fn pressure(context: &Context, server: &Server) {
    server.control.set(Rule::SyncDelayMicros, 2_000_000);
    let before = server.memory();
    let mut refused = 0;
    let mut tasks = Vec::new();
    for at in 0..4 {
        let api = server.api();
        tasks.push(tokio::spawn(async move {
            let mut client = V1::connect(&api, &format!("identity=pressing-{at}")).await;
            let payload = "x".repeat(10_000);
            for _ in 0..600 {
                let publish = json!({"type": "publish", "channel": "pressed", "payload": payload});
                client.send(publish).await?;
            }
            let mut refused = 0;
            for _ in 0..600 {
                let answer = client.try_next().await.map_err(|closed| Lost(format!("{closed:?}")))?;
                if answer["type"] == "error" {
                    let kind = answer["error"]["type"].as_str().unwrap_or_default();
                    assert_eq!(kind, "urn:antiphon:problem:unavailable", "{answer}");
                    assert!(answer.to_string().contains("overloaded"), "{answer}");
                    refused += 1;
                }
            }
            Ok::<_, Lost>(refused)
        }));
    }
    for task in tasks {
        let pressed = antiphon_tests::within("answers", task).await.expect("it does not panic");
        refused += pressed.expect("the connection stays");
    }
    let growth = server.memory().saturating_sub(before);
    server.control.set(Rule::SyncDelayMicros, 0);
    context.measured(&format!("{refused} of 2400 refused, memory grew by {} KiB", growth / 1024));
    assert!(refused > 0, "nobody was held back");
    assert!(growth < GROWTH, "memory grew by {growth}");
}
