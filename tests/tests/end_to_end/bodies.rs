//! Bodies that are too long, too slow, or held back until they are asked for: the answer arrives all the same.

use antiphon_tests::{Api, Server};
use serde_json::Value;

use crate::bytes::Bytes;

const CONFIG: &str = r#"
[http]
body_secs_max = 2
batch_bytes_max = 10000
[demo.limits]
payload_bytes_max = 1000
presence_state_bytes_max = 1000
"#;

const LONG: usize = 2 << 20;

/// Every request of the protocol that has a body.
const ROUTES: [(&str, &str); 5] = [
    ("POST", "/v1/channels/room"),
    ("POST", "/v1/publications"),
    ("POST", "/v1/channels/room/broadcasts"),
    ("POST", "/v1/channels/room/broadcasts/17/replies"),
    ("PUT", "/v1/channels/room/presence?identity=ann"),
];

#[derive(Clone, Copy, Debug)]
enum Framing {
    Length(usize),
    Chunked,
}

fn head(api: &Api, (method, path): (&str, &str), framing: Framing, more: &str) -> Vec<u8> {
    let framing = match framing {
        Framing::Length(length) => format!("Content-Length: {length}"),
        Framing::Chunked => "Transfer-Encoding: chunked".to_owned(),
    };
    let host = api.address();
    format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/plain\r\n{framing}\r\n{more}\r\n")
        .into_bytes()
}

fn chunks(length: usize) -> Vec<u8> {
    const CHUNK: usize = 0x4000;
    let chunk = [&b"4000\r\n"[..], &[b'x'; CHUNK], b"\r\n"].concat();
    [&chunk.repeat(length / CHUNK)[..], b"0\r\n\r\n"].concat()
}

/// The answer to a request of which all is written before anything is read.
async fn written_first(api: &Api, route: (&str, &str), framing: Framing) -> (u16, Value) {
    let body = match framing {
        Framing::Length(length) => vec![b'x'; length],
        Framing::Chunked => chunks(LONG),
    };
    let mut bytes = Bytes::connect(api.address()).await;
    bytes.send(&[head(api, route, framing, ""), body].concat()).await;
    problem(&mut bytes).await
}

async fn problem(bytes: &mut Bytes) -> (u16, Value) {
    let (status, body) = bytes.answer().await;
    (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{status} {body}: {error}")))
}

fn kind(problem: &Value) -> &str {
    problem["type"].as_str().and_then(|kind| kind.strip_prefix("urn:antiphon:problem:")).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_writes_too_much_is_told_so() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    for framing in [Framing::Length(LONG), Framing::Chunked] {
        for attempt in 0..50 {
            let (status, problem) = written_first(&api, ROUTES[0], framing).await;
            assert_eq!((status, kind(&problem)), (413, "too-large"), "{framing:?}, {attempt}");
        }
        for route in ROUTES.into_iter().cycle().take(50) {
            let (status, problem) = written_first(&api, route, framing).await;
            assert_eq!((status, kind(&problem)), (413, "too-large"), "{route:?}, {framing:?}");
        }
        // Nor is any other refusal lost for a body that nobody wants.
        for (route, expected) in [
            (("POST", "/v1/channels/room?token=none-of-ours"), 401),
            (("POST", "/v1/channels/room?ttl=soon"), 400),
            (("PATCH", "/v1/channels/room"), 405),
            (("POST", "/v1/nothing"), 404),
        ]
        .into_iter()
        .cycle()
        .take(40)
        {
            let (status, _) = written_first(&api, route, framing).await;
            assert_eq!(status, expected, "{route:?}, {framing:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_follows_a_discarded_body_is_the_next_request() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    for (framing, body) in [(Framing::Length(LONG), vec![b'x'; LONG]), (Framing::Chunked, chunks(LONG))] {
        let mut bytes = Bytes::connect(api.address()).await;
        bytes.send(&[head(&api, ROUTES[0], framing, ""), body].concat()).await;
        assert_eq!(bytes.answer().await.0, 413, "{framing:?}");
        bytes.send(&[&head(&api, ROUTES[0], Framing::Length(2), "")[..], b"ok"].concat()).await;
        assert_eq!(bytes.answer().await.0, 201, "{framing:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_held_back_is_not_waited_for() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    let expect = "Expect: 100-continue\r\n";
    for route in ROUTES {
        let mut bytes = Bytes::connect(api.address()).await;
        bytes.send(&head(&api, route, Framing::Length(LONG), expect)).await;
        let (status, problem) = problem(&mut bytes).await;
        assert_eq!((status, kind(&problem)), (413, "too-large"), "{route:?}");
        assert_eq!(bytes.rest().await, b"", "{route:?}");
    }
    let mut bytes = Bytes::connect(api.address()).await;
    bytes.send(&head(&api, ("POST", "/v1/channels/room?token=none-of-ours"), Framing::Chunked, expect)).await;
    assert_eq!(bytes.answer().await.0, 401);

    let mut bytes = Bytes::connect(api.address()).await;
    bytes.send(&head(&api, ROUTES[0], Framing::Length(2), expect)).await;
    assert!(bytes.head().await.starts_with("HTTP/1.1 100 "));
    bytes.send(b"ok").await;
    assert_eq!(bytes.answer().await.0, 201);

    // Once it has been asked for, it comes.
    let mut bytes = Bytes::connect(api.address()).await;
    bytes.send(&head(&api, ROUTES[0], Framing::Chunked, expect)).await;
    assert!(bytes.head().await.starts_with("HTTP/1.1 100 "));
    bytes.send(&chunks(LONG)).await;
    assert_eq!(bytes.answer().await.0, 413);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_has_its_time() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    let mut waiting = Vec::new();
    for route in ROUTES {
        for (framing, part, expected) in [
            (Framing::Length(10), &b"half"[..], (408, "body-timeout")),
            (Framing::Chunked, b"4\r\nhalf\r\n", (408, "body-timeout")),
            (Framing::Length(LONG), b"a part of what is too long", (413, "too-large")),
        ] {
            let mut bytes = Bytes::connect(api.address()).await;
            bytes.send(&[&head(&api, route, framing, "")[..], part].concat()).await;
            waiting.push((bytes, route, framing, expected));
        }
    }
    for (mut bytes, route, framing, expected) in waiting {
        let (status, problem) = problem(&mut bytes).await;
        assert_eq!((status, kind(&problem)), expected, "{route:?}, {framing:?}");
        assert_eq!(bytes.rest().await, b"", "{route:?}, {framing:?}");
    }
}
