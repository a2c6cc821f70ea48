//! Credentials of devices, consumer apps and users, by the administrators' interface.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use antiphon_tests::{Answer, Api, Server, V1, encoded};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

const CONFIG: &str = r#"
[[org]]
name = "acme"

[[org.key]]
key = "acme-admin-key"
allow = ["admin"]

[[org.key]]
key = "acme-room-admin-key"
allow = ["admin"]
channels = ["room.*"]

[[org.key]]
key = "acme-client-key"
allow = ["publish", "subscribe", "history", "presence"]

[[org.device]]
uuid = "configured"
secret = "secret-of-configured"
allow = ["subscribe"]

[org.limits]
credentials_max = 6

[[org]]
name = "globex"

[[org.key]]
key = "globex-admin-key"
allow = ["admin"]
"#;

const PATH: &str = "/v1/credentials";

async fn listed(api: &Api) -> Vec<(String, String, String)> {
    let list = api.get(PATH).send().await.expect(200).json();
    let text = |info: &Value, member: &str| info[member].as_str().unwrap().to_owned();
    let infos = list["credentials"].as_array().unwrap();
    infos.iter().map(|info| (text(info, "kind"), text(info, "name"), text(info, "source"))).collect()
}

fn info(kind: &str, name: &str, source: &str) -> (String, String, String) {
    (kind.to_owned(), name.to_owned(), source.to_owned())
}

fn configured() -> (String, String, String) {
    info("device", "configured", "configuration")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_added_is_listed_until_it_is_revoked() {
    let server = Server::start(CONFIG).await;
    let admin = server.api().with_token("acme-admin-key");
    let name = "Tür 1/ß";
    let add = |body: Value| admin.post(PATH).json(&body).send();

    let door = json!({"kind": "device", "name": name, "allow": ["subscribe"], "channels": ["doors.*"]});
    let added = add(door.clone()).await.expect(201).json();
    let secret = added["secret"].as_str().unwrap().to_owned();
    assert_eq!(added, json!({"kind": "device", "name": name, "secret": secret}));
    assert!(secret.len() >= 32, "{secret}");
    let app = json!({"kind": "consumer_app", "name": name, "secret": "secret-of-the-app"});
    let added = add(app).await.expect(201);
    assert_eq!(added.header("cache-control"), "no-store");
    assert_eq!(added.json(), json!({"kind": "consumer_app", "name": name}));
    let user = json!({"kind": "user", "name": "ann@example.com", "secret": "password of ann"});
    assert_eq!(add(user).await.expect(201).json(), json!({"kind": "user", "name": "ann@example.com"}));

    let list = admin.get(PATH).send().await.expect(200);
    assert_eq!(
        list.json()["credentials"][0],
        json!({"kind": "device", "name": name, "source": "store", "allow": ["subscribe"], "channels": ["doors.*"]})
    );
    for hidden in [&*secret, "secret-of", "password", "argon2"] {
        assert!(!list.text().contains(hidden), "{}", list.text());
    }
    let door_info = info("device", name, "store");
    let others =
        [configured(), info("consumer_app", name, "store"), info("user", "ann@example.com", "store")];
    let expected: Vec<_> = [door_info].iter().chain(&others).cloned().collect();
    assert_eq!(listed(&admin).await, expected);
    let head = admin.call("HEAD".parse().unwrap(), PATH).send().await.expect(200);
    assert!(head.body.is_empty());

    let problem = add(door.clone()).await.problem(409);
    assert_eq!(problem["type"], "urn:antiphon:problem:conflict");
    let again = admin.post("/v1/credentials?replace=true").json(&door).send().await.expect(201).json();
    assert_ne!(again["secret"], secret, "it is made up anew");
    assert_eq!(listed(&admin).await, expected);

    let path = format!("{PATH}/device/{}", encoded(name));
    assert_eq!(admin.delete(&path).send().await.expect(200).json(), json!({}));
    assert_eq!(listed(&admin).await, others);
    let problem = admin.delete(&path).send().await.problem(404);
    assert_eq!(problem["type"], "urn:antiphon:problem:not-found");
    add(door).await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_are_for_administrators_of_the_org() {
    let server = Server::start(CONFIG).await;
    let admin = server.api().with_token("acme-admin-key");
    let door = json!({"kind": "device", "name": "door", "secret": "secret-of-door"});
    admin.post(PATH).json(&door).send().await.expect(201);

    let path = format!("{PATH}/device/door");
    for key in ["acme-client-key", "acme-room-admin-key"] {
        let client = server.api().with_token(key);
        for call in [client.get(PATH), client.post(PATH).json(&door), client.delete(&path)] {
            let problem = call.send().await.problem(403);
            assert_eq!(problem["permission"], "admin", "{key}: {problem}");
        }
    }
    for call in [server.api().get(PATH), server.api().post(PATH).json(&door), server.api().delete(&path)] {
        call.send().await.problem(401);
    }

    // To another org's administrator there is nothing, and his own of the same name is another.
    let other = server.api().with_token("globex-admin-key");
    assert_eq!(listed(&other).await, []);
    other.delete(&path).send().await.problem(404);
    let own = json!({"kind": "device", "name": "door", "secret": "secret-of-another-door"});
    other.post(PATH).json(&own).send().await.expect(201);
    other.delete(&path).send().await.expect(200);
    assert_eq!(listed(&admin).await, [configured(), info("device", "door", "store")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_is_refused() {
    let server = Server::start(CONFIG).await;
    let admin = server.api().with_token("acme-admin-key");
    for (body, expected) in [
        (json!([]), "JSON object"),
        (json!({"kind": "device"}), "`name`"),
        (json!({"kind": "server", "name": "x"}), "`server`"),
        (json!({"kind": "device", "name": ""}), "1 to 128 bytes"),
        (json!({"kind": "device", "name": "_"}), "_"),
        (json!({"kind": "device", "name": "x", "secret": "short"}), "8 to 512"),
        (json!({"kind": "device", "name": "x", "secret": 12_345_678}), "a string"),
        (json!({"kind": "user", "name": "x"}), "a user needs a secret"),
        (json!({"kind": "user", "name": "x", "secret": "short"}), "8 to 512"),
        (json!({"kind": "user", "name": "x", "secret": "long enough", "allow": ["fly"]}), "`fly`"),
        (json!({"kind": "device", "name": "x", "channels": vec!["x"; 101]}), "at most 100"),
        (json!({"kind": "device", "name": "x", "password": "hunter22"}), "`password`"),
    ] {
        let problem = admin.post(PATH).json(&body).send().await.problem(400);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(expected), "{body}: {problem}");
        assert!(!detail.contains("12345678") && !detail.contains("hunter"), "{body}: {problem}");
    }
    let large = json!({"kind": "device", "name": "x", "channels": ["x".repeat(300_000)]});
    admin.post(PATH).json(&large).send().await.problem(413);
    let problem = admin.delete("/v1/credentials/server/x").send().await.problem(400);
    assert_eq!(problem["parameter"], "kind");
    let problem = admin.post("/v1/credentials?replace=yes").json(&json!({})).send().await.problem(400);
    assert_eq!(problem["parameter"], "replace");
    admin.put(PATH).send().await.problem(405);
    admin.get("/v1/credentials/device/configured").send().await.problem(405);

    // One of the configuration can be changed there only.
    let configured_anew = json!({"kind": "device", "name": "configured", "secret": "another-secret"});
    admin.post("/v1/credentials?replace=true").json(&configured_anew).send().await.problem(409);
    admin.delete("/v1/credentials/device/configured").send().await.problem(409);
    assert_eq!(listed(&admin).await, [configured()]);

    // There are as many as the org may have.
    for n in 1..6 {
        admin.post(PATH).json(&json!({"kind": "device", "name": n.to_string()})).send().await.expect(201);
    }
    admin.post(PATH).json(&json!({"kind": "device", "name": "6"})).send().await.problem(409);
    assert_eq!(listed(&admin).await.len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_so_after_kill_9() {
    let mut server = Server::start(CONFIG).await;
    let admin = server.api().with_token("acme-admin-key");
    let mut expected = vec![configured()];
    for round in 0..3 {
        for kind in ["device", "user"] {
            let name = format!("{kind}-{round}");
            let body = json!({"kind": kind, "name": name, "secret": "password-of-them"});
            admin.post(PATH).json(&body).send().await.expect(201);
            if round != 1 {
                expected.push(info(kind, &name, "store"));
                continue;
            }
            admin.delete(&format!("{PATH}/{kind}/{name}")).send().await.expect(200);
        }
        server.kill9().await;
        server.start_again().await;
        expected.sort_by_key(|(kind, name, _)| (kind.clone(), name.clone()));
        assert_eq!(listed(&admin).await, expected, "round {round}");
    }
    let log = server.log();
    assert!(!log.contains("password-of-them") && !log.contains("argon2"), "{log}");
}

/// A login as a device makes it.
async fn log_in(api: &Api, device: &str, secret: &str) -> Answer {
    let until = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(60);
    let claims = json!({"type": "device", "uuid": device, "exp": until.as_secs()});
    let key = EncodingKey::from_secret(secret.as_bytes());
    let token = jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap();
    api.post("/api/auth/login").json(&json!({"token": token})).send().await
}

fn session(login: Answer) -> String {
    login.expect(200).json()["token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_outlive_the_process_and_end_with_their_credential() {
    let mut server = Server::start(CONFIG).await;
    let api = server.api();
    let admin = api.with_token("acme-admin-key");
    let door = |secret: &str| json!({"kind": "device", "name": "door", "secret": secret});
    admin.post(PATH).json(&door("secret-of-door")).send().await.expect(201);
    let token = session(log_in(&api, "door", "secret-of-door").await);
    server.kill9().await;
    server.start_again().await;

    let device = api.with_token(&token);
    let mut client = V1::connect(&device, "").await;
    assert_eq!(client.open["identity"], "door");
    client.subscribe(json!("room")).await;
    let replace = admin.post("/v1/credentials?replace=true").json(&door("another-secret"));
    replace.send().await.expect(201);
    let (said, closed) = client.closed().await;
    assert_eq!((closed.code, &said["type"]), (Some(4001), &json!("close")), "{closed:?} {said}");
    device.get("/v1/channels/room").send().await.problem(401);
    log_in(&api, "door", "secret-of-door").await.expect(401);

    let token = session(log_in(&api, "door", "another-secret").await);
    let device = api.with_token(&token);
    let mut client = V1::connect(&device, "").await;
    admin.delete("/v1/credentials/device/door").send().await.expect(200);
    assert_eq!(client.closed().await.1.code, Some(4001));
    server.kill9().await;
    server.start_again().await;
    device.get("/v1/channels/room").send().await.problem(401);
    log_in(&api, "door", "another-secret").await.expect(401);
}
