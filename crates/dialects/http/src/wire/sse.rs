//! Server-sent events (WHATWG HTML, 9.2): `id:` is the position, `event:` the name, `data:` the payload or the message.

use antiphon_model::{ChannelId, Kind, Payload, Position, Publication};

use super::{json, message};

pub(crate) const CONTENT_TYPE: &str = "text/event-stream";

/// A comment that says nothing but that the server is there.
pub(crate) const HEARTBEAT: &[u8] = b": heartbeat\n\n";

/// Names of the stream's own events begin so; a publication's never do.
const RESERVED: &str = "antiphon.";

/// What `data:` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    /// The payload alone, where it is clear which channel it is from.
    Payload,
    /// The whole message as JSON.
    Envelope,
}

/// Writes the start of a stream: how soon to reconnect, and from where if nothing else comes before that.
///
/// An event without data is not dispatched, but its `id` counts as the last one.
pub(crate) fn write_open(position: Position, out: &mut Vec<u8>) {
    out.extend_from_slice(b"retry: 1000\n");
    write_id(position, out);
    out.push(b'\n');
}

/// Writes a publication. Presence events are whole messages named `presence`, whatever `data` is.
pub(crate) fn write_event(publication: &Publication, data: Data, out: &mut Vec<u8>) {
    write_id(publication.position, out);
    let presence = publication.kind == Kind::Presence;
    write_name(if presence { "presence" } else { publication.name_or_default() }, out);
    match &publication.payload {
        _ if presence || data == Data::Envelope => {
            write_data_line(out, |out| message::write(publication, out))
        }
        Payload::Json(payload) => write_data_line(out, |out| json::write_line(payload.as_bytes(), out)),
        Payload::Text(text) => write_text(text, out),
        Payload::Binary(bytes) => {
            // The quotes of the JSON string would not be there in `data:`.
            let mut string = Vec::new();
            json::write_base64(bytes, &mut string);
            write_data_line(out, |out| out.extend_from_slice(&string[1..string.len() - 1]));
        }
        Payload::Arguments(arguments) => {
            write_data_line(out, |out| json::write_line(arguments.to_json().as_bytes(), out));
        }
    }
    out.push(b'\n');
}

/// Writes that what came after `since` and up to `resumed` is no longer kept.
pub(crate) fn write_gap(channel: &ChannelId, since: Position, resumed: Position, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: antiphon.gap\n");
    write_data_line(out, |out| {
        out.push(b'{');
        super::ndjson::write_gap_members(channel, since, resumed, out);
        out.push(b'}');
    });
    out.push(b'\n');
}

/// Writes that the server ends the stream.
pub(crate) fn write_close(reason: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: antiphon.close\n");
    write_data_line(out, |out| {
        out.extend_from_slice(b"{\"reason\":");
        json::write_string(reason, out);
        out.push(b'}');
    });
    out.push(b'\n');
}

fn write_id(position: Position, out: &mut Vec<u8>) {
    out.extend_from_slice(b"id: ");
    message::write_digits(position.0, out);
    out.push(b'\n');
}

/// `message` is the name of an event that has none. Other dialects' names may have line ends.
fn write_name(name: &str, out: &mut Vec<u8>) {
    if name == "message" || name.starts_with(RESERVED) {
        return;
    }
    out.extend_from_slice(b"event: ");
    out.extend(name.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
    out.push(b'\n');
}

fn write_data_line(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"data: ");
    write(out);
    out.push(b'\n');
}

/// Writes a `data:` for each line; the reader puts `\n` between them, whatever stood there.
fn write_text(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(end) = memchr::memchr2(b'\n', b'\r', rest) {
        write_data_line(out, |out| out.extend_from_slice(&rest[..end]));
        let length = if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = &rest[end + length..];
    }
    write_data_line(out, |out| out.extend_from_slice(rest));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{payload, publication};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    fn written(publication: &Publication, data: Data) -> String {
        let mut out = Vec::new();
        write_event(publication, data, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn events_by_example() {
        let mut text = publication(7, "room", Payload::Text("a\r\nb\rc\n".into()));
        text.name = Some("note".into());
        assert_eq!(
            written(&text, Data::Payload),
            "id: 7\nevent: note\ndata: a\ndata: b\ndata: c\ndata: \n\n"
        );
        let binary = publication(8, "room", Payload::Binary(vec![1, 2].into()));
        assert_eq!(written(&binary, Data::Payload), "id: 8\ndata: AQI=\n\n");
        assert_eq!(
            written(&binary, Data::Envelope),
            "id: 8\ndata: {\"position\":\"8\",\"channel\":\"room\",\"name\":\"message\",\"payload\":\"AQI=\",\"encoding\":\"base64\"}\n\n"
        );
        let empty = publication(9, "room", Payload::Text("".into()));
        assert_eq!(written(&empty, Data::Payload), "id: 9\ndata: \n\n");
    }

    #[test]
    fn a_name_can_neither_end_its_line_nor_pass_for_ours() {
        let mut publication = publication(1, "room", Payload::Text("x".into()));
        publication.name = Some("a\ndata: forged\r".into());
        assert_eq!(written(&publication, Data::Payload), "id: 1\nevent: a data: forged \ndata: x\n\n");
        publication.name = Some("antiphon.close".into());
        assert_eq!(written(&publication, Data::Payload), "id: 1\ndata: x\n\n");
    }

    #[test]
    fn presence_is_a_whole_message() {
        let json = antiphon_model::RawJson::new("{\"identity\":\"ann\",\"occupancy\":1}".into()).unwrap();
        let mut event = publication(2, "room", Payload::Json(json));
        event.kind = Kind::Presence;
        event.name = Some("join".into());
        assert_eq!(
            written(&event, Data::Payload),
            "id: 2\nevent: presence\ndata: {\"position\":\"2\",\"channel\":\"room\",\"kind\":\"presence\",\"name\":\"join\",\"payload\":{\"identity\":\"ann\",\"occupancy\":1}}\n\n"
        );
    }

    #[test]
    fn the_streams_own_events() {
        let room = publication(1, "room", Payload::Text("".into())).channel;
        let mut out = Vec::new();
        write_open(Position(5), &mut out);
        write_gap(&room, Position(1), Position(3), &mut out);
        write_close("the server \"restarts\"", &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                "retry: 1000\nid: 5\n\n",
                "event: antiphon.gap\ndata: {\"since\":\"1\",\"resumed\":\"3\",\"channel\":\"room\"}\n\n",
                "event: antiphon.close\ndata: {\"reason\":\"the server \\\"restarts\\\"\"}\n\n"
            )
        );
    }

    /// What a reader makes of a stream, by the algorithm of the specification: (last id, event, data).
    fn read(stream: &str) -> Vec<(String, String, String)> {
        let mut events = Vec::new();
        let (mut id, mut event, mut data) = (String::new(), String::new(), String::new());
        let unified = stream.replace("\r\n", "\n").replace('\r', "\n");
        for line in unified.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            if line.is_empty() {
                if let Some(data) = data.strip_suffix('\n') {
                    let name = if event.is_empty() { "message" } else { &event };
                    events.push((id.clone(), name.to_owned(), data.to_owned()));
                }
                (event, data) = (String::new(), String::new());
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" if !value.contains('\0') => id = value.to_owned(),
                "event" => event = value.to_owned(),
                "data" => data = data + value + "\n",
                _ => {}
            }
        }
        events
    }

    #[test]
    fn the_start_sets_the_id_without_an_event() {
        let mut out = Vec::new();
        write_open(Position(5), &mut out);
        out.extend_from_slice(HEARTBEAT);
        assert_eq!(read(std::str::from_utf8(&out).unwrap()), []);
    }

    proptest! {
        #[test]
        fn a_reader_gets_the_payload(payload in payload(), name in "[a-zé:\u{2028} ]{1,8}") {
            let mut publication = publication(42, "room", payload);
            publication.name = Some(name.clone().into());
            let events = read(&written(&publication, Data::Payload));
            let (id, event, data) = &events[0];
            prop_assert_eq!((events.len(), id.as_str(), event), (1, "42", &name));
            match &publication.payload {
                Payload::Json(json) => prop_assert_eq!(
                    serde_json::from_str::<serde_json::Value>(data).unwrap(),
                    serde_json::from_str::<serde_json::Value>(json.as_str()).unwrap()
                ),
                Payload::Text(text) => {
                    let text = std::str::from_utf8(text).unwrap().replace("\r\n", "\n").replace('\r', "\n");
                    prop_assert_eq!(data, &text);
                }
                Payload::Binary(bytes) => prop_assert_eq!(&STANDARD.decode(data).unwrap(), bytes),
                Payload::Arguments(arguments) => prop_assert_eq!(
                    serde_json::from_str::<serde_json::Value>(data).unwrap(),
                    serde_json::from_slice::<serde_json::Value>(arguments.to_json().as_bytes()).unwrap()
                ),
            }
        }

        #[test]
        fn a_reader_gets_the_envelope(payload in payload()) {
            let publication = publication(42, "room", payload);
            let events = read(&written(&publication, Data::Envelope));
            prop_assert_eq!(events.len(), 1);
            let message: serde_json::Value = serde_json::from_str(&events[0].2).unwrap();
            prop_assert_eq!(&message["position"], "42");
        }
    }
}
