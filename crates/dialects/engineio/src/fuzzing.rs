//! What the fuzz target `engineio_payload` runs, and with it the test that replays its corpus. Not for other use.

use bytes::Bytes;

use crate::encode::{self, Encoding};
use crate::form;
use crate::handshake::{OpenVia, Request, RequestKind, Transport};
use crate::packet::{BinarySupport, Data, Packet, Revision};
use crate::payload::{Body, BodyForm, Codec, PayloadLimits, V3Framing, V3Text, jsonp_script};
use crate::settings::EngineSettings;

const LIMITS: PayloadLimits = PayloadLimits { bytes_max: 1 << 16, packets_max: 16 };
/// The length of a packet that is written anew can have more digits than it came with.
const AGAIN: PayloadLimits = PayloadLimits { bytes_max: 1 << 18, packets_max: 16 };

/// A byte that says how to read the rest, which is a body.
///
/// # Panics
/// If a limit does not hold, or what was read is another thing when it is written and read again.
pub fn engineio_payload(data: &[u8]) {
    let Some((how, body)) = data.split_first() else { return };
    let form = match how & 3 {
        0 => BodyForm::Text,
        1 => BodyForm::Binary,
        _ => BodyForm::Jsonp,
    };
    let mut codec = Codec {
        revision: if how & 4 == 0 { Revision::V4 } else { Revision::V3 },
        v3_text: if how & 8 == 0 { V3Text::Utf8 } else { V3Text::Unknown },
        v3_framing: if how & 16 == 0 { V3Framing::WhenNeeded } else { V3Framing::Always },
        binary: if how & 32 == 0 { BinarySupport::Native } else { BinarySupport::Base64 },
    };
    let Ok(packets) = codec.decode(form, Bytes::copy_from_slice(body), LIMITS) else { return };
    assert!(packets.len() <= LIMITS.packets_max);
    assert!(packets.iter().map(|packet| packet.data_bytes()).sum::<usize>() <= body.len());
    if packets.is_empty() {
        return;
    }
    if codec.v3_text == V3Text::Unknown {
        // It is written so, and could be taken for the other when it is read.
        codec.v3_text = V3Text::Utf8;
    }
    let (form, written) = match codec.encode(&packets) {
        Body::Text(text) => (BodyForm::Text, Bytes::from(text)),
        Body::Binary(bytes) => (BodyForm::Binary, Bytes::from(bytes)),
    };
    assert_eq!(codec.decode(form, written, AGAIN).as_ref(), Ok(&packets));
    check_waiting(&codec, &packets);
}

/// What waits for a poll is read again when the session goes over to a WebSocket.
fn check_waiting(codec: &Codec, packets: &[Packet]) {
    let encoding = Encoding::Polling(codec.poll_form());
    let mut waiting = Vec::new();
    for packet in packets {
        encode::packet_into(encoding, packet, &mut waiting);
    }
    let read = encode::packets(codec, &waiting.into()).expect("it was written here");
    assert_eq!(read.len(), packets.len());
    for (read, packet) in read.iter().zip(packets) {
        match packet {
            // A separator in it has become a space.
            Packet::Message(Data::Text(text)) if encoding.separates() => {
                assert_eq!(*read, Packet::text(text.replace('\x1e', " ")));
            }
            _ => assert_eq!(read, packet),
        }
    }
}

/// A byte that says what sort of request it is, the query, and on further lines what of a form or a header is escaped.
///
/// # Panics
/// If what the settings forbid is understood as something to do.
pub fn engineio_request(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    let mut lines = text.lines();
    let query = lines.next().unwrap_or_default();
    let kind = match how & 3 {
        0 => RequestKind::Get,
        1 => RequestKind::Post,
        2 => RequestKind::WebSocket,
        _ => RequestKind::Other,
    };
    let settings = EngineSettings {
        allow_v3: how & 4 == 0,
        transports: match how & 24 {
            8 => vec![Transport::Polling],
            16 => vec![Transport::WebSocket],
            _ => vec![Transport::Polling, Transport::WebSocket],
        },
        ..EngineSettings::default()
    };
    let jsonp = match Request::parse(kind, query, &settings) {
        Ok(Request::Open { revision, via, .. }) => {
            assert!(settings.allow_v3 || revision == Revision::V4);
            match via {
                OpenVia::WebSocket => None,
                OpenVia::Polling { jsonp } => jsonp,
            }
        }
        Ok(Request::Poll { sid, jsonp } | Request::Post { sid, jsonp }) => {
            assert!(settings.allows(Transport::Polling));
            let _ = sid.worker();
            jsonp
        }
        Ok(Request::Upgrade { sid, .. }) => {
            assert!(settings.allows(Transport::WebSocket) && kind == RequestKind::WebSocket);
            let _ = sid.worker();
            None
        }
        Err(refusal) => {
            assert!((400..500).contains(&refusal.status()));
            None
        }
    };
    for line in lines {
        for (name, value) in form::pairs(line) {
            let _ = (form::decoded(name), form::decoded(value));
        }
        if let Some(index) = jsonp {
            let script = jsonp_script(index, line);
            assert!(!script.contains(['<', '\n', '\r', '\u{2028}', '\u{2029}']));
            let string = script.split_once('(').and_then(|(_, rest)| rest.strip_suffix(");"));
            assert_eq!(serde_json::from_str::<String>(string.expect("a call")).as_deref().ok(), Some(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    proptest! {
        #[test]
        fn likely_bytes_do_no_harm(how: u8, body in "([0-9]{0,2}:?b?[0-6][a-zA-Z=é€😀\u{c3}\u{a9}]{0,5}\u{1e}?){0,4}") {
            super::engineio_payload(&[&[how], body.as_bytes()].concat());
        }
    }

    proptest! {
        #[test]
        fn likely_queries_do_no_harm(how: u8, query in "((EIO|transport|sid|j|b64)=(3|4|polling|websocket|[A-Za-z0-9_%-]{0,21})&?){0,5}(\n.{0,9})?") {
            super::engineio_request(&[&[how], query.as_bytes()].concat());
        }
    }

    fn replay(corpus: &str, target: fn(&[u8])) -> usize {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus").join(corpus);
        let entries = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| target(&std::fs::read(path).unwrap())).count()
    }

    #[test]
    fn the_corpora_do_no_harm() {
        assert!(replay("engineio_payload", super::engineio_payload) > 0);
        assert!(replay("engineio_request", super::engineio_request) > 0);
    }
}
