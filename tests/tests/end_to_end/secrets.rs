//! What a client shows to be let in is not in the log, whatever is logged and whether it was right.

use antiphon_tests::{Api, Server, V1, encoded};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

const CONFIG: &str = r#"
[[org]]
name = "acme"
publish_key = "pub-acme"
subscribe_key = "sub-acme"
secret_key = "secret-key-of-the-keyset"
access_manager = true

[[org.key]]
key = "api-key-of-the-admin"
allow = ["admin"]

[[org.key]]
key = "api-key-of-a-member"
allow = ["publish", "subscribe", "history", "presence"]

[[org.jwt]]
algorithm = "HS256"
secret = "what-tokens-of-acme-are-signed-with"

[[org.device]]
uuid = "door"
secret = "what-the-door-signs-with"

[[org.user]]
username = "ann"
password = "the-password-of-ann"

[socketio.admin]
enabled = true

# Of "the-password-of-the-dashboard".
[socketio.admin.auth]
username = "operator"
password_hash = "$2b$04$X.VkyT.Ibxy/Vk61WimSA.1cK07ALANXK0llhmAG5F79qoYhJKA7y"
"#;

const JWT_SECRET: &str = "what-tokens-of-acme-are-signed-with";

fn signed(secret: &str, claims: &Value) -> String {
    jsonwebtoken::encode(&Header::default(), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

/// Shows a credential in every place where the native protocol takes one.
async fn shown_everywhere(api: &Api, credential: &str) {
    let in_header = api.with_token(credential);
    let query = format!("token={}", encoded(credential));
    for call in [
        in_header.post("/v1/channels/room").json(&json!(1)),
        in_header.over_http2().post("/v1/channels/room").json(&json!(1)),
        in_header.get("/v1/channels/room?since=0"),
        api.post(&format!("/v1/channels/room?{query}")).json(&json!(1)),
        api.over_http2().get(&format!("/v1/channels/room?since=0&{query}")),
        in_header.call(Method::OPTIONS, "/v1/channels/room"),
        in_header.get("/v1/credentials"),
        in_header.get("/no/such/path"),
        // A request that is wrong in itself.
        in_header.get("/v1/channels/room?since=no-position"),
        in_header.post("/v1/publications").text("{"),
        api.get(&format!("/socket.io/?EIO=4&transport=polling&{query}")),
    ] {
        let _ = call.send().await;
    }
    for (api, query) in [(&in_header, ""), (api, query.as_str())] {
        if let Ok(mut client) = V1::try_connect(api, query).await {
            let _ = client.try_ask(json!({"type": "authenticate", "token": credential})).await;
            let _ = client.send_raw(&format!("{{\"type\":\"authenticate\",\"token\":\"{credential}\"")).await;
        }
    }
    speak_socketio(api, &format!("40{}", json!({"token": credential}))).await;
}

/// Opens a session by polling, sends one packet, and takes the answer.
async fn speak_socketio(api: &Api, packet: &str) {
    const PATH: &str = "/socket.io/?EIO=4&transport=polling";
    let opened = api.get(PATH).send().await.expect(200).text();
    let sid = opened.split('"').nth(3).expect("the first member of what is said is the sid");
    api.post(&format!("{PATH}&sid={sid}")).text(packet).send().await.expect(200);
    api.get(&format!("{PATH}&sid={sid}")).send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_secret_is_logged() {
    let server = Server::start_with_arguments(CONFIG, &["--log", "trace"]).await;
    let api = server.api();
    let admin = api.with_token("api-key-of-the-admin");
    let token = signed(JWT_SECRET, &json!({"sub": "ann", "exp": 4_000_000_000_u64}));
    let mut secrets: Vec<String> = [
        "secret-key-of-the-keyset",
        "api-key-of-the-admin",
        "api-key-of-a-member",
        JWT_SECRET,
        "what-the-door-signs-with",
        "the-password-of-ann",
        "the-password-of-the-dashboard",
        "a-wrong-api-key",
        "a-wrong-password",
    ]
    .map(String::from)
    .to_vec();
    let forged = signed("another secret than that of acme", &json!({"sub": "ann", "exp": 4_000_000_000_u64}));
    let expired = signed(JWT_SECRET, &json!({"sub": "bob", "exp": 1_000_000_000}));
    for credential in ["api-key-of-a-member", "a-wrong-api-key", &token, &forged, &expired] {
        shown_everywhere(&api, credential).await;
    }
    secrets.extend([token.clone(), forged, expired]);

    // The EXP network: logins that succeed and that do not, and what they give.
    let login = |body: Value| api.post("/api/auth/login").json(&body).send();
    let door = signed(
        "what-the-door-signs-with",
        &json!({"uuid": "door", "type": "device", "exp": 4_000_000_000_u64}),
    );
    let in_ = login(json!({"token": door})).await.expect(200).json();
    let session = in_["token"].as_str().unwrap().to_owned();
    login(json!({"username": "ann", "password": "the-password-of-ann", "organization": "acme"}))
        .await
        .expect(200);
    login(json!({"username": "ann", "password": "a-wrong-password", "organization": "acme"}))
        .await
        .expect(401);
    login(json!({"token": signed("a-wrong-password", &json!({"uuid": "door", "type": "device"}))}))
        .await
        .expect(401);
    api.with_token(&session).post("/api/auth/token").json(&json!({})).send().await.expect(200);
    shown_everywhere(&api, &session).await;
    secrets.extend([door, session]);

    // Credentials that are added and revoked, and tokens that are.
    let new = json!({"kind": "device", "name": "gate"});
    let added = admin.post("/v1/credentials").json(&new).send().await.expect(201).json();
    secrets.push(added["secret"].as_str().unwrap().to_owned());
    let password = "a-password-that-is-added";
    let new = json!({"kind": "user", "name": "eve", "secret": password});
    admin.post("/v1/credentials").json(&new).send().await.expect(201);
    // Wrong, with a secret in it.
    let new = json!({"kind": "device", "name": "", "secret": password});
    admin.post("/v1/credentials").json(&new).send().await.expect(400);
    secrets.push(password.to_owned());
    admin.post("/v1/revocations").json(&json!({"token": token})).send().await.expect(201);
    api.with_token(&token).get("/v1/channels/room?since=0").send().await.expect(401);

    // PubNub: auth keys, tokens and signatures.
    for auth in ["an-auth-key-of-somebody", "qEF2AkF0Gl2GRTYZYXJlIG5vdCBhIHRva2VuIQ"] {
        let _ = api.get(&format!("/v2/subscribe/sub-acme/room/0?tt=0&uuid=ann&auth={auth}")).send().await;
        let _ = api.get(&format!("/publish/pub-acme/sub-acme/0/room/0/1?uuid=ann&auth={auth}")).send().await;
        secrets.push(auth.to_owned());
    }
    let signature = "v2.c2lnbmVkLXdpdGgtYW5vdGhlci1rZXk";
    let _ =
        api.get(&format!("/v2/auth/grant/sub-key/sub-acme?timestamp=1&signature={signature}")).send().await;
    secrets.push(signature.to_owned());

    // The dashboard.
    for password in ["the-password-of-the-dashboard", "a-wrong-password"] {
        let auth = json!({"username": "operator", "password": password});
        speak_socketio(&api, &format!("40/admin,{auth}")).await;
    }

    let log = server.log();
    assert!(log.contains("TRACE") && log.lines().count() > 100, "nothing is logged: {log}");
    for secret in secrets {
        // A part of it would do for whoever looks for it; tokens differ in their last part.
        let part = &secret[secret.len().saturating_sub(24)..];
        for form in [part.to_owned(), encoded(part), STANDARD.encode(&secret)] {
            if let Some(line) = log.lines().find(|line| line.contains(&form)) {
                panic!("{secret:?} is in the log: {line}");
            }
        }
    }
}
