//! Tokens that an operator revokes.

use antiphon_access::{NumericDate, Secret};
use serde::Deserialize;

/// The longest body: a token, and some room.
pub(crate) const BODY_BYTES_MAX: usize = 16 << 10;

/// What is to be revoked, as an operator says it. Its `Debug` does not show the token.
#[derive(Debug, PartialEq)]
pub(crate) enum NewRevocation {
    /// This token.
    Token(Secret),
    /// All tokens of an identity that were made before a time; before now if there is none.
    Identity(String, Option<NumericDate>),
}

/// The body says nothing that could be revoked. No text of a token is in here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the body has to be a JSON object with token alone, or with identity and, if wanted, issued_before in seconds since the epoch"
)]
pub(crate) struct InvalidRevocation;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    token: Option<Secret>,
    identity: Option<String>,
    issued_before: Option<NumericDate>,
}

impl NewRevocation {
    /// Reads a body.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn parse(body: &[u8]) -> Result<NewRevocation, InvalidRevocation> {
        // An array with the members in their order would be one to serde too.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(InvalidRevocation);
        }
        match serde_json::from_slice(body).map_err(|_| InvalidRevocation)? {
            Body { token: Some(token), identity: None, issued_before: None } => {
                Ok(NewRevocation::Token(token))
            }
            Body { token: None, identity: Some(identity), issued_before } => {
                Ok(NewRevocation::Identity(identity, issued_before))
            }
            Body { .. } => Err(InvalidRevocation),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_model::Timestamp;
    use proptest::prelude::*;

    #[test]
    fn bodies_by_example() {
        let identity = |before| Ok(NewRevocation::Identity("ann".into(), before));
        for (body, expected) in [
            (r#"{"token":"a.b.c"}"#, Ok(NewRevocation::Token(Secret::new("a.b.c")))),
            (r#" {"identity":"ann"}"#, identity(None)),
            (r#"{"identity":"ann","issued_before":5}"#, identity(Some(NumericDate(Timestamp(50_000_000))))),
            (r#"{"token":"a.b.c","identity":"ann"}"#, Err(InvalidRevocation)),
            (r#"{"token":"a.b.c","issued_before":5}"#, Err(InvalidRevocation)),
            (r#"{"identity":"ann","until":5}"#, Err(InvalidRevocation)),
            (r#"{"identity":"ann","issued_before":"5"}"#, Err(InvalidRevocation)),
            (r#"["a.b.c",null,null]"#, Err(InvalidRevocation)),
            ("{}", Err(InvalidRevocation)),
            ("", Err(InvalidRevocation)),
        ] {
            assert_eq!(NewRevocation::parse(body.as_bytes()), expected, "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_survived(body in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = NewRevocation::parse(&body);
        }
    }
}
