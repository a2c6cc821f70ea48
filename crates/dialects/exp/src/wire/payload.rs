//! Payloads as the JSON values that EXP clients know.

use antiphon_hub::Reply;
use antiphon_model::{Payload, RawJson};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

/// What a client means that leaves its payload out.
const NULL: &str = "null";

/// The payload of a broadcast or response: null if there is none.
///
/// # Errors
/// It nests too deep.
pub(crate) fn read(json: Option<&RawValue>) -> Result<Payload, antiphon_model::InvalidJson> {
    let json = json.map_or(NULL, RawValue::get);
    Ok(Payload::Json(RawJson::shallow(json.to_owned().into())?))
}

/// Writes a payload as one JSON value: text as a string, bytes as one in base64.
pub(crate) fn write(payload: &Payload, out: &mut Vec<u8>) {
    match payload {
        Payload::Json(json) => out.extend_from_slice(json.as_bytes()),
        // Writing to a `Vec` cannot fail, and a string is always serializable.
        Payload::Text(text) => _ = serde_json::to_writer(out, &String::from_utf8_lossy(text)),
        Payload::Binary(bytes) => _ = serde_json::to_writer(out, &STANDARD.encode(bytes)),
        Payload::Arguments(arguments) => out.extend_from_slice(arguments.to_json().as_bytes()),
    }
}

/// The answer to a broadcast: an array of what was responded, in the order in which it came.
pub(crate) fn responses(replies: &[Reply]) -> Vec<u8> {
    let bytes = replies.iter().map(|reply| reply.payload.len() + 1).sum::<usize>();
    let mut out = Vec::with_capacity(bytes + 2);
    out.push(b'[');
    for (index, reply) in replies.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(&reply.payload, &mut out);
    }
    out.push(b']');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn what_is_left_out_is_null() {
        assert_eq!(read(None).unwrap(), read(Some(&raw("null"))).unwrap());
        assert_eq!(read(Some(&raw("{\"a\": 1.0}"))).unwrap().to_bytes(), &b"{\"a\": 1.0}"[..]);
        let deep = "[".repeat(129) + &"]".repeat(129);
        assert!(read(Some(&raw(&deep))).is_err());
    }

    #[test]
    fn responses_of_every_sort_are_values() {
        let replies: Vec<Reply> = [
            Payload::from_text("{\"a\":\n1}".into()),
            Payload::Text("hi \"there\"".into()),
            Payload::Binary(vec![0, 255].into()),
            read(None).unwrap(),
        ]
        .map(|payload| Reply { payload, publisher: None })
        .into();
        let expected = "[{\"a\":\n1},\"hi \\\"there\\\"\",\"AP8=\",null]";
        assert_eq!(String::from_utf8(responses(&replies)).unwrap(), expected);
        assert_eq!(responses(&[]), b"[]");
    }

    proptest! {
        #[test]
        fn an_answer_is_json_whatever_was_responded(texts in prop::collection::vec(any::<String>(), 0..5)) {
            let replies: Vec<Reply> = texts
                .iter()
                .map(|text| Reply { payload: Payload::Text(text.clone().into()), publisher: None })
                .collect();
            let answer: Vec<String> = serde_json::from_slice(&responses(&replies)).unwrap();
            prop_assert_eq!(answer, texts);
        }
    }
}
