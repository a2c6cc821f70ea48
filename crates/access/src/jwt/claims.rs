use std::fmt;

use antiphon_model::{IdentityKind, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Grant;

/// The claims of a token that mean something here; others are passed over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenClaims {
    /// The org it is for. None: the only org that takes tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// The identity. None: the client names itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// What sort of client. None: `server` with the admin permission, else `user`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<IdentityKind>,
    /// What it permits. None: what the signer's settings say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Vec<Grant>>,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<NumericDate>,
    /// When it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<NumericDate>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<NumericDate>,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// Whom it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<Audience>,
}

/// One audience or several (RFC 7519, 4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// A plain string.
    One(String),
    /// A list.
    Several(Vec<String>),
}

impl Audience {
    pub(crate) fn contains(&self, audience: &str) -> bool {
        match self {
            Audience::One(one) => one == audience,
            Audience::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

/// A time in seconds since the epoch, fractions allowed (RFC 7519, 2). Written in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NumericDate(pub Timestamp);

impl Serialize for NumericDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.as_secs())
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<NumericDate, D::Error> {
        struct Seconds;
        impl de::Visitor<'_> for Seconds {
            type Value = NumericDate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds since the epoch")
            }

            fn visit_u64<E>(self, seconds: u64) -> Result<NumericDate, E> {
                Ok(NumericDate(Timestamp(seconds.saturating_mul(Timestamp::PER_SECOND))))
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<NumericDate, E> {
                self.visit_u64(u64::try_from(seconds).unwrap_or(0))
            }

            fn visit_f64<E>(self, seconds: f64) -> Result<NumericDate, E> {
                // `as` saturates: before the epoch is the epoch, and the far future stays far.
                Ok(NumericDate(Timestamp((seconds * Timestamp::PER_SECOND as f64) as u64)))
            }
        }
        deserializer.deserialize_any(Seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_numbers_of_seconds() {
        for (json, expected) in [
            ("0", Some(0)),
            ("1700000000", Some(17_000_000_000_000_000)),
            ("1.5", Some(15_000_000)),
            ("-5", Some(0)),
            ("-5.5", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("1e300", Some(u64::MAX)),
            ("\"1700000000\"", None),
            ("null", None),
        ] {
            let date = serde_json::from_str::<NumericDate>(json).ok();
            assert_eq!(date.map(|date| date.0.0), expected, "{json}");
        }
        assert_eq!(serde_json::to_string(&NumericDate(Timestamp(15_000_000))).unwrap(), "1");
    }

    #[test]
    fn an_audience_is_one_or_several() {
        for (json, expected) in [("\"a\"", true), ("[\"b\",\"a\"]", true), ("[]", false), ("\"ab\"", false)] {
            assert_eq!(serde_json::from_str::<Audience>(json).unwrap().contains("a"), expected, "{json}");
        }
    }
}
