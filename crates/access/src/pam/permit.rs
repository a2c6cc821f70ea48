use std::fmt;
use std::sync::Arc;

use antiphon_model::Timestamp;

use super::token::ReadToken;
use super::{Bits, Forbidden, Pam, Resource, holder};
use crate::digest::Digest;
use crate::{Caller, Signed};

/// What came with a request to show what it may do.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// A token or an auth key.
    pub auth: Option<&'a str>,
    /// Who the client says it is.
    pub uuid: Option<&'a str>,
    /// Whether it is signed with the secret key, as [`Keyset::verify`](crate::Keyset::verify) has found.
    pub signed: Signed,
}

/// What one request may do.
#[derive(Clone)]
pub struct Permit(Holder);

/// By what it may do it.
#[derive(Clone)]
pub(super) enum Holder {
    /// The secret key.
    Operator,
    /// Nothing, where there is no access manager.
    Anybody,
    Token(Arc<ReadToken>, Arc<Pam>),
    /// The certificate of its connection, which makes it this client.
    Certificate(Arc<Caller>),
    /// What is granted to everybody, and to an auth key if there is one.
    AuthKey {
        auth: Option<Digest>,
        pam: Arc<Pam>,
        now: Timestamp,
    },
}

impl Permit {
    pub(super) fn new(holder: Holder) -> Permit {
        Permit(holder)
    }

    /// Checks that it has all of `bits` for something.
    ///
    /// # Errors
    /// It has not; the refusal names what it is for.
    pub fn check(&self, resource: Resource<'_>, bits: Bits) -> Result<(), Forbidden> {
        self.check_all([resource], bits)
    }

    /// Checks that it has all of `bits` for each of several things.
    ///
    /// # Errors
    /// It has not; the refusal names all that it has them not for.
    pub fn check_all<'a>(
        &self,
        resources: impl IntoIterator<Item = Resource<'a>>,
        bits: Bits,
    ) -> Result<(), Forbidden> {
        let mut forbidden = Forbidden::default();
        for resource in resources {
            if !self.bits_of(resource).contains(bits) {
                forbidden.add(resource);
            }
        }
        if forbidden.is_empty() { Ok(()) } else { Err(forbidden) }
    }

    /// What it may do with something.
    pub fn bits_of(&self, resource: Resource<'_>) -> Bits {
        match &self.0 {
            Holder::Operator | Holder::Anybody => Bits::ALL,
            Holder::Token(token, _) => token.bits_of(resource),
            Holder::Certificate(caller) => holder::bits_of(caller, resource),
            Holder::AuthKey { auth, pam, now } => pam.auth_keys.read().bits_of(resource, *auth, *now),
        }
    }

    /// Whether the request is of one of the keyset's own servers, by its secret key: it may grant and revoke.
    pub fn is_admin(&self) -> bool {
        matches!(self.0, Holder::Operator)
    }

    /// When the token is over by which it may do this, if it is by one.
    pub fn expires(&self) -> Option<Timestamp> {
        match &self.0 {
            Holder::Token(token, _) => Some(token.expires),
            Holder::Certificate(caller) => caller.expires,
            Holder::Operator | Holder::Anybody | Holder::AuthKey { .. } => None,
        }
    }

    /// The caller, which ends when the token does by which it may do this, or is revoked: for requests that wait.
    pub fn limit(&self, mut caller: Caller) -> Caller {
        if let Holder::Token(token, pam) = &self.0 {
            caller.expires = Some(token.expires);
            caller.revocations.push(pam.revocations.lock().callers_end(token.id));
        }
        caller
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Holder::Operator => "Permit(operator)",
            Holder::Anybody => "Permit(anybody)",
            Holder::Token(..) => "Permit(token)",
            Holder::Certificate(_) => "Permit(certificate)",
            Holder::AuthKey { auth: Some(_), .. } => "Permit(auth key)",
            Holder::AuthKey { auth: None, .. } => "Permit(no auth key)",
        })
    }
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("auth", &self.auth.map(|_| "[redacted]"))
            .field("uuid", &self.uuid)
            .field("signed", &self.signed)
            .finish()
    }
}
