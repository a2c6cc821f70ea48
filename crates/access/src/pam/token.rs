//! Tokens: base64url of CBOR that ends in a signature.
//!
//! The signature is 8 random bytes, so that no two tokens are the same, and 24 bytes of an HMAC-SHA256 over them and
//! all that stands before. A token's bytes are therefore known to be our own before they are read as CBOR.

use std::time::Duration;

use antiphon_model::Timestamp;
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::contents::Contents;
use super::patterns::Patterns;
use super::{Bits, GrantError, Resource, Scopes, TokenError, TokenGrant, TokenId};
use crate::keyset::secret_key::SecretKey;

const SIGNATURE_BYTES: usize = 32;
const NONCE_BYTES: usize = 8;

/// What stands before the signature: the key `sig`, and the head of a byte string of 32.
pub(super) const SIGNATURE_HEAD: &[u8] = b"\x43sig\x58\x20";

/// Not all SDKs can read a token without `=` at its end; what comes back may have lost it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Makes the token that grants this from `now` on.
pub(super) fn mint(
    secret_key: &SecretKey,
    subscribe_key: &str,
    grant: &TokenGrant,
    now: Timestamp,
) -> Result<String, GrantError> {
    let contents = Contents { made: now.as_secs(), grant: grant.clone() };
    // The signature is not in what is signed, so it does not matter that it is zeroes here.
    let mut bytes = contents.to_cbor(&[0; SIGNATURE_BYTES]);
    bytes.truncate(bytes.len() - SIGNATURE_BYTES);
    sign(secret_key, subscribe_key, bytes)
}

/// Puts a signature after all that a token says, the head of the signature included.
pub(super) fn sign(
    secret_key: &SecretKey,
    subscribe_key: &str,
    mut bytes: Vec<u8>,
) -> Result<String, GrantError> {
    let mut signature = [0; SIGNATURE_BYTES];
    let (nonce, code) = signature.split_at_mut(NONCE_BYTES);
    getrandom::fill(nonce).map_err(|_| GrantError::NoRandomness)?;
    code.copy_from_slice(&self::code(secret_key, subscribe_key, nonce, &bytes));
    bytes.extend_from_slice(&signature);
    Ok(BASE64.encode(bytes))
}

/// A text that has the shape of a token. Nothing in it is verified or read.
pub(super) struct SignedToken {
    /// All of it, the signature included.
    bytes: Vec<u8>,
    signature: [u8; SIGNATURE_BYTES],
}

impl SignedToken {
    /// None if the text has not the shape of one: it may be an auth key.
    pub(super) fn parse(text: &str, bytes_max: usize) -> Result<Option<SignedToken>, TokenError> {
        if text.len() > bytes_max {
            return Err(TokenError::TooLong);
        }
        let Ok(bytes) = BASE64.decode(text) else { return Ok(None) };
        let Some((said, signature)) = bytes.split_last_chunk() else { return Ok(None) };
        let (signature, is_token) = (*signature, said.ends_with(SIGNATURE_HEAD));
        Ok(is_token.then_some(SignedToken { bytes, signature }))
    }

    /// Whether the secret key has signed it for the keyset. Takes the same time whatever part of the signature is right.
    pub(super) fn is_signed(&self, secret_key: &SecretKey, subscribe_key: &str) -> bool {
        let (nonce, code) = self.signature.split_at(NONCE_BYTES);
        let said = &self.bytes[..self.bytes.len() - SIGNATURE_BYTES];
        let expected = self::code(secret_key, subscribe_key, nonce, said);
        expected.iter().zip(code).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
    }

    /// What the token is known by once it is verified.
    pub(super) fn id(&self) -> TokenId {
        TokenId::of(&self.signature)
    }

    /// Reads what it says, and says how much memory that takes, about.
    pub(super) fn read(
        &self,
        id: TokenId,
        patterns_bytes_max: usize,
    ) -> Result<(ReadToken, usize), TokenError> {
        const OVERHEAD: usize = 512;
        let contents = Contents::from_cbor(&self.bytes).map_err(|_| TokenError::Malformed)?;
        let mut room = patterns_bytes_max;
        let token = ReadToken::new(id, contents, &mut room).ok_or(TokenError::Malformed)?;
        Ok((token, self.bytes.len() * 4 + OVERHEAD + (patterns_bytes_max - room)))
    }
}

fn code(secret_key: &SecretKey, subscribe_key: &str, nonce: &[u8], bytes: &[u8]) -> Vec<u8> {
    // The same key signs requests, none of which has a NUL in it.
    let message = [b"antiphon-token\0", subscribe_key.as_bytes(), b"\0", nonce, bytes].concat();
    let code = URL_SAFE_NO_PAD.decode(secret_key.sign(&message)).expect("it is base64url");
    code[..SIGNATURE_BYTES - NONCE_BYTES].to_vec()
}

/// A token that this server has signed, ready to be asked.
pub(super) struct ReadToken {
    pub(super) id: TokenId,
    pub(super) expires: Timestamp,
    uuid: Option<Box<str>>,
    resources: Scopes,
    channels: Patterns,
    groups: Patterns,
    uuids: Patterns,
}

impl ReadToken {
    /// One that permits nothing.
    #[cfg(test)]
    pub(super) fn nothing(id: TokenId) -> ReadToken {
        ReadToken::new(id, Contents::default(), &mut 0).expect("it has no patterns")
    }

    /// None if its patterns do not fit `room`, which may be less than it was when the token was made.
    fn new(id: TokenId, contents: Contents, room: &mut usize) -> Option<ReadToken> {
        let TokenGrant { ttl_minutes, resources, patterns, uuid, .. } = contents.grant;
        let expires = contents.made.saturating_add(ttl_minutes.saturating_mul(60));
        Some(ReadToken {
            id,
            expires: Timestamp(0).later_by(Duration::from_secs(expires)),
            uuid,
            resources,
            channels: Patterns::compile(&patterns.channels, room).ok()?,
            groups: Patterns::compile(&patterns.groups, room).ok()?,
            uuids: Patterns::compile(&patterns.uuids, room).ok()?,
        })
    }

    /// Checks that it is good at `now` for a user.
    pub(super) fn check(&self, uuid: Option<&str>, now: Timestamp) -> Result<(), TokenError> {
        self.check_time(now)?;
        match &self.uuid {
            Some(own) if uuid != Some(own) => Err(TokenError::OtherUuid),
            _ => Ok(()),
        }
    }

    pub(super) fn check_time(&self, now: Timestamp) -> Result<(), TokenError> {
        if now >= self.expires { Err(TokenError::Expired) } else { Ok(()) }
    }

    pub(super) fn bits_of(&self, resource: Resource<'_>) -> Bits {
        let (name, resources, patterns) = match resource {
            Resource::Channel(name) => (name, &self.resources.channels, &self.channels),
            Resource::Group(name) => (name, &self.resources.groups, &self.groups),
            Resource::Uuid(name) => (name, &self.resources.uuids, &self.uuids),
        };
        let by_name = resources.get(name).copied().unwrap_or_default();
        by_name | patterns.bits_of(name)
    }
}
