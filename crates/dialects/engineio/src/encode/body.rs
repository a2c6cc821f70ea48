use bytes::Bytes;

use super::{END_OF_LENGTH, PollForm, SEPARATOR};
use crate::packet::{Packet, Revision};
use crate::payload::{Body, BodyForm, Codec, PayloadError, PayloadLimits, V3Framing, V3Text};

/// What the answer to a poll may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Text or bytes.
    Any,
    /// Text, as JSONP needs it.
    Text,
}

/// What was encoded here has no limit but that it is in memory.
const NO_LIMITS: PayloadLimits = PayloadLimits { bytes_max: usize::MAX, packets_max: usize::MAX };

/// Makes the body of an answer of all that waits in the form that is `codec`'s.
pub(crate) fn body(codec: &Codec, mut waiting: Vec<u8>, wanted: Wanted) -> Body {
    match codec.poll_form() {
        PollForm::V4 => {
            waiting.pop_if(|last| *last == SEPARATOR);
            Body::Text(string(waiting))
        }
        PollForm::V3Text if codec.v3_text == V3Text::DoubleUtf8 && !waiting.is_ascii() => {
            match packets(codec, &Bytes::copy_from_slice(&waiting)) {
                Ok(packets) => Body::Text(codec.encode_text(&packets)),
                Err(_) => Body::Text(string(waiting)),
            }
        }
        PollForm::V3Text => Body::Text(string(waiting)),
        PollForm::V3Binary => {
            if wanted == Wanted::Any && codec.v3_framing == V3Framing::Always {
                return Body::Binary(waiting);
            }
            // Text as long as all clients read it in the same way.
            match packets(codec, &Bytes::copy_from_slice(&waiting)) {
                Ok(packets) if wanted == Wanted::Text || packets.iter().all(Packet::is_ascii) => {
                    Body::Text(codec.encode_text(&packets))
                }
                _ => Body::Binary(waiting),
            }
        }
    }
}

/// Reads what waits, in the form that is `codec`'s, to encode it anew. Text waits as UTF-8, whatever its client does.
///
/// # Errors
/// It was not encoded here.
pub(crate) fn packets(codec: &Codec, waiting: &Bytes) -> Result<Vec<Packet>, PayloadError> {
    let mut codec = Codec { v3_text: V3Text::Utf8, ..*codec };
    match codec.poll_form() {
        PollForm::V4 => {
            let waiting = waiting.strip_suffix(&[SEPARATOR]).unwrap_or(waiting);
            codec.decode(BodyForm::Text, Bytes::copy_from_slice(waiting), NO_LIMITS)
        }
        PollForm::V3Text => codec.decode(BodyForm::Text, waiting.clone(), NO_LIMITS),
        PollForm::V3Binary => codec.decode(BodyForm::Binary, waiting.clone(), NO_LIMITS),
    }
}

/// How many of the packets that wait are no more than `count_max`, and how many bytes these have. Of a form in which that cannot be
/// told quickly, all are one.
pub(crate) fn first_packets(form: PollForm, waiting: &[u8], count_max: usize) -> (usize, usize) {
    let (mut count, mut bytes) = (0, 0);
    while count < count_max && bytes < waiting.len() {
        bytes += first_packet(form, &waiting[bytes..]).unwrap_or(waiting.len() - bytes);
        count += 1;
    }
    (count, bytes)
}

fn first_packet(form: PollForm, waiting: &[u8]) -> Option<usize> {
    match form {
        PollForm::V4 => Some(waiting.iter().position(|byte| *byte == SEPARATOR)? + 1),
        PollForm::V3Binary => {
            let head = waiting.iter().position(|byte| *byte == END_OF_LENGTH)? + 1;
            let digits = waiting.get(1..head - 1)?;
            Some(head + digits.iter().fold(0, |length, digit| length * 10 + usize::from(*digit)))
        }
        PollForm::V3Text => None,
    }
}

fn string(utf8: Vec<u8>) -> String {
    // Whoever encodes text encodes UTF-8; should it not be, the client gets what is nearest.
    String::from_utf8(utf8).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

impl Codec {
    /// The form in which packets wait for a poll.
    pub fn poll_form(&self) -> PollForm {
        use crate::packet::BinarySupport::{Base64, Native};
        match (self.revision, self.binary) {
            (Revision::V4, _) => PollForm::V4,
            (Revision::V3, Native) => PollForm::V3Binary,
            (Revision::V3, Base64) => PollForm::V3Text,
        }
    }
}
