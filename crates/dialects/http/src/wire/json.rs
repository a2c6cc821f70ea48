//! JSON that stays on one line, for wires that give line ends a meaning.

/// Writes checked JSON without any line end.
///
/// In valid JSON a raw newline can only be whitespace between tokens, which means nothing, so it is left out.
/// The line ends beyond ASCII (U+0085, U+2028, U+2029) stand in strings only; they are escaped because many
/// line readers split there too.
pub(crate) fn write_line(json: &[u8], out: &mut Vec<u8>) {
    out.reserve(json.len());
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r' | 0xc2 | 0xe2)) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let (written, length): (&[u8], usize) = match rest {
            [b'\n' | b'\r', ..] => (b"", 1),
            [0xc2, 0x85, ..] => (b"\\u0085", 2),
            [0xe2, 0x80, 0xa8, ..] => (b"\\u2028", 3),
            [0xe2, 0x80, 0xa9, ..] => (b"\\u2029", 3),
            _ => (&rest[..1], 1),
        };
        out.extend_from_slice(written);
        rest = &rest[length..];
    }
    out.extend_from_slice(rest);
}

/// Writes text as a JSON string on one line.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    let start = out.len();
    // Writing to a `Vec` cannot fail, and a string is always serializable.
    let written = serde_json::to_writer(&mut *out, text);
    debug_assert!(written.is_ok());
    if text.contains(['\u{85}', '\u{2028}', '\u{2029}']) {
        let string = out.split_off(start);
        write_line(&string, out);
    }
}

/// Writes bytes as a base64 JSON string.
pub(crate) fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    out.push(b'"');
    let start = out.len();
    out.resize(start + base64::encoded_len(bytes.len(), true).unwrap_or_default(), 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]);
    debug_assert_eq!(written, Ok(out.len() - start));
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ENDS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

    fn line(json: &str) -> String {
        let mut out = Vec::new();
        write_line(json.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn line_ends_go_and_the_value_stays() {
        for (json, expected) in [
            ("{\r\n \"a\": 1\n}\n", "{ \"a\": 1}"),
            ("\"a\\nb\"", "\"a\\nb\""),
            ("\"\u{2028}\u{2029}\u{85}é€\u{2027}\"", "\"\\u2028\\u2029\\u0085é€\u{2027}\""),
            ("", ""),
        ] {
            assert_eq!(line(json), expected);
        }
    }

    #[test]
    fn base64_of_every_length() {
        for (bytes, expected) in
            [(&b""[..], "\"\""), (b"f", "\"Zg==\""), (b"fo", "\"Zm8=\""), (b"foo", "\"Zm9v\"")]
        {
            let mut out = Vec::new();
            write_base64(bytes, &mut out);
            assert_eq!(out, expected.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn strings_round_trip_on_one_line(text in any::<String>(), ends in "[\n\r\u{85}\u{2028}\u{2029}a]{0,5}") {
            let text = text + &ends;
            let mut out = Vec::new();
            write_string(&text, &mut out);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
            let out = String::from_utf8(out).unwrap();
            prop_assert!(!out.contains(ENDS));
        }

        #[test]
        fn pretty_printed_values_stay_the_same(text in any::<String>(), number in any::<f64>()) {
            let value = serde_json::json!({"a": [text, {"b": number}], "\u{2028}": null});
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            let one = line(&pretty);
            prop_assert!(!one.contains(ENDS));
            prop_assert_eq!(
                serde_json::from_str::<serde_json::Value>(&one).unwrap(),
                serde_json::from_str::<serde_json::Value>(&pretty).unwrap()
            );
        }
    }
}
