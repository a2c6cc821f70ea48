use antiphon_access::pam::Bits;
use serde_json::{Value, json};

use crate::history::{soon, token, without};
use crate::{Running, encoded};

const ACTIONS: &str = "/v1/message-actions/demo/channel/a";

fn add(server: &Running, message: &str, uuid: &str, action: &Value) -> (u16, Value) {
    let target = format!("{ACTIONS}/message/{message}?uuid={uuid}");
    let answer = server.request("POST", &target, action.to_string().as_bytes());
    (answer.status, answer.json())
}

fn remove(server: &Running, message: &str, action: &str, uuid: &str) -> (u16, Value) {
    let answer =
        server.request("DELETE", &format!("{ACTIONS}/message/{message}/action/{action}?uuid={uuid}"), b"");
    (answer.status, answer.json())
}

fn message_of(body: &Value) -> &str {
    assert_eq!(body["error"]["source"], "actions");
    body["error"]["message"].as_str().unwrap()
}

#[test]
fn actions_are_added_listed_and_removed() {
    let server = Running::start();
    let message = server.publish("a", "ann", &json!("hi"), "");
    let since = server.handshake("a", "bob", "");
    let smile = json!({"type": "reaction", "value": "smiley_face"});
    let (status, added) = add(&server, &message, "ann", &smile);
    let data = &added["data"];
    let at = data["actionTimetoken"].as_str().unwrap();
    assert_eq!((status, at.len()), (200, 17));
    let expected = json!({
        "type": "reaction", "value": "smiley_face", "uuid": "ann", "messageTimetoken": message, "actionTimetoken": at,
    });
    assert_eq!(added, json!({"status": 200, "data": expected}));
    let expected = json!({"status": 409, "error": {"source": "actions", "message": "Action Already Added"}});
    assert_eq!(add(&server, &message, "ann", &smile), (409, expected));
    let (_, bobs) = add(&server, &message, "bob", &smile);
    assert_eq!(server.get(ACTIONS), json!({"status": 200, "data": [data, bobs["data"]]}));
    let newest = server.get(&format!("{ACTIONS}?limit=1"));
    assert_eq!(newest["data"], json!([bobs["data"]]));
    assert_eq!(
        (&newest["more"]["start"], &newest["more"]["limit"]),
        (&bobs["data"]["actionTimetoken"], &json!(1))
    );
    assert_eq!(server.get(newest["more"]["url"].as_str().unwrap()), json!({"status": 200, "data": [data]}));
    let (status, body) = remove(&server, &message, at, "bob");
    assert_eq!((status, message_of(&body)), (400, "Not deleting message action: wrong uuid specified"));
    assert_eq!(remove(&server, &message, at, "ann"), (200, json!({"status": 200, "data": {}})));
    let (status, body) = remove(&server, &message, at, "ann");
    assert_eq!((status, message_of(&body)), (400, "No matching message actions to delete"));
    let events = server.poll("a", "bob", &since, "").envelopes;
    let told: Vec<_> = events.iter().map(|event| (&event["e"], &event["i"], &event["d"]["event"])).collect();
    let expected = [(3, "ann", "added"), (3, "bob", "added"), (3, "ann", "removed")];
    assert_eq!(json!(told), json!(expected));
    assert_eq!(
        events[2]["d"],
        json!({"source": "actions", "version": "1.0", "event": "removed", "data": {
            "messageTimetoken": message, "actionTimetoken": at, "type": "reaction", "value": "smiley_face",
        }})
    );
    assert_eq!(events[2].get("u"), None);
    server.stop();
}

#[test]
fn what_is_no_action_is_refused() {
    let server = Running::start();
    let at = soon(&server).to_string();
    for (message, uuid, action) in [
        (&*at, "ann", json!({"type": "t"})),
        (&at, "ann", json!({"type": "", "value": "v"})),
        (&at, "ann", json!({"type": "t", "value": 1})),
        (&at, "ann", json!([])),
        (&at, "", json!({"type": "t", "value": "v"})),
        ("soon", "ann", json!({"type": "t", "value": "v"})),
        ("0", "ann", json!({"type": "t", "value": "v"})),
        (&at, "ann", json!({"type": "t", "value": "x".repeat(40_000)})),
    ] {
        let (status, body) = add(&server, message, uuid, &action);
        assert_eq!((status, &body["status"]), (400, &json!(400)), "{action}");
        message_of(&body);
    }
    for query in ["limit=0", "limit=x", "start=x", "end=x"] {
        let (status, body) = server.refused(&format!("{ACTIONS}?{query}"));
        assert_eq!((status, body["error"]["source"].as_str()), (400, Some("actions")), "{query}");
    }
    server.stop();
}

#[test]
fn actions_go_with_their_message() {
    let server = Running::start();
    let message = server.publish("a", "ann", &json!("hi"), "");
    add(&server, &message, "ann", &json!({"type": "t", "value": "v"}));
    let before = message.parse::<u64>().unwrap() - 1;
    let target = format!("/v3/history/sub-key/demo/channel/a?start={before}&end={message}");
    assert_eq!(server.request("DELETE", &target, b"").status, 200);
    assert_eq!(server.get(ACTIONS), json!({"status": 200, "data": []}));
    server.stop();
}

#[test]
fn each_route_asks_for_its_permission() {
    let server = Running::start();
    let at = soon(&server);
    let base = "/v1/message-actions/sub-guarded/channel/a";
    for (method, path, needed, expected) in [
        ("POST", format!("{base}/message/{at}"), Bits::WRITE, 200),
        ("GET", base.to_owned(), Bits::READ, 200),
        ("DELETE", format!("{base}/message/{at}/action/1"), Bits::DELETE, 400),
    ] {
        let asked = |bits| {
            let token = token(&server, [("a", bits)], [], "");
            let target = format!("{path}?uuid=ann&auth={}", encoded(&token));
            server.request(method, &target, br#"{"type":"t","value":"v"}"#)
        };
        assert_eq!(asked(needed).status, expected, "{method} {path}");
        let refused = asked(without(Bits::ALL, needed));
        assert_eq!((refused.status, &refused.json()["status"]), (403, &json!(403)), "{method} {path}");
    }
    server.stop();
}
