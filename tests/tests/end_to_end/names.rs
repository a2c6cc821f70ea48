//! What the names of channels consist of, in each protocol; the refusal says which character does not fit.

use antiphon_tests::{Server, V1, WebSocket};
use serde_json::json;

const CONFIG: &str = r#"
[[org]]
name = "acme"
open = true
publish_key = "pub"
subscribe_key = "sub"
[org.limits]
channel_name_characters = "url-safe"
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_native_protocol() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    let bad = "/v1/channels/a%20b";
    for call in [
        api.post(bad).json(&json!(1)),
        api.get(bad),
        api.get(&format!("{bad}?since=1&wait=1ms")),
        api.get(bad).header("accept", "text/event-stream"),
        api.get(&format!("{bad}/presence")),
        api.post(&format!("{bad}/broadcasts?timeout=1ms")).json(&json!(1)),
        api.put(&format!("{bad}/presence?identity=ann")).json(&json!({})),
    ] {
        let problem = call.send().await.problem(400);
        assert_eq!(problem["type"], "urn:antiphon:problem:invalid-parameter", "{problem}");
        assert_eq!(
            (&problem["parameter"], &problem["channel"]),
            (&json!("channel"), &json!("a b")),
            "{problem}"
        );
        assert!(problem["detail"].as_str().unwrap().contains("' '"), "{problem}");
    }
    api.post("/v1/channels/a-b_c.d~1").json(&json!(1)).send().await.expect(201);
    let refused = WebSocket::connect(api.address(), bad, None, &[]).await.err().unwrap();
    assert_eq!(refused.status.map(|status| status.as_u16()), Some(400), "{refused:?}");

    let mut client = V1::connect(&api, "identity=ann").await;
    for message in [
        json!({"type": "publish", "channel": "ä", "payload": 1}),
        json!({"type": "subscribe", "channels": ["fine", "ä"]}),
        json!({"type": "broadcast", "channel": "ä", "payload": 1}),
        json!({"type": "history", "channel": "ä"}),
        json!({"type": "presence", "channel": "ä"}),
    ] {
        let answer = client.try_ask(message).await.unwrap();
        assert_eq!(answer["error"]["status"], 400, "{answer}");
        assert!(answer["error"]["detail"].as_str().unwrap().contains("'ä'"), "{answer}");
    }
    let answer = client.try_ask(json!({"type": "subscribe", "channels": ["fine"]})).await.unwrap();
    assert_eq!(answer["type"], "ok", "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pubnub_and_exp() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    for path in [
        "/publish/pub/sub/0/a%20b/0/1",
        "/v2/subscribe/sub/a%20b/0?tt=0&uuid=ann",
        "/v2/subscribe/sub/a%20b.*/0?tt=0&uuid=ann",
        "/v2/history/sub-key/sub/channel/a%20b",
        "/v1/channel-registration/sub-key/sub/channel-group/g?add=a%20b",
    ] {
        let answer = api.get(path).send().await.expect(400);
        assert!(answer.text().contains("' '"), "{path}: {}", answer.text());
    }
    for path in [
        "/publish/pub/sub/0/ab/0/1",
        "/v2/subscribe/sub/a.*,b-pnpres/0?tt=0&uuid=ann",
        "/v1/channel-registration/sub-key/sub/channel-group/g?add=a.*,b,c-pnpres",
    ] {
        api.get(path).send().await.expect(200);
    }

    let broadcast = |name: &str| {
        let body = json!({"name": "hello", "channel": {"name": name}, "payload": {}});
        api.post("/api/networks/current/broadcasts?timeout=1").json(&body).send()
    };
    let refused = broadcast("a b").await.expect(400).json();
    assert_eq!(refused["code"], "invalid-parameter", "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("' '"), "{refused}");
    broadcast("ab").await.expect(200);
}
