//! What is kept for a time, and a clock that steps.

use antiphon_tests::{Api, eventually};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::cases::{Context, post};
use crate::server::Server;

const FAULT: &str = "the wall clock steps, and messages are kept for a time";
// The clock's way back from a step back is a step forward, if retention has looked meanwhile: it is waited for until that is believed.
const CONFIG: &str = "[store]\nretention_interval_millis = 50\nclock_doubt_secs = 12\n\
    [[rule]]\nchannels = \"hour\"\nhistory_age = \"1h\"\nring_size = 1\n\
    [[rule]]\nchannels = \"moment\"\nhistory_age = \"500ms\"\n";
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

pub(super) async fn run(context: Context) {
    let mut server = Server::start(&context.shim, CONFIG).await;
    let api = server.api();
    for number in 0..5 {
        assert_eq!(post(&api, "hour", &json!(number)).await.0, 201);
    }
    // Back: nothing expires that is not as old as it may be, also once the step is taken back.
    server.control.step_clock(-2 * HOUR);
    assert_eq!(post(&api, "hour", &json!("while behind")).await.0, 201);
    server.control.step_clock(0);
    passes(&server, || ()).await;
    assert_eq!(payloads(&api).await.len(), 6, "what was published while the clock was behind is gone");

    // Forward: it has expired by the clock, but is not removed, for the clock may be wrong.
    passes(&server, || server.control.step_clock(DAY)).await;
    eventually("it has expired", async || payloads(&api).await.is_empty().then_some(())).await;
    assert_eq!(rows(&server, "hour"), 6, "retention has removed what had not expired");
    server.control.step_clock(0);
    assert_eq!(payloads(&api).await.len(), 6);
    server.kill9_and_run().await;
    assert_eq!(payloads(&server.api()).await.len(), 6);
    let seen = |who, what| context.seen.row(FAULT, who, what);
    seen("readers of the history, clock a day ahead", "nothing of what has expired by that clock");
    seen(
        "readers of the history, once the step is taken back",
        "everything again: retention does not go by a step forward before it has stood for `store.clock_doubt_secs`",
    );
    seen(
        "readers of what was published while the clock was behind",
        "it, for as long as the rule says at least",
    );
}

/// Waits until retention has removed what time that passes lets expire, while something happens to the clock.
async fn passes(server: &Server, meanwhile: impl FnOnce()) {
    assert_eq!(post(&server.api(), "moment", &json!("short")).await.0, 201);
    assert!(rows(server, "moment") > 0);
    meanwhile();
    eventually("retention has passed", async || (rows(server, "moment") == 0).then_some(())).await;
}

/// How many messages of a channel are on the disk, shown or not.
fn rows(server: &Server, channel: &str) -> i64 {
    let database = Connection::open(server.data_dir().join("antiphon.db")).unwrap();
    let count = "SELECT count(*) FROM publications JOIN channels ON channels.id = channel_id WHERE channels.name = ?1";
    database.query_row(count, [channel], |row| row.get(0)).unwrap()
}

async fn payloads(api: &Api) -> Vec<Value> {
    let page = api.get("/v1/channels/hour?since=0").send().await.expect(200).json();
    page["messages"].as_array().unwrap().iter().map(|one| one["payload"].clone()).collect()
}
