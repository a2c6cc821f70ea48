//! The wall clock steps back and forward under load.

use std::time::Duration;

use antiphon_tests::{Follower, Technique, position};
use serde_json::json;

use crate::cases::{Context, assert_rising, followers, heard_all, publish_last};
use crate::history::{histories, history};
use crate::ledger::Ledger;
use crate::load::{Load, Shape};
use crate::probe::Probe;
use crate::publisher::Dialect;
use crate::random::Random;
use crate::server::Server;
use crate::shim::Count;

const FAULT: &str = "the wall clock steps back an hour, or forward a day";
const CHANNELS: [&str; 2] = ["clock-a", "clock-b"];
/// Short, so that a timer that went by the wall clock would be noticed.
const CONFIG: &str = "[timeouts]\nping_interval = \"1s\"\nping_timeout = \"2s\"\nhandshake = \"5s\"\n\
    deliver_uncommitted_after = \"1m\"\n\
    [socketio.engine]\nping_interval_ms = 1000\nping_timeout_ms = 2000\n[[rule]]\nhistory_size = 1000000\n";
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

pub(super) async fn run(context: Context) {
    let mut random = Random::new(context.seed, "clock");
    let mut server = Server::start(&context.shim, CONFIG).await;
    let api = server.api();
    let ledger = Ledger::new();
    let mut listening = followers(&server.target(CHANNELS[0]));
    let mut raw = Follower::start(Technique::Raw, &server.target(CHANNELS[1]), 0);
    let mut probe = Probe::connect(&api, "unstored").await;
    let shape = Shape {
        channels: &CHANNELS,
        publishers: 10,
        dialects: &Dialect::ALL,
        padding: 20,
        pause: Duration::from_millis(5),
    };
    let load = Load::start_on(&api, shape, "clock", ledger.clone());
    let read = server.control.count(Count::ClocksRead);
    let mut steps = vec![-HOUR, DAY, 0];
    steps.extend((0..context.rounds).map(|_| random.below(2 * DAY as u64) as i64 - DAY));
    steps.push(0);
    for step in &steps {
        server.control.step_clock(*step);
        ledger.more(100).await;
        probe.slowest_of(20).await;
    }
    assert!(server.control.count(Count::ClocksRead) > read, "the server does not read this clock");
    // Longer than it takes to be cut off for not answering a ping.
    let heard = raw.transcript().messages.len();
    raw.until("more messages", |all| all.messages.len() > heard + 50).await;
    load.stop().await;
    for dialect in Dialect::ALL {
        let said = ledger.refusals(dialect);
        assert!(said.is_empty(), "{}: {said:?}", dialect.name());
    }
    let kept = histories(&api, &CHANNELS).await;
    ledger.check(&kept, |_| true, "after the clock stepped");
    let kept = history(&api, CHANNELS[0]).await;
    publish_last(&api, CHANNELS[0]).await;
    heard_all(&api, CHANNELS[0], &mut listening, &kept).await;
    let is_stream = |one: &&Follower| !matches!(one.technique, Technique::Polling | Technique::LongPolling);
    for one in listening.iter().filter(is_stream).chain([&raw]) {
        let transcript = one.transcript();
        assert_rising(&transcript, "a listener");
        assert_eq!(transcript.connections, 1, "{:?} was cut off: {:?}", one.technique, transcript.closings);
    }
    drop((listening, raw, probe));
    behind_after_a_restart(&context, &mut server).await;
    context.measured(&format!("{} steps, {} acknowledged", steps.len(), ledger.taken()));
    let seen = |who, what| context.seen.row(FAULT, who, what);
    seen(
        "publishers and listeners of all dialects",
        "no difference: positions go on rising and none is given twice, nothing is lost or doubled, no connection ends",
    );
    seen(
        "whoever reads positions as times",
        "that they stand still while the clock is behind, and stay ahead after a step forward that is taken back, until it has caught up",
    );
}

/// The clock is behind what was there when the server last ran.
async fn behind_after_a_restart(context: &Context, server: &mut Server) {
    let path = "/v1/channels/restart";
    server.control.step_clock(HOUR);
    let before = server.api().post(path).json(&json!(1)).send().await.expect(201).json();
    let unstored = server.api().post(&format!("{path}?store=false")).json(&json!(2)).send().await.expect(201);
    let before = position(&before["position"]).max(position(&unstored.json()["position"]));
    server.kill9().await;
    server.control.step_clock(-HOUR);
    server.run().await;
    let after = server.api().post(path).json(&json!(3)).send().await.expect(201).json();
    assert!(position(&after["position"]) > before, "{after} was given after {before}");
    server.control.step_clock(0);
    let what = "positions above all that were given before";
    context.seen.row("the clock is behind after a restart", "publishers and listeners", what);
}
