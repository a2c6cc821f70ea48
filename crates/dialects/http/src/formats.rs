//! The ways in which a publication is written here. Listeners that share one share the bytes.

use antiphon_model::{Kind, Payload, Publication};
use antiphon_net::{Format, MessageKind};

use crate::wire::{message, ndjson, sse};

/// The payload and nothing else: raw WebSocket. Presence events are whole messages, or nobody could tell them.
pub(crate) static RAW: Format = Format { name: "raw", encode: encode_raw };

/// An event whose data is the payload.
pub(crate) static SSE: Format = Format { name: "sse", encode: encode_sse };

/// An event whose data is the message.
pub(crate) static SSE_ENVELOPE: Format = Format { name: "sse-envelope", encode: encode_sse_envelope };

/// A message a line: HTTP streaming, and what long polls put their answers together from.
pub(crate) static NDJSON: Format = Format { name: "ndjson", encode: encode_ndjson };

fn encode_raw(publication: &Publication, out: &mut Vec<u8>) -> MessageKind {
    if publication.kind == Kind::Presence {
        message::write(publication, out);
        return MessageKind::Text;
    }
    out.extend_from_slice(publication.payload.as_bytes());
    match publication.payload {
        Payload::Json(_) | Payload::Text(_) => MessageKind::Text,
        Payload::Binary(_) => MessageKind::Binary,
    }
}

fn encode_sse(publication: &Publication, out: &mut Vec<u8>) -> MessageKind {
    sse::write_event(publication, sse::Data::Payload, out);
    MessageKind::Text
}

fn encode_sse_envelope(publication: &Publication, out: &mut Vec<u8>) -> MessageKind {
    sse::write_event(publication, sse::Data::Envelope, out);
    MessageKind::Text
}

fn encode_ndjson(publication: &Publication, out: &mut Vec<u8>) -> MessageKind {
    ndjson::write_message(publication, out);
    MessageKind::Text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::publication;

    #[test]
    fn raw_is_the_payload() {
        for (payload, kind) in [
            (Payload::Text("hi".into()), MessageKind::Text),
            (Payload::from_text(" [1,\n2] ".into()), MessageKind::Text),
            (Payload::Binary(vec![0, 255].into()), MessageKind::Binary),
        ] {
            let mut out = b"before".to_vec();
            assert_eq!((RAW.encode)(&publication(1, "a", payload.clone()), &mut out), kind);
            assert_eq!(&out[6..], payload.as_bytes());
        }
    }

    #[test]
    fn raw_presence_is_a_message() {
        let mut event = publication(1, "a", Payload::from_text("{\"identity\":\"ann\"}".into()));
        event.kind = Kind::Presence;
        event.name = Some("join".into());
        let mut out = Vec::new();
        assert_eq!((RAW.encode)(&event, &mut out), MessageKind::Text);
        assert!(
            out.starts_with(b"{\"position\":\"1\",\"channel\":\"a\",\"kind\":\"presence\",\"name\":\"join\"")
        );
    }
}
