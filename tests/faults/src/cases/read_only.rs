//! The data directory cannot be written to: from the start, or from some moment on.

use std::time::Duration;

use antiphon_tests::{Follower, Technique};
use rustix::io::Errno;
use rustix::process::Signal;

use crate::cases::{Context, refusals};
use crate::history::histories;
use crate::load::{Load, Shape};
use crate::publisher::Dialect;
use crate::server::Server;
use crate::shim::{Count, Rule};

const AT_START: &str = "read-only data directory at the start";
const UNDER_WAY: &str = "read-only data directory under way";
const CONFIG: &str = "[[rule]]\nhistory_size = 1000000\n";

pub(super) async fn run(context: Context) {
    let read_only = i64::from(Errno::ROFS.raw_os_error());
    let mut server = Server::new(&context.shim, CONFIG);
    let refuse = |server: &Server| {
        server.control.set(Rule::OpenWriteErrno, read_only);
        server.control.set(Rule::WriteErrno, read_only);
    };
    let allow = |server: &Server| {
        server.control.set(Rule::OpenWriteErrno, 0);
        server.control.set(Rule::WriteErrno, 0);
    };
    refuse(&server);
    does_not_start(&mut server).await;
    allow(&server);
    server.run().await;
    server.signal(Signal::TERM);
    assert!(server.wait().await.success());
    // With a database that is there.
    refuse(&server);
    does_not_start(&mut server).await;
    context.seen.row(
        AT_START,
        "the operator",
        "exit status 1 and, with the directory's name, that it cannot be written to",
    );
    allow(&server);
    server.run().await;

    let storing = [Dialect::Native, Dialect::V1, Dialect::SocketIo, Dialect::PubNub];
    let shape = Shape {
        channels: &["read-only"],
        publishers: 4,
        dialects: &storing,
        padding: 100,
        pause: Duration::from_millis(2),
    };
    let load = Load::start(&server.api(), shape, "read-only");
    let ledger = load.ledger.clone();
    let mut listener = Follower::start(Technique::V1, &server.target("read-only"), 0);
    ledger.more(50).await;
    refuse(&server);
    for (dialect, said) in refusals(&ledger, &storing).await {
        let expected = if dialect == Dialect::PubNub { "503" } else { "503 unavailable" };
        assert_eq!(said, [expected], "{}", dialect.name());
    }
    assert!(server.control.count(Count::WritesFailed) > 0);
    let heard = listener.transcript().messages.len();
    listener.until("what is not stored", |all| all.messages.len() > heard + 10).await;
    assert_eq!(listener.transcript().connections, 1);
    allow(&server);
    ledger.more(50).await;
    load.stop().await;
    server.kill9_and_run().await;
    ledger.check(&histories(&server.api(), &["read-only"]).await, |_| true, "after it was read-only");
    let seen = |who, what| context.seen.row(UNDER_WAY, who, what);
    seen("publishers: native, Socket.IO, PubNub", "503 (`unavailable`): delivered to who listens, not kept");
    seen("listeners", "everything, on the same connection");
    seen("everybody, once it can be written to", "that it goes on, without a restart");
}

async fn does_not_start(server: &mut Server) {
    let ended = server.run_in_vain().await;
    let directory = server.data_dir();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.said);
    assert!(ended.said.contains(&*directory.to_string_lossy()), "{}", ended.said);
    assert!(ended.said.contains("cannot be written to"), "{}", ended.said);
}
