//! Publishers of every dialect.

use antiphon_tests::{Server, V1, WebSocket, encoded};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::ears::CHANNEL;
use crate::exp::session;
use crate::packets::connected;
use crate::world::Org;

/// Whether all hear it, or only those whose dialect has such things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    ByAll,
    BySome,
}

/// A way to publish a text on [`CHANNEL`].
pub(crate) struct Mouth {
    pub(crate) name: &'static str,
    pub(crate) heard: Heard,
    pub(crate) speak: for<'a> fn(&'a Server, Org, &'a str) -> BoxFuture<'a, ()>,
}

/// A line of the table: the name, who hears it, an `async fn(&Server, Org, &str)`.
macro_rules! mouth {
    ($name:literal, $heard:ident, $speak:path) => {
        Mouth {
            name: $name,
            heard: Heard::$heard,
            speak: |server, org, text| Box::pin($speak(server, org, text)),
        }
    };
}

pub(crate) const MOUTHS: &[Mouth] = &[
    mouth!("http", ByAll, http),
    mouth!("batch", ByAll, batch),
    mouth!("call", ByAll, broadcast),
    mouth!("raw", ByAll, raw),
    mouth!("v1", ByAll, v1),
    mouth!("v1-call", ByAll, v1_broadcast),
    mouth!("io", ByAll, socketio),
    mouth!("io-call", ByAll, socketio_broadcast),
    mouth!("exp", ByAll, exp),
    mouth!("nub", ByAll, pubnub),
    mouth!("signal", BySome, pubnub_signal),
    mouth!("file", BySome, pubnub_file),
    mouth!("object", BySome, pubnub_object),
    mouth!("action", BySome, pubnub_action),
    mouth!("presence", BySome, presence),
    mouth!("heartbeat", BySome, pubnub_heartbeat),
    mouth!("state", BySome, pubnub_state),
];

/// What is published in an org by a mouth.
pub(crate) fn mark(org: Org, mouth: &str) -> String {
    format!("mark.of-{}.by-{mouth}.", org.0)
}

async fn http(server: &Server, org: Org, text: &str) {
    let api = server.api().with_token(&org.admin());
    api.post(&format!("/v1/channels/{CHANNEL}")).json(&json!(text)).send().await.expect(201);
}

async fn batch(server: &Server, org: Org, text: &str) {
    let api = server.api().with_token(&org.admin());
    api.post("/v1/publications")
        .json(&json!([{"channel": CHANNEL, "payload": text}]))
        .send()
        .await
        .expect(200);
}

async fn broadcast(server: &Server, org: Org, text: &str) {
    let api = server.api().with_token(&org.admin());
    let path = format!("/v1/channels/{CHANNEL}/broadcasts?timeout=1");
    api.post(&path).json(&json!(text)).send().await.expect(200);
}

async fn raw(server: &Server, org: Org, text: &str) {
    let path = format!("/v1/channels/{CHANNEL}?token={}", org.admin());
    let mut socket = WebSocket::connect(server.address(), &path, None, &[]).await.unwrap();
    socket.send_text(text).await.unwrap();
    // It comes back to who sent it, and nothing acknowledges it.
    while socket.next().await.text() != text {}
}

async fn v1(server: &Server, org: Org, text: &str) {
    ask_v1(server, org, json!({"type": "publish", "channel": CHANNEL, "payload": text})).await;
}

async fn v1_broadcast(server: &Server, org: Org, text: &str) {
    ask_v1(server, org, json!({"type": "broadcast", "channel": CHANNEL, "payload": text, "timeout": 1}))
        .await;
}

async fn ask_v1(server: &Server, org: Org, message: Value) {
    let mut client = V1::connect(&server.api().with_token(&org.admin()), "").await;
    client.ask(message).await;
}

async fn socketio(server: &Server, org: Org, text: &str) {
    let mut client = connected(server.address(), &org.admin()).await;
    let answer = client.ask("publish", &json!({"channel": CHANNEL, "payload": text})).await;
    assert_eq!(answer["status"], "ok", "{answer}");
}

async fn socketio_broadcast(server: &Server, org: Org, text: &str) {
    let mut client = connected(server.address(), &org.admin()).await;
    let answer = client.ask("broadcast", &json!({"channel": CHANNEL, "payload": text, "timeout": 1})).await;
    assert_eq!(answer["status"], "ok", "{answer}");
}

async fn exp(server: &Server, org: Org, text: &str) {
    let api = server.api().with_token(&session(&server.api(), org).await);
    let body = json!({"name": "said", "channel": {"name": CHANNEL}, "payload": text});
    api.post("/api/networks/current/broadcasts?timeout=1").json(&body).send().await.expect(200);
}

async fn pubnub(server: &Server, org: Org, text: &str) {
    by_path(server, org, "/publish/{keys}", text).await;
}

async fn pubnub_signal(server: &Server, org: Org, text: &str) {
    by_path(server, org, "/signal/{keys}", text).await;
}

async fn pubnub_file(server: &Server, org: Org, text: &str) {
    by_path(server, org, "/v1/files/publish-file/{keys}", text).await;
}

/// Publishes by a path that has the text in it.
async fn by_path(server: &Server, org: Org, pattern: &str, text: &str) {
    let keys = format!("{}/{}", org.publish_key(), org.subscribe_key());
    let json = encoded(&json!(text).to_string());
    let path = format!("{}/0/{CHANNEL}/0/{json}?uuid=nub.of-{}", pattern.replace("{keys}", &keys), org.0);
    signed(server, org, "GET", &path, &Value::Null).await;
}

async fn pubnub_object(server: &Server, org: Org, text: &str) {
    let path = format!("/v2/objects/{}/channels/{CHANNEL}", org.subscribe_key());
    signed(server, org, "PATCH", &path, &json!({"name": text})).await;
}

async fn pubnub_action(server: &Server, org: Org, text: &str) {
    let path =
        format!("/v1/message-actions/{}/channel/{CHANNEL}/message/17000000000000000", org.subscribe_key());
    let path = format!("{path}?uuid=nub.of-{}", org.0);
    signed(server, org, "POST", &path, &json!({"type": "said", "value": text})).await;
}

async fn presence(server: &Server, org: Org, text: &str) {
    let api = server.api().with_token(&org.admin());
    let path = format!("/v1/channels/{CHANNEL}/presence?ttl=1h&identity={text}");
    api.put(&path).json(&json!({"said": text})).send().await.expect(200);
}

async fn pubnub_heartbeat(server: &Server, org: Org, text: &str) {
    let path = format!("/v2/presence/sub-key/{}/channel/{CHANNEL}/heartbeat", org.subscribe_key());
    signed(server, org, "GET", &format!("{path}?heartbeat=300&uuid={text}"), &Value::Null).await;
}

async fn pubnub_state(server: &Server, org: Org, text: &str) {
    let who = mark(org, "heartbeat");
    let path = format!("/v2/presence/sub-key/{}/channel/{CHANNEL}/uuid/{who}/data", org.subscribe_key());
    // What is signed has no more encoded than has to be.
    let state = encoded(&json!({"said": text}).to_string()).replace("%2E", ".").replace("%2D", "-");
    signed(server, org, "GET", &format!("{path}?state={state}"), &Value::Null).await;
}

/// Asks as the org's own servers do.
pub(crate) async fn signed(server: &Server, org: Org, method: &str, target: &str, body: &Value) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let target = org.signed_with(&org.secret_key(), method, target, body.as_bytes());
    let call = server.api().call(method.parse().unwrap(), &target);
    let call = if body.is_empty() { call } else { call.body("application/json", body) };
    call.send().await.expect(200).json()
}
