//! The disk fails: EIO from writes, from `fsync`, from reads.

use std::time::Duration;

use antiphon_tests::{Follower, Technique, eventually};
use rustix::io::Errno;
use serde_json::json;

use crate::cases::{Context, assert_rising, post, refusals, settled};
use crate::history::histories;
use crate::load::{Load, Shape};
use crate::probe::Probe;
use crate::publisher::Dialect;
use crate::server::Server;
use crate::shim::{Count, Rule};

const CHANNELS: [&str; 2] = ["failing-a", "failing-b"];
/// Those that say whether a message is stored.
const STORING: [Dialect; 4] = [Dialect::Native, Dialect::V1, Dialect::SocketIo, Dialect::PubNub];
const CONFIG: &str = "[store]\ndurability = \"power\"\n[[rule]]\nhistory_size = 1000000\n";

pub(super) async fn run(context: Context) {
    let mut server = Server::start(&context.shim, CONFIG).await;
    let api = server.api();
    let mut probe = Probe::connect(&api, "unstored").await;
    let mut listener = Follower::start(Technique::Ndjson, &server.target(CHANNELS[0]), 0);
    let shape = Shape {
        channels: &CHANNELS,
        publishers: 8,
        dialects: &STORING,
        padding: 100,
        pause: Duration::from_millis(2),
    };
    let load = Load::start(&api, shape, "failing");
    let ledger = load.ledger.clone();
    let faults = [
        (Rule::WriteErrno, Count::WritesFailed, "writes fail (EIO)"),
        (Rule::SyncErrno, Count::SyncsFailed, "`fsync` fails with `durability = \"power\"`"),
    ];
    for (rule, count, fault) in faults {
        ledger.more(50).await;
        let failed = server.control.count(count);
        server.control.set(rule, i64::from(Errno::IO.raw_os_error()));
        let taken = settled(&ledger, &STORING).await;
        let heard = listener.transcript().messages.len();
        for (dialect, said) in refusals(&ledger, &STORING).await {
            let expected = if dialect == Dialect::PubNub { "503" } else { "503 unavailable" };
            assert_eq!(said, [expected], "{fault}: {}", dialect.name());
        }
        assert_eq!(ledger.taken(), taken, "{fault}: what could not be written was acknowledged");
        assert!(server.control.count(count) > failed, "{fault}: it did not");
        listener.until("what is not stored", |all| all.messages.len() > heard + 5).await;
        probe.slowest_of(10).await;
        server.control.set(rule, 0);
        ledger.more(50).await;
        let seen = |who, what| context.seen.row(fault, who, what);
        seen(
            "publishers: native, Socket.IO, PubNub",
            "503 (`unavailable`): delivered to who listens, not kept; nothing is acknowledged",
        );
        seen("listeners, and publishers of what is not stored", "no difference");
        seen("everybody, once the disk works", "that it goes on, without a restart");
    }
    load.stop().await;
    reads_fail(&context, &server, &mut probe).await;
    server.kill9_and_run().await;
    ledger.check(&histories(&server.api(), &CHANNELS).await, |_| true, "after the disk failed");
    assert_rising(&listener.transcript(), "the listener");
    context.measured(&format!("{} acknowledged", ledger.taken()));
}

async fn reads_fail(context: &Context, server: &Server, probe: &mut Probe) {
    let api = server.api();
    // Readers have pages in memory; what nobody has looked at yet is on the disk.
    server.control.set(Rule::ReadErrno, i64::from(Errno::IO.raw_os_error()));
    let path = format!("/v1/channels/{}?since=0&limit=1000", CHANNELS[1]);
    let answer = api.get(&path).send().await;
    assert_eq!(
        (answer.status.as_u16(), server.control.count(Count::ReadsFailed) > 0),
        (503, true),
        "{}",
        answer.text()
    );
    assert_eq!(answer.json()["type"], "urn:antiphon:problem:unavailable");
    probe.slowest_of(10).await;
    server.control.set(Rule::ReadErrno, 0);
    eventually("the history can be read", async || (api.get(&path).send().await.status == 200).then_some(()))
        .await;
    assert_eq!(post(&api, "after", &json!("after")).await.0, 201);
    let seen = |who, what| context.seen.row("reads fail (EIO)", who, what);
    seen("readers of the history", "503 `unavailable`, until the disk can be read");
    seen("listeners, and publishers of what is not stored", "no difference");
}
