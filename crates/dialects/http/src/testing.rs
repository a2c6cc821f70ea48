//! What the unit tests of several modules build.

use std::sync::Arc;

use antiphon_model::{Arguments, ChannelFlags, ChannelId, Draft, Payload, Position, Publication, RawJson};
use proptest::prelude::*;

pub(crate) fn publication(position: u64, channel: &str, payload: Payload) -> Publication {
    let channel = Arc::new(ChannelId::new(channel, ChannelFlags::NONE).unwrap());
    Draft::new(channel, payload).at(Position(position))
}

/// Texts in which what separates lines is likely.
pub(crate) fn nasty_text() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            Just("\n".to_owned()),
            Just("\r".to_owned()),
            Just("\r\n".to_owned()),
            Just("\0".to_owned()),
            Just("\u{2028}".to_owned()),
            Just("\u{85}".to_owned()),
            Just(": data: ".to_owned()),
            Just("\u{feff}".to_owned()),
            any::<String>(),
        ],
        0..6,
    )
    .prop_map(|pieces| pieces.concat())
}

/// Two arguments, on several lines.
pub(crate) fn arguments(text: &str, bytes: Vec<u8>) -> Payload {
    let place = serde_json::json!({"_placeholder": true, "num": 0});
    let json = serde_json::to_string_pretty(&serde_json::json!([text, place])).unwrap();
    let json = RawJson::new(json.into()).unwrap();
    Payload::Arguments(Arc::new(Arguments::new(json, vec![bytes.into()]).unwrap()))
}

/// Payloads of every sort, JSON with whitespace included.
pub(crate) fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        nasty_text().prop_map(|text| {
            let json = serde_json::to_string_pretty(&serde_json::json!({"text": [text]})).unwrap();
            Payload::Json(RawJson::new((json + "\r\n").into()).unwrap())
        }),
        nasty_text().prop_map(|text| Payload::Text(text.into())),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Payload::Binary(bytes.into())),
        (nasty_text(), proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(text, bytes)| arguments(&text, bytes)),
    ]
}
