//! HTTP streaming: a JSON object a line. A line with `type` is the stream's own, one without is a message.

use antiphon_model::{ChannelId, Position, Publication};

use super::{json, message};

pub(crate) const CONTENT_TYPE: &str = "application/x-ndjson";

/// A line that says nothing but that the server is there.
pub(crate) const HEARTBEAT: &[u8] = b"{\"type\":\"heartbeat\"}\n";

/// How a message's line begins, up to the digits of its position.
const BEFORE_POSITION: &[u8] = b"{\"position\":\"";

/// Writes the first line: the stream is live from `position` on.
pub(crate) fn write_open(position: Position, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"open\",\"position\":\"");
    message::write_digits(position.0, out);
    out.extend_from_slice(b"\"}\n");
}

/// Writes a publication's line.
pub(crate) fn write_message(publication: &Publication, out: &mut Vec<u8>) {
    message::write(publication, out);
    out.push(b'\n');
}

/// Writes that what came after `since` and up to `resumed` is no longer kept.
pub(crate) fn write_gap(channel: &ChannelId, since: Position, resumed: Position, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"gap\",");
    write_gap_members(channel, since, resumed, out);
    out.extend_from_slice(b"}\n");
}

/// Writes the members of a gap without the braces.
pub(crate) fn write_gap_members(channel: &ChannelId, since: Position, resumed: Position, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"since\":\"");
    message::write_digits(since.0, out);
    out.extend_from_slice(b"\",\"resumed\":\"");
    message::write_digits(resumed.0, out);
    out.push(b'"');
    message::write_channel(channel, out);
}

/// Writes that the server ends the stream.
pub(crate) fn write_close(reason: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"close\",\"reason\":");
    json::write_string(reason, out);
    out.extend_from_slice(b"}\n");
}

/// The position of a line that [`write_message`] wrote.
pub(crate) fn position_of(line: &[u8]) -> Option<Position> {
    let rest = line.strip_prefix(BEFORE_POSITION)?;
    let end = memchr::memchr(b'"', rest)?;
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{payload, publication};
    use antiphon_model::Payload;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn the_streams_own_lines() {
        let room = publication(1, "a\"b", Payload::Text("".into())).channel;
        let mut out = Vec::new();
        write_open(Position(5), &mut out);
        out.extend_from_slice(HEARTBEAT);
        write_gap(&room, Position(1), Position(3), &mut out);
        write_close("bye", &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                "{\"type\":\"open\",\"position\":\"5\"}\n",
                "{\"type\":\"heartbeat\"}\n",
                "{\"type\":\"gap\",\"since\":\"1\",\"resumed\":\"3\",\"channel\":\"a\\\"b\"}\n",
                "{\"type\":\"close\",\"reason\":\"bye\"}\n"
            )
        );
    }

    #[test]
    fn the_position_is_read_from_messages_only() {
        assert_eq!(position_of(b"{\"position\":\"17\",\"channel\":\"a\"}"), Some(Position(17)));
        for line in ["", "{\"type\":\"heartbeat\"}", "{\"position\":\"", "{\"position\":\"x\"}"] {
            assert_eq!(position_of(line.as_bytes()), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn readers_of_lines_get_each_message(payloads in proptest::collection::vec(payload(), 1..5)) {
            let mut stream = Vec::new();
            for (position, payload) in payloads.iter().enumerate() {
                write_message(&publication(position as u64, "room", payload.clone()), &mut stream);
            }
            let stream = String::from_utf8(stream).unwrap();
            // As strict a reader as there is: it takes every line end that Unicode knows for one.
            let ends = ['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];
            let lines: Vec<&str> = stream.split(ends).filter(|line| !line.is_empty()).collect();
            prop_assert_eq!(lines.len(), payloads.len());
            for (position, (line, payload)) in lines.iter().zip(&payloads).enumerate() {
                let message: Value = serde_json::from_str(line).unwrap();
                prop_assert_eq!(&message["position"], &Value::from(position.to_string()));
                prop_assert_eq!(position_of(line.as_bytes()), Some(Position(position as u64)));
                match payload {
                    Payload::Json(json) => {
                        prop_assert_eq!(&message["payload"], &serde_json::from_str::<Value>(json.as_str()).unwrap());
                    }
                    Payload::Text(text) => prop_assert_eq!(message["payload"].as_str().unwrap().as_bytes(), text),
                    Payload::Binary(_) => prop_assert_eq!(&message["encoding"], "base64"),
                    Payload::Arguments(arguments) => prop_assert_eq!(
                        &message["payload"],
                        &serde_json::from_slice::<Value>(arguments.to_json().as_bytes()).unwrap()
                    ),
                }
            }
        }
    }
}
