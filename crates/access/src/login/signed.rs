//! Logins by a token that the client signs: devices and consumer apps, as the EXP SDKs write it.

use std::sync::Arc;
use std::time::Duration;

use antiphon_model::Timestamp;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;

use crate::access::Tables;
use crate::credentials::credential::NO_NAME;
use crate::credentials::directory::Entry;
use crate::credentials::proof::Proof;
use crate::jwt::Token;
use crate::{Access, AuthError, CredentialKind, LoginError, name};

/// The longest login token: one that pairs is kept in the pairing token.
const TOKEN_BYTES_MAX: usize = 2 * 1024;
/// How far a client's clock may be behind ours.
const LEEWAY: Duration = Duration::from_secs(60);
/// How long a token without `exp` is good: as long as the JavaScript SDK lets its own be.
const AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A signed login taken apart; nothing about it is verified.
pub(crate) struct SignedLogin<'a> {
    pub(crate) token: Token<'a>,
    pub(crate) kind: CredentialKind,
    /// None: the client has no uuid, or none that a credential could have.
    pub(crate) name: Option<Box<str>>,
    pub(crate) allows_pairing: bool,
    exp: Option<Date>,
    iat: Option<Date>,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(rename = "type")]
    kind: Type,
    uuid: Option<String>,
    #[serde(rename = "allowPairing")]
    allow_pairing: Option<bool>,
    exp: Option<Date>,
    iat: Option<Date>,
}

#[derive(Deserialize)]
enum Type {
    #[serde(rename = "device")]
    Device,
    #[serde(rename = "consumerApp", alias = "consumer_app")]
    ConsumerApp,
}

/// A time in seconds, as JWTs have it, or in milliseconds, as the Python SDK has it.
#[derive(Clone, Copy, Deserialize)]
#[serde(from = "f64")]
struct Date(Timestamp);

impl From<f64> for Date {
    fn from(number: f64) -> Date {
        // 10^11 is the year 5138 in seconds, and 1973 in milliseconds.
        let units = if number >= 1e11 { 1e4 } else { Timestamp::PER_SECOND as f64 };
        // `as` saturates: before the epoch is the epoch, and the far future stays far.
        Date(Timestamp((number * units) as u64))
    }
}

impl<'a> SignedLogin<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<SignedLogin<'a>, LoginError> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(LoginError::Malformed("it is longer than 2 KiB"));
        }
        let three_parts = LoginError::Malformed("it has no three parts with dots between them");
        let token = Token::parse(text).ok_or(three_parts)?.map_err(malformed)?;
        if !token.is_hs256() {
            return Err(LoginError::Malformed("its algorithm is not HS256"));
        }
        let Claims { kind, uuid, allow_pairing, exp, iat } = token.claims().map_err(malformed)?;
        let kind = match kind {
            Type::Device => CredentialKind::Device,
            Type::ConsumerApp => CredentialKind::ConsumerApp,
        };
        let uuid = uuid.filter(|uuid| uuid != NO_NAME && name::is_identity(uuid));
        let allows_pairing = allow_pairing == Some(true) && kind == CredentialKind::Device;
        Ok(SignedLogin { token, kind, name: uuid.map(Box::from), allows_pairing, exp, iat })
    }

    /// Whether this is what the credential's holder would have signed.
    fn is_signed_by(&self, entry: &Entry) -> bool {
        match &entry.proof {
            Proof::Secret(secret) => {
                self.token.is_signed_with(&DecodingKey::from_secret(secret.expose().as_bytes()))
            }
            Proof::PasswordHash(_) | Proof::Password(_) => false,
        }
    }

    /// Checks the times of a token whose signature is right.
    pub(super) fn check_times(&self, now: Timestamp) -> Result<(), LoginError> {
        match (self.exp, self.iat) {
            (Some(Date(exp)), _) if now >= exp.later_by(LEEWAY) => Err(LoginError::Expired),
            (Some(_), _) => Ok(()),
            (None, Some(Date(iat))) if now < iat.later_by(AGE_MAX).later_by(LEEWAY) => Ok(()),
            (None, _) => Err(LoginError::NeverExpires),
        }
    }
}

impl Access {
    /// Whose signature it is, of all orgs' credentials.
    pub(super) fn signer(&self, tables: &Tables, login: &SignedLogin<'_>) -> Option<Arc<Entry>> {
        let name = login.name.as_deref().unwrap_or_default();
        let named = self.credentials_named(tables, login.kind, name);
        if named.is_empty() {
            // As much work as a wrong secret makes.
            std::hint::black_box(login.token.is_signed_with(&DecodingKey::from_secret(b"of nobody")));
        }
        named.into_iter().find(|entry| login.is_signed_by(entry))
    }
}

fn malformed(error: AuthError) -> LoginError {
    match error {
        AuthError::MalformedToken(problem) => LoginError::Malformed(problem),
        _ => LoginError::Malformed("it cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_in_seconds_or_milliseconds() {
        for (json, expected) in [
            ("1700000000", 17_000_000_000_000_000),
            ("1700000000.5", 17_000_000_005_000_000),
            ("1700000000000", 17_000_000_000_000_000),
            ("1700000000000.0", 17_000_000_000_000_000),
            ("99999999999", 999_999_999_990_000_000),
            ("100000000000", 1_000_000_000_000_000),
            ("0", 0),
            ("-5", 0),
            ("1e300", u64::MAX),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(serde_json::from_str::<Date>(json).unwrap().0, Timestamp(expected), "{json}");
        }
        assert!(serde_json::from_str::<Option<Date>>("null").unwrap().is_none());
        assert!(serde_json::from_str::<Date>("\"1700000000\"").is_err());
    }
}
