//! What a client presents to show who it is, and why that may not do.

use crate::CertificateRefused;

use crate::TooManyFailures;

/// The limit of a credential's length in bytes: what a client can make us decode before it has shown anything.
pub const CREDENTIAL_BYTES_MAX: usize = 8 * 1024;

/// What is said of every JWT that no key verifies. Were an org's name without keys told from a wrong signature, strangers could ask which orgs
/// there are, by tokens that they have signed themselves.
const NOT_VERIFIED: &str =
    "no key is known that verifies the JWT: its org, its algorithm, its key id or its signature is not right";

/// The client has not shown who it is.
///
/// No variant tells a stranger which orgs or keys there are, and none carries the credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is no credential and no open org.
    #[error("a credential is needed: Authorization: Bearer <API key or JWT>, or ?token=<the same>")]
    Missing,
    /// Longer than [`CREDENTIAL_BYTES_MAX`].
    #[error("a credential has at most {CREDENTIAL_BYTES_MAX} bytes")]
    TooLong,
    /// An authorization scheme other than Bearer.
    #[error("the authorization scheme has to be Bearer")]
    UnsupportedScheme,
    /// Neither an API key of this server nor a JWT.
    #[error("the API key is not known")]
    UnknownKey,
    /// It has the shape of a JWT but is none that can be read.
    #[error("the JWT is malformed: {0}")]
    MalformedToken(&'static str),
    /// The token's algorithm is `none`, unsupported, or not the one of the key it names.
    #[error("{NOT_VERIFIED}")]
    AlgorithmRefused,
    /// No org of that name, or none of its keys fits.
    #[error("{NOT_VERIFIED}")]
    UnknownSigningKey,
    /// The signature is not of the key.
    #[error("{NOT_VERIFIED}")]
    BadSignature,
    /// `exp` has passed.
    #[error("the JWT has expired")]
    Expired,
    /// `exp` is required.
    #[error("the JWT has to expire: exp is missing")]
    NeverExpires,
    /// `nbf` is yet to come.
    #[error("the JWT is not valid yet")]
    NotYetValid,
    /// `iss` is not the configured one.
    #[error("the JWT's issuer is not accepted")]
    WrongIssuer,
    /// `aud` does not name the configured audience, or there is one and none is configured.
    #[error("the JWT is for another audience")]
    WrongAudience,
    /// Kind `server` without an admin permission.
    #[error("the JWT's kind needs the admin permission")]
    KindRefused,
    /// A session token whose credential was removed or has another secret.
    #[error("the session token's credential is gone or has another secret: log in anew")]
    Revoked,
    /// It was revoked, by itself or with all tokens of its identity.
    #[error("the token was revoked")]
    TokenRevoked,
    /// The session token of a device that has no credential yet.
    #[error("the device is pairing: it may do nothing before it has a credential")]
    Pairing,
    /// The certificate that the client connected with makes nobody of it.
    #[error(transparent)]
    Certificate(#[from] CertificateRefused),
    /// The identity is empty, too long, or has control characters.
    #[error("an identity has 1 to {max} bytes and no control characters", max = crate::IDENTITY_BYTES_MAX)]
    InvalidIdentity,
    /// Too much that came from there was no credential: this one was not looked at.
    #[error(transparent)]
    TooManyFailures(#[from] TooManyFailures),
    /// The system gives no random numbers to name an anonymous client with.
    #[error("no random numbers are available")]
    NoRandomness,
}

/// The credential in what a client presented: with or without the word `Bearer`. Empty is none.
pub(crate) fn parse(presented: Option<&str>) -> Result<Option<&str>, AuthError> {
    let presented = presented.unwrap_or_default();
    if presented.len() > CREDENTIAL_BYTES_MAX {
        return Err(AuthError::TooLong);
    }
    let presented = presented.trim_matches([' ', '\t']);
    // No API key and no JWT has a space, so what stands before one is a scheme (RFC 9110, 11.4).
    let credential = match presented.split_once([' ', '\t']) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim_start_matches([' ', '\t']),
        Some(_) => return Err(AuthError::UnsupportedScheme),
        None if presented.eq_ignore_ascii_case("bearer") => "",
        None => presented,
    };
    Ok((!credential.is_empty()).then_some(credential))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_is_optional_and_empty_is_none() {
        for (presented, expected) in [
            (None, Ok(None)),
            (Some(""), Ok(None)),
            (Some("  "), Ok(None)),
            (Some("Bearer"), Ok(None)),
            (Some("Bearer "), Ok(None)),
            (Some("k"), Ok(Some("k"))),
            (Some("Bearer k"), Ok(Some("k"))),
            (Some("bEARER   k "), Ok(Some("k"))),
            (Some("Basic k"), Err(AuthError::UnsupportedScheme)),
        ] {
            assert_eq!(parse(presented), expected, "{presented:?}");
        }
        assert_eq!(parse(Some(&"x".repeat(CREDENTIAL_BYTES_MAX + 1))), Err(AuthError::TooLong));
    }
}
