//! What is refused is refused with a problem document that says why.

use antiphon_tests::{Api, Call, Server, V1, WebSocket, eventually};
use http::Method;
use serde_json::{Value, json};

const CONFIG: &str = r#"
[demo.limits]
payload_bytes_max = 1000
meta_bytes_max = 50
subscriptions_per_session_max = 3
publications_per_batch_max = 2
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests_by_table() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    let (get, post, put) =
        (|path: &str| api.get(path), |path: &str| api.post(path), |path: &str| api.put(path));
    let room = "/v1/channels/room";
    let long_name = format!("/v1/channels/{}", "x".repeat(1025));
    let big = "x".repeat(1001);
    let many = "/v1/events?channel=a&channel=b&channel=c&channel=d";
    let batch = |items: Value| post("/v1/publications").json(&items);
    let cases: Vec<(&str, Call, u16, &str)> = vec![
        ("payload", post(room).text(&big), 413, "too-large"),
        ("binary payload", post(room).body("image/png", big.clone()), 413, "too-large"),
        ("JSON payload", post(room).json(&json!(big)), 413, "too-large"),
        ("meta", post(&format!("{room}?meta=%22{}%22", "x".repeat(60))).json(&json!(1)), 413, "too-large"),
        ("broken JSON", post(room).body("application/json", "{\"a\":"), 400, "invalid-body"),
        ("two JSON values", post(room).body("application/json", "1 2"), 400, "invalid-body"),
        ("no JSON at all", post(room).body("application/json", ""), 400, "invalid-body"),
        (
            "JSON that is not UTF-8",
            post(room).body("application/json", &b"\"\xff\""[..]),
            400,
            "invalid-body",
        ),
        ("text that is not UTF-8", post(room).body("text/plain", &b"\xff"[..]), 400, "invalid-body"),
        ("charset", post(room).body("text/plain; charset=utf-16", "x"), 415, "unsupported-media-type"),
        ("channel name too long", post(&long_name).json(&json!(1)), 400, "invalid-parameter"),
        ("channel name of control characters", get("/v1/channels/a%0Ab"), 400, "invalid-parameter"),
        ("channel name not UTF-8", get("/v1/channels/%ff"), 400, "invalid-parameter"),
        ("no channel name", get("/v1/channels/"), 400, "invalid-parameter"),
        ("no channels", get("/v1/events"), 400, "invalid-parameter"),
        ("too many channels", get(many), 400, "invalid-parameter"),
        ("since", get(&format!("{room}?since=yesterday")), 400, "invalid-parameter"),
        ("limit", get(&format!("{room}?limit=1001")), 400, "invalid-parameter"),
        ("no limit", get(&format!("{room}?limit=0")), 400, "invalid-parameter"),
        ("wait", get(&format!("{room}?since=1&wait=soon")), 400, "invalid-parameter"),
        ("flag", get(&format!("{room}?presence=maybe")), 400, "invalid-parameter"),
        ("Last-Event-ID", get(room).header("last-event-id", "x"), 400, "invalid-parameter"),
        ("kind", post(&format!("{room}?kind=presence")).json(&json!(1)), 400, "invalid-parameter"),
        ("ttl", post(&format!("{room}?ttl=-1s")).json(&json!(1)), 400, "invalid-parameter"),
        (
            "meta that is no JSON",
            post(room).header("x-antiphon-meta", "{").json(&json!(1)),
            400,
            "invalid-parameter",
        ),
        (
            "key",
            post(room).header("idempotency-key", &"k".repeat(129)).json(&json!(1)),
            400,
            "invalid-parameter",
        ),
        ("identity", get(&format!("{room}?identity=")), 400, "invalid-parameter"),
        ("method", api.call(Method::PATCH, room), 405, "method-not-allowed"),
        ("method on presence", post(&format!("{room}/presence")), 405, "method-not-allowed"),
        ("method on publications", get("/v1/publications"), 405, "method-not-allowed"),
        ("path", get("/v1/nothing"), 404, "not-found"),
        ("path below a channel", get(&format!("{room}/nothing")), 404, "not-found"),
        ("Accept", get(room).header("accept", "image/png"), 406, "not-acceptable"),
        ("credential", get(room).header("authorization", "Bearer none-of-ours"), 401, "unauthorized"),
        ("scheme", get(room).header("authorization", "Basic eDp5"), 401, "unauthorized"),
        (
            "reply to nothing",
            post(&format!("{room}/broadcasts/17/replies")).json(&json!(1)),
            404,
            "nobody-collects",
        ),
        (
            "reply to no position",
            post(&format!("{room}/broadcasts/x/replies")).json(&json!(1)),
            400,
            "invalid-parameter",
        ),
        ("until", post(&format!("{room}/broadcasts?until=0")).json(&json!(1)), 400, "invalid-parameter"),
        (
            "state",
            put(&format!("{room}/presence?identity=a")).body("application/json", "{"),
            400,
            "invalid-body",
        ),
        ("batch that is no list", batch(json!({})), 400, "invalid-body"),
        (
            "batch too long",
            batch(
                json!([{"channel": "a", "payload": 1}, {"channel": "a", "payload": 1}, {"channel": "a", "payload": 1}]),
            ),
            400,
            "invalid-body",
        ),
        ("system channel", post(&format!("{room}?system=true")).json(&json!(1)), 403, "not-permitted"),
    ];
    for (what, call, status, kind) in cases {
        let problem = call.send().await.problem(status);
        assert_eq!(problem["type"], format!("urn:antiphon:problem:{kind}"), "{what}: {problem}");
    }

    let answer = api.call(Method::PATCH, room).send().await;
    assert!(answer.header("allow").contains("GET") && answer.header("allow").contains("POST"), "{answer:?}");
    assert!(get("/v1/channels/%ff").send().await.problem(400)["parameter"] == "channel");
    let answer = get(room).header("authorization", "Bearer none-of-ours").send().await;
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    // At the limit is within it, and nothing of all that was published.
    post(room).text(&big[..1000]).send().await.expect(201);
    let page = get(room).send().await.expect(200).json();
    assert_eq!(page["messages"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_tells_of_each() {
    let server = Server::start(CONFIG).await;
    let items = json!([{"channel": "a", "payload": 1}, {"channel": "a", "payload": "x".repeat(2000)}]);
    let answer = server.api().post("/v1/publications").json(&items).send().await.expect(200).json();
    assert_eq!(answer["results"][0]["stored"], true, "{answer}");
    assert_eq!(answer["results"][1]["error"]["status"], 413, "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v1_answers_what_it_refuses_and_goes_on() {
    let server = Server::start(CONFIG).await;
    let mut client = V1::connect(&server.api(), "identity=alice").await;
    assert_eq!(client.open["identity"], "alice");
    let subscribe = |channels: Value| json!({"type": "subscribe", "channels": channels});
    for (message, status) in [
        (json!({"type": "fly"}), 400),
        (json!({}), 400),
        (json!({"type": "publish", "channel": "a"}), 400),
        (json!({"type": "publish", "channel": "", "payload": 1}), 400),
        (json!({"type": "publish", "channel": "a", "payload": "x".repeat(1001)}), 413),
        (json!({"type": "publish", "channel": "a", "payload": "%%", "encoding": "base64"}), 400),
        (json!({"type": "publish", "channel": "a", "system": true, "payload": 1}), 403),
        (subscribe(json!(["a", "b", "c", "d"])), 400),
        (subscribe(json!([{"channel": "a", "since": "x"}])), 400),
        (json!({"type": "reply", "channel": "a", "to": "17", "payload": 1}), 404),
        (json!({"type": "state", "channel": "a", "state": {}}), 409),
        (json!({"type": "history", "channel": "a", "limit": 1001}), 400),
    ] {
        let answer = client.try_ask(message.clone()).await.unwrap();
        let error = &answer["error"];
        assert_eq!(
            (&answer["type"], &error["status"]),
            (&json!("error"), &json!(status)),
            "{message}: {answer}"
        );
        assert!(
            error["type"].is_string() && error["title"].is_string() && error["detail"].is_string(),
            "{answer}"
        );
    }
    // All or nothing: of the four none is listened to.
    let answer = client.ask(subscribe(json!(["a", "b", "c"]))).await;
    assert_eq!(answer["channels"].as_array().unwrap().len(), 3);
    client.send_raw("not JSON").await.unwrap();
    let error = client.next().await;
    assert_eq!((&error["type"], &error["error"]["status"]), (&json!("error"), &json!(400)), "{error}");
    assert_eq!(client.try_ask(json!({"type": "ping"})).await.unwrap()["type"], "pong");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_raw_websocket_is_closed_with_a_code() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    let mut raw = WebSocket::connect(api.address(), "/v1/channels/room", None, &[]).await.unwrap();
    raw.send_text("x".repeat(1001)).await.unwrap();
    assert_eq!(raw.closed().await.code, Some(1009));
    let path = "/v1/channels/room?system=true";
    let mut raw = WebSocket::connect(api.address(), path, None, &[]).await.unwrap();
    raw.send_text("1").await.unwrap();
    assert_eq!(raw.closed().await.code, Some(1008));
    for (path, protocol, status) in [
        ("/v1/channels/room?since=x", None, 400),
        ("/v1/channels/%ff", None, 400),
        ("/v1/events", None, 400),
        ("/v1/nothing", None, 404),
        ("/v1/channels/room?token=none-of-ours", None, 401),
        ("/v1/channels/room", Some("chat"), 400),
    ] {
        let refused = refused(&api, path, protocol, &[]).await;
        assert_eq!(refused, status, "{path}");
    }
}

/// The status with which an upgrade is refused.
async fn refused(api: &Api, path: &str, protocol: Option<&str>, headers: &[(&str, &str)]) -> u16 {
    let Err(refused) = WebSocket::connect(api.address(), path, protocol, headers).await else {
        panic!("{path} was not refused");
    };
    assert!(
        refused.problem["detail"].is_string() && refused.problem["type"].is_string(),
        "{path}: {refused:?}"
    );
    refused.status.unwrap().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_other_origins_are_kept_out() {
    let server = Server::start("[http]\ncors_origins = [\"https://friend.example\"]\n").await;
    let api = server.api();
    let own = format!("http://{}", api.address());
    for (origin, allowed) in [
        (None, true),
        (Some(own.as_str()), true),
        (Some("https://friend.example"), true),
        (Some("https://evil.example"), false),
        (Some("http://127.0.0.1:1"), false),
        (Some("null"), false),
    ] {
        let headers: Vec<_> = origin.iter().map(|origin| ("origin", *origin)).collect();
        for (path, protocol) in [("/v1/channels/room", None), ("/v1/events", Some("antiphon.v1"))] {
            if allowed {
                let connected = WebSocket::connect(api.address(), path, protocol, &headers).await;
                assert!(connected.is_ok(), "{origin:?} on {path}: {:?}", connected.err());
            } else {
                assert_eq!(refused(&api, path, protocol, &headers).await, 403, "{origin:?} on {path}");
            }
        }
        let calls = [
            api.get("/v1/channels/room"),
            api.get("/v1/channels/room").header("accept", "text/event-stream"),
            api.post("/v1/channels/room").text("x"),
        ];
        for (at, call) in calls.into_iter().enumerate() {
            let call = headers.iter().fold(call, |call, (name, value)| call.header(name, value));
            if at == 1 {
                assert_eq!(call.try_stream().await.is_ok(), allowed, "{origin:?}");
                continue;
            }
            let answer = call.send().await;
            if !allowed {
                assert_eq!(answer.problem(403)["type"], "urn:antiphon:problem:origin-refused", "{origin:?}");
                continue;
            }
            assert!(answer.status.is_success(), "{origin:?}: {}", answer.text());
            if origin.is_some_and(|origin| origin != own) {
                assert_eq!(answer.header("access-control-allow-origin"), origin.unwrap());
            }
        }
    }
    let preflight = api.call(Method::OPTIONS, "/v1/channels/room").header("origin", "https://friend.example");
    let answer = preflight.header("access-control-request-method", "POST").send().await;
    assert!(answer.status.is_success() && answer.header("access-control-allow-methods").contains("POST"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_publishes_too_fast_is_told_when_to_try_again() {
    let server =
        Server::start("[demo.limits]\npublish_rate_per_identity = { per_second = 0.01, burst = 3 }\n").await;
    let api = server.api();
    for _ in 0..3 {
        api.post("/v1/channels/room?identity=alice").json(&json!(1)).send().await.expect(201);
    }
    let answer = api.post("/v1/channels/room?identity=alice").json(&json!(1)).send().await;
    let after: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=100).contains(&after), "{after}");
    assert_eq!(answer.problem(429)["type"], "urn:antiphon:problem:rate-limited");
    api.post("/v1/channels/room?identity=bob").json(&json!(1)).send().await.expect(201);
    let mut client = V1::connect(&api, "identity=alice").await;
    let answer = client.try_ask(json!({"type": "publish", "channel": "room", "payload": 1})).await.unwrap();
    assert_eq!(answer["error"]["status"], 429);
    let mut raw =
        WebSocket::connect(api.address(), "/v1/channels/room?identity=alice", None, &[]).await.unwrap();
    raw.send_text("1").await.unwrap();
    assert_eq!(raw.closed().await.code, Some(1013));

    let server =
        Server::start("[demo.limits]\npublish_rate_per_connection = { per_second = 0.01, burst = 1 }\n")
            .await;
    let mut client = V1::connect(&server.api(), "").await;
    let publish = json!({"type": "publish", "channel": "room", "payload": 1});
    client.ask(publish.clone()).await;
    assert_eq!(client.try_ask(publish.clone()).await.unwrap()["error"]["status"], 429);
    V1::connect(&server.api(), "").await.ask(publish).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_counted_by_identity_and_org() {
    let server =
        Server::start("[demo.limits]\nconnections_max = 3\nconnections_per_identity_max = 2\n").await;
    let api = server.api();
    let path = |identity: &str| format!("/v1/channels/room?identity={identity}");
    let first = WebSocket::connect(api.address(), &path("alice"), None, &[]).await.unwrap();
    let lines = api.get(&path("alice")).header("accept", "application/x-ndjson").stream().await;
    assert_eq!(refused(&api, &path("alice"), None, &[]).await, 429);
    let call = api.get(&path("alice")).header("accept", "text/event-stream");
    call.send().await.problem(429);
    let _third = WebSocket::connect(api.address(), &path("bob"), None, &[]).await.unwrap();
    assert_eq!(refused(&api, &path("carol"), None, &[]).await, 503);
    api.get(&path("carol")).header("accept", "text/event-stream").send().await.problem(503);
    // What asks and goes counts for as long as it takes.
    api.post(&path("carol")).json(&json!(1)).send().await.expect(201);
    drop(lines);
    first.close().await;
    let connected = eventually("there is room again", async || {
        WebSocket::connect(api.address(), &path("alice"), None, &[]).await.ok()
    });
    connected.await.close().await;
}
