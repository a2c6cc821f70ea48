use super::{Kind, patterns::PatternProblem};

/// A token is not good for this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token, or says what nobody understands.
    #[error("Token is malformed.")]
    Malformed,
    /// Longer than the org's `token_bytes_max`.
    #[error("Token is too long.")]
    TooLong,
    /// This keyset has not signed it: it is changed, or another keyset's, or the secret key is another one.
    #[error("Token signature is invalid.")]
    BadSignature,
    /// Its time is over.
    #[error("Token is expired.")]
    Expired,
    /// It was revoked.
    #[error("Token is revoked.")]
    Revoked,
    /// It is for one user, and this is another.
    #[error("Token is for another uuid.")]
    OtherUuid,
}

/// Something cannot be granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// The keyset has no secret key, so nobody can grant anything.
    #[error("The keyset has no secret key.")]
    NoSecretKey,
    /// The system gives no random numbers, which tell tokens apart.
    #[error("No random numbers are available.")]
    NoRandomness,
    /// It is not within the limits.
    #[error("The ttl is out of range.")]
    Ttl,
    /// No permission at all.
    #[error("At least one permission has to be granted.")]
    Nothing,
    /// The only user who may use the token cannot be one.
    #[error("The uuid is 1 to {max} bytes without control characters.", max = crate::IDENTITY_BYTES_MAX)]
    Uuid,
    /// A name cannot be one.
    #[error("A name is 1 to {max} bytes without control characters.", max = antiphon_model::CHANNEL_NAME_BYTES_MAX)]
    Name {
        /// What it is of.
        kind: Kind,
        /// The name.
        name: Box<str>,
    },
    /// A pattern is no regular expression, or is too big.
    #[error("{problem}")]
    Pattern {
        /// What it is of.
        kind: Kind,
        /// The pattern.
        pattern: Box<str>,
        /// What is wrong with it.
        problem: PatternProblem,
    },
    /// An auth key cannot be one.
    #[error("An auth key is 1 to 512 bytes without control characters.")]
    AuthKey,
    /// Grants for users are for auth keys, and not together with others.
    #[error("Grants for uuids need auth keys, and cannot be made together with others.")]
    Combination,
    /// The token would be longer than the org's `token_bytes_max`.
    #[error("The token would be too long.")]
    TooLong,
    /// The org's `auth_key_grants_max`.
    #[error("There are as many grants as there may be.")]
    TooMany,
}

impl GrantError {
    /// Where in a token's grant it is, if in one place: `ttl`, `permissions.patterns.channels.^a(`.
    pub fn location(&self) -> Option<String> {
        match self {
            GrantError::Ttl => Some("ttl".into()),
            GrantError::Nothing => Some("permissions".into()),
            GrantError::Uuid => Some("permissions.uuid".into()),
            GrantError::Name { kind, name } => Some(format!("permissions.resources.{kind}.{name}")),
            GrantError::Pattern { kind, pattern, .. } => {
                Some(format!("permissions.patterns.{kind}.{pattern}"))
            }
            _ => None,
        }
    }
}

/// A token cannot be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevokeError {
    /// It is not valid as it is.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The org's `revoked_tokens_max`.
    #[error("There are as many revoked tokens as there may be.")]
    TooMany,
}
