//! What the fuzz target `engineio_payload` runs, and with it the test that replays its corpus. Not for other use.

use bytes::Bytes;

use crate::packet::{BinarySupport, Revision};
use crate::payload::{Body, BodyForm, Codec, PayloadLimits, V3Framing, V3Text};

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

    #[test]
    fn the_corpus_does_no_harm() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus/engineio_payload");
        let mut replayed = 0;
        for entry in std::fs::read_dir(corpus).unwrap() {
            super::engineio_payload(&std::fs::read(entry.unwrap().path()).unwrap());
            replayed += 1;
        }
        assert!(replayed > 0);
    }
}
