//! Devices that have no credential yet.
//!
//! A pairing token opens a session that may do nothing. Its refresh is what tells the device that it has been given its
//! credential: it is refused then, and the device logs in. Whether a uuid exists is nobody's business who has not got the
//! secret, so what is asked is whether the very login that the pairing began with would be let in. For that the token holds
//! what was signed, and a mark of the signature: the signature itself would be good for a login.

use jsonwebtoken::{Algorithm, EncodingKey};

use super::signed::SignedLogin;
use crate::access::Tables;
use crate::credentials::proof::Proof;
use crate::session_token::{SessionClaims, SessionKey};
use crate::{Access, LoginError};

/// What a pairing token holds of the login that it was given for.
pub(super) struct Remembered {
    /// What was signed.
    pub(super) login: Box<str>,
    /// Stands for the whole.
    pub(super) proof: Box<str>,
}

impl Remembered {
    pub(super) fn new(key: &SessionKey, text: &str, login: &SignedLogin<'_>) -> Remembered {
        Remembered { login: login.token.signed().into(), proof: mark(key, text) }
    }
}

impl Access {
    /// Checks that the login that a pairing began with would still not be let in.
    pub(super) fn check_pairing(
        &self,
        tables: &Tables,
        key: &SessionKey,
        claims: &SessionClaims,
    ) -> Result<(), LoginError> {
        let (Some(name), Some(login), Some(proof)) = (&claims.sub, &claims.login, &claims.proof) else {
            return Ok(());
        };
        let is_let_in = self.credentials_named(tables, claims.kind, name).iter().any(|entry| {
            let Proof::Secret(secret) = &entry.proof else { return false };
            let secret = EncodingKey::from_secret(secret.expose().as_bytes());
            let signature = jsonwebtoken::crypto::sign(login.as_bytes(), &secret, Algorithm::HS256);
            signature.is_ok_and(|signature| mark(key, &format!("{login}.{signature}")) == *proof)
        });
        if is_let_in { Err(LoginError::Paired) } else { Ok(()) }
    }
}

fn mark(key: &SessionKey, login: &str) -> Box<str> {
    key.mark(&format!("login\0{login}"))
}
