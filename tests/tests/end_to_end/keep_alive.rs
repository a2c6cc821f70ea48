//! How long a connection of HTTP/1.1 may be idle, and how long the head of a request may take on it.

use antiphon_tests::{Metrics, Server};

use crate::bytes::Bytes;

const REQUEST: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";

async fn asked(server: &Server) -> Bytes {
    let mut bytes = Bytes::connect(server.address()).await;
    bytes.send(REQUEST).await;
    assert_eq!(bytes.answer().await.0, 200);
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_has_begun_has_less_time_than_silence_before_it() {
    let server = Server::start("[timeouts]\nhandshake = \"300ms\"\nkeep_alive = \"10m\"\n").await;
    let mut idle = asked(&server).await;
    // Slowly is no better than not at all.
    for begun in [&b"GET /health/live HTTP/1.1\r\nHost: loc"[..], b"G"] {
        let mut slow = asked(&server).await;
        slow.send(begun).await;
        slow.rest().await;
    }
    // That all took longer than a head may, and the connection that was silent meanwhile is still good.
    for _ in 0..2 {
        idle.send(REQUEST).await;
        assert_eq!(idle.answer().await.0, 200);
    }
    // An answer may take as long as it likes: the head that brought it has been read.
    let mut waiting = asked(&server).await;
    waiting
        .send(b"GET /v1/channels/room HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        .await;
    assert!(waiting.head().await.starts_with("HTTP/1.1 200 "));
    let mut slow = asked(&server).await;
    slow.send(b"G").await;
    slow.rest().await;
    server.api().post("/v1/channels/room").text("still there").send().await.expect(201);
    while !String::from_utf8_lossy(&waiting.exactly(1).await).contains('h') {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_is_closed_in_the_end() {
    let server = Server::start("[timeouts]\nkeep_alive = \"400ms\"\nhandshake = \"400ms\"\n").await;
    let mut idle = asked(&server).await;
    assert!(idle.rest().await.is_empty());
    let metrics = Metrics::scrape(&server.api()).await;
    assert_eq!(metrics.sum("antiphon_connections"), 1.0, "the one that asks");
}
