//! The database has reached the size that the configuration gives it.

use antiphon_tests::eventually;
use serde_json::json;

use crate::cases::{Context, post};
use crate::server::Server;

const FAULT: &str = "`store.database_bytes_max` reached";
const CONFIG: &str = "[store]\ndatabase_bytes_max = 600000\nretention_interval_millis = 100\n\
    [[rule]]\nchannels = \"short\"\nhistory_age = \"2s\"\nhistory_size = 1000000\n\
    [[rule]]\nhistory_size = 1000000\n";

pub(super) async fn run(context: Context) {
    let server = Server::start(&context.shim, CONFIG).await;
    let api = server.api();
    assert_eq!(post(&api, "kept", &json!("first")).await.0, 201);
    let big = "x".repeat(20_000);
    let mut taken = 0;
    let refused = loop {
        let (status, word) = post(&api, "short", &json!([taken, big])).await;
        if status != 201 {
            break (status, word);
        }
        taken += 1;
        assert!(taken < 200, "the database has no limit");
    };
    assert_eq!(refused, (507, "storage-full".into()));
    assert_eq!(post(&api, "kept", &json!([0, big])).await.0, 507, "other channels are no exception");
    let answer = api.post("/v1/channels/kept?store=false").json(&json!("not stored")).send().await;
    assert_eq!(answer.expect(201).json()["stored"], false);
    // Retention makes room as what is there expires.
    eventually("retention makes room", async || {
        (post(&api, "kept", &json!([1, big])).await.0 == 201).then_some(())
    })
    .await;
    let page = api.get("/v1/channels/kept?since=0").send().await.expect(200).json();
    assert_eq!(page["messages"][0]["payload"], "first", "{page}");
    let seen = |who, what| context.seen.row(FAULT, who, what);
    seen(
        "publishers",
        "507 `storage-full` on every channel that stores, until retention has made room; then it goes on by itself",
    );
    seen("publishers and listeners of what is not stored", "no difference");
}
