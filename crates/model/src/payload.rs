use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::IgnoredAny;

use crate::Arguments;

/// How deep JSON may nest: a reader that builds a tree of it must not run out of stack.
pub const JSON_DEPTH_MAX: usize = 128;

/// The text is not one JSON value that is taken.
#[derive(Debug, thiserror::Error)]
pub enum InvalidJson {
    /// It is not JSON.
    #[error("not valid JSON: {0}")]
    Syntax(#[from] serde_json::Error),
    /// It nests deeper than [`JSON_DEPTH_MAX`].
    #[error("nests deeper than {JSON_DEPTH_MAX} levels")]
    TooDeep,
}

/// One JSON value as the client wrote it: checked, never parsed into a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawJson(Bytes);

impl RawJson {
    /// Checks that `text` is one JSON value in UTF-8, with nothing but whitespace around it.
    ///
    /// # Errors
    /// It is not, or it nests deeper than [`JSON_DEPTH_MAX`].
    pub fn new(text: Bytes) -> Result<RawJson, InvalidJson> {
        // `from_str` because `IgnoredAny` would skip over strings that are not UTF-8.
        let checked = simdutf8::basic::from_utf8(&text).map_err(serde::de::Error::custom);
        checked.and_then(serde_json::from_str::<IgnoredAny>)?;
        RawJson::shallow(text)
    }

    /// Checks only how deep `text` nests, which has to be one JSON value.
    ///
    /// # Errors
    /// It nests deeper than [`JSON_DEPTH_MAX`].
    pub fn shallow(text: Bytes) -> Result<RawJson, InvalidJson> {
        // Few texts have so many brackets that it matters where they stand.
        if text.len() > JSON_DEPTH_MAX && openings(&text) > JSON_DEPTH_MAX && depth(&text) > JSON_DEPTH_MAX {
            return Err(InvalidJson::TooDeep);
        }
        Ok(RawJson::from_serializer(text))
    }

    /// Trusts that `text` was written by a JSON serializer.
    pub fn from_serializer(text: impl Into<Bytes>) -> RawJson {
        let text = text.into();
        debug_assert!(serde_json::from_slice::<IgnoredAny>(&text).is_ok());
        RawJson(text)
    }

    /// The text.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Checked on construction. An empty text would break its readers less than a panic.
        simdutf8::basic::from_utf8(&self.0).unwrap_or_default()
    }
}

/// How many arrays and objects begin in a text, or seem to.
fn openings(text: &[u8]) -> usize {
    // `[` and `{` differ in one bit. So many bytes at once that a byte can count them: that is done sixteen at a time.
    let count = |bytes: &[u8]| bytes.iter().fold(0_u8, |count, byte| count + u8::from(byte | 0x20 == b'{'));
    text.chunks(usize::from(u8::MAX)).map(|bytes| usize::from(count(bytes))).sum()
}

/// How deep a JSON value nests.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'"' => return,
            _ => {}
        }
    }
}

/// What a publication carries. Kept as it came, so that it is handed on without being parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// One JSON value.
    Json(RawJson),
    /// UTF-8 text that is not JSON; for JSON dialects it is a string.
    Text(Bytes),
    /// Bytes; for text-only dialects it is base64, and marked so.
    Binary(Bytes),
    /// Several values at once, of which some may be bytes; for dialects that know one value only it is a JSON array with the
    /// bytes as base64: [`Arguments::to_json`].
    Arguments(Arc<Arguments>),
}

impl Payload {
    /// JSON if `text` is one JSON value that [`RawJson::new`] takes, else text. `text` has to be UTF-8.
    pub fn from_text(text: Bytes) -> Payload {
        debug_assert!(std::str::from_utf8(&text).is_ok());
        match RawJson::new(text.clone()) {
            Ok(json) => Payload::Json(json),
            Err(_) => Payload::Text(text),
        }
    }

    /// It as one run of bytes, whatever they mean: as it came, except that arguments are shown as [`Arguments::to_json`] does.
    pub fn to_bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Payload::Json(json) => Cow::Borrowed(json.as_bytes()),
            Payload::Text(bytes) | Payload::Binary(bytes) => Cow::Borrowed(bytes),
            Payload::Arguments(arguments) => Cow::Owned(arguments.to_json().as_bytes().to_vec()),
        }
    }

    /// Length in bytes, attachments included.
    pub fn len(&self) -> usize {
        match self {
            Payload::Json(json) => json.as_bytes().len(),
            Payload::Text(bytes) | Payload::Binary(bytes) => bytes.len(),
            Payload::Arguments(arguments) => arguments.bytes_len(),
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_checked_and_kept_as_written() {
        let json = RawJson::new(Bytes::from_static(b" {\"a\": 1.0} ")).unwrap();
        assert_eq!(json.as_str(), " {\"a\": 1.0} ");
        for bad in [&b"{"[..], b"", b"1 2", b"\"\xff\"", b"{\"a\":1,}", b"\xef\xbb\xbf1"] {
            assert!(RawJson::new(Bytes::from_static(bad)).is_err(), "{bad:?}");
        }
        assert!(RawJson::new(Bytes::from("[".repeat(100_000))).is_err());
    }

    #[test]
    fn depth_is_limited_and_brackets_in_strings_are_not_depth() {
        let nested = |levels: usize| Bytes::from("[".repeat(levels) + &"]".repeat(levels));
        assert!(RawJson::new(nested(JSON_DEPTH_MAX)).is_ok());
        assert!(matches!(RawJson::new(nested(JSON_DEPTH_MAX + 1)), Err(InvalidJson::TooDeep)));
        let flat = format!("[\"{}\\\"[\"]", "[{".repeat(200));
        assert!(RawJson::new(flat.into()).is_ok());
        assert!(matches!(Payload::from_text(nested(500)), Payload::Text(_)));
    }

    #[test]
    fn text_that_is_not_json_stays_text() {
        assert!(matches!(Payload::from_text(Bytes::from_static(b"hello")), Payload::Text(_)));
        assert!(matches!(Payload::from_text(Bytes::from_static(b"")), Payload::Text(_)));
        assert!(matches!(Payload::from_text(Bytes::from_static(b"[1]")), Payload::Json(_)));
    }
}
