use antiphon_access::pam::{Bits, Scopes, TokenGrant};
use antiphon_hub::Rule;
use antiphon_model::Position;
use serde_json::{Value, json};

use crate::{Running, Setup, encoded};

const V2: &str = "/v2/history/sub-key/demo/channel";
const V3: &str = "/v3/history/sub-key/demo/channel";
const WITH_ACTIONS: &str = "/v3/history-with-actions/sub-key/demo/channel";

/// Publishes 0, 1 and so on, and says at which timetokens.
fn published(server: &Running, channel: &str, count: u64) -> Vec<u64> {
    let publish = |n: u64| server.publish(channel, "ann", &json!(n), "").parse().unwrap();
    (0..count).map(publish).collect()
}

fn messages(answer: &Value, channel: &str) -> Vec<u64> {
    let messages = answer["channels"][channel].as_array().unwrap();
    messages.iter().map(|message| message["message"].as_u64().unwrap()).collect()
}

#[test]
fn v2_pages_in_both_directions() {
    let server = Running::start();
    let tt = published(&server, "a/b #ü", 5);
    let v2 = |query: &str| server.get(&format!("{V2}/{}?{query}", encoded("a/b #ü")));
    assert_eq!(v2(""), json!([[0, 1, 2, 3, 4], tt[0], tt[4]]));
    assert_eq!(v2("count=2"), json!([[3, 4], tt[3], tt[4]]));
    assert_eq!(v2("count=2&reverse=true"), json!([[0, 1], tt[0], tt[1]]));
    assert_eq!(v2(&format!("count=2&start={}", tt[3])), json!([[1, 2], tt[1], tt[2]]));
    assert_eq!(v2(&format!("count=2&start={}&reverse=true", tt[1])), json!([[2, 3], tt[2], tt[3]]));
    assert_eq!(v2(&format!("end={}", tt[3])), json!([[3, 4], tt[3], tt[4]]));
    let token = v2("count=1&include_token=true&include_meta=true");
    assert_eq!(token[0], json!([{"message": 4, "timetoken": tt[4], "meta": ""}]));
    assert_eq!(server.get(&format!("{V2}/empty")), json!([[], 0, 0]));
    let (status, body) = server.refused(&format!("{V2}/a?start=soon"));
    assert_eq!((status, body), (400, json!(["Invalid Arguments", 0, 0])));
    server.stop();
}

#[test]
fn v3_has_each_channel_with_what_is_asked_for() {
    let server = Running::start();
    let tt = published(&server, "a", 30);
    let meta = encoded(r#"{"m": 1}"#);
    let last = server.publish("b", "bob", &json!("x"), &format!("&meta={meta}"));
    let one = server.get(&format!("{V3}/a"));
    assert_eq!(
        (&one["status"], &one["error"], &one["error_message"]),
        (&json!(200), &json!(false), &json!(""))
    );
    assert_eq!(messages(&one, "a"), (0..30).collect::<Vec<_>>());
    let query = "include_meta=true&include_uuid=true&include_message_type=true";
    let several = server.get(&format!("{V3}/a,b%2Cempty,a?{query}"));
    // Of several there are no more than 25 each.
    assert_eq!(messages(&several, "a"), (5..30).collect::<Vec<_>>());
    let expected =
        json!({"message": "x", "timetoken": last, "meta": {"m": 1}, "uuid": "bob", "message_type": 0});
    assert_eq!(several["channels"]["b"], json!([expected]));
    assert_eq!(several["channels"]["empty"], json!([]));
    let get = |query: String| messages(&server.get(&format!("{V3}/a?{query}")), "a");
    assert_eq!(get(format!("max=2&start={}", tt[10])), [8, 9]);
    assert_eq!(get(format!("max=3&end={}", tt[27])), [27, 28, 29]);
    assert_eq!(get(format!("start={}&end={}", tt[5], tt[3])), [3, 4]);
    // One message by itself.
    assert_eq!(get(format!("start={}&end={}", tt[7] + 1, tt[7])), [7]);
    for target in [format!("{V3}/,"), format!("{V3}/a?max=few"), format!("{WITH_ACTIONS}/a,b")] {
        let (status, body) = server.refused(&target);
        assert_eq!((status, &body["status"], &body["error"]), (400, &json!(400), &json!(true)), "{target}");
    }
    server.stop();
}

#[test]
fn what_is_not_stored_is_no_history() {
    let server = Running::start();
    server.publish("a", "ann", &json!(1), "&store=0");
    server.get("/signal/demo/demo/0/a/0/1?uuid=ann");
    server.publish("a", "ann", &json!(2), "");
    assert_eq!(messages(&server.get(&format!("{V3}/a")), "a"), [2]);
    server.stop();
}

#[test]
fn a_channel_that_is_not_stored_has_what_memory_has() {
    let setup = Setup { rule: Rule { persist: false, ..Rule::default() }, ..Setup::default() };
    let server = setup.start();
    let tt = published(&server, "a", 4);
    server.request(
        "POST",
        &format!("/v1/message-actions/demo/channel/a/message/{}?uuid=ann", tt[0]),
        br#"{"type":"t","value":"v"}"#,
    );
    assert_eq!(messages(&server.get(&format!("{V3}/a?max=3")), "a"), [1, 2, 3]);
    assert_eq!(server.get(&format!("{COUNTS}/a?timetoken={}", tt[0]))["channels"], json!({"a": 3}));
    server.stop();
}

const COUNTS: &str = "/v3/history/sub-key/demo/message-counts";

#[test]
fn messages_are_counted_and_deleted() {
    let server = Running::start();
    let a = published(&server, "a", 4);
    let b = published(&server, "b", 2);
    let counts = |query: String| server.get(&format!("{COUNTS}/a,b,empty,a?{query}"))["channels"].clone();
    assert_eq!(counts("timetoken=0".into()), json!({"a": 4, "b": 2, "empty": 0}));
    assert_eq!(counts(format!("timetoken={}", a[3])), json!({"a": 0, "b": 2, "empty": 0}));
    let each = format!("channelsTimetoken={}%2C{},1,1", a[0], b[1]);
    assert_eq!(counts(each), json!({"a": 3, "b": 0, "empty": 0}));
    for query in ["", "?timetoken=x", "?channelsTimetoken=1,2"] {
        let (status, body) = server.refused(&format!("{COUNTS}/a,b,c{query}"));
        assert_eq!((status, &body["error_message"]), (400, &json!("Invalid Arguments")), "{query}");
    }
    let delete = |query: String| {
        let answer = server.request("DELETE", &format!("{V3}/a?{query}"), b"");
        assert_eq!(answer.json(), json!({"status": 200, "error": false, "error_message": ""}));
    };
    delete(format!("start={}&end={}", a[1] - 1, a[1]));
    assert_eq!(messages(&server.get(&format!("{V3}/a")), "a"), [0, 2, 3]);
    delete(format!("end={}", a[0]));
    assert_eq!(messages(&server.get(&format!("{V3}/a")), "a"), [2, 3]);
    // Nobody who comes back is given it either.
    let polled = server.poll("a", "bob", &(a[0] - 1).to_string(), "");
    assert_eq!(polled.payloads(), [json!(2), json!(3)]);
    delete(String::new());
    assert_eq!(messages(&server.get(&format!("{V3}/a")), "a"), Vec::<u64>::new());
    assert_eq!(counts("timetoken=0".into()), json!({"a": 0, "b": 2, "empty": 0}));
    server.stop();
}

#[test]
fn history_with_actions_goes_on_where_there_are_too_many() {
    let server = Setup::new(|settings| settings.actions_per_answer_max = 4).start();
    let tt = published(&server, "a", 3);
    let act = |message: u64, value: u64| {
        let body = json!({"type": "t", "value": value.to_string()}).to_string();
        let target = format!("/v1/message-actions/demo/channel/a/message/{message}?uuid=ann");
        assert_eq!(server.request("POST", &target, body.as_bytes()).status, 200);
    };
    for message in &tt {
        act(*message, 1);
    }
    let all = server.get(&format!("{WITH_ACTIONS}/a"));
    assert_eq!(messages(&all, "a"), [0, 1, 2]);
    assert_eq!(all["channels"]["a"][1]["actions"]["t"]["1"][0]["uuid"], "ann");
    assert_eq!(all.get("more"), None);
    act(tt[2], 2);
    act(tt[1], 2);
    act(tt[1], 3);
    let newest = server.get(&format!("{WITH_ACTIONS}/a?max=25"));
    assert_eq!(messages(&newest, "a"), [2]);
    assert_eq!((&newest["more"]["start"], &newest["more"]["max"]), (&json!(tt[2].to_string()), &json!(25)));
    // The address is that of the next page.
    let next = server.get(newest["more"]["url"].as_str().unwrap());
    assert_eq!(messages(&next, "a"), [0, 1]);
    assert_eq!(next["channels"]["a"][1]["actions"]["t"].as_object().unwrap().len(), 3);
    // One message with more than an answer has does not stand in the way of those before it.
    act(tt[1], 4);
    act(tt[1], 5);
    let full = server.get(&format!("{WITH_ACTIONS}/a?start={}", tt[2]));
    assert_eq!(messages(&full, "a"), [1]);
    let rest = server.get(full["more"]["url"].as_str().unwrap());
    assert_eq!((messages(&rest, "a"), rest.get("more")), (vec![0], None));
    server.stop();
}

#[test]
fn long_messages_come_page_by_page() {
    let server = Setup::new(|settings| settings.history_bytes_max = 10_000).start();
    let long = "x".repeat(4000);
    let tt: Vec<String> = (0..4).map(|_| server.publish("a", "ann", &json!(long), "")).collect();
    let page = |query: String| {
        let answer = server.get(&format!("{V3}/a?{query}"));
        let each = answer["channels"]["a"].as_array().unwrap().iter();
        each.map(|message| message["timetoken"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(page(String::new()), tt[2..]);
    assert_eq!(page(format!("start={}", tt[2])), tt[..2]);
    server.publish("b", "ann", &json!(long), "");
    assert_eq!(server.refused(&format!("{V3}/a,b")).0, 400);
    server.stop();
}

#[test]
fn each_route_asks_for_its_permission() {
    let server = Running::start();
    let with = |bits: Bits| token(&server, [("a", bits)], [], "");
    let rest = Bits::ALL;
    for (method, path, needed) in [
        ("GET", "/v2/history/sub-key/sub-guarded/channel/a", Bits::READ),
        ("GET", "/v3/history/sub-key/sub-guarded/channel/a", Bits::READ),
        ("GET", "/v3/history-with-actions/sub-key/sub-guarded/channel/a", Bits::READ),
        ("GET", "/v3/history/sub-key/sub-guarded/message-counts/a?timetoken=1", Bits::READ),
        ("DELETE", "/v3/history/sub-key/sub-guarded/channel/a", Bits::DELETE),
    ] {
        let separator = if path.contains('?') { '&' } else { '?' };
        let asked = |token: &str| {
            server.request(method, &format!("{path}{separator}uuid=ann&auth={}", encoded(token)), b"")
        };
        assert_eq!(asked(&with(needed)).status, 200, "{method} {path}");
        let refused = asked(&with(without(rest, needed)));
        assert_eq!(refused.status, 403, "{method} {path}");
        let body = refused.json();
        assert_eq!((&body["message"], &body["payload"]["channels"]), (&json!("Forbidden"), &json!(["a"])));
    }
    let two = "/v3/history/sub-key/sub-guarded/channel/a,b?auth=";
    let refused = server.refused(&format!("{two}{}", encoded(&with(Bits::READ))));
    assert_eq!((refused.0, &refused.1["payload"]["channels"]), (403, &json!(["b"])));
    server.stop();
}

/// All but one of some bits.
pub(crate) fn without(bits: Bits, one: Bits) -> Bits {
    Bits::from_bits(u64::from(bits.bits() & !one.bits())).unwrap()
}

/// A token of the guarded keyset; `all` is a pattern of channels and uuids on which it permits to get.
pub(crate) fn token<const C: usize, const U: usize>(
    server: &Running,
    channels: [(&str, Bits); C],
    uuids: [(&str, Bits); U],
    all: &str,
) -> String {
    let access = server.node().access();
    let keyset = access.keyset("sub-guarded").unwrap();
    let mut resources = Scopes::default();
    resources.channels.extend(channels.map(|(name, bits)| (name.into(), bits)));
    resources.uuids.extend(uuids.map(|(name, bits)| (name.into(), bits)));
    let mut patterns = Scopes::default();
    if !all.is_empty() {
        patterns.channels.insert(all.into(), Bits::GET);
        patterns.uuids.insert(all.into(), Bits::GET);
    }
    let grant = TokenGrant { ttl_minutes: 10, resources, patterns, meta: serde_json::Map::new(), uuid: None };
    access.grant_token(&keyset, &grant, server.node().now().wall).unwrap()
}

/// Where what nobody published would stand.
pub(crate) fn soon(server: &Running) -> Position {
    Position(server.node().now().wall.0)
}
