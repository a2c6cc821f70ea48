use bytes::Bytes;

use super::error::DecodeError;

/// The name of a namespace: `/`, or `/` and what the application called it. No comma, because that is where it ends on the
/// wire.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Namespace(Bytes);

impl Namespace {
    /// The main namespace, `/`, which is not written on the wire.
    pub fn root() -> Namespace {
        Namespace(Bytes::from_static(b"/"))
    }

    /// Checks a name.
    ///
    /// # Errors
    /// It is not UTF-8, does not begin with `/`, or has a comma.
    pub fn new(name: impl Into<Bytes>) -> Result<Namespace, DecodeError> {
        let name = name.into();
        if std::str::from_utf8(&name).is_err() {
            return Err(DecodeError::NotUtf8);
        }
        if name.first() != Some(&b'/') || name.contains(&b',') {
            return Err(DecodeError::InvalidNamespace);
        }
        Ok(Namespace(name))
    }

    /// The name, with its `/`.
    pub fn as_str(&self) -> &str {
        // Checked on construction. An empty name would break its readers less than a panic.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether it is the main namespace.
    pub fn is_root(&self) -> bool {
        self.0 == b"/"[..]
    }

    /// The same name in memory of its own, so that keeping it does not keep the message it came in.
    #[must_use]
    pub fn detached(&self) -> Namespace {
        Namespace(Bytes::copy_from_slice(&self.0))
    }
}
