//! What a body is: `Content-Type`, and the payload that a body of it becomes.

use antiphon_model::{Payload, RawJson};
use bytes::Bytes;

/// What a `Content-Type` makes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// One JSON value.
    Json,
    /// UTF-8 text.
    Text,
    /// JSON if it is one value, else text: what `curl -d` sends without being told what it is.
    JsonOrText,
    /// Bytes.
    Binary,
}

/// The body is not what its type says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidBody {
    /// The type's charset is not UTF-8.
    #[error("the charset has to be UTF-8")]
    Charset,
    /// Text that is not UTF-8.
    #[error("the body is not UTF-8 (at byte {0}): send text as UTF-8, or bytes as application/octet-stream")]
    NotUtf8(usize),
    /// Not one JSON value.
    #[error("the body is {0}")]
    Json(Box<str>),
    /// Nothing, where a JSON value has to be.
    #[error("the body is empty: send a JSON value, or say Content-Type: text/plain")]
    Empty,
}

impl Media {
    /// What a `Content-Type` says; JSON if it is not there.
    ///
    /// # Errors
    /// Text or JSON in a charset other than UTF-8.
    pub(crate) fn of(content_type: Option<&str>) -> Result<Media, InvalidBody> {
        let Some(content_type) = content_type.filter(|text| !text.trim().is_empty()) else {
            return Ok(Media::Json);
        };
        let mut parts = content_type.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let media = match essence.as_str() {
            "application/json" => Media::Json,
            "application/x-www-form-urlencoded" => Media::JsonOrText,
            essence if essence.starts_with("application/") && essence.ends_with("+json") => Media::Json,
            essence if essence.starts_with("text/") => Media::Text,
            _ => return Ok(Media::Binary),
        };
        let charset = parts
            .filter_map(|part| part.split_once('='))
            .find(|(name, _)| name.trim_end().eq_ignore_ascii_case("charset"))
            .map(|(_, value)| value.trim_start().trim_matches('"'));
        match charset {
            None => Ok(media),
            Some(charset)
                if ["utf-8", "utf8", "us-ascii"].iter().any(|one| charset.eq_ignore_ascii_case(one)) =>
            {
                Ok(media)
            }
            Some(_) => Err(InvalidBody::Charset),
        }
    }

    /// The payload that a body is.
    ///
    /// # Errors
    /// The body is not of this type.
    pub(crate) fn payload(self, body: Bytes) -> Result<Payload, InvalidBody> {
        match self {
            Media::Json => json(body).map(Payload::Json),
            Media::Text => Ok(Payload::Text(text(body)?)),
            Media::JsonOrText => Ok(Payload::from_text(text(body)?)),
            Media::Binary => Ok(Payload::Binary(body)),
        }
    }
}

/// The JSON value that a body is.
///
/// # Errors
/// It is none, or empty.
pub(crate) fn json(body: Bytes) -> Result<RawJson, InvalidBody> {
    if body.trim_ascii().is_empty() {
        return Err(InvalidBody::Empty);
    }
    RawJson::new(body).map_err(|error| InvalidBody::Json(error.to_string().into()))
}

fn text(body: Bytes) -> Result<Bytes, InvalidBody> {
    match std::str::from_utf8(&body) {
        Ok(_) => Ok(body),
        Err(error) => Err(InvalidBody::NotUtf8(error.valid_up_to())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_by_table() {
        for (content_type, expected) in [
            (None, Ok(Media::Json)),
            (Some(" "), Ok(Media::Json)),
            (Some("application/json"), Ok(Media::Json)),
            (Some("Application/JSON; charset=\"UTF-8\""), Ok(Media::Json)),
            (Some("application/cloudevents+json"), Ok(Media::Json)),
            (Some("text/plain"), Ok(Media::Text)),
            (Some("text/plain; charset=us-ascii"), Ok(Media::Text)),
            (Some("text/plain; charset=latin1"), Err(InvalidBody::Charset)),
            (Some("application/json; charset=utf-16"), Err(InvalidBody::Charset)),
            (Some("application/x-www-form-urlencoded"), Ok(Media::JsonOrText)),
            (Some("application/octet-stream; charset=x"), Ok(Media::Binary)),
            (Some("image/png"), Ok(Media::Binary)),
            (Some("junk"), Ok(Media::Binary)),
        ] {
            assert_eq!(Media::of(content_type), expected, "{content_type:?}");
        }
    }

    #[test]
    fn bodies_become_payloads() {
        let bytes = Bytes::from_static;
        assert!(matches!(Media::Json.payload(bytes(b" [1]\n")), Ok(Payload::Json(_))));
        assert_eq!(Media::Json.payload(bytes(b" \n")), Err(InvalidBody::Empty));
        let error = Media::Json.payload(bytes(b"{\n\"a\":}")).unwrap_err().to_string();
        assert!(error.contains("line 2 column 5"), "{error}");
        assert!(matches!(Media::Text.payload(bytes(b"")), Ok(Payload::Text(_))));
        assert_eq!(Media::Text.payload(bytes(b"ab\xff")), Err(InvalidBody::NotUtf8(2)));
        assert!(matches!(Media::JsonOrText.payload(bytes(b"{\"a\":1}")), Ok(Payload::Json(_))));
        assert!(matches!(Media::JsonOrText.payload(bytes(b"a=1")), Ok(Payload::Text(_))));
        assert!(matches!(Media::Binary.payload(bytes(b"")), Ok(Payload::Binary(_))));
    }
}
