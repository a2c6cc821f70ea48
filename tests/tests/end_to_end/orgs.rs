//! Who may do what where, and that nothing crosses from one org to another.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use antiphon_tests::{EventReader, Server, V1, WebSocket, eventually, within};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

const SECRET: &str = "a-secret-that-only-these-tests-know";

const CONFIG: &str = r#"
[[org]]
name = "acme"

[[org.key]]
key = "acme-admin-key"
allow = ["admin"]

[[org.key]]
key = "acme-reader-key"
allow = ["subscribe"]
channels = ["room.*"]
identity = "reader"

[[org.key]]
key = "acme-writer-key"
allow = ["publish"]
channels = ["room.1"]

[[org.jwt]]
algorithm = "HS256"
secret = "a-secret-that-only-these-tests-know"

[[org]]
name = "globex"

[[org.key]]
key = "globex-admin-key"
allow = ["admin"]
"#;

fn token(claims: Value) -> String {
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

fn in_secs(secs: u64) -> u64 {
    (SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(secs)).as_secs()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_names_the_permission_and_the_channel() {
    let server = Server::start(CONFIG).await;
    let reader = server.api().with_token("acme-reader-key");
    let writer = server.api().with_token("acme-writer-key");
    let post = |path: &str| reader.post(path).json(&json!(1));
    for (what, call, permission, channel) in [
        ("publish without publish", post("/v1/channels/room.1"), "publish", "room.1"),
        ("broadcast without publish", post("/v1/channels/room.1/broadcasts"), "publish", "room.1"),
        ("history without history", reader.get("/v1/channels/room.1"), "history", "room.1"),
        ("elsewhere", reader.get("/v1/channels/lobby?since=1"), "subscribe", "lobby"),
        ("presence", reader.get("/v1/channels/room.1/presence"), "presence", "room.1"),
        ("join", reader.put("/v1/channels/room.1/presence"), "presence", "room.1"),
        ("listen without subscribe", writer.get("/v1/channels/room.1?since=1"), "subscribe", "room.1"),
        ("publish elsewhere", writer.post("/v1/channels/room.2").json(&json!(1)), "publish", "room.2"),
        ("one of several", reader.get("/v1/events?channel=room.1&channel=b&since=1"), "subscribe", "b"),
    ] {
        let problem = call.send().await.problem(403);
        assert_eq!(problem["type"], "urn:antiphon:problem:not-permitted", "{what}");
        assert_eq!(
            (&problem["permission"], &problem["channel"]),
            (&json!(permission), &json!(channel)),
            "{what}: {problem}"
        );
    }
    writer.post("/v1/channels/room.1").json(&json!(1)).send().await.expect(201);
    reader.get("/v1/channels/room.1?since=1").send().await.expect(200);

    let mut client = V1::connect(&reader, "").await;
    assert_eq!(client.open["identity"], "reader");
    let answer = client.try_ask(json!({"type": "subscribe", "channels": ["room.1", "lobby"]})).await.unwrap();
    assert_eq!(
        (&answer["error"]["permission"], &answer["error"]["channel"]),
        (&json!("subscribe"), &json!("lobby"))
    );
    let path = "/v1/channels/lobby?token=acme-reader-key";
    let refused = WebSocket::connect(reader.address(), path, None, &[]).await.err().unwrap();
    assert_eq!(
        (refused.status.unwrap().as_u16(), &refused.problem["permission"]),
        (403, &json!("subscribe"))
    );
    let path = "/v1/channels/room.1?token=acme-reader-key";
    let mut raw = WebSocket::connect(reader.address(), path, None, &[]).await.unwrap();
    raw.send_text("1").await.unwrap();
    let closed = raw.closed().await;
    assert_eq!(closed.code, Some(1008));
    assert!(closed.reason.contains("publish") && closed.reason.contains("room.1"), "{closed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_history_nobody_goes_back_further_than_the_window() {
    let server = Server::start(&format!("[timeouts]\nrecovery_without_history = \"400ms\"\n{CONFIG}")).await;
    let admin = server.api().with_token("acme-admin-key");
    let reader = server.api().with_token("acme-reader-key");
    let publish = |payload: Value| admin.post("/v1/channels/room.1").json(&payload).send();
    let since = publish(json!(0)).await.expect(201).json()["position"].as_str().unwrap().to_owned();
    publish(json!(1)).await.expect(201);
    let path = format!("/v1/channels/room.1?since={since}");
    eventually("the window has passed", async || {
        let page = reader.get(&path).send().await.expect(200).json();
        (page["gap"] == true && page["messages"] == json!([])).then_some(())
    })
    .await;
    let mut lines = reader.get(&path).header("accept", "application/x-ndjson").stream().await;
    assert_eq!(lines.json().await["type"], "open");
    assert_eq!(lines.json().await["type"], "gap");
    publish(json!(2)).await.expect(201);
    assert_eq!(lines.json().await["payload"], 2);
    let page = admin.get(&path).send().await.expect(200).json();
    assert_eq!((&page["gap"], page["messages"].as_array().unwrap().len()), (&json!(false), 2), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_is_needed_and_has_to_be_right() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    let fresh = json!({"org": "acme", "sub": "zoe", "exp": in_secs(60), "permissions": [{"channels": ["*"], "allow": ["subscribe"]}]});
    let with = |name: &str, value: Value| {
        let mut claims = fresh.clone();
        claims[name] = value;
        token(claims)
    };
    let good = token(fresh.clone());
    let forged = format!("{}AAAA", &good[..good.len() - 4]);
    let unsigned = "eyJhbGciOiJub25lIn0.eyJvcmciOiJhY21lIn0.";
    for (what, credential) in [
        ("none", None),
        ("another key", Some("acme-admin-kez".to_owned())),
        ("a forged token", Some(forged)),
        ("a token with algorithm none", Some(unsigned.to_owned())),
        ("a token that has expired", Some(with("exp", json!(in_secs(0) - 60)))),
        ("a token for later", Some(with("nbf", json!(in_secs(600))))),
        ("a token of an org that takes none", Some(with("org", json!("globex")))),
        ("a token of no org", Some(with("org", json!("nobody")))),
    ] {
        let call = |path: &str| match &credential {
            None => api.get(path),
            Some(credential) => api.with_token(credential).get(path),
        };
        let problem = call("/v1/channels/room?since=1").send().await.problem(401);
        assert_eq!(problem["type"], "urn:antiphon:problem:unauthorized", "{what}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(credential.is_none_or(|credential| !detail.contains(&credential)), "{what}: {detail}");
    }
    api.with_token(&good).get("/v1/channels/room?since=1").send().await.expect(200);
    api.get(&format!("/v1/channels/room?since=1&token={good}")).send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_crosses_from_one_org_to_another() {
    let server = Server::start(CONFIG).await;
    let acme = server.api().with_token("acme-admin-key");
    let globex = server.api().with_token("globex-admin-key");
    let mut ann = V1::connect(&acme, "identity=ann").await;
    let mut bob = V1::connect(&globex, "identity=bob").await;
    let channel = json!({"channel": "room", "presence": true, "join": true});
    ann.subscribe(channel.clone()).await;
    bob.subscribe(channel).await;
    let answer = bob.ask(json!({"type": "presence", "channel": "room"})).await;
    assert_eq!((&answer["occupancy"], &answer["members"][0]["identity"]), (&json!(1), &json!("bob")));

    acme.post("/v1/channels/room").json(&json!("of acme")).send().await.expect(201);
    let call = acme.post("/v1/channels/room/broadcasts?timeout=20s&until=1").json(&json!("call")).send();
    let call = tokio::spawn(call);
    let heard = |message: Value| (message["name"].clone(), message["payload"].clone());
    let mut told = Vec::new();
    while told.last() != Some(&(json!("message"), json!("call"))) {
        let message = ann.next().await;
        let position = message["position"].as_str().unwrap().to_owned();
        told.push(heard(message));
        if told.last().unwrap().1 == "call" {
            let path = format!("/v1/channels/room/broadcasts/{position}/replies");
            globex.post(&path).json(&json!("from outside")).send().await.problem(404);
            acme.post(&path).json(&json!("from inside")).send().await.expect(202);
        }
    }
    let collected = within("the broadcast", call).await.unwrap().expect(200).json();
    assert_eq!(collected["replies"].as_array().unwrap().len(), 1, "{collected}");
    assert_eq!(collected["replies"][0]["payload"], "from inside");

    // All that bob hears is his own coming and what his org publishes.
    globex.post("/v1/channels/room").json(&json!("of globex")).send().await.expect(201);
    let mut told = vec![heard(bob.next().await)];
    while told.last().unwrap().1 != "of globex" {
        told.push(heard(bob.next().await));
    }
    assert!(
        told.iter()
            .all(|(name, payload)| name == "join" && payload["identity"] == "bob" || payload == "of globex"),
        "{told:?}"
    );
    let page = globex.get("/v1/channels/room").send().await.expect(200).json();
    assert_eq!(page["messages"].as_array().unwrap().len(), 1, "{page}");
    let key = |api: &antiphon_tests::Api| {
        api.post("/v1/channels/keys?identity=x").header("idempotency-key", "same").json(&json!(1)).send()
    };
    let (first, other) = (key(&acme).await.expect(201).json(), key(&globex).await.expect(201).json());
    assert_eq!(key(&acme).await.expect(201).json(), first);
    assert_eq!(key(&globex).await.expect(201).json(), other);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_end_with_their_credential() {
    let server = Server::start(CONFIG).await;
    let claims = json!({"org": "acme", "sub": "zoe", "exp": in_secs(3), "permissions": [{"channels": ["*"], "allow": ["subscribe"]}]});
    let api = server.api().with_token(&token(claims));
    let mut client = V1::connect(&api, "").await;
    client.subscribe(json!("room")).await;
    let path = format!("/v1/channels/room?token={}", api.token().unwrap());
    let mut raw = WebSocket::connect(api.address(), &path, None, &[]).await.unwrap();
    let stream = api.get("/v1/channels/room").header("accept", "text/event-stream").stream().await;
    let mut lines = api.get("/v1/channels/room").header("accept", "application/x-ndjson").stream().await;

    let (said, closed) = client.closed().await;
    assert_eq!((closed.code, &said["type"]), (Some(4001), &json!("close")), "{closed:?} {said}");
    assert_eq!(raw.closed().await.code, Some(4001));
    let mut events = EventReader::new(stream);
    assert_eq!(events.next().await.name, "antiphon.close");
    assert_eq!(within("the end", events.try_next()).await, Ok(None));
    while lines.json().await["type"] != "close" {}
    api.get("/v1/channels/room?since=1").send().await.problem(401);
}
