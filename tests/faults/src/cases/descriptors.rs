//! The server can have no more file descriptors.

use std::time::Duration;

use antiphon_tests::{Follower, Technique, within};
use rustix::io::Errno;
use serde_json::json;
use tokio::time::timeout;

use crate::cases::{Context, assert_rising};
use crate::history::history;
use crate::load::{Load, Shape};
use crate::probe::Probe;
use crate::publisher::Dialect;
use crate::server::Server;
use crate::shim::{Count, Rule};

const FAULT: &str = "file descriptors exhausted";
const CONFIG: &str = "[[rule]]\nhistory_size = 1000000\n";
const ADVICE: &str = "raise the limit of open files";

/// For so long a server without descriptors is watched.
const WATCHED: Duration = Duration::from_secs(2);

pub(super) async fn run(context: Context) {
    let mut server = Server::start(&context.shim, CONFIG).await;
    let api = server.api();
    let mut probe = Probe::connect(&api, "unstored").await;
    let listener = Follower::start(Technique::V1, &server.target("room"), 0);
    // Sockets that stay, since nobody who comes anew is served.
    let dialects = [Dialect::V1, Dialect::SocketIo, Dialect::Native, Dialect::PubNub];
    let shape = Shape {
        channels: &["room"],
        publishers: 8,
        dialects: &dialects,
        padding: 20,
        pause: Duration::from_millis(5),
    };
    let load = Load::start(&api, shape, "descriptors");
    let ledger = load.ledger.clone();
    ledger.more(100).await;
    let enough = 4096;

    for real in [true, false] {
        match real {
            true => server.exhaust_descriptors(),
            false => server.control.set(Rule::AcceptErrno, i64::from(Errno::NFILE.raw_os_error())),
        }
        let mut waiting = tokio::spawn(api.get("/v1/channels/room?limit=1").send());
        let not_served = timeout(Duration::from_millis(700), &mut waiting).await;
        assert!(not_served.is_err(), "somebody was served without a descriptor");
        ledger.more(100).await;
        probe.slowest_of(20).await;
        match real {
            true => server.limit_descriptors(enough),
            false => server.control.set(Rule::AcceptErrno, 0),
        }
        within("whoever waited is served", waiting).await.expect("a task").expect(200);
    }
    assert!(server.control.count(Count::AcceptsFailed) > 0);
    load.stop().await;
    for dialect in dialects {
        let said = ledger.refusals(dialect);
        assert!(said.is_empty(), "{}: {said:?}", dialect.name());
    }
    watch_idle(&context, &server).await;
    server.limit_descriptors(enough);
    let kept = history(&server.api(), "room").await;
    ledger.check(&kept, |_| true, "without descriptors");
    assert_rising(&listener.transcript(), "the listener");
    assert_eq!(listener.transcript().connections, 1);
    drop((listener, probe));
    server.kill9_and_run().await;
    ledger.check(&history(&server.api(), "room").await, |_| true, "after a restart");
    let seen = |who, what| context.seen.row(FAULT, who, what);
    seen("who is connected", "no difference: publishing, listening, storing go on");
    seen(
        "who comes anew",
        "a connection that is not answered, and is as soon as there are descriptors; nobody is refused",
    );
    seen(
        "the operator",
        "once a second at most the line `raise the limit of open files`; no processor time is used up meanwhile",
    );
}

/// With nothing to do but to wait for descriptors, the server uses next to no time of the processors and says so seldom.
async fn watch_idle(context: &Context, server: &Server) {
    // Those of clients that have gone are closed a little later.
    let mut open = server.descriptors();
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        match std::mem::replace(&mut open, server.descriptors()) {
            before if before == open => break,
            _ => {}
        }
    }
    server.exhaust_descriptors();
    let waiting = tokio::spawn(server.api().post("/v1/channels/room").json(&json!("waits")).send());
    let (used, said) = (server.cpu(), server.log().matches(ADVICE).count());
    tokio::time::sleep(WATCHED).await;
    let (used, said) = (server.cpu() - used, server.log().matches(ADVICE).count() - said);
    context.measured(&format!("{used:?} of a processor and {said} lines in the log in {WATCHED:?}"));
    assert!(used < WATCHED / 10, "{used:?} of a processor in {WATCHED:?}");
    assert!((1..=3).contains(&said), "{said} lines in {WATCHED:?}");
    server.limit_descriptors(4096);
    within("whoever waited is served", waiting).await.expect("a task").expect(201);
}
