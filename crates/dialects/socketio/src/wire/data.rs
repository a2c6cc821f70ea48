use std::borrow::Cow;
use std::fmt;

use antiphon_model::RawJson;
use bytes::Bytes;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::error::DecodeError;

/// Names of events that the client's library or the server gives; no peer may send them.
pub const RESERVED_EVENTS: &[&str] =
    &["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// An event's payload: a JSON array that begins with the event's name. Kept as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventData {
    /// UTF-8, and mostly a part of the JSON.
    name: Bytes,
    json: RawJson,
}

impl EventData {
    /// Checks a payload.
    ///
    /// # Errors
    /// It is no JSON array, begins with neither a string nor an integer, has a reserved name, or nests too deep.
    pub fn parse(text: Bytes) -> Result<EventData, DecodeError> {
        let EventShape(name) = parse_array(&text)?;
        if RESERVED_EVENTS.contains(&&*name) {
            return Err(DecodeError::ReservedEvent);
        }
        let name = match name {
            Cow::Borrowed(name) => text.slice_ref(name.as_bytes()),
            Cow::Owned(name) => name.into(),
        };
        Ok(EventData { name, json: shallow(text)? })
    }

    /// Trusts that `json` is an array that begins with `name`, and that the name is not reserved.
    pub(crate) fn from_serializer(name: String, json: RawJson) -> EventData {
        debug_assert!(parse_array::<EventShape<'_>>(json.as_bytes()).is_ok_and(|shape| shape.0 == name));
        EventData { name: name.into(), json }
    }

    /// The event's name. An integer for a name is its digits, as it is for JavaScript.
    pub fn name(&self) -> &str {
        // Checked on construction. An empty name would break its readers less than a panic.
        std::str::from_utf8(&self.name).unwrap_or_default()
    }

    /// The event's name as shared bytes.
    pub(crate) fn into_name(self) -> Bytes {
        self.name
    }

    /// The whole array, name included.
    pub fn json(&self) -> &RawJson {
        &self.json
    }

    /// What follows the name. A list of up to 8 times the bytes of the payload.
    pub fn arguments(&self) -> Vec<&RawValue> {
        let mut elements = elements(&self.json);
        elements.drain(..elements.len().min(1));
        elements
    }
}

/// An acknowledgement's payload: a JSON array. Kept as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments(RawJson);

impl Arguments {
    /// Checks a payload.
    ///
    /// # Errors
    /// It is no JSON array, or nests too deep.
    pub fn parse(text: Bytes) -> Result<Arguments, DecodeError> {
        let ArrayShape = parse_array(&text)?;
        Ok(Arguments(shallow(text)?))
    }

    /// Trusts that `json` is an array.
    pub(crate) fn from_serializer(json: RawJson) -> Arguments {
        debug_assert!(parse_array::<ArrayShape>(json.as_bytes()).is_ok());
        Arguments(json)
    }

    /// The whole array.
    pub fn json(&self) -> &RawJson {
        &self.0
    }

    /// Its elements. A list of up to 8 times the bytes of the payload.
    pub fn arguments(&self) -> Vec<&RawValue> {
        elements(&self.0)
    }
}

/// A JSON object, or with `Strings::Taken` a string.
pub(crate) fn parse_object(text: Bytes, strings: Strings) -> Result<RawJson, DecodeError> {
    let fits = match text.first() {
        Some(b'{') => true,
        Some(b'"') => strings == Strings::Taken,
        _ => false,
    };
    if !fits {
        return Err(DecodeError::InvalidPayload);
    }
    let checked = simdutf8::basic::from_utf8(&text).map_err(|_| DecodeError::NotUtf8)?;
    serde_json::from_str::<IgnoredAny>(checked).map_err(|_| DecodeError::InvalidJson)?;
    shallow(text)
}

/// Whether a string may stand for an object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strings {
    Taken,
    Refused,
}

fn elements(json: &RawJson) -> Vec<&RawValue> {
    serde_json::from_str(json.as_str()).unwrap_or_default()
}

fn shallow(text: Bytes) -> Result<RawJson, DecodeError> {
    RawJson::shallow(text).map_err(|_| DecodeError::TooDeep)
}

fn parse_array<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, DecodeError> {
    if text.first() != Some(&b'[') {
        return Err(DecodeError::InvalidPayload);
    }
    let text = simdutf8::basic::from_utf8(text).map_err(|_| DecodeError::NotUtf8)?;
    serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => DecodeError::InvalidEventName,
        _ => DecodeError::InvalidJson,
    })
}

/// An array of anything. `Vec<IgnoredAny>` would count what nobody asks for.
struct ArrayShape;

impl<'de> Deserialize<'de> for ArrayShape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ArrayShape, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| ArrayShape)
    }
}

/// The name that an array begins with.
struct EventShape<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for EventShape<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EventShape<'de>, D::Error> {
        struct Array;
        impl<'de> Visitor<'de> for Array {
            type Value = EventShape<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array that begins with a name")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<EventShape<'de>, A::Error> {
                let Some(Name(name)) = elements.next_element()? else {
                    return Err(de::Error::invalid_length(0, &self));
                };
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                Ok(EventShape(name))
            }
        }
        deserializer.deserialize_seq(Array)
    }
}

struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name<'de>, D::Error> {
        struct StringOrInteger;
        impl<'de> Visitor<'de> for StringOrInteger {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an integer")
            }

            fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }

            fn visit_u64<E: de::Error>(self, name: u64) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_string())))
            }

            fn visit_i64<E: de::Error>(self, name: i64) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_string())))
            }
        }
        deserializer.deserialize_any(StringOrInteger)
    }
}
