//! How many connections one address may have, and how fast they may come.

use std::net::{Ipv4Addr, SocketAddr};

use antiphon_tests::{Metrics, Server, eventually, within};
use tokio::net::TcpSocket;

use crate::bytes::Bytes;

/// Of the machine's own addresses only the one that asks for metrics has no limits.
const EXEMPT: &str = "exempt_addresses = [\"127.0.0.1\"]\n";
const REQUEST: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A connection from 127.0.0.`last`.
async fn from(last: u8, server: SocketAddr) -> Bytes {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into()).unwrap();
    Bytes::of(within("a connection", socket.connect(server)).await.unwrap())
}

/// The status that a new connection's first request gets; it may be refused before it asks.
async fn asked(mut bytes: Bytes) -> (Bytes, u16) {
    bytes.send(REQUEST).await;
    let status = bytes.answer().await.0;
    (bytes, status)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_so_many_connections_whatever_they_become() {
    let server =
        Server::start(&format!("workers = 2\n[limits]\nconnections_per_address_max = 4\n{EXEMPT}")).await;
    let address = server.address();
    // One that says nothing, one that asks, one that streams, and one that became a WebSocket after another request.
    let silent = from(2, address).await;
    let (asking, status) = asked(from(2, address).await).await;
    assert_eq!(status, 200);
    let mut streaming = from(2, address).await;
    streaming
        .send(b"GET /v1/channels/room HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        .await;
    assert!(streaming.head().await.starts_with("HTTP/1.1 200 "));
    let (mut websocket, _) = asked(from(2, address).await).await;
    websocket.upgrade("/v1/channels/room").await;

    // It is told so without having asked.
    let mut refused = from(2, address).await;
    let head = refused.head().await.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 429 ") && head.contains("retry-after: "), "{head}");
    assert!(head.contains("connection: close"), "{head}");
    assert_eq!(asked(from(3, address).await).await.1, 200, "others are not concerned");

    for held in [silent, asking, streaming, websocket] {
        drop(held);
        eventually("there is room again", async || {
            let (bytes, status) = asked(from(2, address).await).await;
            drop(bytes);
            (status == 200).then_some(())
        })
        .await;
    }
    let metrics = Metrics::scrape(&server.api()).await;
    let refused = metrics.labelled("antiphon_drops_total", ("reason", "connections_per_address_max"));
    assert!(refused >= Some(1.0), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_come_at_the_address_s_rate() {
    let rate = "connect_rate_per_address = { per_second = 0.01, burst = 2 }\n";
    let server = Server::start(&format!("[limits]\n{rate}{EXEMPT}")).await;
    for _ in 0..2 {
        assert_eq!(asked(from(2, server.address()).await).await.1, 200);
    }
    let mut refused = from(2, server.address()).await;
    let head = refused.head().await.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 429 "), "{head}");
    let wait = head.lines().find_map(|line| line.strip_prefix("retry-after: "));
    let wait: u64 = wait.expect("it says when to come back").parse().unwrap();
    assert!((90..=100).contains(&wait), "{wait}");
    assert_eq!(asked(from(3, server.address()).await).await.1, 200, "others are not concerned");
    for _ in 0..5 {
        server.api().get("/health/live").send().await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_says_so() {
    let server = Server::start("[limits]\nconnections_max = 2\n").await;
    let _held = [from(1, server.address()).await, from(2, server.address()).await];
    eventually("it is full", async || {
        let mut refused = from(3, server.address()).await;
        let head = refused.head().await.to_ascii_lowercase();
        (head.starts_with("http/1.1 503 ") && head.contains("retry-after: ")).then_some(())
    })
    .await;
}
