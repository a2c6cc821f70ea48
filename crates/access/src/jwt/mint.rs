//! Making tokens for an org, and looking into tokens without believing them: what the command line needs.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::Value;

use super::keys::{KeyError, shared_secret};
use crate::{Audience, CREDENTIAL_BYTES_MAX, JwtAlgorithm, OrgSettings, TokenClaims, name};

/// No token can be made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// The org has no secret to sign with, or none of this `kid`.
    #[error("org {0:?} has no jwt entry with algorithm HS256 and a secret, or none with that kid")]
    NoSecret(String),
    /// Its secret cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The org's settings ask for an end.
    #[error("the org's tokens have to expire")]
    NeverExpires,
    /// The identity is not one.
    #[error("an identity has 1 to {max} bytes and no control characters", max = crate::IDENTITY_BYTES_MAX)]
    InvalidIdentity,
    /// The server would not read it.
    #[error("the token would be longer than {CREDENTIAL_BYTES_MAX} bytes")]
    TooLong,
    /// The library could not sign.
    #[error("cannot sign: {0}")]
    Signing(#[from] jsonwebtoken::errors::Error),
}

/// Makes a token with the org's HS256 secret of this `kid`, or with its first. Org, issuer and audience are filled in from the settings
/// where the claims have none.
///
/// # Errors
/// There is no usable secret, or the server would refuse the token.
pub fn mint(settings: &OrgSettings, kid: Option<&str>, claims: &TokenClaims) -> Result<String, MintError> {
    let entry = settings
        .jwt
        .iter()
        .filter(|entry| entry.algorithm == Some(JwtAlgorithm::HS256) && entry.jwks_file.is_none())
        .find(|entry| kid.is_none() || entry.kid.as_deref() == kid)
        .ok_or_else(|| MintError::NoSecret(settings.name.clone()))?;
    let mut claims = claims.clone();
    claims.org.get_or_insert_with(|| settings.name.clone());
    claims.iss = claims.iss.or_else(|| entry.issuer.clone());
    claims.aud = claims.aud.or_else(|| entry.audience.clone().map(Audience::One));
    if entry.require_exp && claims.exp.is_none() {
        return Err(MintError::NeverExpires);
    }
    if claims.sub.as_deref().is_some_and(|sub| !name::is_identity(sub)) {
        return Err(MintError::InvalidIdentity);
    }
    let header = Header { kid: entry.kid.clone(), ..Header::new(Algorithm::HS256) };
    let key = EncodingKey::from_secret(shared_secret(entry)?.expose().as_bytes());
    let token = jsonwebtoken::encode(&header, &claims, &key)?;
    if token.len() > CREDENTIAL_BYTES_MAX { Err(MintError::TooLong) } else { Ok(token) }
}

/// What a token says, signature and times unchecked: for people to look at, never to decide by.
#[derive(Clone, Debug, PartialEq)]
pub struct Unverified {
    /// Its header.
    pub header: Value,
    /// Its claims.
    pub claims: Value,
}

/// The text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a JWT: it has three parts with dots between them, the first two base64url of JSON")]
pub struct InspectError;

/// Looks into a token without verifying anything.
///
/// # Errors
/// The text is no token.
pub fn inspect(token: &str) -> Result<Unverified, InspectError> {
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(InspectError);
    };
    Ok(Unverified { header: json(header)?, claims: json(claims)? })
}

fn json(part: &str) -> Result<Value, InspectError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| InspectError)?;
    serde_json::from_slice(&bytes).map_err(|_| InspectError)
}

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "NOT VERIFIED: anybody could have written this.")?;
        writeln!(f, "header: {:#}", self.header)?;
        write!(f, "claims: {:#}", self.claims)
    }
}
