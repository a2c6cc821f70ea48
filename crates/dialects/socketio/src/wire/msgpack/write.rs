use std::borrow::Cow;
use std::collections::VecDeque;

use antiphon_model::{
    JsonToken as Token, JsonTokens as Tokens, Payload, Placeholder, RawJson, unescape_json as unescape,
};
use bytes::Bytes;
use rmp::encode;

use crate::wire::attachments::Message;
use crate::wire::error::EncodeError;
use crate::wire::packet::{AckId, Kind};

/// A vector takes everything.
const TAKES_ALL: &str = "a vector takes all that is written to it";

pub(super) fn packet(message: &Message) -> Result<Vec<u8>, EncodeError> {
    let packet = &message.packet;
    let (json, ack) = (packet.json(), packet.ack());
    let attached: usize = message.attachments.iter().map(Bytes::len).sum();
    let room = json.map_or(0, |json| json.as_bytes().len()) + attached + packet.namespace.as_str().len() + 40;
    let mut out = Vec::with_capacity(room);
    let members = 2 + u32::from(json.is_some()) + u32::from(ack.is_some());
    encode::write_map_len(&mut out, members).expect(TAKES_ALL);
    string(&mut out, "type");
    let kind = match Kind::of(&packet.body) {
        Kind::BinaryEvent => Kind::Event,
        Kind::BinaryAck => Kind::Ack,
        kind => kind,
    };
    encode::write_uint(&mut out, u64::from(kind.digit() - b'0')).expect(TAKES_ALL);
    string(&mut out, "nsp");
    string(&mut out, packet.namespace.as_str());
    if let Some(json) = json {
        string(&mut out, "data");
        let found = match packet.is_binary() {
            true => Placeholder::find(json, message.attachments.len())
                .map_err(|_| EncodeError::PlaceholderInData)?,
            false => Vec::new(),
        };
        value(&mut out, json, &found, &message.attachments, Outermost::Written);
    }
    if let Some(ack) = ack {
        string(&mut out, "id");
        encode::write_uint(&mut out, ack.value()).expect(TAKES_ALL);
    }
    Ok(out)
}

/// What an event to the listeners of a channel is made of.
pub(crate) struct Event<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) ack: Option<AckId>,
    /// The event's name, and strings that come before the payload.
    pub(crate) names: &'a [&'a str],
    pub(crate) payload: &'a Payload,
    /// A string that comes after it, or nil.
    pub(crate) last: Option<Option<&'a str>>,
}

/// Writes the packet of an event, straight from the payload that is published.
pub(crate) fn event(out: &mut Vec<u8>, event: &Event<'_>) {
    encode::write_map_len(out, 3 + u32::from(event.ack.is_some())).expect(TAKES_ALL);
    string(out, "type");
    encode::write_uint(out, u64::from(Kind::Event.digit() - b'0')).expect(TAKES_ALL);
    string(out, "nsp");
    string(out, event.namespace);
    string(out, "data");
    data(out, event);
    if let Some(ack) = event.ack {
        string(out, "id");
        encode::write_uint(out, ack.value()).expect(TAKES_ALL);
    }
}

fn data(out: &mut Vec<u8>, event: &Event<'_>) {
    let values = match event.payload {
        Payload::Arguments(arguments) => element_counts(arguments.json().as_str()).pop_front().unwrap_or(0),
        Payload::Json(_) | Payload::Text(_) | Payload::Binary(_) => 1,
    };
    let count = event.names.len() as u32 + values + u32::from(event.last.is_some());
    encode::write_array_len(out, count).expect(TAKES_ALL);
    event.names.iter().for_each(|name| string(out, name));
    match event.payload {
        Payload::Json(json) => value(out, json, &[], &[], Outermost::Written),
        Payload::Text(text) => string(out, &String::from_utf8_lossy(text)),
        Payload::Binary(bytes) => encode::write_bin(out, bytes).expect(TAKES_ALL),
        Payload::Arguments(arguments) => {
            let (held, attachments) = (arguments.placeholders(), arguments.attachments());
            value(out, arguments.json(), held, attachments, Outermost::LeftOut);
        }
    }
    match event.last {
        Some(Some(last)) => string(out, last),
        Some(None) => encode::write_nil(out).expect(TAKES_ALL),
        None => {}
    }
}

/// Whether the head of the outermost array is written, or was by others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outermost {
    Written,
    LeftOut,
}

/// Writes JSON as MessagePack, with the attachments in the places that are held for them.
fn value(
    out: &mut Vec<u8>,
    json: &RawJson,
    held: &[Placeholder],
    attachments: &[Bytes],
    outermost: Outermost,
) {
    let mut left_out = outermost == Outermost::LeftOut;
    let mut counts = element_counts(json.as_str());
    let mut held = held.iter().peekable();
    let mut skipped_until = 0;
    for (range, token) in Tokens::new(json.as_str()) {
        let count = match token {
            // MessagePack begins with the number of elements, JSON ends with the last of them.
            Token::OpenArray | Token::OpenObject => counts.pop_front().unwrap_or(0),
            _ => 0,
        };
        if range.start < skipped_until || std::mem::take(&mut left_out) {
            continue;
        }
        if let Some(placeholder) = held.next_if(|placeholder| placeholder.range.start == range.start) {
            encode::write_bin(out, &attachments[placeholder.number]).expect(TAKES_ALL);
            skipped_until = placeholder.range.end;
            continue;
        }
        match token {
            Token::OpenArray => {
                encode::write_array_len(out, count).expect(TAKES_ALL);
            }
            Token::OpenObject => {
                encode::write_map_len(out, count).expect(TAKES_ALL);
            }
            Token::Close => {}
            Token::Key(text) | Token::String(text) => {
                string(out, &unescape(text).unwrap_or_else(|| Cow::Owned(without_halves(text))));
            }
            Token::Scalar(text) => scalar(out, text),
        }
    }
}

/// What a string says that has halves of surrogate pairs, which JavaScript allows and UTF-8 does not: they become U+FFFD.
fn without_halves(string: &str) -> String {
    let unit = |at: usize| {
        let digits = string.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let (mut whole, mut at) = (String::with_capacity(string.len()), 0);
    while let Some(escape) = string[at..].find('\\').map(|offset| at + offset) {
        whole.push_str(&string[at..escape]);
        let length = match (unit(escape), unit(escape + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                whole.push('\u{FFFD}');
                at = escape + 6;
                continue;
            }
            (Some(_), _) => 6,
            (None, _) => 2,
        };
        at = string.ceil_char_boundary((escape + length).min(string.len()));
        whole.push_str(&string[escape..at]);
    }
    whole.push_str(&string[at..]);
    serde_json::from_str(&whole).unwrap_or_default()
}

/// How many elements or members each array and object has, in the order in which they open.
fn element_counts(json: &str) -> VecDeque<u32> {
    let mut counts = VecDeque::new();
    let mut open: Vec<usize> = Vec::new();
    for (_, token) in Tokens::new(json) {
        if token == Token::Close {
            open.pop();
            continue;
        }
        // A member is counted by its value.
        if let (Some(count), false) =
            (open.last().and_then(|index| counts.get_mut(*index)), matches!(token, Token::Key(_)))
        {
            *count += 1;
        }
        if matches!(token, Token::OpenArray | Token::OpenObject) {
            open.push(counts.len());
            counts.push_back(0);
        }
    }
    counts
}

/// Numbers beyond 64 bits become floating-point, as JavaScript has them.
fn scalar(out: &mut Vec<u8>, text: &str) {
    match text {
        "null" => encode::write_nil(out).expect(TAKES_ALL),
        "true" => encode::write_bool(out, true).expect(TAKES_ALL),
        "false" => encode::write_bool(out, false).expect(TAKES_ALL),
        _ => {
            if let Ok(number) = text.parse::<u64>() {
                encode::write_uint(out, number).expect(TAKES_ALL);
            } else if let Some(number) = text.parse::<i64>().ok().filter(|number| *number != 0) {
                encode::write_sint(out, number).expect(TAKES_ALL);
            } else {
                encode::write_f64(out, text.parse().unwrap_or_default()).expect(TAKES_ALL);
            }
        }
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    encode::write_str(out, text).expect(TAKES_ALL);
}
