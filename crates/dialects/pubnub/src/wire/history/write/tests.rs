use std::sync::Arc;

use antiphon_model::{ChannelFlags, ChannelId, Draft, Identity, IdentityKind, Payload, RawJson};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOTHING: Include = Include { meta: Shown::No, uuid: Shown::No, message_type: Shown::No };
const ALL: Include = Include { meta: Shown::Yes, uuid: Shown::Yes, message_type: Shown::Yes };

fn publication(position: u64, json: &str) -> Publication {
    let channel = ChannelId::new("c", ChannelFlags::NONE).unwrap();
    let payload = Payload::Json(RawJson::new(json.to_owned().into()).unwrap());
    Draft::new(Arc::new(channel), payload).at(Position(position))
}

fn by_ann(position: u64, json: &str, meta: &str) -> Publication {
    let ann = Identity::new(IdentityKind::User, "ann");
    let meta = RawJson::new(meta.to_owned().into()).unwrap();
    Publication { publisher: Some(Arc::new(ann)), meta: Some(meta), ..publication(position, json) }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn action(message: u64, position: u64, kind: &str, value: &str, publisher: &str) -> Action {
    let (message, position) = (Position(message), Position(position));
    Action { message, position, kind: kind.into(), value: value.into(), publisher: publisher.into() }
}

#[test]
fn v2_is_an_array_with_numbers_at_its_end() {
    let messages = [
        publication(15_643_405_135_132_358, "\"hi\""),
        by_ann(15_643_405_135_132_359, "{\"a\":1}", "{\"m\":2}"),
    ];
    for (token, meta, expected) in [
        (Token::None, Shown::No, r#"[["hi",{"a":1}],15643405135132358,15643405135132359]"#),
        (
            Token::Number,
            Shown::No,
            r#"[[{"message":"hi","timetoken":15643405135132358},{"message":{"a":1},"timetoken":15643405135132359}],15643405135132358,15643405135132359]"#,
        ),
        (
            Token::Text,
            Shown::Yes,
            r#"[[{"message":"hi","timetoken":"15643405135132358","meta":""},{"message":{"a":1},"timetoken":"15643405135132359","meta":{"m":2}}],15643405135132358,15643405135132359]"#,
        ),
        (
            Token::None,
            Shown::Yes,
            r#"[[{"message":"hi","meta":""},{"message":{"a":1},"meta":{"m":2}}],15643405135132358,15643405135132359]"#,
        ),
    ] {
        assert_eq!(text(v2(&messages, token, meta)), expected);
    }
    assert_eq!(text(v2(&[], Token::Number, Shown::Yes)), "[[],0,0]");
}

#[test]
fn v3_has_each_channel_and_what_is_asked_for() {
    let file = Publication { kind: Kind::File, ..publication(3, "{\"file\":{}}") };
    let mut v3 = V3::new(ALL);
    v3.channel("c", &[by_ann(1, "\"x\"", "{\"m\":2}"), publication(2, "null"), file], None);
    v3.channel("an \"empty\" one", &[], None);
    assert_eq!(
        text(v3.finish(None)),
        concat!(
            r#"{"status":200,"error":false,"error_message":"","channels":{"#,
            r#""c":[{"message":"x","timetoken":"1","meta":{"m":2},"uuid":"ann","message_type":0},"#,
            r#"{"message":null,"timetoken":"2","meta":"","uuid":"","message_type":0},"#,
            r#"{"message":{"file":{}},"timetoken":"3","meta":"","uuid":"","message_type":4}],"#,
            r#""an \"empty\" one":[]}}"#,
        )
    );
    assert_eq!(
        text(V3::new(NOTHING).finish(None)),
        r#"{"status":200,"error":false,"error_message":"","channels":{}}"#
    );
}

#[test]
fn actions_stand_by_type_and_value() {
    let actions = [
        action(1, 5, "reactions", "👍", "ann"),
        action(1, 6, "reactions", "👍", "bob"),
        action(1, 7, "edited", "x \"y\"", "ann"),
    ];
    let actions = ActionsOf::from([(Position(1), actions.to_vec())]);
    let mut v3 = V3::new(NOTHING);
    v3.channel("c", &[publication(1, "1"), publication(2, "2")], Some(&actions));
    let more = More {
        path: "/v3/history-with-actions/sub-key/demo/channel/c".into(),
        start: Position(1),
        end: None,
        max: 25,
    };
    let answer: Value = serde_json::from_slice(&v3.finish(Some(&more))).unwrap();
    assert_eq!(
        answer,
        json!({
            "status": 200, "error": false, "error_message": "",
            "channels": {"c": [
                {"message": 1, "timetoken": "1", "actions": {
                    "reactions": {"👍": [
                        {"uuid": "ann", "actionTimetoken": "5"},
                        {"uuid": "bob", "actionTimetoken": "6"},
                    ]},
                    "edited": {"x \"y\"": [{"uuid": "ann", "actionTimetoken": "7"}]},
                }},
                {"message": 2, "timetoken": "2"},
            ]},
            "more": {
                "url": "/v3/history-with-actions/sub-key/demo/channel/c?start=1&max=25",
                "start": "1", "max": 25,
            },
        })
    );
    let more = More { end: Some(Position(0)), ..more };
    assert_eq!(more.url(), "/v3/history-with-actions/sub-key/demo/channel/c?start=1&end=0&max=25");
}

#[test]
fn counts_and_deletions_are_short() {
    let expected = r#"{"status":200,"error":false,"error_message":"","channels":{"a":1,"b\"":0}}"#;
    assert_eq!(text(counts([("a", 1), ("b\"", 0)])), expected);
    assert!(serde_json::from_slice::<Value>(DELETED).is_ok());
}

proptest! {
    #[test]
    fn whatever_is_written_is_json(
        names in proptest::collection::vec(".*", 0..3),
        texts in proptest::collection::vec(".*", 0..4),
    ) {
        let bytes = |text: &String| Publication {
            payload: Payload::Text(text.clone().into()),
            ..publication(7, "0")
        };
        let publications: Vec<Publication> = texts.iter().map(bytes).collect();
        let actions = texts.iter().map(|text| action(7, 8, text, text, text)).collect();
        let actions = ActionsOf::from([(Position(7), actions)]);
        let mut v3 = V3::new(ALL);
        for name in &names {
            v3.channel(name, &publications, Some(&actions));
        }
        let answer: Value = serde_json::from_slice(&v3.finish(None)).unwrap();
        for name in &names {
            prop_assert_eq!(answer["channels"][name].as_array().unwrap().len(), texts.len());
        }
        let old: Value = serde_json::from_slice(&v2(&publications, Token::Text, Shown::Yes)).unwrap();
        prop_assert_eq!(old[0].as_array().unwrap().len(), texts.len());
    }
}
