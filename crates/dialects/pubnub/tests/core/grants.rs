use std::sync::Arc;

use antiphon_store::{SqliteStore, Store, StoreSettings};
use serde_json::{Value, json};

use crate::signing::signed;
use crate::{Running, Setup, encoded};

const GRANT: &str = "/v3/pam/sub-guarded/grant?uuid=server";

/// Asks with the secret key.
fn ask(server: &Running, method: &str, target: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let response = server.request(method, &signed(server, method, target, &body), &body);
    (response.status, response.json())
}

fn grant(server: &Running, permissions: Value) -> String {
    let (status, answer) = ask(server, "POST", GRANT, &json!({ "ttl": 5, "permissions": permissions }));
    let token = answer["data"]["token"].as_str().unwrap_or_default().to_owned();
    let expected =
        json!({"data": {"message": "Success", "token": token}, "service": "Access Manager", "status": 200});
    assert_eq!((status, answer), (200, expected));
    token
}

fn publish(server: &Running, channel: &str, uuid: &str, auth: &str) -> u16 {
    let target =
        format!("/publish/pub-guarded/sub-guarded/0/{channel}/0/1?uuid={uuid}&auth={}", encoded(auth));
    server.request("GET", &target, b"").status
}

fn revoke(server: &Running, token: &str) -> (u16, Value) {
    ask(server, "DELETE", &format!("/v3/pam/sub-guarded/grant/{}?uuid=server", encoded(token)), &Value::Null)
}

#[test]
fn a_token_permits_what_it_says_until_it_is_revoked() {
    let server = Running::start();
    let token = grant(
        &server,
        json!({"resources": {"channels": {"room": 2}}, "patterns": {"channels": {"^ann-.*$": 2}}, "meta": {}, "uuid": "ann"}),
    );
    assert_eq!(publish(&server, "room", "ann", &token), 200);
    assert_eq!(publish(&server, "ann-x", "ann", &token), 200);
    assert_eq!(publish(&server, "room", "bob", &token), 403, "it is ann's");
    let target = format!("/publish/pub-guarded/sub-guarded/0/other/0/1?uuid=ann&auth={}", encoded(&token));
    let forbidden = json!({
        "message": "Forbidden", "payload": {"channels": ["other"]}, "error": true,
        "service": "Access Manager", "status": 403,
    });
    assert_eq!(server.refused(&target), (403, forbidden));
    let revoked = json!({"data": {"message": "Success"}, "service": "Access Manager", "status": 200});
    assert_eq!(revoke(&server, &token), (200, revoked));
    assert_eq!(publish(&server, "room", "ann", &token), 403);
    for token in [&*token, "nonsense"] {
        let (status, error) = revoke(&server, token);
        assert_eq!(
            (status, &error["error"]["source"], &error["service"]),
            (400, &json!("revoke"), &json!("Access Manager"))
        );
        assert_eq!(error["error"]["details"][0]["locationType"], "path");
    }
    server.stop();
}

#[test]
fn what_cannot_be_granted_is_told_with_its_place() {
    let server = Running::start();
    let on_room = json!({"resources": {"channels": {"room": 1}}});
    for (body, message, location) in [
        (json!({"ttl": 0, "permissions": on_room}), "Invalid ttl", "ttl"),
        (json!({"ttl": 43_201, "permissions": on_room}), "Invalid ttl", "ttl"),
        (json!({"ttl": -1, "permissions": on_room}), "Invalid ttl", "ttl"),
        (json!({"ttl": 5}), "Invalid permissions", "permissions"),
        (json!({"ttl": 5, "permissions": {}}), "Invalid permissions", "permissions"),
        (
            json!({"ttl": 5, "permissions": {"patterns": {"channels": {"^a(": 1}}}}),
            "Invalid RegExp",
            "permissions.patterns.channels.^a(",
        ),
        (
            json!({"ttl": 5, "permissions": {"resources": {"channels": {"room": 512}}}}),
            "Invalid room",
            "permissions.resources.channels.room",
        ),
    ] {
        let (status, error) = ask(&server, "POST", GRANT, &body);
        assert_eq!(
            (status, &error["status"], &error["service"]),
            (400, &json!(400), &json!("Access Manager")),
            "{error}"
        );
        let error = &error["error"];
        assert_eq!((&error["message"], &error["source"]), (&json!(message), &json!("grant")), "{error}");
        let detail = &error["details"][0];
        assert_eq!((&detail["location"], &detail["locationType"]), (&json!(location), &json!("body")));
        assert!(detail["message"].is_string());
    }
    let unsigned = server.request("POST", "/v3/pam/demo/grant", b"{}");
    assert_eq!((unsigned.status, &unsigned.json()["error"]["message"]), (403, &json!("Forbidden")));
    server.stop();
}

#[test]
fn auth_keys_are_granted_on_every_level() {
    let server = Running::start();
    let ask = |query: &str| {
        ask(&server, "GET", &format!("/v2/auth/grant/sub-key/sub-guarded?{query}"), &Value::Null)
    };
    let flags = json!({"r": 0, "w": 1, "m": 0, "d": 0, "g": 0, "u": 0, "j": 0});
    let (status, answer) = ask("auth=key&channel=room&d=0&g=0&j=0&m=0&r=0&ttl=5&u=0&w=1");
    let payload = json!({
        "level": "user", "subscribe_key": "sub-guarded", "ttl": 5, "channel": "room", "auths": {"key": flags}
    });
    let expected =
        json!({"message": "Success", "payload": payload, "service": "Access Manager", "status": 200});
    assert_eq!((status, answer), (200, expected));
    assert_eq!(publish(&server, "room", "ann", "key"), 200);
    assert_eq!(publish(&server, "room", "ann", "other"), 403);
    let (_, answer) = ask("auth=key,k2&channel=a%2Cb&w=1".replace(",k2", "%2Ck2").as_str());
    assert_eq!(answer["payload"]["channels"]["b"]["auths"]["k2"], flags);
    assert_eq!((&answer["payload"]["ttl"], publish(&server, "b", "ann", "k2")), (&json!(1440), 200));
    let (_, answer) = ask("channel=public&ttl=0&w=1");
    assert_eq!(
        (&answer["payload"]["level"], &answer["payload"]["channels"]["public"]),
        (&json!("channel"), &flags)
    );
    assert_eq!(publish(&server, "public", "ann", ""), 200);
    // None of them takes it back.
    assert_eq!(ask("auth=key&channel=room&w=0").0, 200);
    assert_eq!(publish(&server, "room", "ann", "key"), 403);
    let (_, answer) = ask("w=1");
    assert_eq!((&answer["payload"]["level"], &answer["payload"]["w"]), (&json!("subkey"), &json!(1)));
    assert_eq!(publish(&server, "anything", "ann", ""), 200);
    for query in ["target-uuid=u&w=1", "channel=a&ttl=x&w=1", "channel=a&ttl=525601&w=1"] {
        let (status, error) = ask(query);
        assert_eq!(
            (status, &error["error"], &error["service"]),
            (400, &json!(true), &json!("Access Manager")),
            "{error}"
        );
    }
    server.stop();
}

#[test]
fn what_was_granted_and_revoked_outlives_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let start = || {
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(dir.path(), &StoreSettings::default()).unwrap());
        Setup { store, ..Setup::default() }.start()
    };
    let server = start();
    let permissions = json!({"resources": {"channels": {"room": 2}}});
    let (kept, revoked) = (grant(&server, permissions.clone()), grant(&server, permissions));
    assert_eq!(revoke(&server, &revoked).0, 200);
    let granted =
        ask(&server, "GET", "/v2/auth/grant/sub-key/sub-guarded?auth=key&channel=room&w=1", &Value::Null);
    assert_eq!(granted.0, 200);
    server.stop();
    let server = start();
    assert_eq!(publish(&server, "room", "ann", &revoked), 403);
    assert_eq!(publish(&server, "room", "ann", &kept), 200);
    assert_eq!(publish(&server, "room", "ann", "key"), 200);
    server.stop();
}
