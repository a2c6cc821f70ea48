//! The ways in which a publication is written here. Listeners that share one share the bytes.

use antiphon_model::{Kind, Payload, Publication};
use antiphon_net::{Format, MessageKind, Messages};

use crate::wire::{message, ndjson, sse};

/// The payload and nothing else: raw WebSocket. Presence events are whole messages, or nobody could tell them.
pub(crate) static RAW: Format = Format { name: "raw", encode: encode_raw };

/// An event whose data is the payload.
pub(crate) static SSE: Format = Format { name: "sse", encode: encode_sse };

/// An event whose data is the message.
pub(crate) static SSE_ENVELOPE: Format = Format { name: "sse-envelope", encode: encode_sse_envelope };

/// A message a line: HTTP streaming, and what long polls put their answers together from.
pub(crate) static NDJSON: Format = Format { name: "ndjson", encode: encode_ndjson };

fn encode_raw(publication: &Publication, messages: &mut Messages<'_>) {
    if publication.kind == Kind::Presence {
        return messages.message(MessageKind::Text, |out| message::write(publication, out));
    }
    let kind = match publication.payload {
        Payload::Json(_) | Payload::Text(_) | Payload::Arguments(_) => MessageKind::Text,
        Payload::Binary(_) => MessageKind::Binary,
    };
    messages.bytes(kind, &publication.payload.to_bytes());
}

fn encode_sse(publication: &Publication, messages: &mut Messages<'_>) {
    messages.message(MessageKind::Text, |out| sse::write_event(publication, sse::Data::Payload, out));
}

fn encode_sse_envelope(publication: &Publication, messages: &mut Messages<'_>) {
    messages.message(MessageKind::Text, |out| sse::write_event(publication, sse::Data::Envelope, out));
}

fn encode_ndjson(publication: &Publication, messages: &mut Messages<'_>) {
    messages.message(MessageKind::Text, |out| ndjson::write_message(publication, out));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{arguments, publication};

    #[test]
    fn raw_is_the_payload() {
        for (payload, kind) in [
            (Payload::Text("hi".into()), MessageKind::Text),
            (Payload::from_text(" [1,\n2] ".into()), MessageKind::Text),
            (Payload::Binary(vec![0, 255].into()), MessageKind::Binary),
        ] {
            let written = RAW.messages(&publication(1, "a", payload.clone()));
            assert_eq!(written, [(kind, payload.to_bytes().into_owned())]);
        }
        let several = RAW.messages(&publication(1, "a", arguments("x", vec![0, 255])));
        assert_eq!(several, [(MessageKind::Text, b"[\n  \"x\",\n  \"AP8=\"\n]".to_vec())]);
    }

    #[test]
    fn raw_presence_is_a_message() {
        let mut event = publication(1, "a", Payload::from_text("{\"identity\":\"ann\"}".into()));
        event.kind = Kind::Presence;
        event.name = Some("join".into());
        let (kind, text) = RAW.messages(&event).pop().unwrap();
        assert_eq!(kind, MessageKind::Text);
        assert!(
            text.starts_with(
                b"{\"position\":\"1\",\"channel\":\"a\",\"kind\":\"presence\",\"name\":\"join\""
            )
        );
    }
}
