use antiphon_net::problem::Problem;
use bytes::Bytes;

use super::*;
use crate::Binary;

const BOUNDS: Bounds = Bounds { history_limit_max: 1000, broadcast_timeout_max: Duration::from_secs(60) };

fn arguments(value: &impl serde::Serialize) -> EventArguments {
    EventArguments::of(value).unwrap()
}

fn json(text: &str) -> EventArguments {
    arguments(&serde_json::from_str::<serde_json::Value>(text).unwrap())
}

fn subscribed(arguments: &EventArguments) -> Result<Vec<Subscription>, Invalid> {
    subscriptions(arguments, &LimitSettings::default())
}

fn names(arguments: &EventArguments) -> Vec<String> {
    channels(arguments).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn channels_are_named_in_several_ways() {
    assert_eq!(names(&json(r#""a""#)), ["a"]);
    assert_eq!(names(&json(r#"{"channel":"a","system":true}"#)), ["a (system)"]);
    let list = (serde_json::json!(["a", {"channel": "b", "consumer": true}]),);
    assert_eq!(names(&arguments(&list)), ["a", "b (consumer)"]);
}

#[test]
fn what_is_wrong_is_named() {
    for (text, parameter) in [
        ("{}", Some("channel")),
        (r#"{"channel":""}"#, Some("channel")),
        (r#"{"channel":"/chat#lobby"}"#, Some("channel")),
        (r#"{"channel":"a","since":"x"}"#, Some("since")),
        (r#"{"channel":"a","since":17}"#, None),
        (r#"{"channel":"a","events":[""]}"#, Some("events")),
        ("17", None),
    ] {
        let error = subscribed(&json(text)).unwrap_err();
        assert_eq!(error.parameter(), parameter, "{text}");
    }
    assert_eq!(subscribed(&EventArguments::none()).unwrap_err().parameter(), Some("channel"));
    let none: (Vec<String>,) = (Vec::new(),);
    assert_eq!(subscribed(&arguments(&none)).unwrap_err().parameter(), Some("channel"));
    let limits = LimitSettings::default();
    for (text, parameter) in [
        (r#"{"payload":1}"#, "channel"),
        (r#"{"channel":"a"}"#, "payload"),
        (r#"{"channel":"a","arguments":1}"#, "payload"),
        (r#"{"channel":"a","payload":1,"arguments":[1]}"#, "arguments"),
        (r#"{"channel":"a","payload":1,"kind":"x"}"#, "kind"),
        (r#"{"channel":"a","payload":1,"ttl":"1y"}"#, "ttl"),
        (r#"{"channel":"a","payload":1,"name":""}"#, "name"),
        (r#"{"channel":"a","payload":1,"idempotency_key":" "}"#, "idempotency_key"),
    ] {
        let error = publish(&json(text), &limits).unwrap_err();
        assert_eq!(error.parameter(), Some(parameter), "{text}");
    }
    let until = json(r#"{"channel":"a","payload":1,"until":0}"#);
    assert_eq!(broadcast(&until, &limits, &BOUNDS).unwrap_err().parameter(), Some("until"));
    assert_eq!(publish(&EventArguments::none(), &limits).unwrap_err().parameter(), Some("channel"));
    let nothing = json(r#"{"channel":"a","limit":0}"#);
    assert_eq!(past(&nothing, &BOUNDS).unwrap_err().parameter(), Some("limit"));
}

#[test]
fn a_subscription_holds_no_more_than_names_of_events() {
    let with = |events: Vec<String>| json(&serde_json::json!({"channel": "a", "events": events}).to_string());
    assert!(subscribed(&with(vec!["e".repeat(256); 100])).is_ok());
    for events in [vec!["e".repeat(257)], vec!["e".to_owned(); 101]] {
        assert_eq!(subscribed(&with(events)).unwrap_err().parameter(), Some("events"));
    }
}

#[test]
fn what_is_of_another_type_is_said_in_words() {
    let said = |text: &str| {
        String::from_utf8(Problem::from(subscribed(&json(text)).unwrap_err()).to_json()).unwrap()
    };
    assert!(said("17").contains("expected a channel: its name, or an object"), "{}", said("17"));
    let since = said(r#"{"channel":"a","since":17}"#);
    assert!(since.contains("integer `17`, expected a string"), "{since}");
}

#[test]
fn limits_are_those_of_the_server() {
    let few = Bounds { history_limit_max: 5, broadcast_timeout_max: Duration::from_secs(1) };
    assert_eq!(past(&json(r#""a""#), &few).unwrap().limit, 5);
    assert!(past(&json(r#"{"channel":"a","limit":6}"#), &few).is_err());
    let long = json(r#"{"channel":"a","payload":1,"timeout":"10m"}"#);
    let broadcast = broadcast(&long, &LimitSettings::default(), &few).unwrap();
    assert_eq!(broadcast.timeout, Duration::from_secs(1));
}

#[test]
fn a_subscription_has_what_antiphon_v1_has() {
    let all =
        r#"{"channel":"a","since":"17","events":["x"],"presence":true,"join":true,"state":{"a":1},"more":0}"#;
    let Subscription { asked, since } = subscribed(&json(all)).unwrap().remove(0);
    assert_eq!((since, asked.presence), (Some(Position(17)), true));
    assert_eq!(asked.events, ["x".into()]);
    assert_eq!(asked.join.unwrap().unwrap().as_str(), r#"{"a":1}"#);
    assert_eq!(subscribed(&json(r#"{"channel":"a","state":1}"#)).unwrap()[0].asked.join, None);
}

fn published(arguments: &EventArguments) -> Draft {
    publish(arguments, &LimitSettings::default()).unwrap().draft
}

#[test]
fn payloads_are_json_text_or_bytes() {
    let payload = |arguments: &EventArguments| published(arguments).payload;
    assert!(matches!(payload(&arguments(&("a", 1))), Payload::Json(one) if one.as_str() == "1"));
    assert!(matches!(payload(&arguments(&("a", "b"))), Payload::Text(text) if text == "b"));
    let null = serde_json::json!({"channel": "a", "payload": null});
    for null in [arguments(&("a", ())), arguments(&null)] {
        assert!(matches!(payload(&null), Payload::Json(null) if null.as_str() == "null"));
    }
    let bytes = Binary(Bytes::from_static(b"\x00"));
    assert!(matches!(payload(&arguments(&("a", &bytes))), Payload::Binary(bytes) if bytes[..] == [0]));
    let nested = arguments(&("a", [&bytes, &bytes]));
    assert!(matches!(payload(&nested), Payload::Arguments(found) if found.attachments().len() == 2));
    let object = serde_json::json!({"channel": "a", "payload": {"x": 1}, "name": "n", "echo": false});
    let found = publish(&arguments(&object), &LimitSettings::default()).unwrap();
    assert_eq!((found.draft.name.as_deref(), found.echo), (Some("n"), false));
}

#[test]
fn what_goes_with_a_payload_comes_after_it() {
    let options = serde_json::json!({"store": false, "ttl": 5});
    let found = published(&arguments(&("a", 1, options)));
    assert_eq!((found.storing, found.ttl), (Storing::Never, Some(Duration::from_millis(5))));
    // What JavaScript leaves undefined.
    assert_eq!(published(&arguments(&("a", 1, ()))).storing, Storing::ByRule);
    let system = serde_json::json!({"channel": "a", "system": true});
    let found = published(&arguments(&(system, 1, serde_json::json!({"name": "n"}))));
    assert_eq!((found.channel.to_string().as_str(), found.name.as_deref()), ("a (system)", Some("n")));
}

#[test]
fn several_arguments_are_several() {
    let several = |list: serde_json::Value| {
        published(&arguments(&serde_json::json!({"channel": "a", "arguments": list}))).payload
    };
    let found = several(serde_json::json!([1, "b", null]));
    assert!(
        matches!(&found, Payload::Arguments(found) if found.json().as_str() == r#"[1,"b",null]"#),
        "{found:?}"
    );
    assert!(matches!(several(serde_json::json!(["b"])), Payload::Text(text) if text == "b"));
    assert!(
        matches!(several(serde_json::json!([])), Payload::Arguments(found) if found.json().as_str() == "[]")
    );
    #[derive(serde::Serialize)]
    struct WithBytes {
        channel: &'static str,
        arguments: (u8, Binary),
    }
    let bytes = Binary(Bytes::from_static(b"\x00"));
    let found = published(&arguments(&WithBytes { channel: "a", arguments: (1, bytes) })).payload;
    assert!(matches!(&found, Payload::Arguments(found) if found.attachments().len() == 1), "{found:?}");
}
