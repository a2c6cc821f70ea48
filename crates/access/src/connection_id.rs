use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a login is known by through all refreshes of its token: random, 22 characters of A-Z, a-z, 0-9, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(Arc<str>);

impl ConnectionId {
    /// The id of this text.
    pub fn new(text: &str) -> ConnectionId {
        ConnectionId(text.into())
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Another id each time. None if the system gives no random numbers.
    pub(crate) fn random() -> Option<ConnectionId> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).ok()?;
        Some(ConnectionId(URL_SAFE_NO_PAD.encode(random).into()))
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
