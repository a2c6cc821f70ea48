use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A session's id, the client's only proof that a request is its: 20 characters of base64url.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sid([u8; Sid::LENGTH]);

impl Sid {
    /// Characters of an id.
    pub const LENGTH: usize = 20;

    /// Makes an id. The bytes have to come from a cryptographic source: whoever guesses an id has the session.
    pub fn from_random(bytes: [u8; 15]) -> Sid {
        let mut sid = [0; Sid::LENGTH];
        let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut sid).expect("15 bytes are 20 characters");
        debug_assert_eq!(written, Sid::LENGTH);
        Sid(sid)
    }

    /// Reads an id out of a query; nothing if no session can have it.
    pub fn parse(text: &str) -> Option<Sid> {
        let is_one = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if is_one { text.as_bytes().try_into().ok().map(Sid) } else { None }
    }

    /// The id as it is sent.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an id is ASCII")
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Shows the beginning alone, so that no log gives sessions away.
impl fmt::Debug for Sid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sid({}…)", &self.as_str()[..4])
    }
}
