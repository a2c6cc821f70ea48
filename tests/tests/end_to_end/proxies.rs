//! Clients that come by a proxy: who they are to the server, and who is not believed.

use antiphon_tests::{Answer, Metrics, Server, WebSocket, eventually};
use serde_json::json;

use crate::bytes::Bytes;

const LOCAL: &str = "[proxy]\ntrusted = [\"127.0.0.1\"]\n";
const TWO_EACH: &str = "[limits]\nconnections_per_address_max = 2\n";
const V2_BEGINS: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

async fn with_protocol() -> Server {
    Server::start(&format!("{LOCAL}protocol = \"required\"\n[timeouts]\nhandshake = \"500ms\"\n{TWO_EACH}"))
        .await
}

/// A header of version 2 for a client at 192.0.2.`last`.
fn binary(last: u8) -> Vec<u8> {
    let fields = [192, 0, 2, last, 198, 51, 100, 7, 0x12, 0x67, 0x01, 0xbb];
    [V2_BEGINS, &[0x21, 0x11, 0, 12], &fields].concat()
}

fn text(last: u8) -> Vec<u8> {
    format!("PROXY TCP4 192.0.2.{last} 198.51.100.7 4711 443\r\n").into_bytes()
}

const REQUEST: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A connection of a proxy's, begun with this, and the status of its first answer.
async fn begun(server: &Server, header: &[u8]) -> (Bytes, u16) {
    let mut bytes = Bytes::connect(server.address()).await;
    bytes.send(&[header, REQUEST].concat()).await;
    let status = bytes.answer().await.0;
    (bytes, status)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_protocol_says_whose_connection_it_is() {
    let server = with_protocol().await;
    let mut held = Vec::new();
    for header in [text(1), binary(1), binary(2), text(2)] {
        let (bytes, status) = begun(&server, &header).await;
        assert_eq!(status, 200, "{header:?}");
        held.push(bytes);
    }
    // Two of each: a third is one too many, in whatever version it says so, and others are not concerned.
    for header in [text(1), binary(2)] {
        let mut bytes = Bytes::connect(server.address()).await;
        bytes.send(&[&header, REQUEST].concat()).await;
        let head = bytes.head().await.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 429 ") && head.contains("retry-after: "), "{head}");
    }
    let (mut websocket, status) = begun(&server, &binary(3)).await;
    assert_eq!(status, 200);
    websocket.upgrade("/v1/channels/room").await;
    let mut direct = Bytes::connect(server.address()).await;
    direct.send(&binary(3)).await;
    direct.upgrade("/v1/channels/room").await;
    assert_eq!(begun(&server, &binary(3)).await.1, 429);
    // The proxy's own have no limit: version 2 calls them local, version 1 unknown.
    let local = [V2_BEGINS, &[0x20, 0, 0, 0]].concat();
    for header in [&local[..], &local, &local, b"PROXY UNKNOWN\r\n"] {
        let (bytes, status) = begun(&server, header).await;
        assert_eq!(status, 200);
        held.push(bytes);
    }
    // Each that ends makes room.
    drop(held);
    eventually("there is room again", async || (begun(&server, &text(1)).await.1 == 200).then_some(())).await;
    drop(direct);
    eventually("there is room again", async || (begun(&server, &text(3)).await.1 == 200).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_may_come_in_pieces_and_nothing_behind_it_is_lost() {
    let server = with_protocol().await;
    for header in [text(1), binary(1)] {
        let mut bytes = Bytes::connect(server.address()).await;
        bytes.socket.set_nodelay(true).unwrap();
        for byte in [&header, REQUEST].concat() {
            bytes.send(&[byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(bytes.answer().await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trusted_proxy_that_sends_no_header_is_closed() {
    let server = with_protocol().await;
    let malformed = [V2_BEGINS, &[0x31, 0x11, 0, 0]].concat();
    let endless = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 600]].concat();
    for begin in
        [REQUEST, b"PROXY TCP4 192.0.2.1 198.51.100.7 x 443\r\n", &malformed, &endless, b"PROXY TC", b""]
    {
        let mut bytes = Bytes::connect(server.address()).await;
        bytes.send(begin).await;
        assert_eq!(String::from_utf8_lossy(&bytes.rest().await), "", "{begin:?}");
    }
    let (mut bytes, status) = begun(&server, &[V2_BEGINS, &[0x20, 0, 0, 0]].concat()).await;
    assert_eq!(status, 200);
    bytes.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    let metrics = String::from_utf8(bytes.rest().await).unwrap();
    assert!(metrics.contains("antiphon_drops_total{reason=\"proxy header\"} 4"), "{metrics}");
    assert!(metrics.contains("antiphon_drops_total{reason=\"no request\"} 2"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_may_send_a_header() {
    for config in ["", "[proxy]\ntrusted = [\"192.0.2.0/24\"]\nprotocol = \"required\"\n"] {
        let server = Server::start(&format!("{config}[timeouts]\nhandshake = \"500ms\"\n")).await;
        for header in [text(1), binary(1)] {
            let mut bytes = Bytes::connect(server.address()).await;
            bytes.send(&[&header, REQUEST].concat()).await;
            let rest = String::from_utf8_lossy(&bytes.rest().await).into_owned();
            assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 400 "), "{rest}");
        }
        server.api().get("/health/live").send().await.expect(200);
    }
}

/// A WebSocket of somebody at these addresses, as the proxies wrote them.
async fn websocket(server: &Server, name: &str, value: &str) -> Result<WebSocket, u16> {
    let connected =
        WebSocket::connect(server.address(), "/v1/events", Some("antiphon.v1"), &[(name, value)]).await;
    connected.map_err(|refused| refused.problem["status"].as_u64().unwrap_or_default() as u16)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forwarded_clients_are_counted_one_by_one() {
    for (setting, name, one, other, forged) in [
        ("", "x-forwarded-for", "192.0.2.1", "192.0.2.2", "192.0.2.3, 192.0.2.1, 127.0.0.1"),
        (
            "forwarded_for = \"forwarded\"\n",
            "forwarded",
            "for=192.0.2.1",
            "for=\"192.0.2.2:4711\"",
            "for=\"192.0.2.3, for=192.0.2.1",
        ),
    ] {
        let server = Server::start(&format!("{LOCAL}{setting}{TWO_EACH}")).await;
        let first = websocket(&server, name, one).await.expect("there is room");
        let _second = websocket(&server, name, forged).await.expect("there is room");
        assert_eq!(websocket(&server, name, one).await.err(), Some(429));
        assert_eq!(websocket(&server, name, forged).await.err(), Some(429));
        let _other = websocket(&server, name, other).await.expect("there is room");
        // Requests that are under way count as well: they hold a connection of the proxy's.
        let _stream = stream(&server, name, other).await;
        let refused = server.api().get("/v1/channels/room").header(name, other).send().await;
        assert_eq!(refused.status, 429, "{refused:?}");
        assert!(retry_after(&refused) > 0);
        drop(first);
        eventually("there is room again", async || websocket(&server, name, one).await.ok()).await;
        // The proxy itself, and who comes without it, have no limit here.
        for _ in 0..4 {
            server.api().get("/health/live").send().await.expect(200);
        }
        let metrics = Metrics::scrape(&server.api()).await;
        assert!(metrics.sum("antiphon_drops_total") >= 3.0);
    }
}

/// A stream of events for somebody, which has begun.
async fn stream(server: &Server, name: &str, value: &str) -> Bytes {
    let mut bytes = Bytes::connect(server.address()).await;
    let request = format!(
        "GET /v1/channels/room HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{name}: {value}\r\n\r\n"
    );
    bytes.send(request.as_bytes()).await;
    let head = bytes.head().await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    bytes
}

fn retry_after(answer: &Answer) -> u64 {
    answer.header("retry-after").parse().expect("it says when to come back")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_not_believed_about_others() {
    let server =
        Server::start(&format!("[proxy]\ntrusted = [\"192.0.2.0/24\"]\n{TWO_EACH}exempt_addresses = []\n"))
            .await;
    let one = websocket(&server, "x-forwarded-for", "192.0.2.1").await.expect("there is room");
    let two = websocket(&server, "x-forwarded-for", "192.0.2.2").await.expect("there is room");
    assert_eq!(websocket(&server, "x-forwarded-for", "192.0.2.3").await.err(), Some(429));
    drop((one, two));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_without_tls_is_another_origin_than_the_server_that_has_it() {
    for (config, with_tls) in [(LOCAL, 403), ("", 201)] {
        let server = Server::start(config).await;
        let origin = format!("http://{}", server.address());
        for (proto, status) in [("http", 201), ("https", with_tls)] {
            let call = server.api().post("/v1/channels/room").header("origin", &origin);
            call.header("x-forwarded-proto", proto).json(&json!(1)).send().await.expect(status);
        }
    }
}
