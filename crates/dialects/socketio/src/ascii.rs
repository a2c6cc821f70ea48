//! JSON for clients of whom it is not known how they read what is not ASCII.

use std::io::Write as _;

use antiphon_engineio::Encoding;

/// Writes the JSON from `json` on in ASCII alone, if that is better in this encoding.
pub fn escape(encoding: Encoding, out: &mut Vec<u8>, json: usize) {
    if !encoding.prefers_ascii() || out[json..].is_ascii() {
        return;
    }
    let written = out.split_off(json);
    // Beyond ASCII there are only characters of strings.
    for character in String::from_utf8_lossy(&written).chars() {
        if let Ok(byte) = u8::try_from(character)
            && byte.is_ascii()
        {
            out.push(byte);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            write!(out, "\\u{unit:04x}").expect("a vector takes all that is written");
        }
    }
}

#[cfg(test)]
mod tests {
    use antiphon_engineio::{BinarySupport, PollForm, Revision};
    use proptest::prelude::*;

    use super::*;

    const V3: Encoding = Encoding::Polling(PollForm::V3Text);

    fn escaped(encoding: Encoding, head: &str, json: &str) -> String {
        let mut out = [head, json].concat().into_bytes();
        escape(encoding, &mut out, head.len());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_json_of_old_polls_is_escaped() {
        let json = "[\"é\\n\",\"😀\"]";
        assert_eq!(escaped(V3, "2/é,", json), r#"2/é,["\u00e9\n","\ud83d\ude00"]"#);
        assert_eq!(
            escaped(Encoding::Polling(PollForm::V3Binary), "", "\"\u{7f}\u{80}\""),
            "\"\u{7f}\\u0080\""
        );
        for other in
            [Encoding::Polling(PollForm::V4), Encoding::WebSocket(Revision::V3, BinarySupport::Base64)]
        {
            assert_eq!(escaped(other, "2", json), format!("2{json}"));
        }
    }

    proptest! {
        #[test]
        fn it_says_the_same(text: String) {
            let json = serde_json::to_string(&text).unwrap();
            let escaped = escaped(V3, "", &json);
            prop_assert!(escaped.is_ascii());
            prop_assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
        }
    }
}
