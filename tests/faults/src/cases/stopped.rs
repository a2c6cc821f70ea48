//! The process stands still for longer than its clients have to answer pings: a virtual machine that is moved, a debugger.

use std::time::Duration;

use antiphon_tests::{Follower, Technique, V1, within};
use futures_util::future::join_all;
use rustix::process::Signal;
use serde_json::json;
use tokio::sync::watch;

use crate::cases::{Context, assert_rising};
use crate::history::history;
use crate::load::{Load, Shape};
use crate::publisher::Dialect;
use crate::server::Server;
use crate::socketio::SocketIo;

const FAULT: &str = "the process stands still (`SIGSTOP`, `SIGCONT`)";
const CONFIG: &str = "[timeouts]\nping_interval = \"1s\"\nping_timeout = \"4s\"\n\
    deliver_uncommitted_after = \"1m\"\n\
    [socketio.engine]\nping_interval_ms = 1000\nping_timeout_ms = 4000\n[[rule]]\nhistory_size = 1000000\n";

/// Longer than the answer to a ping may take.
const STANDSTILL: Duration = Duration::from_secs(5);

/// How many clients of each of two kinds answer late: so many that a look at some of them would find them all gone.
const FAR_AWAY: usize = 50;

pub(super) async fn run(context: Context) {
    let server = Server::start(&context.shim, CONFIG).await;
    let api = server.api();
    let target = server.target("room");
    let listening = [Technique::V1, Technique::Sse, Technique::Ndjson, Technique::Raw]
        .map(|one| Follower::start(one, &target, 0));
    let dialects = [Dialect::V1, Dialect::SocketIo, Dialect::Native];
    let shape = Shape {
        channels: &["room"],
        publishers: 6,
        dialects: &dialects,
        padding: 20,
        pause: Duration::from_millis(5),
    };
    let load = Load::start(&api, shape, "stopped");
    let ledger = load.ledger.clone();
    ledger.more(100).await;
    // Their answers to pings come while the server stands still: they do not read before.
    let far_away = join_all((0..FAR_AWAY).map(async |_| V1::connect(&api, "").await)).await;
    let far_away_too = join_all(
        (0..FAR_AWAY)
            .map(async |at| SocketIo::connect(&api, &format!("far-{at}")).await.expect("it is taken")),
    )
    .await;
    // Each has been sent a ping by then, and none is overdue.
    tokio::time::sleep(Duration::from_millis(2300)).await;
    server.signal(Signal::STOP);
    let (resume, resumed) = watch::channel(false);
    let far_away = far_away.into_iter().map(|client| tokio::spawn(stay(client, resumed.clone())));
    let far_away_too = far_away_too.into_iter().map(|client| tokio::spawn(stay_too(client, resumed.clone())));
    let staying: Vec<_> = far_away.chain(far_away_too).collect();
    tokio::time::sleep(STANDSTILL).await;
    server.signal(Signal::CONT);
    ledger.more(100).await;
    // Whoever is to be cut off for the standstill is within this time.
    tokio::time::sleep(Duration::from_millis(4500)).await;
    resume.send_replace(true);
    for client in staying {
        within("a client that stayed", client).await.expect("it has not been cut off");
    }
    load.stop().await;
    for one in &listening {
        let transcript = one.transcript();
        assert_eq!(transcript.connections, 1, "{:?} was cut off: {:?}", one.technique, transcript.closings);
        assert_rising(&transcript, "a listener");
    }
    for dialect in dialects {
        let said = ledger.refusals(dialect);
        assert!(said.is_empty(), "{}: {said:?}", dialect.name());
    }
    ledger.check(&history(&api, "room").await, |_| true, "after the standstill");
    let what = "a pause; then everything goes on, on the same connection: nobody is cut off for a ping whose answer the server had not read";
    context.seen.row(FAULT, "clients that wait for it", what);
}

/// Reads, so that pings are answered, until it is told that the time is up; then it is there still.
async fn stay(mut client: V1, mut resumed: watch::Receiver<bool>) {
    tokio::select! {
        ended = client.try_next() => panic!("it heard {ended:?}"),
        _ = resumed.wait_for(|resumed| *resumed) => {}
    }
    client.try_ask(json!({"type": "ping"})).await.expect("it has not been cut off");
}

/// As [`stay`].
async fn stay_too(mut client: SocketIo, mut resumed: watch::Receiver<bool>) {
    tokio::select! {
        ended = client.idle() => panic!("it heard {ended:?}"),
        _ = resumed.wait_for(|resumed| *resumed) => {}
    }
    client.emit("history", &json!("quiet")).await.expect("it has not been cut off");
}
