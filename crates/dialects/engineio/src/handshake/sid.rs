use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A session's id, the client's only proof that a request is its: 20 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid([u8; Sid::LENGTH]);

impl Sid {
    /// Characters of an id.
    pub const LENGTH: usize = 20;

    /// Random bytes in an id.
    pub const RANDOM_BYTES: usize = 13;

    /// Makes the id of a session that lives on this worker. The bytes have to come from a cryptographic source: whoever
    /// guesses an id has the session.
    pub fn new(worker: u16, random: [u8; Sid::RANDOM_BYTES]) -> Sid {
        let mut bytes = [0; Sid::RANDOM_BYTES + 2];
        bytes[..Sid::RANDOM_BYTES].copy_from_slice(&random);
        bytes[Sid::RANDOM_BYTES..].copy_from_slice(&worker.to_be_bytes());
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

    /// The worker that it says the session lives on, which may be one that there is not.
    pub fn worker(&self) -> u16 {
        let mut bytes = [0; Sid::RANDOM_BYTES + 2];
        match URL_SAFE_NO_PAD.decode_slice(self.0, &mut bytes) {
            Ok(_) => u16::from_be_bytes([bytes[Sid::RANDOM_BYTES], bytes[Sid::RANDOM_BYTES + 1]]),
            // All its characters are of the alphabet, so this is never so.
            Err(_) => u16::MAX,
        }
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
