use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};

use crate::Secret;

/// What the servers of a keyset sign their requests with, and this one its tokens.
pub(crate) struct SecretKey {
    secret: Secret,
    signs: EncodingKey,
    verifies: DecodingKey,
}

impl SecretKey {
    pub(crate) fn new(secret: Secret) -> SecretKey {
        let bytes = secret.expose().as_bytes();
        let (signs, verifies) = (EncodingKey::from_secret(bytes), DecodingKey::from_secret(bytes));
        SecretKey { secret, signs, verifies }
    }

    /// The HMAC-SHA256 of a message: 43 characters of base64url without padding.
    pub(crate) fn sign(&self, message: &[u8]) -> String {
        let code = crypto::sign(message, &self.signs, Algorithm::HS256);
        code.expect("any key and any text can be signed")
    }

    /// Whether `code` is the HMAC-SHA256 of a message, as [`SecretKey::sign`] gives it. Takes the same time
    /// whatever part of it is right.
    pub(crate) fn has_signed(&self, message: &[u8], code: &str) -> bool {
        crypto::verify(code, message, &self.verifies, Algorithm::HS256).unwrap_or(false)
    }

    pub(crate) fn is_same(&self, other: &SecretKey) -> bool {
        self.secret == other.secret
    }
}
