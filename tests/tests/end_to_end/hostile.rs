//! Bytes that no well-meaning client sends: the server goes on serving everybody else.

use antiphon_tests::{Api, DEADLINE, EventReader, Metrics, Server, eventually, within};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::bytes::{Bytes, frame};

const CONFIG: &str = "[timeouts]\nhandshake = \"500ms\"\nclose = \"500ms\"\n[http]\nbody_secs_max = 1\n[limits]\nmessage_bytes_max = 100000\n";
const OPCODE_TEXT: u8 = 1;

/// It still answers, and the connections of before are gone.
async fn serves(api: &Api) {
    api.post("/v1/channels/room").json(&json!(1)).send().await.expect(201);
    eventually("nothing is left of the connections", async || {
        // The one that asks is there.
        (Metrics::scrape(api).await.sum("antiphon_connections") == 1.0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_and_silence_are_ended() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\r\n\r\n\r\n\r\n",
        b"\0\0\0\0\0\0\0\0",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        // Halves of requests, and then silence.
        b"",
        b"G",
        b"P",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"GET /v1/channels/room HTTP/1.1\r\nHos",
        b"POST /v1/channels/room HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf",
    ] {
        let mut bytes = Bytes::connect(api.address()).await;
        bytes.send(garbage).await;
        let Ok(rest) = timeout(DEADLINE / 2, bytes.rest()).await else { panic!("{garbage:?} is kept") };
        let rest = String::from_utf8_lossy(&rest);
        assert!(!rest.contains(" 200 ") && !rest.contains(" 201 "), "{garbage:?} got {rest:?}");
    }
    serves(&api).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_and_bodies_without_end_are_cut_off() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    let before = server.memory("VmHWM");
    let mut endless = Bytes::connect(api.address()).await;
    endless.send(b"GET /v1/channels/room HTTP/1.1\r\nHost: localhost\r\n").await;
    let sent = endless.flood("X-More: and more and more\r\n".repeat(100).as_bytes(), 64 << 20).await;
    assert!(sent < 8 << 20, "{sent} bytes of headers were taken");
    let mut one_line = Bytes::connect(api.address()).await;
    one_line.send(b"GET /").await;
    let sent = one_line.flood(&[b'x'; 10_000], 64 << 20).await;
    assert!(sent < 8 << 20, "{sent} bytes of a request line were taken");

    let mut huge = Bytes::connect(api.address()).await;
    huge.send(b"POST /v1/channels/room HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n")
        .await;
    assert_eq!(huge.answer().await.0, 413);
    let mut chunked = Bytes::connect(api.address()).await;
    chunked
        .send(b"POST /v1/channels/room HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    let chunk = [&b"10000\r\n"[..], &[b'x'; 0x10000], b"\r\n"].concat();
    let sent = chunked.flood(&chunk, 256 << 20).await;
    assert!(sent < 32 << 20, "{sent} bytes of a body were taken");
    let mut impossible = Bytes::connect(api.address()).await;
    impossible
        .send(b"POST /v1/channels/room HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n")
        .await;
    impossible.rest().await;
    drop((endless, one_line, huge, chunked, impossible));
    serves(&api).await;
    let grown = server.memory("VmHWM") - before;
    assert!(grown < 64 << 20, "the server grew by {} MiB", grown >> 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_and_new_http_are_spoken() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    let host = api.address();
    let mut bytes = Bytes::connect(host).await;
    let post = |n: u32| {
        format!(
            "POST /v1/channels/pipe HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n{n}"
        )
    };
    // Pipelined: all at once, answered in order.
    bytes.send((0..9).map(post).collect::<String>().as_bytes()).await;
    let mut last = 0;
    for _ in 0..9 {
        let (status, body) = bytes.answer().await;
        let receipt: Value = serde_json::from_str(&body).unwrap();
        let position = antiphon_tests::position(&receipt["position"]);
        assert!(status == 201 && position > last, "{status} {body}");
        last = position;
    }
    drop(bytes);
    let page = api.get("/v1/channels/pipe").send().await.expect(200).json();
    let payloads: Vec<_> = page["messages"].as_array().unwrap().iter().map(|one| &one["payload"]).collect();
    assert_eq!(payloads, [0, 1, 2, 3, 4, 5, 6, 7, 8]);

    let mut old = Bytes::connect(host).await;
    old.send(format!("GET /v1/channels/pipe?limit=1 HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes()).await;
    let (status, body) = old.answer().await;
    assert!(status == 200 && body.contains("\"payload\":8"), "{status} {body}");
    assert_eq!(old.rest().await, b"", "HTTP/1.0 ends after its answer");

    // HTTP/2 with prior knowledge, to publish and to listen.
    let h2 = api.over_http2();
    let stream = h2.get("/v1/channels/h2").header("accept", "text/event-stream").stream().await;
    let mut events = EventReader::new(stream);
    let receipt = h2.post("/v1/channels/h2").json(&json!("over two")).send().await.expect(201).json();
    let event = events.next().await;
    assert_eq!(
        (event.data.as_str(), event.id.as_str()),
        ("\"over two\"", receipt["position"].as_str().unwrap())
    );
    let mut connection = h2.connect().await.unwrap();
    for n in 0..3 {
        let call = h2.post("/v1/channels/h2").json(&json!(n));
        call.try_send_over(&mut connection).await.unwrap().expect(201);
        assert_eq!(events.next().await.data, n.to_string());
    }
    drop((connection, events));
    serves(&api).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_break_the_rules_close_with_a_code() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    let path = "/v1/channels/room";
    let masked = |bytes: &[u8]| frame(OPCODE_TEXT, bytes, bytes.len() as u64);
    for (what, sent, code) in [
        ("an unmasked frame", vec![0x81, 2, b'h', b'i'], 1002),
        ("a reserved bit", vec![0xc1, 0x80, 0, 0, 0, 0], 1002),
        ("a reserved opcode", vec![0x83, 0x80, 0, 0, 0, 0], 1002),
        ("a continuation of nothing", vec![0x80, 0x80, 0, 0, 0, 0], 1002),
        ("a ping in fragments", vec![0x09, 0x80, 0, 0, 0, 0], 1002),
        ("text that is not UTF-8", [&[0x81, 0x82, 0, 0, 0, 0][..], &[0xc0, 0xaf]].concat(), 1007),
        ("more than a message may have", masked(&vec![b'x'; 100_001]), 1009),
        ("a claim of more", frame(OPCODE_TEXT, b"", 1 << 40), 1009),
        ("a claim that no number has", frame(OPCODE_TEXT, b"", u64::MAX), 1002),
    ] {
        let mut bytes = Bytes::websocket(api.address(), path).await;
        bytes.send(&sent).await;
        assert_eq!(bytes.close_code().await, code, "{what}");
    }
    let mut bytes = Bytes::websocket(api.address(), "/v1/channels/room?echo=false").await;
    // Fragments without end.
    bytes.send(&[0x01, 0x80, 0, 0, 0, 0]).await;
    let mut fragment = vec![0x00, 0x80 | 126, 0x03, 0xe8, 0, 0, 0, 0];
    fragment.extend_from_slice(&[b'x'; 1000]);
    bytes.flood(&fragment, 64 << 20).await;
    drop(bytes);
    serves(&api).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resets_leave_nothing_behind() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    for at in 0..100 {
        let mut bytes = Bytes::connect(api.address()).await;
        match at % 5 {
            0 => {}
            1 => bytes.send(b"GET /v1/channels/room HTTP/1.1\r\n").await,
            2 => bytes.upgrade("/v1/channels/room?join=true").await,
            3 => {
                let request = format!(
                    "GET /v1/channels/room?join=true HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n\r\n",
                    api.address()
                );
                bytes.send(request.as_bytes()).await;
                bytes.head().await;
            }
            _ => {
                bytes.upgrade("/v1/channels/room").await;
                bytes.send(&frame(OPCODE_TEXT, b"only a part", 1000)).await;
            }
        }
        bytes.reset();
    }
    serves(&api).await;
    let scrape = within("a scrape", Metrics::scrape(&api)).await;
    assert_eq!(scrape.sum("antiphon_sessions"), 0.0);
}
