use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::*;

const PLACEHOLDER: &str = r#"{"_placeholder":true,"num":0}"#;

fn event(json: &str, attachments: &[&'static str]) -> EventArguments {
    let data = EventData::parse(Bytes::copy_from_slice(json.as_bytes())).unwrap();
    EventArguments::from_event(&data, attachments.iter().map(|text| Bytes::from(*text)).collect())
}

fn shown(payload: &Payload) -> String {
    let mut out = Vec::new();
    write_values(payload, &mut out);
    String::from_utf8(out).unwrap()
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct File {
    name: String,
    data: Binary,
}

#[test]
fn one_value_is_one_argument_and_a_tuple_is_several() {
    let arguments = event(r#"["e", "é\n" ,[1,2], {"a":null}]"#, &[]);
    assert_eq!(arguments.len(), 3);
    assert_eq!(arguments.iter().collect::<Vec<_>>(), [r#""é\n""#, "[1,2]", r#"{"a":null}"#]);
    assert_eq!(arguments.parse::<String>().unwrap(), "é\n");
    assert_eq!(arguments.parse::<(String,)>().unwrap(), ("é\n".to_owned(),));
    assert_eq!(
        arguments.parse::<(String, Vec<u8>)>().unwrap(),
        ("é\n".to_owned(), vec![1, 2]),
        "more than asked for does no harm"
    );
    type All = (serde_json::Value, [u8; 2], BTreeMap<String, Option<u8>>, Option<String>);
    let (_, numbers, map, missing) = arguments.parse::<All>().unwrap();
    assert_eq!((numbers, map, missing), ([1, 2], [("a".to_owned(), None)].into(), None));
    arguments.parse::<()>().unwrap();
    assert_eq!(arguments.parse::<Box<RawValue>>().unwrap().get(), r#""é\n""#);
}

#[test]
fn what_is_missing_is_none_or_an_error_that_says_so() {
    let none = event(r#"["e"]"#, &[]);
    assert!(none.is_empty() && none.iter().next().is_none());
    assert_eq!(none.parse::<Option<String>>().unwrap(), None);
    assert_eq!(none.parse::<serde_json::Value>().unwrap(), serde_json::Value::Null);
    assert_eq!(none.parse::<String>().unwrap_err().to_string(), "argument 1 is missing");
    let one = event(r#"["e",null]"#, &[]);
    assert_eq!(one.parse::<Option<String>>().unwrap(), None);
    assert_eq!(one.parse::<(Option<u8>, Option<u8>)>().unwrap(), (None, None));
    let error = one.parse::<((), u8)>().unwrap_err().to_string();
    assert!(error.starts_with("argument 2 is missing"), "{error}");
    assert!(event(r#"["e",1]"#, &[]).parse::<String>().is_err());
    assert!(event(r#"["e",[1,2,3]]"#, &[]).parse::<([u8; 2],)>().is_err());
}

#[test]
fn values_are_sent_in_the_simplest_form() {
    assert_eq!(to_payload("a\"é").unwrap(), Payload::Text("a\"é".into()));
    assert_eq!(to_payload(&("x",)).unwrap(), Payload::Text("x".into()));
    assert_eq!(to_payload(&Some("x")).unwrap(), Payload::Text("x".into()));
    assert_eq!(to_payload(&Binary::from("x")).unwrap(), Payload::Binary("x".into()));
    assert_eq!(to_payload(&(Binary::from("x"),)).unwrap(), Payload::Binary("x".into()));
    for (value, expected) in [
        (json!({"a": [1, "b"]}), r#"{"a":[1,"b"]}"#),
        (json!([1, 2]), "[1,2]"),
        (json!(1.5), "1.5"),
        (json!(true), "true"),
    ] {
        let Payload::Json(json) = to_payload(&value).unwrap() else { panic!("{value}") };
        assert_eq!(json.as_str(), expected);
    }
    let Payload::Json(null) = to_payload(&None::<u8>).unwrap() else { panic!("null is a value") };
    assert_eq!(null.as_str(), "null");
    let none = to_payload(&()).unwrap();
    assert!(matches!(none, Payload::Arguments(_)) && shown(&none).is_empty());
    let several = to_payload(&("a", 1, [2, 3], (4, "b"))).unwrap();
    assert!(matches!(several, Payload::Arguments(_)));
    assert_eq!(shown(&several), r#""a",1,[2,3],[4,"b"]"#);
    let listed = EventArguments::of_several(&[json!("a"), json!([1])]).unwrap();
    assert_eq!(listed.iter().collect::<Vec<_>>(), ["\"a\"", "[1]"]);
    assert!(EventArguments::of_several(&[0; 0]).unwrap().is_empty());
    assert!(matches!(to_payload(&BTreeMap::from([((1, 2), 3)])), Err(UnserializableArguments::Json(_))));
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    assert!(matches!(to_payload(&deep), Err(UnserializableArguments::TooDeep(_))));
}

#[test]
fn bytes_within_values_are_attachments_both_ways() {
    let file = |name: &str, data: &'static str| File { name: name.into(), data: data.into() };
    let sent = to_payload(&(file("a", "one"), vec![Some(Binary::from("two")), None], "end")).unwrap();
    let expected =
        r#"{"name":"a","data":{"_placeholder":true,"num":0}},[{"_placeholder":true,"num":1},null],"end""#;
    assert_eq!(shown(&sent), expected);
    assert_eq!(attachments(&sent), ["one", "two"]);
    let came = EventArguments::of_payload(&sent);
    let (first, second, end) = came.parse::<(File, Vec<Option<Binary>>, String)>().unwrap();
    assert_eq!(first, file("a", "one"));
    assert_eq!(second, [Some("two".into()), None]);
    assert_eq!(end, "end");
    assert_eq!(came.to_payload(), sent);

    let one = to_payload(&file("b", "x")).unwrap();
    assert_eq!(EventArguments::of_payload(&one).parse::<File>().unwrap(), file("b", "x"));
    assert_eq!(event(&format!("[\"e\",{PLACEHOLDER}]"), &["y"]).parse::<Binary>().unwrap(), "y".into());
}

/// Whatever serializes as bytes is taken like [`Binary`], at the price of a copy.
#[test]
fn other_bytes_are_attachments_too() {
    struct Other;
    impl Serialize for Other {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(b"z")
        }
    }
    assert_eq!(to_payload(&Other).unwrap(), Payload::Binary("z".into()));
    let sent = to_payload(&("a", [Other])).unwrap();
    assert_eq!(shown(&sent), format!("\"a\",[{PLACEHOLDER}]"));
    assert_eq!(attachments(&sent), ["z"]);
}

#[test]
fn bytes_outside_of_events_are_bytes() {
    assert_eq!(serde_json::to_string(&Binary::from("ab")).unwrap(), "[97,98]");
    assert_eq!(serde_json::from_str::<Binary>("[97,98]").unwrap(), "ab".into());
    assert!(serde_json::from_str::<Binary>(PLACEHOLDER).is_err());
    assert!(event(r#"["e","text"]"#, &[]).parse::<Binary>().is_err());
}

/// A flattened or untagged value is read twice: first into what serde keeps meanwhile.
#[test]
fn bytes_are_found_where_serde_keeps_values_meanwhile() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Bytes(Binary),
    }
    let arguments = event(&format!("[\"e\",{PLACEHOLDER},\"t\"]"), &["y"]);
    let both = arguments.parse::<(Either, Either)>().unwrap();
    assert_eq!(both, (Either::Bytes("y".into()), Either::Text("t".into())));
}

#[test]
fn nobody_smuggles_a_placeholder_in() {
    let lookalike: serde_json::Value = serde_json::from_str(PLACEHOLDER).unwrap();
    let Payload::Json(data) = to_payload(&lookalike).unwrap() else { panic!("data like any other") };
    assert_eq!(data.as_str(), PLACEHOLDER);
    let both = to_payload(&(Binary::from("x"), lookalike));
    assert!(matches!(both, Err(UnserializableArguments::Placeholder(_))));
}

#[test]
fn what_came_is_sent_on_as_it_is() {
    for (json, attachments) in [
        (r#"["e", 1 , "two",[3] ]"#, &[][..]),
        (r#"["e"]"#, &[]),
        (r#"[ 17 , {"a":1}]"#, &[]),
        (r#"["e","text"]"#, &[]),
        (r#"["e","half \ud800"]"#, &[]),
        (r#"["e",{"_placeholder":true,"num":0}]"#, &["x"]),
        (r#"["e",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#, &["x", "y"]),
    ] {
        let came = event(json, attachments);
        let sent = to_payload(&came).unwrap();
        assert_eq!(sent, came.to_payload(), "{json}");
        let again = EventArguments::of_payload(&sent);
        assert_eq!(again.attachments(), came.attachments());
        let values = |arguments: &EventArguments| -> Vec<serde_json::Value> {
            arguments.iter().map(|one| serde_json::from_str(one).unwrap_or_default()).collect()
        };
        assert_eq!(values(&again), values(&came), "{json}");
    }
    assert_eq!(event(r#"["e","té"]"#, &[]).to_payload(), Payload::Text("té".into()));
    assert_eq!(event(&format!("[\"e\",{PLACEHOLDER}]"), &["x"]).to_payload(), Payload::Binary("x".into()));
}

#[test]
fn whoever_keeps_a_little_of_what_came_does_not_keep_all_of_it() {
    let event = event(&format!(r#"["a",{{"b":1}},"{}"]"#, "x".repeat(10_000)), &[]);
    let payload = event.iter().next().and_then(|first| event.payload_of(first));
    drop(event);
    let Some(Payload::Json(json)) = payload else { panic!("{payload:?}") };
    assert_eq!(json.as_str(), r#"{"b":1}"#);
    assert!(json.as_bytes().is_unique());
}

#[test]
fn within_another_value_what_came_is_an_array() {
    let came = event(r#"["e",1,{"_placeholder":true,"num":0}]"#, &["x"]);
    let sent = to_payload(&(Binary::from("w"), &came)).unwrap();
    let expected = r#"{"_placeholder":true,"num":0},[1,{"_placeholder":true,"num":1}]"#;
    assert_eq!(shown(&sent), expected);
    assert_eq!(attachments(&sent), ["w", "x"]);
    assert_eq!(serde_json::to_string(&came).unwrap(), r#"[1,"eA=="]"#);
    // Nothing of it is left behind for the next.
    assert_eq!(to_payload("a").unwrap(), Payload::Text("a".into()));
}

#[test]
fn a_text_is_written_as_a_serializer_writes_it() {
    for character in (0..0x100).filter_map(char::from_u32) {
        let text = format!("a{character}b");
        let expected = serde_json::to_string(&text).unwrap();
        assert_eq!(shown(&Payload::Text(text.into())), expected);
    }
    assert_eq!(shown(&Payload::Text(Bytes::from_static(b"\xff"))), "\"\u{fffd}\"");
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".{0,6}".prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Into::into),
            prop::collection::btree_map("[a-c\"\\\\é]{0,3}", inner, 0..3)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn values_come_back_as_they_were(first in value(), second in value(), bytes: Vec<u8>) {
        let sent = to_payload(&(&first, Binary::from(bytes.clone()), &second)).unwrap();
        let came = EventArguments::of_payload(&sent);
        prop_assert_eq!(came.len(), 3);
        let back = came.parse::<(serde_json::Value, Binary, serde_json::Value)>().unwrap();
        prop_assert_eq!(back, (first.clone(), Binary::from(bytes), second));
        let alone = EventArguments::of_payload(&to_payload(&first).unwrap());
        prop_assert_eq!(alone.parse::<serde_json::Value>().unwrap(), first);
    }
}
