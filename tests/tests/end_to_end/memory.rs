//! Short of memory: nothing new is taken on, what is there goes on, and it ends.

use std::net::Ipv4Addr;

use antiphon_tests::{Api, Metrics, Server, WebSocket, eventually, within};
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use crate::bytes::Bytes;

/// A reader who is slow can take all there is.
const CONFIG: &str = "
[limits]
memory_bytes_max = 67108864
outbox_bytes_max = 1073741824
ring_bytes_max = 1048576
exempt_addresses = [\"127.0.0.1\"]
[exp]
enabled = true
[[rule]]
channels = \"*\"
history_size = 0
ring_size = 1
";

async fn is_over(api: &Api) -> bool {
    Metrics::scrape(api).await.sum("antiphon_overloaded") == 1.0
}

async fn refused(call: antiphon_tests::Call) {
    let answer = call.send().await;
    let wait: u64 = answer.header("retry-after").parse().expect("it says when to come back");
    assert!(wait > 0);
    let problem = answer.problem(503);
    assert!(problem["detail"].as_str().unwrap().contains("memory"), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_ceiling_nothing_new_is_taken_on_and_what_is_there_goes_on() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    let mut steady = WebSocket::connect(api.address(), "/v1/events", Some("antiphon.v1"), &[]).await.unwrap();
    assert!(steady.next().await.text().contains("open"));
    steady.send_text(r#"{"type":"subscribe","id":1,"channels":["room"]}"#).await.unwrap();
    assert!(steady.next().await.text().contains("ok"));

    let mut slow = Bytes::connect_narrow(api.address()).await;
    slow.upgrade("/v1/channels/bulk").await;
    let payload = json!("x".repeat(1_000_000));
    let mut sent = 0;
    while !is_over(&api).await {
        api.post("/v1/channels/bulk").json(&payload).send().await.expect(201);
        sent += 1;
        assert!(sent < 500, "memory has no ceiling");
    }

    let events =
        |channel: &str| api.get(&format!("/v1/channels/{channel}")).header("accept", "text/event-stream");
    refused(events("room")).await;
    refused(api.post("/v1/channels/new").json(&json!(1))).await;
    refused(api.post("/v1/channels/room/broadcasts?timeout=100").json(&json!(1))).await;
    let login = api.post("/api/auth/login").json(&json!({})).send().await.expect(503);
    assert_eq!(login.header("retry-after"), "10");
    let another = WebSocket::connect(api.address(), "/v1/events", Some("antiphon.v1"), &[]).await;
    assert_eq!(another.err().map(|refused| refused.problem["status"].clone()), Some(json!(503)));
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, 2), 0).into()).unwrap();
    let mut stranger = Bytes::of(within("a connection", socket.connect(api.address())).await.unwrap());
    let head = stranger.head().await.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 503 ") && head.contains("retry-after: 10\r\n"), "{head}");

    // What is there goes on, and is looked after.
    api.get("/health/live").send().await.expect(200);
    steady.send_text(r#"{"type":"publish","id":2,"channel":"room","payload":"on"}"#).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let message: Value = serde_json::from_str(steady.next().await.text()).unwrap();
        seen.push(message["type"].as_str().unwrap_or_default().to_owned());
    }
    seen.sort();
    assert_eq!(seen, ["message", "ok"]);

    drop(slow);
    eventually("there is memory again", async || (!is_over(&api).await).then_some(())).await;
    api.post("/v1/channels/new").json(&json!(1)).send().await.expect(201);
    let log = server.log();
    for edge in ["nothing new is taken on", "new work is taken on"] {
        assert_eq!(log.matches(edge).count(), 1, "{log}");
    }
}
