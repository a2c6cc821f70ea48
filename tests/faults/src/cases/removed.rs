//! Somebody removes the data directory below the running server.

use std::time::Duration;

use antiphon_tests::{Follower, Technique};

use crate::cases::{Context, refusals, settled};
use crate::load::{Load, Shape};
use crate::probe::Probe;
use crate::publisher::Dialect;
use crate::server::Server;

const FAULT: &str = "data directory, or the database in it, removed under way";
/// Those that say whether a message is stored.
const STORING: [Dialect; 4] = [Dialect::Native, Dialect::V1, Dialect::SocketIo, Dialect::PubNub];

pub(super) async fn run(context: Context) {
    let mut server = Server::start(&context.shim, "").await;
    let api = server.api();
    let mut probe = Probe::connect(&api, "unstored").await;
    let shape = Shape {
        channels: &["removed"],
        publishers: 4,
        dialects: &STORING,
        padding: 100,
        pause: Duration::from_millis(2),
    };
    let load = Load::start(&api, shape, "removed");
    let ledger = load.ledger.clone();
    let mut listener = Follower::start(Technique::V1, &server.target("removed"), 0);
    ledger.more(50).await;
    std::fs::remove_dir_all(server.data_dir()).expect("it can be removed");
    let taken = settled(&ledger, &STORING).await;
    for (dialect, said) in refusals(&ledger, &STORING).await {
        let expected = if dialect == Dialect::PubNub { "503" } else { "503 unavailable" };
        assert_eq!(said, [expected], "{}", dialect.name());
    }
    assert_eq!(ledger.taken(), taken, "what nobody will find again was acknowledged");
    let heard = listener.transcript().messages.len();
    listener.until("what is not stored", |all| all.messages.len() > heard + 10).await;
    probe.slowest_of(10).await;
    assert!(server.log().contains("removed or replaced"), "the log does not say why");
    load.stop().await;
    server.kill9_and_run().await;
    ledger.forget_refusals();
    let load = Load::start(&server.api(), shape, "anew");
    load.ledger.more(10).await;
    load.stop().await;
    let seen = |who, what| context.seen.row(FAULT, who, what);
    seen(
        "publishers: native, Socket.IO, PubNub",
        "503 (`unavailable`) from then on: nothing is acknowledged that a restart would not find",
    );
    seen("listeners, and publishers of what is not stored", "no difference");
    seen(
        "the operator",
        "a line in the log that says so; what was removed is gone, and a restart begins with an empty database",
    );
}
