use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::{InvalidPlaceholders, Placeholder, RawJson};

/// Several values at once, of which some may be bytes or have bytes in them. Kept as they came.
///
/// They are a JSON array and the attachments that were taken out of it. Where an attachment belongs, a [`Placeholder`] stands;
/// each has exactly one. Without attachments, what looks like a placeholder is data like any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    json: RawJson,
    attachments: Box<[Bytes]>,
    placeholders: Box<[Placeholder]>,
}

/// The JSON and the attachments are no arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidArguments {
    /// The JSON is no array.
    #[error("arguments are a JSON array")]
    NotAnArray,
    /// Not every attachment has its place.
    #[error(transparent)]
    Placeholders(#[from] InvalidPlaceholders),
}

impl Arguments {
    /// Puts arguments together.
    ///
    /// # Errors
    /// `json` is no array or, if there are attachments, not each of them has exactly one placeholder in it.
    pub fn new(json: RawJson, attachments: Vec<Bytes>) -> Result<Arguments, InvalidArguments> {
        if !json.as_str().trim_ascii_start().starts_with('[') {
            return Err(InvalidArguments::NotAnArray);
        }
        let placeholders = match attachments.len() {
            0 => Vec::new(),
            count => Placeholder::find(&json, count)?,
        };
        Ok(Arguments { json, attachments: attachments.into(), placeholders: placeholders.into() })
    }

    /// The array, with placeholders where the attachments belong.
    pub fn json(&self) -> &RawJson {
        &self.json
    }

    /// The attachments, in the order of their numbers.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// The placeholders, in the order in which they stand.
    pub fn placeholders(&self) -> &[Placeholder] {
        &self.placeholders
    }

    /// How many bytes the array and the attachments have.
    pub fn bytes_len(&self) -> usize {
        self.json.as_bytes().len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }

    /// The array with each attachment in its place as a string of base64, for dialects that have no other form for bytes.
    /// Without attachments it is the array as it came, and no copy.
    pub fn to_json(&self) -> RawJson {
        if self.attachments.is_empty() {
            return self.json.clone();
        }
        let base64 = self.attachments.iter().map(|bytes| bytes.len().div_ceil(3) * 4);
        let room = self.json.as_bytes().len() + base64.sum::<usize>();
        RawJson::from_serializer(self.filled(String::with_capacity(room), |bytes, out| {
            out.push('"');
            STANDARD.encode_string(bytes, out);
            out.push('"');
        }))
    }

    /// The array, appended to `out`, with what `write` makes of each attachment in its place.
    fn filled(&self, mut out: String, write: impl Fn(&Bytes, &mut String)) -> String {
        let (text, mut at) = (self.json.as_str(), 0);
        for Placeholder { range, number } in &self.placeholders {
            out.push_str(&text[at..range.start]);
            write(&self.attachments[*number], &mut out);
            at = range.end;
        }
        out.push_str(&text[at..]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(json: &'static str, attachments: &[&'static str]) -> Result<Arguments, InvalidArguments> {
        let json = RawJson::new(Bytes::from_static(json.as_bytes())).unwrap();
        Arguments::new(json, attachments.iter().map(|text| Bytes::from_static(text.as_bytes())).collect())
    }

    #[test]
    fn attachments_are_shown_as_base64_in_their_places() {
        let two = r#" [{"_placeholder":true,"num":1},{"é":[{"num":0, "_placeholder":true}]},"end"] "#;
        let two = arguments(two, &["a", ""]).unwrap();
        assert_eq!(two.to_json().as_str(), r#" ["",{"é":["YQ=="]},"end"] "#);
        assert!(RawJson::new(two.to_json().as_bytes().clone()).is_ok());
        assert_eq!(two.bytes_len(), two.json().as_bytes().len() + 1);
        assert_eq!(two.placeholders().iter().map(|one| one.number).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn without_attachments_nothing_is_a_placeholder() {
        let data = r#"[{"_placeholder":true,"num":3}]"#;
        let plain = arguments(data, &[]).unwrap();
        assert_eq!(plain.to_json().as_str(), data);
        assert_eq!(plain.to_json().as_bytes().as_ptr(), plain.json().as_bytes().as_ptr(), "no copy");
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        use InvalidPlaceholders::{Duplicate, Illegal, Missing};
        for json in ["{}", "\"[]\"", "1"] {
            assert_eq!(arguments(json, &[]), Err(InvalidArguments::NotAnArray), "{json}");
        }
        for (json, error) in [
            ("[]", Missing),
            (r#"[{"_placeholder":true,"num":1}]"#, Illegal),
            (r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#, Duplicate),
        ] {
            assert_eq!(arguments(json, &["a"]), Err(InvalidArguments::Placeholders(error)), "{json}");
        }
    }
}
