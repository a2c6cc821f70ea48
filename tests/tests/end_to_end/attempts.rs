//! Guessing is slow: failed credentials are limited by address, in every protocol together, and failed logins by name.

use std::sync::atomic::{AtomicU32, Ordering};

use antiphon_tests::{Api, Server, WebSocket};
use http::StatusCode;
use serde_json::json;

const CONFIG: &str = r#"
[proxy]
trusted = ["127.0.0.0/8"]

[limits]
failed_credentials_per_address = { per_second = 0.01, burst = 3 }
failed_logins_per_name = { per_second = 0.01, burst = 2 }

[[org]]
name = "acme"
publish_key = "pub"
subscribe_key = "sub"
secret_key = "the-secret-of-acme"
access_manager = true

[[org.key]]
key = "key-of-acme-0123456789"
allow = ["publish", "subscribe"]

[[org.user]]
username = "ann"
password = "the-right-password"
"#;

const KEY: &str = "key-of-acme-0123456789";

/// Shows a key at an address.
async fn show(api: &Api, key: &str, from: &str) -> antiphon_tests::Answer {
    let call = api.with_token(key).post("/v1/channels/room").header("x-forwarded-for", from);
    call.json(&json!(1)).send().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_guesses_is_refused_before_anything_is_looked_at() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    // What is valid does not count.
    for _ in 0..10 {
        show(&api, KEY, "192.0.2.1").await.expect(201);
    }
    for _ in 0..3 {
        show(&api, "a-guess-0123456789", "192.0.2.1").await.problem(401);
    }
    for key in ["a-guess-0123456789", KEY] {
        let answer = show(&api, key, "192.0.2.1").await;
        let after: u64 = answer.header("retry-after").parse().unwrap_or_default();
        assert!((40..=100).contains(&after), "{answer:?}");
        let problem = answer.problem(429);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("from this address") && !detail.contains(key), "{problem}");
    }
    show(&api, KEY, "192.0.2.2").await.expect(201);
    // One network of IPv6 is one address.
    for last in 1..=3 {
        show(&api, "a-guess-0123456789", &format!("2001:db8::{last}")).await.problem(401);
    }
    show(&api, KEY, "2001:db8::ffff").await.problem(429);
    show(&api, KEY, "2001:db8:0:1::1").await.expect(201);
}

/// Whatever the guesses are of, there are three; the fourth is refused, as is all that follows from there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_protocol_s_guesses_count_and_are_refused() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    let ways = [
        "http",
        "jwt",
        "websocket",
        "subscribe key",
        "publish key",
        "signature",
        "token",
        "login",
        "session",
        "socket",
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let from = format!("198.51.100.{number}");
        for _ in 0..3 {
            let status = guess(&api, way, &from).await.as_u16();
            assert!([400, 401, 403].contains(&status), "{way}: {status}");
        }
        for next in ways.into_iter().filter(|next| *next != "publish key") {
            assert_eq!(guess(&api, next, &from).await.as_u16(), 429, "{next} after {way}");
        }
    }
}

async fn guess(api: &Api, way: &str, from: &str) -> StatusCode {
    let get = |path: &str| api.get(path).header("x-forwarded-for", from).send();
    let post = |path: &str, body| api.post(path).header("x-forwarded-for", from).json(&body).send();
    // Signed with another secret.
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJvcmciOiJhY21lIn0.c2lnbmF0dXJlLXRoYXQtaXMtbm9uZS1vZi1vdXJzLi4uLi4u";
    match way {
        "http" => show(api, "a-guess-0123456789", from).await.status,
        "jwt" => show(api, jwt, from).await.status,
        "websocket" => {
            let headers = [("x-forwarded-for", from)];
            let path = "/v1/channels/room?token=a-guess-0123456789";
            let refused = WebSocket::connect(api.address(), path, None, &headers).await.err();
            refused.and_then(|refused| refused.status).expect("it is refused with a status")
        }
        "subscribe key" => get("/v2/subscribe/sub-guess/room/0?tt=0").await.status,
        "publish key" => get("/publish/pub-guess/sub/0/room/0/1").await.status,
        "signature" => {
            let signed = format!("timestamp={}&signature=v2.{}", now(), "A".repeat(43));
            get(&format!("/v2/auth/grant/sub-key/sub?{signed}")).await.status
        }
        "token" => get(&format!("/v2/subscribe/sub/room/0?tt=0&auth={}", pubnub_token())).await.status,
        "socket" => get(&format!("/socket.io/?EIO=3&transport=polling&token={jwt}")).await.status,
        "login" => {
            post("/api/auth/login", json!({"username": nobody(), "password": "wrong-password"})).await.status
        }
        _ => api.with_token(jwt).post("/api/auth/token").header("x-forwarded-for", from).send().await.status,
    }
}

/// What has the shape of an access manager token: its last member is a signature.
fn pubnub_token() -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE.encode([&b"\xa1\x43sig\x58\x20"[..], &[7; 32]].concat())
}

/// Another name each time: failures under one name have a limit of their own.
fn nobody() -> String {
    static NAMES: AtomicU32 = AtomicU32::new(0);
    format!("nobody-{}", NAMES.fetch_add(1, Ordering::Relaxed))
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_logins_are_limited_by_name_and_the_owner_comes_in_where_he_was_before() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    let login = |name: &'static str, password: &'static str, from: &'static str| {
        let body = json!({"username": name, "password": password});
        api.post("/api/auth/login").header("x-forwarded-for", from).json(&body).send()
    };
    login("ann", "the-right-password", "203.0.113.1").await.expect(200);
    for name in ["ann", "nobody"] {
        for from in ["203.0.113.2", "203.0.113.3"] {
            login(name, "wrong-password", from).await.expect(401);
        }
        let refused = login(name, "wrong-password", "203.0.113.4").await.expect(429);
        let after: u64 = refused.header("retry-after").parse().unwrap_or_default();
        assert!((40..=100).contains(&after), "{refused:?}");
        // It tells nobody whether there is such a name.
        let document = refused.json();
        assert_eq!(document["code"], "rate-limited", "{document}");
        let said = document["message"].as_str().unwrap();
        assert!(said.contains("under this name") && !said.contains(name), "{document}");
    }
    login("ann", "the-right-password", "203.0.113.4").await.expect(429);
    login("ann", "the-right-password", "203.0.113.1").await.expect(200);
}

/// Loopback is exempt unless it is said otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_that_are_exempt_have_no_limit_of_guesses() {
    let config = CONFIG.replace("trusted = [\"127.0.0.0/8\"]", "");
    let server = Server::start(&config).await;
    for _ in 0..10 {
        show(&server.api(), "a-guess-0123456789", "192.0.2.1").await.problem(401);
    }
    let server = Server::start(&config.replace("[limits]\n", "[limits]\nexempt_addresses = []\n")).await;
    for status in [401, 401, 401, 429] {
        show(&server.api(), "a-guess-0123456789", "192.0.2.1").await.problem(status);
    }
}
