//! Writing JSON piece by piece.

use antiphon_model::{Payload, Position};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Writes a string.
pub(crate) fn string(text: &str, out: &mut Vec<u8>) {
    // Writing to a `Vec` cannot fail, and a string is always serializable.
    let _ = serde_json::to_writer(out, text);
}

/// Writes a number.
pub(crate) fn number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Writes a position as a string, as most answers have it.
pub(crate) fn timetoken(position: Position, out: &mut Vec<u8>) {
    out.push(b'"');
    number(position.0, out);
    out.push(b'"');
}

/// Writes a payload as one JSON value: text as a string, bytes as one in base64.
pub(crate) fn payload(payload: &Payload, out: &mut Vec<u8>) {
    match payload {
        Payload::Json(json) => out.extend_from_slice(json.as_bytes()),
        Payload::Text(text) => string(&String::from_utf8_lossy(text), out),
        Payload::Binary(bytes) => string(&STANDARD.encode(bytes), out),
        Payload::Arguments(arguments) => out.extend_from_slice(arguments.to_json().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_of_every_sort_are_values() {
        for (value, expected) in [
            (Payload::from_text("{\"a\":\n1}".into()), "{\"a\":\n1}"),
            (Payload::Text("say \"hi\"".into()), "\"say \\\"hi\\\"\""),
            (Payload::Binary(vec![0, 255].into()), "\"AP8=\""),
        ] {
            let mut out = Vec::new();
            payload(&value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
