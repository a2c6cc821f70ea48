//! A connection that goes on with another credential.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use antiphon_tests::{Api, Server, V1};
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
key = "acme-member-key"
allow = ["subscribe", "publish"]

[[org.jwt]]
algorithm = "HS256"
secret = "a-secret-that-only-these-tests-know"

[[org]]
name = "globex"

[[org.key]]
key = "globex-member-key"
allow = ["subscribe", "publish"]
"#;

fn in_secs(secs: u64) -> u64 {
    (SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(secs)).as_secs()
}

/// A token of zoe's that ends then, and allows this everywhere.
fn token(exp: u64, allow: &[&str]) -> String {
    let permissions = json!([{"channels": ["*"], "allow": allow}]);
    let claims = json!({"org": "acme", "sub": "zoe", "exp": exp, "permissions": permissions});
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

async fn connect(server: &Server, token: &str) -> V1 {
    V1::connect(&server.api().with_token(token), "").await
}

async fn authenticate(client: &mut V1, token: &str) -> Value {
    client.try_ask(json!({"type": "authenticate", "token": token})).await.unwrap()
}

async fn publish(api: &Api, payload: Value) {
    api.post("/v1/channels/room").json(&payload).send().await.expect(201);
}

fn word(answer: &Value) -> &str {
    assert_eq!(answer["type"], "error", "{answer}");
    answer["error"]["type"].as_str().unwrap().rsplit(':').next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_authenticates_anew_in_time_is_not_closed() {
    let server = Server::start(CONFIG).await;
    let admin = server.api().with_token("acme-admin-key");
    let (soon, later, much_later) = (in_secs(3), in_secs(5), in_secs(600));
    let mut renewed = connect(&server, &token(soon, &["subscribe", "presence"])).await;
    let mut other = connect(&server, &token(soon, &["subscribe"])).await;
    let mut last = connect(&server, &token(later, &["subscribe"])).await;
    renewed.subscribe(json!({"channel": "room", "join": true})).await;
    publish(&admin, json!("before")).await;

    let answer = authenticate(&mut renewed, &token(much_later, &["subscribe", "presence", "publish"])).await;
    let expected = (&json!("ok"), &json!("zoe"), &json!(much_later));
    assert_eq!((&answer["type"], &answer["identity"], &answer["expires"]), expected, "{answer}");
    renewed.ask(json!({"type": "publish", "channel": "own", "payload": 1})).await;

    // The last one ends when the time of the first one has long been looked at.
    assert_eq!(other.closed().await.1.code, Some(4001));
    assert_eq!(last.closed().await.1.code, Some(4001));
    publish(&admin, json!("after")).await;
    assert_eq!(renewed.next().await["payload"], "before");
    assert_eq!(renewed.next().await["payload"], "after");
    let members = admin.get("/v1/channels/room/presence").send().await.expect(200).json();
    assert_eq!((&members["occupancy"], &members["members"][0]["identity"]), (&json!(1), &json!("zoe")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shorter_credential_ends_the_connection_sooner() {
    let server = Server::start(CONFIG).await;
    let mut client = connect(&server, &token(in_secs(600), &["subscribe"])).await;
    assert_eq!(authenticate(&mut client, &token(in_secs(2), &["subscribe"])).await["type"], "ok");
    assert_eq!(client.closed().await.1.code, Some(4001));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_does_not_do_changes_nothing() {
    let server = Server::start(CONFIG).await;
    let admin = server.api().with_token("acme-admin-key");
    let mut client = connect(&server, &token(in_secs(600), &["subscribe", "presence"])).await;
    client.subscribe(json!({"channel": "room", "presence": true, "join": true})).await;
    assert_eq!(client.next().await["name"], "join");

    for (what, token, expected) in [
        ("another identity's", "acme-admin-key".to_owned(), "not-permitted"),
        ("another org's", "globex-member-key".to_owned(), "not-permitted"),
        ("none of this server's", "acme-admin-kez".to_owned(), "unauthorized"),
        ("one that has expired", token(in_secs(0) - 60, &["subscribe", "presence"]), "unauthorized"),
        ("one that is too long", "x".repeat(10_000), "unauthorized"),
        ("one without presence", token(in_secs(600), &["subscribe"]), "not-permitted"),
        ("one without subscribe", token(in_secs(600), &["presence"]), "not-permitted"),
    ] {
        let answer = authenticate(&mut client, &token).await;
        assert_eq!(word(&answer), expected, "{what}: {answer}");
        assert!(!answer.to_string().contains(&token), "{what}: {answer}");
    }
    let answer = authenticate(&mut client, &token(in_secs(600), &["presence"])).await;
    let problem = (&answer["error"]["channel"], &answer["error"]["permission"]);
    assert_eq!(problem, (&json!("room"), &json!("subscribe")), "{answer}");

    // An API key that names nobody takes the name that is there; what it does not allow has to end first.
    let answer = authenticate(&mut client, "acme-member-key").await;
    assert_eq!(word(&answer), "not-permitted");
    client.ask(json!({"type": "unsubscribe", "channels": ["room"]})).await;
    client.subscribe(json!("room")).await;
    let answer = authenticate(&mut client, "acme-member-key").await;
    assert_eq!((&answer["type"], &answer["identity"]), (&json!("ok"), &json!("zoe")), "{answer}");
    assert_eq!(answer.get("expires"), None);
    publish(&admin, json!(1)).await;
    assert_eq!(client.next().await["payload"], 1);
    let refused = client.try_ask(json!({"type": "presence", "channel": "room"})).await.unwrap();
    assert_eq!(refused["error"]["permission"], "presence", "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_token_that_is_refreshed_keeps_the_connection() {
    let device =
        "[[org]]\nname = \"scala\"\n[[org.device]]\nuuid = \"lamp\"\nsecret = \"secret-of-the-lamp\"\n";
    let server = Server::start(&format!("[exp]\ntoken_lifetime = \"3s\"\n{device}")).await;
    let claims = json!({"type": "device", "uuid": "lamp", "exp": in_secs(60)});
    let key = EncodingKey::from_secret(b"secret-of-the-lamp");
    let login = json!({"token": jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap()});
    let session = |answer: antiphon_tests::Answer| {
        let answer = answer.expect(200).json();
        (answer["token"].as_str().unwrap().to_owned(), answer["expiration"].as_u64().unwrap())
    };
    let (first, _) = session(server.api().post("/api/auth/login").json(&login).send().await);
    let api = server.api().with_token(&first);
    let (mut renewed, mut other) = (V1::connect(&api, "").await, V1::connect(&api, "").await);
    renewed.subscribe(json!("room")).await;
    let mut token = first;
    // Until the other one has ended with the token that both came with.
    let other = tokio::spawn(async move { other.closed().await.1.code });
    while !other.is_finished() {
        let refreshed = server.api().with_token(&token).post("/api/auth/token").send().await;
        let (refreshed, expiration) = session(refreshed);
        let answer = authenticate(&mut renewed, &refreshed).await;
        let expected = (&json!("lamp"), &json!(expiration / 1000));
        assert_eq!((&answer["identity"], &answer["expires"]), expected, "{answer}");
        token = refreshed;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(other.await.unwrap(), Some(4001));
    renewed.ask(json!({"type": "publish", "channel": "room", "payload": "still here"})).await;
    assert_eq!(renewed.next().await["payload"], "still here");
}
