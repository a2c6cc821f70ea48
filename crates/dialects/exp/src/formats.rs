//! How a publication is written for EXP clients: one format for each encoding of the transport.
//!
//! A client takes a broadcast for one of its channel's if it says the id that the client itself gave, character for character. That
//! comes as the subscription's label, in which a client's several spellings of one channel stand together; clients that spell it alike
//! share the bytes.

#[cfg(test)]
mod tests;

use antiphon_engineio::{Encoding, encode};
use antiphon_model::{Payload, Publication};
use antiphon_net::{Format, Label, MessageKind, Messages};
use antiphon_socketio::ascii;

use crate::wire::payload;

/// How the subscriptions of a session are written.
pub(crate) fn format(encoding: Encoding) -> &'static Format {
    &FORMATS[encoding.index()]
}

/// The same for another encoding of the transport; none for a format of somebody else's.
pub(crate) fn translate(format: &'static Format, to: Encoding) -> Option<&'static Format> {
    FORMATS.iter().any(|one| std::ptr::eq(one, format)).then(|| self::format(to))
}

/// The label of a channel that a client spells in these ways.
pub(crate) fn label<'a>(spellings: impl IntoIterator<Item = &'a str>) -> Label {
    let mut label = String::new();
    for spelling in spellings {
        if !label.is_empty() {
            label.push(BETWEEN_SPELLINGS);
        }
        label.push_str(spelling);
    }
    label.into()
}

/// No id has it: it is not in the alphabet of base64.
const BETWEEN_SPELLINGS: char = '\n';

/// By encoding.
static FORMATS: [Format; Encoding::ALL.len()] = [
    Format { name: "exp", encode: encode::<0> },
    Format { name: "exp", encode: encode::<1> },
    Format { name: "exp", encode: encode::<2> },
    Format { name: "exp", encode: encode::<3> },
    Format { name: "exp", encode: encode::<4> },
    Format { name: "exp", encode: encode::<5> },
    Format { name: "exp", encode: encode::<6> },
];

fn encode<const ENCODING: usize>(publication: &Publication, messages: &mut Messages<'_>) {
    let encoding = Encoding::ALL[ENCODING];
    for channel in messages.label().split(BETWEEN_SPELLINGS) {
        messages.message(MessageKind::Text, |out| {
            encode::text_into(encoding, out, |out| {
                out.push(b'2');
                let json = out.len();
                write_event(publication, channel, out);
                ascii::escape(encoding, out, json);
            });
        });
    }
}

/// Writes the event `broadcast`. Each of its four keys is there whatever the publication has: clients ask for them all.
fn write_event(publication: &Publication, channel: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"["broadcast",{"id":""#);
    out.extend_from_slice(itoa::Buffer::new().format(publication.position.0).as_bytes());
    out.extend_from_slice(br#"","name":"#);
    write_string(publication.name_or_default(), out);
    out.extend_from_slice(br#","channel":"#);
    write_string(channel, out);
    out.extend_from_slice(br#","payload":"#);
    payload::write(&publication.payload, out);
    if let Payload::Binary(_) = publication.payload {
        out.extend_from_slice(br#","encoding":"base64""#);
    }
    out.extend_from_slice(b"}]");
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a string is JSON, and a vector takes it");
}
