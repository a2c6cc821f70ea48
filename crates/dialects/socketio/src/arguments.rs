//! What goes with an event or its acknowledgement, as Rust values and as the wire has it.
//!
//! One value is one argument, a tuple is several, `()` is none. Bytes anywhere in a value ([`Binary`], or whatever serializes
//! as bytes) travel as attachments. What came from a client can be sent on as it is: [`EventArguments`] is a value too.

mod binary;
mod read;
mod write;

use std::sync::Arc;

use antiphon_model::{self as model, JsonToken, JsonTokens, Payload, Placeholder, RawJson, unescape_json};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use binary::Binary;
pub use read::ArgumentsError;
pub use write::UnserializableArguments;

use crate::wire::data::{Arguments as AckData, EventData};
use crate::wire::kept;

/// The arguments of an event or an acknowledgement, as they came. Clones share the bytes.
#[derive(Clone, Debug)]
pub struct EventArguments {
    /// An array. In it, placeholders stand for the attachments.
    json: RawJson,
    /// Where the first argument begins: behind the event's name, which may stand before it.
    start: usize,
    attachments: Arc<[Bytes]>,
}

impl EventArguments {
    /// No arguments.
    pub fn none() -> EventArguments {
        EventArguments::of_array(RawJson::from_serializer(Bytes::from_static(b"[]")), Arc::default())
    }

    /// The arguments that a value is sent as.
    ///
    /// # Errors
    /// The value has no form in JSON.
    pub fn of(value: &(impl Serialize + ?Sized)) -> Result<EventArguments, UnserializableArguments> {
        to_payload(value).map(|payload| EventArguments::of_payload(&payload))
    }

    /// The arguments that values of a kind are sent as, one for each.
    ///
    /// # Errors
    /// A value has no form in JSON.
    pub fn of_several(values: &[impl Serialize]) -> Result<EventArguments, UnserializableArguments> {
        EventArguments::of(&write::Several(values))
    }

    /// The arguments that a publication's payload is for Socket.IO: JSON is one, text is a string, bytes are an attachment.
    pub fn of_payload(payload: &Payload) -> EventArguments {
        if let Payload::Arguments(arguments) = payload {
            return EventArguments::of_array(arguments.json().clone(), arguments.attachments().into());
        }
        let mut json = Vec::with_capacity(payload.len() + 2);
        json.push(b'[');
        write_values(payload, &mut json);
        json.push(b']');
        let attachments = attachments(payload).into();
        EventArguments::of_array(RawJson::from_serializer(json), attachments)
    }

    pub(crate) fn from_event(data: &EventData, attachments: Vec<Bytes>) -> EventArguments {
        let json = data.json().clone();
        let start = behind_first(json.as_str());
        EventArguments { json, start, attachments: shared(attachments) }
    }

    pub(crate) fn from_ack(data: &AckData, attachments: Vec<Bytes>) -> EventArguments {
        EventArguments::of_array(data.json().clone(), shared(attachments))
    }

    fn of_array(json: RawJson, attachments: Arc<[Bytes]>) -> EventArguments {
        let start = open(json.as_str());
        EventArguments { json, start, attachments }
    }

    /// How many there are. They are counted each time.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// How many bytes they take on the wire, about.
    pub(crate) fn bytes(&self) -> usize {
        self.json.as_bytes().len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rest().starts_with(']')
    }

    /// The JSON of each argument, as it came. Attachments are placeholders in it: `{"_placeholder":true,"num":0}`.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        elements(self.json.as_str(), self.start)
    }

    /// The bytes that placeholders stand for, in the order of their numbers.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// Reads the arguments as `T`: a tuple or an array of fixed length is one value for each argument, `()` is whatever came,
    /// everything else is the first argument.
    ///
    /// More arguments than asked for do no harm. Those that are missing are `None` where that is a value. For a value that can
    /// be two of these, a tuple of one says it: `(Vec<u8>,)`.
    ///
    /// # Errors
    /// An argument is missing, or is no such value.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ArgumentsError> {
        read::parse(self)
    }

    /// The arguments as a publication carries them: one that is JSON, a string or bytes as that alone.
    pub fn to_payload(&self) -> Payload {
        let mut elements = elements(self.json.as_str(), self.start);
        if let (Some(only), None) = (elements.next(), elements.next())
            && let Some(payload) = single(self.json.as_bytes(), only, &self.attachments)
        {
            return payload;
        }
        Payload::Arguments(Arc::new(self.to_array()))
    }

    /// The payload of one value that stands in the arguments, given its JSON. None if it does not have all attachments in it: those
    /// of another value have no place in the payload.
    pub(crate) fn payload_of(&self, value: &str) -> Option<Payload> {
        if let Some(payload) = single(self.json.as_bytes(), value, &self.attachments) {
            return Some(payload);
        }
        let json = RawJson::from_serializer(format!("[{value}]"));
        let arguments = model::Arguments::new(json, self.attachments.to_vec()).ok()?;
        Some(Payload::Arguments(Arc::new(arguments)))
    }

    /// As [`EventArguments::payload_of`], of a value that is an array: each of its elements is an argument.
    pub(crate) fn payload_of_several(&self, array: &str) -> Option<Payload> {
        if !array.starts_with('[') {
            return None;
        }
        let json = RawJson::from_serializer(array.to_owned());
        // Checked, because the bytes may stand elsewhere.
        let arguments = model::Arguments::new(json, self.attachments.to_vec()).ok()?;
        Some(EventArguments::of_payload(&Payload::Arguments(Arc::new(arguments))).to_payload())
    }

    /// The arguments as an array without a name before them.
    fn to_array(&self) -> model::Arguments {
        let json = if self.start <= open(self.json.as_str()) {
            self.json.clone()
        } else {
            let mut json = Vec::with_capacity(1 + self.rest().len());
            json.push(b'[');
            json.extend_from_slice(self.rest().as_bytes());
            RawJson::from_serializer(json)
        };
        let arguments = model::Arguments::new(json, self.attachments.to_vec());
        arguments.expect("each attachment has its placeholder since it came")
    }

    /// From the first argument to the end of the array.
    pub(crate) fn rest(&self) -> &str {
        self.json.as_str().get(self.start..).unwrap_or("]")
    }
}

/// The payload that a value is published as: none, one or several arguments in the simplest form that holds them.
///
/// # Errors
/// The value has no form in JSON, nests too deep, or has something like a placeholder beside bytes.
pub fn to_payload(value: &(impl Serialize + ?Sized)) -> Result<Payload, UnserializableArguments> {
    write::to_payload(value)
}

/// What an acknowledgement carries, given the payload of a value, and its attachments.
pub(crate) fn to_ack(payload: &Payload) -> (AckData, Vec<Bytes>) {
    let json = match payload {
        Payload::Arguments(arguments) => arguments.json().clone(),
        _ => EventArguments::of_payload(payload).json,
    };
    (AckData::from_serializer(json), attachments(payload).to_vec())
}

/// Appends the elements of the array that `payload` is, separated by commas. True if there were any.
pub(crate) fn write_values(payload: &Payload, out: &mut Vec<u8>) -> bool {
    match payload {
        Payload::Json(json) => out.extend_from_slice(json.as_bytes()),
        Payload::Text(text) => match simdutf8::basic::from_utf8(text) {
            Ok(text) => write_string(text, out),
            Err(_) => write_string(&String::from_utf8_lossy(text), out),
        },
        Payload::Binary(_) => Placeholder::write(0, out),
        Payload::Arguments(arguments) => {
            let json = arguments.json().as_bytes().trim_ascii();
            let inner = json.strip_prefix(b"[").and_then(|json| json.strip_suffix(b"]")).unwrap_or(json);
            let inner = inner.trim_ascii();
            out.extend_from_slice(inner);
            return !inner.is_empty();
        }
    }
    true
}

/// Appends a JSON string.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    if is_plain(text) {
        out.reserve(text.len() + 2);
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        return out.push(b'"');
    }
    serde_json::to_writer(out, text).expect("a string is JSON, and a vector takes it");
}

/// Whether a text stands in JSON as it is.
fn is_plain(text: &str) -> bool {
    // Without an end before the last byte, so that many are looked at together.
    let escaped = |any, byte: &u8| any | (*byte < b' ') | (*byte == b'"') | (*byte == b'\\');
    !text.as_bytes().iter().fold(false, escaped)
}

/// What the placeholders of [`write_values`] stand for.
pub(crate) fn attachments(payload: &Payload) -> &[Bytes] {
    match payload {
        Payload::Json(_) | Payload::Text(_) => &[],
        Payload::Binary(bytes) => std::slice::from_ref(bytes),
        Payload::Arguments(arguments) => arguments.attachments(),
    }
}

/// The payload of one argument alone, if that is simpler than arguments. `only` is a part of `json`.
fn single(json: &Bytes, only: &str, attachments: &[Bytes]) -> Option<Payload> {
    match attachments {
        [] => {
            // Half of a surrogate pair is no text.
            let text = if only.starts_with('"') { unescape_json(only) } else { None };
            Some(match text {
                Some(text) => Payload::Text(text.into_owned().into()),
                None => Payload::Json(RawJson::from_serializer(kept(json, only.as_bytes()))),
            })
        }
        [bytes] => {
            let mut placeholder = Vec::with_capacity(32);
            Placeholder::write(0, &mut placeholder);
            (only.as_bytes() == placeholder).then(|| Payload::Binary(bytes.clone()))
        }
        _ => None,
    }
}

/// Mostly there are none, and that takes no memory.
fn shared(attachments: Vec<Bytes>) -> Arc<[Bytes]> {
    if attachments.is_empty() { Arc::default() } else { attachments.into() }
}

/// Where the first element of an array begins, or its end.
fn open(json: &str) -> usize {
    let inner = json.find('[').map_or(json.len(), |bracket| bracket + 1);
    inner + leading_space(&json[inner..])
}

/// Where the second element of an array begins, or its end.
fn behind_first(json: &str) -> usize {
    let mut tokens = JsonTokens::new(json);
    tokens.next();
    let end = tokens.next().map_or(json.len(), |(first, _)| first.end);
    let comma = json[end..].find([',', ']']).unwrap_or(0);
    let at = end + comma + usize::from(json[end + comma..].starts_with(','));
    at + leading_space(&json[at..])
}

fn leading_space(text: &str) -> usize {
    text.len() - text.trim_ascii_start().len()
}

/// The elements of an array from the one on that begins at `start`.
fn elements(json: &str, start: usize) -> impl Iterator<Item = &str> {
    let rest = json.get(start..).unwrap_or_default();
    let mut tokens = JsonTokens::new(rest);
    std::iter::from_fn(move || {
        let (first, token) = tokens.next()?;
        let mut end = first.end;
        let mut depth = match token {
            JsonToken::OpenArray | JsonToken::OpenObject => 1,
            JsonToken::Close => return None,
            _ => 0,
        };
        while depth > 0 {
            let (range, token) = tokens.next()?;
            match token {
                JsonToken::OpenArray | JsonToken::OpenObject => depth += 1,
                JsonToken::Close => depth -= 1,
                _ => {}
            }
            end = range.end;
        }
        rest.get(first.start..end)
    })
}

#[cfg(test)]
mod tests;
