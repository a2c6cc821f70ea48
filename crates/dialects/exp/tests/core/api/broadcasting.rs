use std::sync::Arc;
use std::time::Duration;

use antiphon_access::{Caller, CredentialKind};
use antiphon_model::{ChannelFlags, ChannelId, OrgId, Payload};
use serde_json::{Value, json};

use super::{BROADCASTS, KEY, RESPONSES, begin_post, hello, refusal, start};
use crate::client::{Connection, Socket};
use crate::{Running, Setup, channel, id, subscribe, subscribed, until};

/// A socket that listens to a channel.
fn listening(running: &Running, token: &str, id: &str) -> Socket {
    let mut socket = running.socket(token);
    socket.asks(&subscribe([id]), &subscribed([id]));
    socket
}

/// The broadcast that comes next on a socket.
fn heard(socket: &mut Socket) -> Value {
    let text = socket.next_text();
    let mut event: Value = serde_json::from_str(text.strip_prefix("42").unwrap()).unwrap();
    assert_eq!(event[0], "broadcast");
    event[1].take()
}

/// A broadcast that is on its way, and the connection that its answer comes on.
fn begin(running: &Running, token: &str, query: &str, body: &Value) -> Connection {
    let mut connection = running.connect();
    begin_post(&mut connection, &format!("{BROADCASTS}{query}"), Some(token), body.to_string().as_bytes());
    connection
}

fn respond(running: &Running, token: &str, broadcast: &Value, payload: &Value) -> Value {
    let body = json!({ "id": broadcast["id"], "channel": broadcast["channel"], "payload": payload });
    let answer = running.post(RESPONSES, Some(token), &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Waits for no more responses than there are, rather than for the time that the client asked for.
fn enough(running: &Running, broadcast: &Value, responses: usize) {
    let position = broadcast["id"].as_str().unwrap().parse().unwrap();
    running.node().expect_replies(&server(), position, responses);
}

fn server() -> Caller {
    Caller::server(OrgId::new("scala"), Arc::default())
}

fn collecting(running: &Running) -> usize {
    running.node().org(&OrgId::new("scala")).hub.stats().broadcasts
}

#[test]
fn responses_come_back_in_their_order_however_many_one_socket_makes() {
    let running = start();
    let (one, two) = (running.token("one"), running.token("two"));
    let room = channel("room");
    let mut listener = listening(&running, &two, &room);
    let body = json!({ "name": "hello", "channel": room, "payload": { "text": "hello?" } });
    let mut asker = begin(&running, &one, "?timeout=60000", &body);
    let broadcast = heard(&mut listener);
    assert_eq!(broadcast["name"], "hello");
    assert_eq!((&broadcast["channel"], &broadcast["payload"]), (&json!(room), &json!({ "text": "hello?" })));
    let said = [json!("hi there!"), json!("hi there!"), json!({ "n": [1, null] }), json!(null), json!(7.50)];
    for payload in &said {
        assert_eq!(respond(&running, &two, &broadcast, payload), json!({}));
    }
    let silent = json!({ "id": broadcast["id"], "channel": room });
    assert_eq!(running.post(RESPONSES, Some(&two), &silent).status, 200);
    enough(&running, &broadcast, said.len() + 1);
    let answer = asker.response();
    assert_eq!(answer.status, 200);
    let expected: Vec<Value> = said.into_iter().chain([Value::Null]).collect();
    assert_eq!(answer.json(), json!(expected));
    // Too late is no error: few programs expect one.
    assert_eq!(respond(&running, &two, &broadcast, &json!("late")), json!({ "collected": false }));
}

#[test]
fn the_senders_own_listeners_hear_it_before_the_answer() {
    let running = Setup { workers: 3, ..Setup::default() }.start();
    let one = running.token("one");
    let room = channel("room");
    // Several, so that some are on other workers than the request.
    let mut sockets: Vec<Socket> = (0..6).map(|_| listening(&running, &one, &room)).collect();
    for round in 0..20 {
        let body = json!({ "name": "hello", "channel": room, "payload": round });
        assert_eq!(running.collect(&one, "?timeout=0", &body), json!([]));
        for socket in &mut sockets {
            let broadcast = heard(socket);
            assert_eq!(broadcast["payload"], round);
        }
    }
}

#[test]
fn what_is_left_out_is_null_and_the_name_is_message() {
    let running = start();
    let one = running.token("one");
    let room = channel("room");
    let mut listener = listening(&running, &one, &room);
    for body in [json!({ "channel": room }), json!({ "channel": room, "name": null, "payload": null })] {
        running.collect(&one, "?timeout=0", &body);
        let broadcast = heard(&mut listener);
        assert_eq!((&broadcast["name"], &broadcast["payload"]), (&json!("message"), &json!(null)));
    }
}

#[test]
fn curl_broadcasts_with_an_api_key_as_the_guide_does() {
    let running = start();
    let app = running.token_for(CredentialKind::ConsumerApp, "one", Duration::from_secs(60));
    let room = id("scala", "myChannelName", 0, 1);
    let mut listener = listening(&running, &app, &room);
    let body = json!({
        "name": "myEventName",
        "payload": { "anything": 2, "anything2": ["hi!"] },
        "channel": { "name": "myChannelName", "consumer": true },
    });
    let mut asker = begin(&running, KEY, "?timeout=60000", &body);
    let broadcast = heard(&mut listener);
    assert_eq!((&broadcast["name"], &broadcast["payload"]), (&body["name"], &body["payload"]));
    respond(&running, &app, &broadcast, &json!("hi"));
    enough(&running, &broadcast, 1);
    assert_eq!(asker.response().json(), json!(["hi"]));
}

#[test]
fn text_and_bytes_of_other_dialects_are_strings() {
    let running = start();
    let one = running.token("one");
    let room = channel("room");
    let mut listener = listening(&running, &one, &room);
    let mut asker = begin(&running, &one, "?timeout=60000", &json!({ "channel": room }));
    let broadcast = heard(&mut listener);
    let position = broadcast["id"].as_str().unwrap().parse().unwrap();
    let room = ChannelId::new("room", ChannelFlags::NONE).unwrap();
    for payload in [Payload::Text("say \"hi\"".into()), Payload::Binary(vec![0, 255].into())] {
        running.node().reply(&server(), position, &room, payload).unwrap();
    }
    enough(&running, &broadcast, 2);
    assert_eq!(asker.response().json(), json!(["say \"hi\"", "AP8="]));
}

#[test]
fn refusals_are_403_and_say_what_is_missing() {
    let running = start();
    let one = running.token("one");
    for (channel, permission) in [
        (json!({ "name": "news", "system": true }), Some("publish")),
        (json!(id("scala", "news", 1, 0)), Some("publish")),
        (json!(id("other", "room", 0, 0)), None),
    ] {
        let answer = running.post(BROADCASTS, Some(&one), &json!({ "channel": channel }));
        assert_eq!(answer.refused(), refusal(403, "not-permitted"), "{channel}");
        assert_eq!(answer.json()["permission"].as_str(), permission, "{channel}");
    }
    let deaf = running.token("deaf");
    let body = json!({ "id": "17", "channel": channel("room") });
    assert_eq!(running.post(RESPONSES, Some(&deaf), &body).refused(), refusal(403, "not-permitted"));
    for token in [None, Some("x.y.z"), Some("key-of-nobody")] {
        assert_eq!(running.post(BROADCASTS, token, &hello("room")).refused(), refusal(401, "unauthorized"));
    }
}

#[test]
fn what_cannot_be_read_is_400() {
    let running = start();
    let one = running.token("one");
    for (target, body, code) in [
        (BROADCASTS, json!({}), "invalid-body"),
        (BROADCASTS, json!({ "channel": "what is no id" }), "invalid-parameter"),
        (BROADCASTS, json!({ "channel": { "name": "" } }), "invalid-parameter"),
        (BROADCASTS, json!({ "channel": { "name": "a" }, "name": "a\nb" }), "invalid-parameter"),
        (BROADCASTS, json!({ "channel": { "name": "a" }, "name": "" }), "invalid-parameter"),
        (RESPONSES, json!({ "channel": { "name": "a" }, "id": "seventeen" }), "invalid-parameter"),
        (RESPONSES, json!({ "channel": { "name": "a" } }), "invalid-body"),
    ] {
        assert_eq!(running.post(target, Some(&one), &body).refused(), refusal(400, code), "{body}");
    }
    let deep = "[".repeat(200) + &"]".repeat(200);
    let deep = format!(r#"{{"channel":{{"name":"a"}},"payload":{deep}}}"#);
    let answer = super::post(&mut running.connect(), BROADCASTS, Some(&one), deep.as_bytes());
    assert_eq!(answer.refused(), refusal(400, "invalid-body"));
}

#[test]
fn payloads_have_the_limit_of_the_org() {
    let running = Setup { limits: json!({ "payload_bytes_max": 1000 }), ..Setup::default() }.start();
    let one = running.token("one");
    let body = |bytes: usize| json!({ "channel": { "name": "room" }, "payload": "x".repeat(bytes - 2) });
    assert_eq!(running.collect(&one, "?timeout=0", &body(1000)), json!([]));
    for bytes in [1001, 100_000] {
        let answer = running.post(BROADCASTS, Some(&one), &body(bytes));
        assert_eq!(answer.refused(), refusal(413, "too-large"), "{bytes}");
    }
}

#[test]
fn timeouts_of_every_sdk_are_taken() {
    let running = Setup::new(|settings| {
        settings.timeout_default = Duration::from_millis(1);
        settings.timeout_max = Duration::from_millis(50);
    })
    .start();
    let one = running.token("one");
    for timeout in [
        "",
        "?",
        "?timeout=20",
        "?timeout=20.0",
        "?timeout=undefined",
        "?timeout=-1",
        "?timeout=NaN",
        "?timeout=1e99",
    ] {
        assert_eq!(running.collect(&one, timeout, &hello("room")), json!([]), "{timeout}");
    }
}

#[test]
fn who_goes_away_collects_no_longer() {
    let running = start();
    let one = running.token("one");
    let mut listener = listening(&running, &one, &channel("room"));
    let asker = begin(&running, &one, "?timeout=60000", &hello("room"));
    let broadcast = heard(&mut listener);
    assert_eq!(collecting(&running), 1);
    drop(asker);
    until("nobody collects", || collecting(&running) == 0);
    assert_eq!(respond(&running, &one, &broadcast, &json!("late")), json!({ "collected": false }));
}
