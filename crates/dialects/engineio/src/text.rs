use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use bytes::Bytes;
use simdutf8::compat::Utf8Error;

/// Text whose bytes are shared: clones and parts of it cost no copy.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Text(Bytes);

impl Text {
    /// Text of no length.
    pub const EMPTY: Text = Text(Bytes::new());

    /// Checks that `bytes` are UTF-8.
    ///
    /// # Errors
    /// They are not.
    pub fn from_utf8(bytes: Bytes) -> Result<Text, Utf8Error> {
        simdutf8::compat::from_utf8(&bytes)?;
        Ok(Text(bytes))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Checked on construction. An empty text would break its readers less than a panic.
        simdutf8::basic::from_utf8(&self.0).unwrap_or_default()
    }

    /// Its bytes, of which parts can be had without a copy.
    pub fn as_shared(&self) -> &Bytes {
        &self.0
    }

    /// Its bytes.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text(text.into())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(formatter)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_utf8() {
        assert_eq!(Text::from_utf8(Bytes::from_static("é".as_bytes())).as_deref(), Ok("é"));
        assert!(Text::from_utf8(Bytes::from_static(b"\xff")).is_err());
        assert_eq!(Text::from("a"), Text::from("a".to_owned()));
        assert_eq!(&*Text::EMPTY, "");
    }
}
