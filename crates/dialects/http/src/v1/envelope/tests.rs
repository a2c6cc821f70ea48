use super::*;
use antiphon_model::{Kind, Storing};
use proptest::prelude::*;

fn bounds() -> Bounds {
    let limits = LimitSettings { subscriptions_per_session_max: 3, ..LimitSettings::default() };
    Bounds {
        limits: Arc::new(limits),
        history_limit_max: 1000,
        broadcast_timeout_max: Duration::from_secs(60),
    }
}

fn decode(text: &str) -> Result<Envelope, Malformed> {
    Decoder::new(bounds()).decode(text.as_bytes())
}

fn request(text: &str) -> Request {
    decode(text).unwrap_or_else(|malformed| panic!("{text}: {malformed}")).request
}

fn ordered(text: &str) -> Ordered {
    match request(text) {
        Request::Ordered(ordered) => ordered,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_publish_with_everything() {
    let text = r#" {"id":"k-1","payload": {"a" : [1,"\u00fc"]}, "channel":"ro\u006fm","system":true,"consumer":true,
        "name":"n","meta":{"m":1},"store":false,"ttl":"10m","kind":"signal","echo":false,"idempotency_key":"k",
        "unknown":{"type":[]},"type":"publish"} "#;
    let envelope = decode(text).unwrap();
    assert_eq!(envelope.id, Some(Id::Text("k-1".into())));
    let Request::Publish { draft, echo } = envelope.request else { panic!() };
    assert_eq!(draft.channel.to_string(), "room (system) (consumer)");
    assert_eq!(*draft.payload.to_bytes(), *br#"{"a" : [1,"\u00fc"]}"#);
    assert_eq!(draft.meta.unwrap().as_str(), r#"{"m":1}"#);
    assert_eq!((draft.name.as_deref(), draft.idempotency_key.as_deref()), (Some("n"), Some("k")));
    assert_eq!((draft.kind, draft.storing, echo), (Kind::Signal, Storing::Never, Echo::No));
    assert_eq!(draft.ttl, Some(Duration::from_secs(600)));
}

#[test]
fn a_publish_with_next_to_nothing() {
    let envelope = decode(r#"{"type":"publish","channel":"room","payload":null}"#).unwrap();
    assert_eq!(envelope.id, None);
    let Request::Publish { draft, echo } = envelope.request else { panic!() };
    assert_eq!((&*draft.payload.to_bytes(), echo), (&b"null"[..], Echo::Yes));
    assert_eq!(
        (draft.name, draft.meta, draft.kind, draft.storing),
        (None, None, Kind::Message, Storing::ByRule)
    );
}

#[test]
fn null_is_as_if_left_out() {
    let text = r#"{"type":"publish","id":null,"channel":"room","system":null,"payload":1,"name":null,"meta":null,
        "store":null,"ttl":null,"kind":null,"echo":null,"encoding":null,"idempotency_key":null}"#;
    let envelope = decode(text).unwrap();
    let Request::Publish { draft, echo } = envelope.request else { panic!() };
    assert_eq!((envelope.id, draft.name, draft.meta, echo), (None, None, None, Echo::Yes));
}

#[test]
fn binary_is_base64() {
    let text = r#"{"type":"publish","channel":"room","encoding":"base64","payload":"AP8\u003d"}"#;
    let Request::Publish { draft, .. } = request(text) else { panic!() };
    assert_eq!(draft.payload, Payload::Binary(vec![0, 255].into()));
}

#[test]
fn subscriptions_are_names_or_objects() {
    let text = r#"{"type":"subscribe","channels":["a",{"channel":"b","system":true,"since":"17",
        "events":["x","y"],"presence":true,"join":true,"state":{"s":1},"later":1},{"channel":"c","state":1}]}"#;
    let Ordered::Subscribe(subscriptions) = ordered(text) else { panic!() };
    let [a, b, c] = &subscriptions[..] else { panic!() };
    assert_eq!((a.channel.name(), a.since, &a.join, a.presence), ("a", None, &Join::No, false));
    assert_eq!((b.channel.to_string().as_str(), b.since), ("b (system)", Some(Position(17))));
    assert_eq!((&b.events[..], b.presence), (&["x".into(), "y".into()][..], true));
    assert_eq!(b.join, Join::Yes(Some(RawJson::from_serializer("{\"s\":1}"))));
    assert_eq!(c.join, Join::No);
    let Ordered::Unsubscribe(channels) =
        ordered(r#"{"type":"unsubscribe","channels":["a",{"channel":"a"}]}"#)
    else {
        panic!()
    };
    assert_eq!(channels.len(), 2);
    assert!(
        matches!(ordered(r#"{"type":"subscribe","channels":[]}"#), Ordered::Subscribe(none) if none.is_empty())
    );
}

#[test]
fn the_other_requests() {
    let text =
        r#"{"type":"broadcast","id":4,"channel":"room","payload":1,"timeout":90000,"until":3,"name":"q"}"#;
    let Request::Broadcast { id, draft, timeout, until, .. } = request(text) else { panic!() };
    assert_eq!((id, draft.name.as_deref()), (Id::Number(4), Some("q")));
    assert_eq!((timeout, until), (Duration::from_secs(60), Some(3)));
    let Request::Reply { to, payload, .. } =
        request(r#"{"type":"reply","channel":"room","to":"17","payload":[]}"#)
    else {
        panic!()
    };
    assert_eq!((to, &*payload.to_bytes()), (Position(17), &b"[]"[..]));
    let Ordered::History { since, limit, .. } = ordered(r#"{"type":"history","id":1,"channel":"room"}"#)
    else {
        panic!()
    };
    assert_eq!((since, limit), (None, 100));
    let Ordered::History { since, limit, .. } =
        ordered(r#"{"type":"history","id":1,"channel":"room","since":"0","limit":1000}"#)
    else {
        panic!()
    };
    assert_eq!((since, limit), (Some(Position(0)), 1000));
    let Ordered::State { state, .. } = ordered(r#"{"type":"state","channel":"room","state":{"a":1}}"#) else {
        panic!()
    };
    assert_eq!(state.unwrap().as_str(), r#"{"a":1}"#);
    let Ordered::State { state, .. } = ordered(r#"{"type":"state","channel":"room","state":null}"#) else {
        panic!()
    };
    assert_eq!(state, None);
    assert!(matches!(ordered(r#"{"type":"presence","id":1,"channel":"room"}"#), Ordered::Presence(_)));
    assert!(matches!(request(r#"{"type":"ping","channel":[1]}"#), Request::Ping));
}

#[test]
fn a_credential_shows_itself_to_nobody() {
    let authenticate = ordered(r#"{"type":"authenticate","id":1,"token":"Bearer s\u0065cret"}"#);
    assert!(!format!("{authenticate:?}").contains("secret"), "{authenticate:?}");
    let Ordered::Authenticate(token) = authenticate else { panic!() };
    assert_eq!(token.expose(), "Bearer secret");
    let twice = decode(r#"{"type":"authenticate","token":"secret","token":"secret"}"#).unwrap_err();
    assert_eq!(twice.to_string(), "token: is given twice");
}

#[test]
fn ids_are_exact_numbers_or_short_strings() {
    let long = "x".repeat(64);
    for (id, expected) in [
        ("0", Id::Number(0)),
        ("9007199254740992", Id::Number(1 << 53)),
        ("\"\"", Id::Text("".into())),
        ("\"\\n\"", Id::Text("\n".into())),
        (&format!("\"{long}\""), Id::Text(long.as_str().into())),
    ] {
        let envelope = decode(&format!("{{\"type\":\"ping\",\"id\":{id}}}")).unwrap();
        assert_eq!(envelope.id, Some(expected.clone()));
        let mut out = Vec::new();
        expected.write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), id);
    }
    let too_long = format!("\"{}\"", "x".repeat(65));
    for id in ["9007199254740993", "-1", "1.0", "1e3", "18446744073709551616", "true", "[1]", "{}", &too_long]
    {
        let malformed = decode(&format!("{{\"type\":\"ping\",\"id\":{id}}}")).unwrap_err();
        assert!(malformed.to_string().starts_with("id: is an integer from 0 to"), "{id}: {malformed}");
        assert_eq!(malformed.id(), None);
    }
}

#[test]
fn errors_name_the_member_that_is_wrong() {
    let deep = format!("{}{}", "[".repeat(129), "]".repeat(129));
    let deep = format!(r#""type":"publish","channel":"a","payload":{deep}"#);
    let long = format!(r#""type":"publish","channel":"{}","payload":1"#, "x".repeat(1025));
    let events =
        format!(r#""type":"subscribe","channels":[{{"channel":"a","events":[{}1]}}]"#, "\"e\",".repeat(100));
    for (members, expected) in [
        ("", "type: is missing"),
        (r#""type":null"#, "type: is missing"),
        (r#""type":1"#, "type: is a string"),
        (r#""type":"fly""#, "type: is subscribe, unsubscribe, publish"),
        (r#""type":"ping","type":"ping""#, "type: is given twice"),
        (r#""type":"publish","payload":1,"payload":2,"channel":"a""#, "payload: is given twice"),
        (r#""type":"ping","type":null"#, "type: is given twice"),
        (r#""type":"publish","payload":1"#, "channel: is missing"),
        (r#""type":"publish","channel":"a""#, "payload: is missing"),
        (r#""type":"publish","channel":["a"],"payload":1"#, "channel: is a string"),
        (r#""type":"publish","channel":"","payload":1"#, "channel: a channel name cannot be empty"),
        (r#""type":"publish","channel":"a\u0000","payload":1"#, "channel: a channel name cannot contain"),
        (&long, "channel: has at most 1024 bytes"),
        (r#""type":"publish","channel":"a","system":1,"payload":1"#, "system: is true or false"),
        (r#""type":"publish","channel":"a","name":"","payload":1"#, "name: cannot be empty"),
        (r#""type":"publish","channel":"a","name":7,"payload":1"#, "name: is a string"),
        (r#""type":"publish","channel":"a","kind":"presence","payload":1"#, "kind: is message or signal"),
        (r#""type":"publish","channel":"a","ttl":"1w","payload":1"#, "ttl: is a duration"),
        (r#""type":"publish","channel":"a","ttl":1000000000,"payload":1"#, "ttl: is a duration"),
        (r#""type":"publish","channel":"a","ttl":-1,"payload":1"#, "ttl: is a duration"),
        (r#""type":"publish","channel":"a","store":"no","payload":1"#, "store: is true or false"),
        (r#""type":"publish","channel":"a","echo":0,"payload":1"#, "echo: is true or false"),
        (
            r#""type":"publish","channel":"a","idempotency_key":"","payload":1"#,
            "idempotency_key: has 1 to 128",
        ),
        (r#""type":"publish","channel":"a","encoding":"hex","payload":"00""#, "encoding: is base64"),
        (r#""type":"publish","channel":"a","encoding":"base64","payload":1"#, "payload: is a base64 string"),
        (r#""type":"publish","channel":"a","encoding":"base64","payload":"\ud800""#, "payload: is a base64"),
        (r#""type":"publish","channel":"a","encoding":"base64","payload":"?""#, "payload: is not base64"),
        (&deep, "payload: nests deeper than 128 levels"),
        (r#""type":"broadcast","channel":"a","payload":1,"until":0"#, "until: is an integer from 1 to"),
        (r#""type":"broadcast","channel":"a","payload":1,"timeout":"x""#, "timeout: is a duration"),
        (r#""type":"broadcast","channel":"a","payload":1,"idempotency_key":"k""#, "idempotency_key: is for"),
        (r#""type":"reply","channel":"a","payload":1"#, "to: is missing"),
        (r#""type":"reply","channel":"a","payload":1,"to":17"#, "to: is a position"),
        (r#""type":"reply","channel":"a","payload":1,"to":"+1""#, "to: is a position"),
        (r#""type":"history","channel":"a","limit":0"#, "limit: is an integer from 1 to 1000"),
        (r#""type":"history","channel":"a","limit":1001"#, "limit: is an integer from 1 to 1000"),
        (r#""type":"history","channel":"a","limit":1.5"#, "limit: is an integer from 1 to 1000"),
        (r#""type":"history","channel":"a","since":0"#, "since: is a position"),
        (r#""type":"state","channel":"a""#, "state: is missing"),
        (r#""type":"authenticate""#, "token: is missing"),
        (r#""type":"authenticate","token":null"#, "token: is missing"),
        (r#""type":"authenticate","token":["k"]"#, "token: is a string"),
        (r#""type":"authenticate","token":"""#, "token: is empty"),
        (r#""type":"authenticate","token":" \t""#, "token: is empty"),
        (r#""type":"subscribe""#, "channels: is missing"),
        (r#""type":"subscribe","channels":{}"#, "channels: is an array"),
        (r#""type":"subscribe","channels":null"#, "channels: is an array"),
        (r#""type":"subscribe","channels":["a",1]"#, "channels[1]: is a channel's name, or an object"),
        (r#""type":"subscribe","channels":["a",""]"#, "channels[1]: a channel name cannot be empty"),
        (r#""type":"subscribe","channels":["a","\ud800"]"#, "channels: "),
        (r#""type":"subscribe","channels":[{}]"#, "channels[0].channel: is missing"),
        (r#""type":"subscribe","channels":[{"channel":"a","since":5}]"#, "channels[0].since: is a position"),
        (
            r#""type":"subscribe","channels":[{"channel":"a","channel":"b"}]"#,
            "channels[0].channel: is given twice",
        ),
        (
            r#""type":"subscribe","channels":[{"channel":"a","join":"y"}]"#,
            "channels[0].join: is true or false",
        ),
        (
            r#""type":"subscribe","channels":[{"channel":"a","events":"x"}]"#,
            "channels[0].events: is an array",
        ),
        (
            r#""type":"subscribe","channels":[{"channel":"a","events":[1]}]"#,
            "channels[0].events[0]: is a string",
        ),
        (
            r#""type":"subscribe","channels":[{"channel":"a","events":[""]}]"#,
            "channels[0].events[0]: cannot be",
        ),
        (&events, "channels[0].events: has at most 100 elements"),
        (r#""type":"subscribe","channels":["a","b","c","d"]"#, "channels: has at most 3 elements"),
    ] {
        let text =
            if members.is_empty() { "{\"id\":7}".to_owned() } else { format!("{{{members},\"id\":7}}") };
        let malformed = decode(&text).unwrap_err();
        assert!(malformed.to_string().starts_with(expected), "{text}: {malformed}");
        assert_eq!(malformed.id(), Some(&Id::Number(7)), "{text}");
    }
    assert!(matches!(ordered(r#"{"type":"subscribe","channels":["a","b","c"]}"#), Ordered::Subscribe(_)));
}

#[test]
fn what_is_asked_for_an_answer_needs_an_id() {
    for text in [
        r#"{"type":"broadcast","channel":"a","payload":1}"#,
        r#"{"type":"presence","channel":"a"}"#,
        r#"{"type":"history","channel":"a"}"#,
    ] {
        assert_eq!(decode(text).unwrap_err().to_string(), "id: is missing: the answer is sent under it");
    }
}

#[test]
fn what_is_no_object_is_refused_without_repeating_it() {
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    let string = format!("\"{}\"", "x".repeat(100_000));
    for text in ["", " ", "[]", "null", "1", "ping", "{", "{}{}", "{\"type\":}", "{type:1}", &deep, &string] {
        let malformed = decode(text).unwrap_err();
        let detail = malformed.to_string();
        assert!(detail.starts_with("the message is not a JSON object: "), "{detail}");
        assert!(detail.len() < 200, "{detail}");
    }
    assert!(matches!(Decoder::new(bounds()).decode(b"{\"a\":\"\xff\"}"), Err(Malformed::NotAnObject(_))));
}

#[test]
fn depth_does_no_harm_where_it_is_ignored() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(request(&format!(r#"{{"type":"ping","unknown":{deep}}}"#)), Request::Ping));
    assert!(matches!(request(&format!(r#"{{"type":"ping","channel":{deep}}}"#)), Request::Ping));
    let flat = format!(r#"[{}"[[[[\"[[[["]"#, "{},".repeat(1000));
    let text = format!(r#"{{"type":"publish","channel":"a","payload":{flat}}}"#);
    let Request::Publish { draft, .. } = request(&text) else { panic!() };
    assert_eq!(*draft.payload.to_bytes(), *flat.as_bytes());
    let level_128 = format!("{}{}", "[".repeat(128), "]".repeat(128));
    request(&format!(r#"{{"type":"publish","channel":"a","payload":{level_128}}}"#));
}

#[test]
fn the_channel_named_last_is_shared() {
    let mut decoder = Decoder::new(bounds());
    let mut channel = |text: &str| match decoder.decode(text.as_bytes()).unwrap().request {
        Request::Publish { draft, .. } => draft.channel,
        other => panic!("{other:?}"),
    };
    let first = channel(r#"{"type":"publish","channel":"a","payload":1}"#);
    let again = channel(r#"{"type":"publish","channel":"a","payload":2}"#);
    let flagged = channel(r#"{"type":"publish","channel":"a","system":true,"payload":2}"#);
    assert!(Arc::ptr_eq(&first, &again));
    assert_ne!(first, flagged);
}

#[test]
fn a_problem_names_the_member() {
    let malformed = decode(r#"{"type":"subscribe","channels":[{"channel":"a","since":5}]}"#).unwrap_err();
    let problem = String::from_utf8(antiphon_net::problem::Problem::from(&malformed).to_json()).unwrap();
    assert!(problem.contains(r#""status":400"#), "{problem}");
    assert!(problem.contains(r#""parameter":"channels[0].since""#), "{problem}");
}

/// Any JSON, written with whitespace between its tokens.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    let json = leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    });
    (json, any::<bool>()).prop_map(|(json, pretty)| {
        if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) }.unwrap()
    })
}

/// Objects made of the members that are known, with values that may be anything.
fn any_message() -> impl Strategy<Value = String> {
    let name = proptest::sample::select(vec![
        "type", "id", "channel", "channels", "payload", "encoding", "since", "to", "state", "limit",
        "timeout", "until", "events", "join", "ttl", "meta", "token", "x",
    ]);
    let word = proptest::sample::select(vec![
        "\"publish\"",
        "\"subscribe\"",
        "\"history\"",
        "\"broadcast\"",
        "\"reply\"",
        "\"state\"",
        "\"authenticate\"",
        "\"base64\"",
        "\"17\"",
        "1",
        "[\"a\"]",
        "[{\"channel\":\"a\"}]",
        "\"AA==\"",
        "true",
    ]);
    let value = prop_oneof![word.prop_map(str::to_owned), any_json()];
    proptest::collection::vec((name, value), 0..8).prop_map(|members| {
        let members: Vec<String> =
            members.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #[test]
    fn a_credential_is_what_the_text_says(token in any::<String>()) {
        let text = serde_json::json!({"type": "authenticate", "token": token}).to_string();
        match decode(&text) {
            Ok(Envelope { request: Request::Ordered(Ordered::Authenticate(read)), .. }) => {
                prop_assert_eq!(read.expose(), token);
            }
            Err(malformed) => {
                prop_assert!(token.trim_ascii().is_empty());
                prop_assert_eq!(malformed.to_string(), "token: is empty: it is an API key or a JWT");
            }
            Ok(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_payload_is_kept_byte_for_byte(payload in any_json(), meta in any_json()) {
        let text = format!(r#"{{"type":"publish","channel":"a","payload": {payload} ,"meta":{meta}}}"#);
        let Request::Publish { draft, .. } = request(&text) else { panic!() };
        prop_assert_eq!(draft.payload.to_bytes(), payload.as_bytes());
        match draft.meta {
            None => prop_assert_eq!(&*meta, "null"),
            Some(kept) => prop_assert_eq!(kept.as_bytes(), meta.as_bytes()),
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in any::<Vec<u8>>(), message in any_message(), cut in any::<usize>()) {
        crate::v1::fuzzing::envelope(&bytes);
        crate::v1::fuzzing::envelope(message.as_bytes());
        let end = cut % (message.len() + 1);
        crate::v1::fuzzing::envelope(&message.as_bytes()[..end]);
    }
}
