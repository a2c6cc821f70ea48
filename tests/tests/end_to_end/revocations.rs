//! Tokens that an operator revokes, over connections that live and a server that is killed.

use antiphon_tests::{Server, V1};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;

const SECRET: &str = "a-secret-that-only-these-tests-know";

const CONFIG: &str = r#"
[[org]]
name = "acme"

[[org.key]]
key = "acme-admin-key"
allow = ["admin"]

[[org.key]]
key = "acme-member-key"
allow = ["subscribe"]

[[org.jwt]]
algorithm = "HS256"
secret = "a-secret-that-only-these-tests-know"
allow = ["subscribe", "history"]

[[org]]
name = "globex"

[[org.key]]
key = "globex-admin-key"
allow = ["admin"]
"#;

fn token(sub: &str, iat: u64) -> String {
    let claims = json!({"org": "acme", "sub": sub, "iat": iat, "exp": 4_000_000_000_u64});
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_closes_its_connections_and_stays_revoked() {
    let mut server = Server::start(CONFIG).await;
    let api = server.api();
    let (stolen, kept) = (token("ann", 1), token("ann", 2));
    let mut thief = V1::connect(&api.with_token(&stolen), "").await;
    let mut ann = V1::connect(&api.with_token(&kept), "").await;
    let admin = api.with_token("acme-admin-key");
    let revoked =
        admin.post("/v1/revocations").json(&json!({"token": stolen})).send().await.expect(201).json();
    assert_eq!(revoked["until"], 4_000_000_000_u64, "{revoked}");
    let (error, closed) = thief.closed().await;
    assert_eq!(closed.code, Some(4001), "{error} {closed:?}");
    api.with_token(&stolen).get("/v1/channels/a?since=0").send().await.expect(401);
    ann.subscribe(json!("a")).await;

    server.kill9().await;
    server.start_again().await;
    api.with_token(&stolen).get("/v1/channels/a?since=0").send().await.expect(401);
    api.with_token(&kept).get("/v1/channels/a?since=0").send().await.expect(200);
    let list = admin.get("/v1/revocations").send().await.expect(200).json();
    assert_eq!(list, json!({"revocations": [revoked]}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_tokens_of_an_identity_end_and_the_next_does_not() {
    let mut server = Server::start(CONFIG).await;
    let api = server.api();
    let mut ann = V1::connect(&api.with_token(&token("ann", 1000)), "").await;
    let admin = api.with_token("acme-admin-key");
    let body = json!({"identity": "ann", "issued_before": 2000});
    let revoked = admin.post("/v1/revocations").json(&body).send().await.expect(201).json();
    assert_eq!((&revoked["identity"], &revoked["issued_before"]), (&json!("ann"), &json!(2000)));
    assert_eq!(ann.closed().await.1.code, Some(4001));
    for _ in 0..2 {
        for (sub, iat, status) in [("ann", 1999, 401), ("ann", 2000, 200), ("bob", 1000, 200)] {
            api.with_token(&token(sub, iat)).get("/v1/channels/a?since=0").send().await.expect(status);
        }
        server.kill9().await;
        server.start_again().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_operators_revoke_and_only_tokens_of_their_org() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    let token = token("ann", 1);
    let body = json!({"token": token});
    api.post("/v1/revocations").json(&body).send().await.expect(401);
    for (key, status) in [("acme-member-key", 403), ("globex-admin-key", 400)] {
        api.with_token(key).post("/v1/revocations").json(&body).send().await.expect(status);
    }
    api.with_token("acme-member-key").get("/v1/revocations").send().await.expect(403);
    let admin = api.with_token("acme-admin-key");
    for wrong in [
        json!({}),
        json!([]),
        json!({"token": "acme-member-key"}),
        json!({"identity": ""}),
        json!({"token": token, "identity": "ann"}),
    ] {
        admin.post("/v1/revocations").json(&wrong).send().await.expect(400);
    }
    api.with_token(&token).get("/v1/channels/a?since=0").send().await.expect(200);
    assert_eq!(admin.get("/v1/revocations").send().await.expect(200).json(), json!({"revocations": []}));
}
