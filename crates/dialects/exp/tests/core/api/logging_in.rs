use serde_json::{Value, json};

use super::{BROADCASTS, KEY, hello, refusal, start};
use crate::{Running, Setup};

const LOGIN: &str = "/api/auth/login";
const TOKEN: &str = "/api/auth/token";

impl Running {
    fn logged_in(&self, body: &Value) -> Value {
        let answer = self.post(LOGIN, None, body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        answer.json()
    }

    fn login_refused(&self, body: &Value) -> (u16, String) {
        self.post(LOGIN, None, body).refused()
    }

    /// A device that has no secret yet, as the JavaScript SDK says it.
    fn pairing(&self) -> Value {
        let claims = json!({ "type": "device", "allowPairing": true, "exp": self.soon() });
        self.logged_in(&json!({ "token": self.signed(&claims, "_") }))
    }
}

fn text<'a>(answer: &'a Value, member: &str) -> &'a str {
    answer[member].as_str().unwrap_or_else(|| panic!("{member} in {answer}"))
}

#[test]
fn a_device_gets_all_that_some_sdk_reads() {
    let running = start();
    let before = running.node().now().wall.as_millis();
    let claims = json!({ "type": "device", "uuid": "one", "exp": running.soon() });
    let answer = running.logged_in(&json!({ "token": running.signed(&claims, "secret-one") }));
    let identity = &answer["identity"];
    let connection = text(identity, "connectionId");
    assert_eq!(
        *identity,
        json!({
            "type": "device", "uuid": "one", "organization": "scala", "role": null, "connectionId": connection,
        })
    );
    let lifetime = answer["expiration"].as_u64().unwrap() - before;
    assert!((1_800_000..1_860_000).contains(&lifetime), "{lifetime}");
    assert_eq!(answer["api"], json!({ "host": "http://localhost" }));
    assert_eq!(answer["network"], answer["api"]);
    assert_eq!(running.collect(text(&answer, "token"), "?timeout=0", &hello("room")), json!([]));
    let restricted = running.post(BROADCASTS, Some(text(&answer, "restrictedToken")), &hello("room"));
    assert_eq!(restricted.refused(), refusal(403, "not-permitted"));
}

#[test]
fn an_app_that_shares_the_uuid_is_another() {
    let running = start();
    // Milliseconds and a null, as Python's SDK writes them.
    let claims =
        json!({ "type": "consumerApp", "uuid": "one", "exp": running.soon() * 1000, "allowPairing": null });
    let answer = running.logged_in(&json!({ "token": running.signed(&claims, "api-key-one") }));
    assert_eq!(
        (text(&answer["identity"], "type"), text(&answer["identity"], "uuid")),
        ("consumerApp", "one")
    );
    let token = text(&answer, "token");
    assert_eq!(
        running.post(BROADCASTS, Some(token), &hello("room")).refused(),
        refusal(403, "not-permitted")
    );
    let consumer = json!({ "channel": { "name": "room", "consumer": true } });
    assert_eq!(running.collect(token, "?timeout=0", &consumer), json!([]));
}

#[test]
fn a_user_needs_no_organization_where_one_alone_has_the_name() {
    let running = start();
    for login in [
        json!({ "type": "user", "username": "ann@scala.com", "password": "password-ann", "organization": "scala" }),
        json!({ "username": "ann@scala.com", "password": "password-ann", "organization": null }),
        json!({ "username": "ann@scala.com", "password": "password-ann" }),
    ] {
        let identity = running.logged_in(&login)["identity"].clone();
        assert_eq!(
            (text(&identity, "type"), text(&identity, "username")),
            ("user", "ann@scala.com"),
            "{login}"
        );
        assert_eq!(text(&identity, "organization"), "scala");
        assert!(identity.get("uuid").is_none() && identity.get("isPairing").is_none());
    }
}

#[test]
fn who_is_not_known_is_401_and_nothing_else_is() {
    let running = start();
    let claims = json!({ "type": "device", "uuid": "one", "exp": running.soon() });
    let unauthorized = refusal(401, "unauthorized");
    for body in [
        json!({ "token": running.signed(&claims, "secret-two") }),
        json!({ "token": "x.y.z" }),
        json!({ "token": "" }),
        json!({ "username": "ann@scala.com", "password": "wrong-password" }),
        json!({ "username": "ann@scala.com", "password": "password-ann", "organization": "other" }),
        json!({ "username": "nobody", "password": "password-ann" }),
    ] {
        assert_eq!(running.login_refused(&body), unauthorized, "{body}");
    }
    for body in [json!({}), json!([]), json!({ "username": "ann@scala.com" }), json!({ "token": 7 })] {
        assert_eq!(running.login_refused(&body), refusal(400, "invalid-body"), "{body}");
    }
    assert_eq!(running.login_refused(&json!({ "token": "x".repeat(20_000) })), refusal(413, "too-large"));
}

#[test]
fn a_device_without_a_secret_may_wait_for_one_and_nothing_else() {
    let running = start();
    let paired = running.pairing();
    assert_eq!(paired["identity"]["isPairing"], true);
    assert_eq!(
        (&paired["identity"]["uuid"], &paired["identity"]["organization"]),
        (&json!(null), &json!(null))
    );
    let token = text(&paired, "token");
    // With 401 the SDK would be back at once, again and again.
    assert_eq!(
        running.post(BROADCASTS, Some(token), &hello("room")).refused(),
        refusal(403, "not-permitted")
    );
    let again = running.post(TOKEN, Some(token), &json!({})).json();
    assert_eq!(again["identity"], paired["identity"]);
}

#[test]
fn a_token_is_refreshed_without_a_body() {
    let running = start();
    let claims = json!({ "type": "device", "uuid": "one", "exp": running.soon() });
    let first = running.logged_in(&json!({ "token": running.signed(&claims, "secret-one") }));
    let mut connection = running.connect();
    for body in [&b""[..], b"{}", b"what is no JSON"] {
        let answer = super::post(&mut connection, TOKEN, Some(text(&first, "token")), body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let second = answer.json();
        assert_eq!(second["identity"], first["identity"], "the connection id as well");
        assert!(second["expiration"].as_u64() >= first["expiration"].as_u64());
        running.collect(text(&second, "token"), "?timeout=0", &hello("room"));
    }
    for token in [None, Some(KEY), Some("x.y.z"), Some(text(&first, "restrictedToken"))] {
        assert_eq!(
            running.post(TOKEN, token, &json!({})).refused(),
            refusal(401, "unauthorized"),
            "{token:?}"
        );
    }
}

#[test]
fn many_passwords_wait_for_their_turn() {
    let running = Setup::new(|settings| settings.password_checks_max = 1).start();
    let login = json!({ "username": "ann@scala.com", "password": "password-ann" });
    // As many as may be under way by one name: until it is known that they are right, they might be guesses.
    let mut connections: Vec<_> = (0..10).map(|_| running.connect()).collect();
    for connection in &mut connections {
        super::begin_post(connection, LOGIN, None, login.to_string().as_bytes());
    }
    for mut connection in connections {
        assert_eq!(connection.response().status, 200);
    }
}

#[test]
fn the_address_is_the_one_that_the_client_called() {
    let running = start();
    let claims = json!({ "type": "device", "uuid": "one", "exp": running.soon() });
    let body = json!({ "token": running.signed(&claims, "secret-one") });
    let mut proxied = running.connect().with("x-forwarded-proto", "https");
    let answer = super::post(&mut proxied, LOGIN, None, body.to_string().as_bytes()).json();
    assert_eq!(answer["network"]["host"], "https://localhost");
    let named = Setup::new(|settings| settings.public_url = Some("https://exp.example.com/".into())).start();
    assert_eq!(named.logged_in(&body)["api"]["host"], "https://exp.example.com");
}
