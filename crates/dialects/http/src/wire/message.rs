use antiphon_model::{ChannelFlags, ChannelId, Expects, Kind, Payload, Publication};

use super::json;

/// Writes a message as one line of JSON, `{"position":…}`, without the line's end (docs/protocol.md, A message).
///
/// `position` is always the first member.
pub(crate) fn write(publication: &Publication, out: &mut Vec<u8>) {
    out.push(b'{');
    write_members(publication, out);
    out.push(b'}');
}

/// Writes the members of a message without the braces, for envelopes that have members of their own.
pub(crate) fn write_members(publication: &Publication, out: &mut Vec<u8>) {
    out.reserve(128 + publication.payload.len());
    out.extend_from_slice(b"\"position\":\"");
    write_digits(publication.position.0, out);
    out.push(b'"');
    write_channel(&publication.channel, out);
    if publication.kind != Kind::Message {
        out.extend_from_slice(b",\"kind\":\"");
        out.extend_from_slice(publication.kind.as_str().as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b",\"name\":");
    json::write_string(publication.name_or_default(), out);
    out.push(b',');
    write_payload(&publication.payload, out);
    if let Some(meta) = &publication.meta {
        out.extend_from_slice(b",\"meta\":");
        json::write_line(meta.as_bytes(), out);
    }
    if let Some(publisher) = &publication.publisher {
        out.extend_from_slice(b",\"publisher\":");
        json::write_string(&publisher.id, out);
    }
    if publication.expects == Expects::Replies {
        out.extend_from_slice(b",\"expects_replies\":true");
    }
}

/// Writes `,"channel":…` and the flags that are set. A companion of presence goes by its channel's name.
pub(crate) fn write_channel(channel: &ChannelId, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"channel\":");
    json::write_string(channel.name(), out);
    if channel.flags().contains(ChannelFlags::SYSTEM) {
        out.extend_from_slice(b",\"system\":true");
    }
    if channel.flags().contains(ChannelFlags::CONSUMER) {
        out.extend_from_slice(b",\"consumer\":true");
    }
}

/// Writes `"payload":…`, and `,"encoding":"base64"` if it is binary.
pub(crate) fn write_payload(payload: &Payload, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"payload\":");
    match payload {
        Payload::Json(json) => json::write_line(json.as_bytes(), out),
        Payload::Text(text) => json::write_string(&String::from_utf8_lossy(text), out),
        Payload::Binary(bytes) => {
            json::write_base64(bytes, out);
            out.extend_from_slice(b",\"encoding\":\"base64\"");
        }
        Payload::Arguments(arguments) => json::write_line(arguments.to_json().as_bytes(), out),
    }
}

/// Writes a number in decimal digits.
pub(crate) fn write_digits(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{arguments, publication};
    use antiphon_model::{Identity, IdentityKind, RawJson};
    use std::sync::Arc;

    fn written(publication: &Publication) -> String {
        let mut out = Vec::new();
        write(publication, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_plain_message_has_the_members_it_needs() {
        let json = Payload::Json(RawJson::new("{\n\"text\": \"hi\"}\r\n".into()).unwrap());
        assert_eq!(
            written(&publication(17, "room", json)),
            r#"{"position":"17","channel":"room","name":"message","payload":{"text": "hi"}}"#
        );
    }

    #[test]
    fn every_member_is_written_when_it_is_there() {
        let mut full = publication(18, "r\"1", Payload::Binary(vec![0, 255].into()));
        full.channel = Arc::new(
            ChannelId::new("r\"1", ChannelFlags::SYSTEM.with(ChannelFlags::CONSUMER)).unwrap().presence(),
        );
        full.kind = Kind::Signal;
        full.name = Some("a\nb".into());
        full.meta = Some(RawJson::new("[1,\n2]".into()).unwrap());
        full.publisher = Some(Arc::new(Identity::new(IdentityKind::User, "Zoë")));
        full.expects = Expects::Replies;
        assert_eq!(
            written(&full),
            concat!(
                r#"{"position":"18","channel":"r\"1","system":true,"consumer":true,"kind":"signal","name":"a\nb","#,
                r#""payload":"AP8=","encoding":"base64","meta":[1,2],"publisher":"Zoë","expects_replies":true}"#
            )
        );
    }

    #[test]
    fn arguments_are_an_array() {
        assert_eq!(
            written(&publication(1, "a", arguments("x\ny", vec![0, 255]))),
            r#"{"position":"1","channel":"a","name":"message","payload":[  "x\ny",  "AP8="]}"#
        );
    }

    #[test]
    fn text_is_a_string() {
        let text = Payload::Text("say \"hi\"\0\u{2028}".into());
        assert_eq!(
            written(&publication(1, "a", text)),
            r#"{"position":"1","channel":"a","name":"message","payload":"say \"hi\"\u0000\u2028"}"#
        );
    }
}
