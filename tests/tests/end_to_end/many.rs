//! Many connections at once, and what the server says of itself.

use antiphon_tests::{Frame, Metrics, Server, V1, WebSocket, eventually, raise_open_files};
use futures_util::future::{join_all, try_join_all};
use serde_json::json;

const CONNECTIONS: usize = 2000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_connections_hear_a_message_and_leave_nothing_behind() {
    raise_open_files(CONNECTIONS as u64 + 500);
    let server = Server::start("").await;
    let api = server.api();
    let mut sockets = Vec::new();
    while sockets.len() < CONNECTIONS {
        let some = (0..100).map(|_| WebSocket::connect(api.address(), "/v1/channels/room", None, &[]));
        sockets.extend(try_join_all(some).await.unwrap());
    }
    let scrape = Metrics::scrape(&api).await;
    assert_eq!(scrape.labelled("antiphon_sessions", ("protocol", "websocket")), Some(CONNECTIONS as f64));
    // And the one that asks.
    assert_eq!(scrape.sum("antiphon_connections"), CONNECTIONS as f64 + 1.0);

    for text in ["one", "two"] {
        api.post("/v1/channels/room").text(text).send().await.expect(201);
    }
    for text in ["one", "two"] {
        let heard = join_all(sockets.iter_mut().map(WebSocket::next)).await;
        assert!(heard.iter().all(|frame| *frame == Frame::Text(text.into())));
    }
    let scrape = Metrics::scrape(&api).await;
    assert_eq!(scrape.sum("antiphon_publications_total"), 2.0);
    assert_eq!(scrape.sum("antiphon_deliveries_total"), 2.0 * CONNECTIONS as f64);

    // Some say goodbye, some break off.
    let later = sockets.split_off(CONNECTIONS / 2);
    later.into_iter().for_each(WebSocket::abort);
    join_all(sockets.into_iter().map(WebSocket::close)).await;
    eventually("nothing is left", async || {
        let scrape = Metrics::scrape(&api).await;
        let left = (
            scrape.sum("antiphon_sessions"),
            scrape.sum("antiphon_connections"),
            scrape.sum("antiphon_outbox_bytes"),
        );
        (left == (0.0, 1.0, 0.0)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_what_prometheus_reads() {
    let server = Server::start("").await;
    let api = server.api();
    let mut client = V1::connect(&api, "").await;
    client.subscribe(json!("room")).await;
    for number in 0..3 {
        api.post("/v1/channels/room").json(&json!(number)).send().await.expect(201);
        client.next().await;
    }
    let answer = api.get("/metrics").send().await.expect(200);
    let kind = answer.header("content-type").to_owned();
    assert!(kind.starts_with("text/plain") || kind.starts_with("application/openmetrics-text"), "{kind}");
    let scrape = Metrics::scrape(&api).await;
    for (name, kind) in [
        ("antiphon_connections", "gauge"),
        ("antiphon_sessions", "gauge"),
        ("antiphon_publications", "counter"),
        ("antiphon_deliveries", "counter"),
        ("antiphon_drops", "counter"),
        ("antiphon_outbox_bytes", "gauge"),
        ("antiphon_delivery_seconds", "histogram"),
        ("antiphon_store_queued", "gauge"),
        ("antiphon_store_commit_seconds", "counter"),
    ] {
        let family = scrape.family(name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(family.kind, kind, "{name}");
        assert!(!family.help.is_empty(), "{name}");
    }
    assert_eq!(scrape.sum("antiphon_publications_total"), 3.0);
    assert_eq!(scrape.sum("antiphon_deliveries_total"), 3.0);
    assert_eq!(scrape.labelled("antiphon_sessions", ("protocol", "antiphon.v1")), Some(1.0));
    assert_eq!(scrape.labelled("antiphon_delivery_seconds_bucket", ("le", "+Inf")), Some(3.0));
    assert_eq!(scrape.sum("antiphon_delivery_seconds_count"), 3.0);
    assert!(scrape.sum("antiphon_store_commit_seconds_total") > 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_told() {
    let server = Server::start("").await;
    for path in ["/health/live", "/health/ready"] {
        server.api().get(path).send().await.expect(200);
    }
}
