//! What may grow so far and no further, where no other test of the whole says so: `docs/limits.md` names them all.

use antiphon_tests::{Server, V1, WebSocket};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_org_has_so_many_channels() {
    let org = |name: &str, limits: &str| {
        format!(
            "[[org]]\nname = \"{name}\"\n[[org.key]]\nkey = \"key-of-{name}\"\nallow = [\"publish\", \"subscribe\"]\n{limits}\n"
        )
    };
    let own = org("own", "[org.limits]\nchannels_max = 2");
    let server = Server::start(&format!("[limits]\nchannels_max = 4\n{own}{}", org("server", ""))).await;
    for (name, count) in [("own", 2), ("server", 4)] {
        let api = server.api().with_token(&format!("key-of-{name}"));
        let publish = |channel: usize| api.post(&format!("/v1/channels/{channel}")).json(&json!(1)).send();
        for channel in 0..count {
            publish(channel).await.expect(201);
        }
        let answer = publish(count).await;
        assert_eq!(answer.header("retry-after"), "1", "{answer:?}");
        assert_eq!(answer.problem(503)["type"], "urn:antiphon:problem:overloaded", "{name}");
        publish(0).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_have_so_many_bytes() {
    let server = Server::start("[demo.limits]\nchannel_name_bytes_max = 5\nevent_name_bytes_max = 3").await;
    let api = server.api();
    let publish = |path: &str| api.post(path).json(&json!(1)).send();
    publish("/v1/channels/room5?name=abc").await.expect(201);
    assert_eq!(publish("/v1/channels/room-6").await.problem(400)["parameter"], "channel");
    assert_eq!(publish("/v1/channels/room5?name=abcd").await.problem(400)["parameter"], "name");
    let mut client = V1::connect(&api, "identity=ann").await;
    for message in [
        json!({"type": "publish", "channel": "room-6", "payload": 1}),
        json!({"type": "publish", "channel": "room5", "name": "abcd", "payload": 1}),
        json!({"type": "subscribe", "channels": ["room-6"]}),
    ] {
        let answer = client.try_ask(message).await.unwrap();
        assert_eq!(answer["error"]["status"], 400, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_org_and_an_identity_have_so_many_connections() {
    let limits = "[demo.limits]\nconnections_max = 3\nconnections_per_identity_max = 2";
    let server = Server::start(limits).await;
    let api = server.api();
    let connect = async |identity: &str| {
        let path = format!("/v1/events?identity={identity}");
        WebSocket::connect(api.address(), &path, Some("antiphon.v1"), &[]).await
    };
    let _there = [connect("ann").await.unwrap(), connect("ann").await.unwrap()];
    let refused = connect("ann").await.err().unwrap();
    assert_eq!((&refused.problem["status"], &refused.problem["retry_after"]), (&json!(429), &json!(1)));
    let _bob = connect("bob").await.unwrap();
    let refused = connect("cem").await.err().unwrap();
    assert_eq!((&refused.problem["status"], &refused.problem["retry_after"]), (&json!(503), &json!(1)));
    let stream = api.get("/v1/channels/room?identity=cem").header("accept", "text/event-stream");
    stream.send().await.problem(503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_broadcasts_and_members_are_so_many() {
    let limits = "[limits]\nbroadcasts_max = 1\nreplies_max = 2\nreply_bytes_max = 1000\nmembers_max = 2";
    let server = Server::start(limits).await;
    let api = server.api();
    let mut client = V1::connect(&api, "identity=ann").await;
    let broadcast = json!({"type": "broadcast", "channel": "room", "payload": 1, "timeout": 30_000});
    let begun = client.try_ask(broadcast.clone()).await.unwrap();
    let second = client.try_ask(broadcast).await.unwrap();
    assert_eq!((&second["error"]["status"], &second["error"]["retry_after"]), (&json!(503), &json!(1)));
    let path = format!("/v1/channels/room/broadcasts/{}/replies", begun["position"].as_str().unwrap());
    let reply = |bytes: usize| api.post(&path).json(&json!("x".repeat(bytes))).send();
    reply(10).await.expect(202);
    reply(1000).await.problem(409);
    reply(10).await.expect(202);

    let join = |identity: &str| api.put(&format!("/v1/channels/room/presence?identity={identity}")).send();
    for identity in ["ann", "bob", "ann"] {
        assert!(join(identity).await.status.is_success(), "{identity}");
    }
    join("cem").await.problem(503);
}

const ANSWERS: &str = r#"
[http]
long_poll_wait_secs_max = 1
broadcast_timeout_ms_max = 50
poll_bytes_max = 2000

[exp]
broadcast_timeout_max = "50ms"

[pubnub]
names_per_request_max = 2
history_channels_max = 2
body_bytes_max = 40000
object_bytes_max = 100

[[org]]
name = "demo"
open = true
publish_key = "pub"
subscribe_key = "sub"
"#;

/// Each would go on for as long as the test may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_longer_than_he_may() {
    let server = Server::start(ANSWERS).await;
    let api = server.api();
    api.get("/v1/channels/room?wait=10m").send().await.expect(200);
    api.post("/v1/channels/room/broadcasts?timeout=10m").json(&json!(1)).send().await.expect(200);
    let body = json!({"name": "hello", "channel": {"name": "room"}, "payload": {}});
    api.post("/api/networks/current/broadcasts?timeout=600000").json(&body).send().await.expect(200);
    let mut client = V1::connect(&api, "identity=ann").await;
    let broadcast = json!({"type": "broadcast", "channel": "room", "payload": 1, "timeout": 600_000});
    client.try_ask(broadcast).await.unwrap();
    assert_eq!(client.next().await["type"], "replies_end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_and_requests_have_so_much() {
    let server = Server::start(ANSWERS).await;
    let api = server.api();
    for _ in 0..3 {
        api.post("/v1/channels/room").json(&json!("x".repeat(900))).send().await.expect(201);
    }
    let page = api.get("/v1/channels/room?since=0").send().await.expect(200).json();
    let count = page["messages"].as_array().unwrap().len();
    assert!((1..3).contains(&count), "{count} messages");
    for path in [
        "/v2/subscribe/sub/a,b,c/0?tt=0",
        "/v3/history/sub-key/sub/channel/a,b,c?max=1",
        "/v1/channel-registration/sub-key/sub/channel-group/g?add=a,b,c",
    ] {
        let answer = api.get(path).send().await.expect(400);
        assert!(answer.text().contains("Too many channels"), "{path}: {}", answer.text());
    }
    let post = api.post("/publish/pub/sub/0/room/0").json(&json!("x".repeat(40_000)));
    post.send().await.expect(413);
    let object = json!({"name": "x".repeat(200)});
    let patch = api.call(http::Method::PATCH, "/v2/objects/sub/uuids/ann").json(&object);
    let answer = patch.send().await;
    assert!(answer.status.is_client_error(), "{answer:?}");
}
