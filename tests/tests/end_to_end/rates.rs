//! Who passes a rate is told when to come back, in each protocol's own form; and others are not concerned.
//!
//! Rates are so low that none of them gives anything back while a test runs.

use antiphon_tests::{Answer, Api, Server, V1, WebSocket};
use serde_json::{Value, json};

/// Clients say where they come from, as behind a proxy.
const PROXY: &str = "[proxy]\ntrusted = [\"127.0.0.0/8\"]\n";
const HERE: &str = "192.0.2.1";
const ELSEWHERE: &str = "192.0.2.2";

/// The default rate of these tests: two, and the next after a hundred seconds.
const TWO: &str = "{ per_second = 0.01, burst = 2 }";

/// A server whose org has these limits.
async fn server(limits: &str) -> Server {
    let org = "[[org]]\nname = \"acme\"\nopen = true\npublish_key = \"pub\"\nsubscribe_key = \"sub\"\n[org.limits]\n";
    Server::start(&format!("{PROXY}{org}{limits}\n")).await
}

/// What an attempt came to: the problem document if it was refused.
type Outcome = Result<(), Value>;

/// A WebSocket that is asked for by somebody at an address, and what is in its way.
async fn connect(api: &Api, identity: &str, from: &str) -> Result<WebSocket, Value> {
    let path = format!("/v1/events?identity={identity}");
    let headers = [("x-forwarded-for", from)];
    let connected = WebSocket::connect(api.address(), &path, Some("antiphon.v1"), &headers).await;
    let mut socket = connected.map_err(|refused| refused.problem)?;
    assert!(socket.next().await.text().contains("open"));
    Ok(socket)
}

async fn publish(api: &Api, identity: &str, from: &str) -> Outcome {
    let path = format!("/v1/channels/room?identity={identity}");
    let answer = api.post(&path).header("x-forwarded-for", from).json(&json!(1)).send().await;
    if answer.status == 201 {
        return Ok(());
    }
    check_header(&answer);
    Err(answer.problem(429))
}

async fn subscribe(api: &Api, identity: &str, from: &str) -> Outcome {
    let mut socket = connect(api, identity, from).await.expect("connecting has no rate");
    socket.send_text(r#"{"type":"subscribe","id":1,"channels":["room"]}"#).await.unwrap();
    let answer: Value = serde_json::from_str(socket.next().await.text()).unwrap();
    if answer["type"] == "ok" { Ok(()) } else { Err(answer["error"].clone()) }
}

async fn attempt(act: &str, api: &Api, identity: &str, from: &str) -> Outcome {
    match act {
        "publish" => publish(api, identity, from).await,
        "subscribe" => subscribe(api, identity, from).await,
        // What connected goes away: the rate counts what began, not what is there.
        _ => connect(api, identity, from).await.map(drop),
    }
}

/// The header says what the document says.
#[track_caller]
fn check_header(answer: &Answer) {
    assert_eq!(answer.header("retry-after"), answer.json()["retry_after"].to_string(), "{answer:?}");
}

/// A document that says when to come back: in a hundred seconds less what the test has taken.
#[track_caller]
fn check_limited(problem: &Value, whose: &str) {
    assert_eq!(problem["type"], "urn:antiphon:problem:rate-limited", "{problem}");
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.contains(whose) && detail.contains("try again in"), "{problem}");
    let seconds = problem["retry_after"].as_u64().unwrap_or_default();
    assert!((40..=100).contains(&seconds), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_act_has_a_rate_by_identity_by_address_and_in_the_org() {
    for act in ["publish", "subscribe", "connect"] {
        for (scope, whose, concerned) in [
            ("identity", "by this identity", [("ann", ELSEWHERE), ("bob", HERE)]),
            ("address", "from this address", [("bob", HERE), ("ann", ELSEWHERE)]),
        ] {
            let server = server(&format!("{act}_rate_per_{scope} = {TWO}")).await;
            let api = server.api();
            for _ in 0..2 {
                assert_eq!(attempt(act, &api, "ann", HERE).await, Ok(()), "{act} {scope}");
            }
            let [same, other] = concerned;
            for (identity, from) in [("ann", HERE), same] {
                let refused = attempt(act, &api, identity, from).await.unwrap_err();
                check_limited(&refused, whose);
            }
            assert_eq!(attempt(act, &api, other.0, other.1).await, Ok(()), "{act} {scope}");
        }
        let server = server(&format!("{act}_rate_per_org = {TWO}")).await;
        let api = server.api();
        for identity in ["ann", "bob"] {
            assert_eq!(attempt(act, &api, identity, HERE).await, Ok(()), "{act}");
        }
        check_limited(&attempt(act, &api, "cem", ELSEWHERE).await.unwrap_err(), "in this org");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_s_own_rate_is_told_in_v1_and_closes_a_raw_websocket() {
    let server = server(&format!("publish_rate_per_connection = {TWO}")).await;
    let api = server.api();
    let mut client = V1::connect(&api, "identity=ann").await;
    let message = json!({"type": "publish", "channel": "room", "payload": 1});
    for expected in ["ok", "ok", "error"] {
        let answer = client.try_ask(message.clone()).await.unwrap();
        assert_eq!(answer["type"], expected, "{answer}");
        if expected == "error" {
            check_limited(&answer["error"], "by this connection");
        }
    }
    let mut raw = WebSocket::connect(api.address(), "/v1/channels/room?echo=false", None, &[]).await.unwrap();
    for text in ["1", "2", "3"] {
        raw.send_text(text).await.unwrap();
    }
    let closed = raw.closed().await;
    assert_eq!(closed.code, Some(1013), "{closed:?}");
    assert!(closed.reason.contains("by this connection: try again in"), "{closed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_raw_websocket_that_listens_too_often_is_closed_for_a_while() {
    let server = server(&format!("subscribe_rate_per_org = {TWO}")).await;
    let address = server.address();
    let mut listening = Vec::new();
    for _ in 0..2 {
        listening.push(WebSocket::connect(address, "/v1/channels/room", None, &[]).await.unwrap());
    }
    let closed = WebSocket::connect(address, "/v1/channels/room", None, &[]).await.unwrap().closed().await;
    assert_eq!(closed.code, Some(1013), "{closed:?}");
    assert!(closed.reason.contains("too many subscriptions in this org: try again in"), "{closed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_and_first_polls_connect_and_polls_that_go_on_do_not() {
    let server = server(&format!("connect_rate_per_org = {TWO}\nsubscribe_rate_per_org = {TWO}")).await;
    let api = server.api();
    let room = "/v1/channels/room";
    let stream = api.get(room).header("accept", "text/event-stream").stream().await;
    let first = api.get(&format!("{room}?wait=1ms")).send().await.expect(200).json();
    let since = first["position"].as_str().unwrap_or_default();
    for accept in ["text/event-stream", "application/x-ndjson"] {
        let answer = api.get(room).header("accept", accept).send().await;
        check_header(&answer);
        check_limited(&answer.problem(429), "in this org");
    }
    check_limited(&api.get(&format!("{room}?wait=1ms")).send().await.problem(429), "in this org");
    for _ in 0..5 {
        api.get(&format!("{room}?wait=1ms&since={since}")).send().await.expect(200);
    }
    drop(stream);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_for_more_channels_than_the_burst_waits_for_all_of_it() {
    let server = server(&format!("subscribe_rate_per_org = {TWO}")).await;
    let subscribe = |channels: Value| json!({"type": "subscribe", "channels": channels});
    let mut client = V1::connect(&server.api(), "identity=ann").await;
    let answer = client.try_ask(subscribe(json!(["a", "b", "c", "d"]))).await.unwrap();
    assert_eq!(answer["type"], "ok", "{answer}");
    // Charged in full: three hundred seconds until one is free.
    let answer = client.try_ask(subscribe(json!(["e"]))).await.unwrap();
    let seconds = answer["error"]["retry_after"].as_u64().unwrap_or_default();
    assert!((240..=300).contains(&seconds), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_tells_of_each_which_the_rate_lets_through() {
    let server = server(&format!("publish_rate_per_org = {TWO}")).await;
    let one = json!({"channel": "room", "payload": 1});
    let answer = server.api().post("/v1/publications").json(&json!([one, one, one])).send().await;
    let results = answer.expect(200).json()["results"].clone();
    assert_eq!((results[0]["error"].is_null(), results[1]["error"].is_null()), (true, true), "{results}");
    check_limited(&results[2]["error"], "in this org");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pubnub_clients_get_a_429_with_retry_after_in_the_shape_of_the_route() {
    let rates = format!("publish_rate_per_address = {TWO}\nsubscribe_rate_per_address = {TWO}");
    let server = server(&rates).await;
    let api = server.api();
    let get = |path: &str| api.get(path).header("x-forwarded-for", HERE).send();
    let publish = "/publish/pub/sub/0/room/0/1";
    let sent = get(publish).await.expect(200).json();
    get(publish).await.expect(200);
    let refused = get(publish).await.expect(429);
    check_retry_after(&refused);
    assert_eq!(refused.json()[0], 0, "{}", refused.text());
    assert!(refused.text().contains("from this address"), "{}", refused.text());
    api.get(publish).header("x-forwarded-for", ELSEWHERE).send().await.expect(200);

    let begin = |channels: &str| format!("/v2/subscribe/sub/{channels}/0?tt=0&uuid=ann");
    get(&begin("room,other")).await.expect(200);
    let refused = get(&begin("room")).await.expect(429);
    check_retry_after(&refused);
    assert_eq!(refused.json()["error"], true, "{}", refused.text());
    // Polls that go on are no new subscriptions, however many there are.
    let before: u64 = sent[2].as_str().unwrap().parse().unwrap();
    for _ in 0..5 {
        let poll = get(&format!("/v2/subscribe/sub/room/0?tt={}&uuid=ann", before - 1)).await.expect(200);
        assert!(!poll.json()["m"].as_array().unwrap().is_empty(), "{}", poll.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exp_clients_get_a_429_with_code_and_message() {
    let server = server(&format!("publish_rate_per_identity = {TWO}")).await;
    let api = server.api();
    let broadcast = || {
        let body = json!({"name": "hello", "channel": {"name": "room"}, "payload": {}});
        api.post("/api/networks/current/broadcasts?identity=ann&timeout=1").json(&body).send()
    };
    for _ in 0..2 {
        broadcast().await.expect(200);
    }
    let refused = broadcast().await.expect(429);
    check_retry_after(&refused);
    let document = refused.json();
    assert_eq!(document["code"], "rate-limited", "{document}");
    assert!(document["message"].as_str().unwrap().contains("by this identity"), "{document}");
}

#[track_caller]
fn check_retry_after(answer: &Answer) {
    let seconds: u64 = answer.header("retry-after").parse().unwrap_or_default();
    assert!((40..=100).contains(&seconds), "{answer:?}");
}
