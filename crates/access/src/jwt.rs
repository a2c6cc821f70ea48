//! JSON Web Tokens (RFC 7519) in the compact form of JWS (RFC 7515).
//!
//! The key decides the algorithm, never the token: a token is only tried with keys of the algorithm that it
//! names, so `none` has no key, and a public key is never taken for an HMAC secret.

pub(crate) mod claims;
pub(crate) mod keys;
pub(crate) mod mint;

use antiphon_model::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::revocations::TokenId;
use crate::{AuthError, JwtAlgorithm, TokenClaims, session_token};
use keys::Signer;

/// A token taken apart; nothing about it is verified.
pub(crate) struct Token<'a> {
    /// What the signature is over: header and payload as they came.
    signed: &'a str,
    payload: &'a str,
    signature: &'a str,
    header: Header,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct OrgClaim {
    org: Option<String>,
}

impl<'a> Token<'a> {
    /// Takes a token apart. None if it does not even have a token's three parts.
    pub(crate) fn parse(text: &'a str) -> Option<Result<Token<'a>, AuthError>> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        if payload.contains('.') {
            return None;
        }
        Some(decode(header, "its header is not base64url of JSON").and_then(|header: Header| {
            // RFC 7515, 4.1.11: extensions that we do not implement must not be passed over. We have none.
            if header.crit.is_some() {
                return Err(AuthError::MalformedToken("it has critical extensions"));
            }
            Ok(Token { signed, payload, signature, header })
        }))
    }

    /// What it is known by once it is verified. Of what is signed: a signature can be written in more than one way.
    pub(crate) fn id(&self) -> TokenId {
        TokenId::of(self.signed.as_bytes())
    }

    /// The org whose keys are to verify it, as it says itself.
    pub(crate) fn claimed_org(&self) -> Result<Option<String>, AuthError> {
        let claim: OrgClaim = self.claims()?;
        Ok(claim.org)
    }

    /// Verifies it with whichever of the signers' keys fits.
    pub(crate) fn verify<'s>(
        &self,
        signers: &'s [Signer],
        now: Timestamp,
    ) -> Result<(TokenClaims, &'s Signer), AuthError> {
        let algorithm = JwtAlgorithm::of_name(&self.header.alg).ok_or(AuthError::AlgorithmRefused)?;
        let kid = self.header.kid.as_deref();
        let mut closest = AuthError::UnknownSigningKey;
        for (signer, key) in signers.iter().flat_map(|s| s.keys.iter().map(move |key| (s, key))) {
            if !key.is_named_by(kid) {
                continue;
            }
            let outcome = if key.algorithm != algorithm {
                Err(AuthError::AlgorithmRefused)
            } else if !key.verifies(self.signed, self.signature) {
                Err(AuthError::BadSignature)
            } else {
                let claims: TokenClaims = self.claims()?;
                signer.accepts(&claims, now).map(|()| claims)
            };
            match outcome {
                Ok(claims) => return Ok((claims, signer)),
                Err(error) if closeness(&error) > closeness(&closest) => closest = error,
                Err(_) => {}
            }
        }
        Err(closest)
    }

    /// Whether the server's own key of session tokens is to verify it.
    pub(crate) fn is_of_session(&self) -> bool {
        self.header.kid.as_deref() == Some(session_token::KID)
    }

    pub(crate) fn is_hs256(&self) -> bool {
        self.header.alg == "HS256"
    }

    /// Whether it is signed with this secret, by HS256.
    pub(crate) fn is_signed_with(&self, secret: &DecodingKey) -> bool {
        let message = self.signed.as_bytes();
        self.is_hs256()
            && jsonwebtoken::crypto::verify(self.signature, message, secret, Algorithm::HS256)
                .unwrap_or(false)
    }

    /// What the signature is over.
    pub(crate) fn signed(&self) -> &'a str {
        self.signed
    }

    pub(crate) fn claims<T: DeserializeOwned>(&self) -> Result<T, AuthError> {
        decode(self.payload, "its claims are not what they have to be")
    }
}

/// How far the token got: with several keys, the client is told of the one that it was probably for.
fn closeness(error: &AuthError) -> u8 {
    match error {
        AuthError::UnknownSigningKey => 0,
        AuthError::AlgorithmRefused => 1,
        AuthError::BadSignature => 2,
        _ => 3,
    }
}

fn decode<T: DeserializeOwned>(part: &str, problem: &'static str) -> Result<T, AuthError> {
    let malformed = AuthError::MalformedToken(problem);
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed.clone())?;
    serde_json::from_slice(&json).map_err(|_| malformed)
}
