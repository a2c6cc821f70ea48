//! Session tokens: what a login gives, and what is a credential from then on.
//!
//! They are JWTs that the server signs for itself. Beside who it is, a token holds a fingerprint of what the client has
//! proven to know, so that it ends when the credential gets another secret. The fingerprint is made with the server's
//! key: whoever sees a token cannot try passwords on it.

use std::sync::Arc;

use antiphon_model::{Identity, OrgId, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::{Deserialize, Serialize};

use crate::access::Tables;
use crate::credentials::directory::Entry;
use crate::jwt::Token;
use crate::revoked_tokens::RevokedTokens;
use crate::{
    Access, AuthError, CREDENTIAL_BYTES_MAX, Caller, ConnectionId, CredentialKind, Grant, Naming, Network,
    Permissions, presented,
};

/// The `kid` of session tokens, by which they are known from others.
pub(crate) const KID: &str = "antiphon-session";

/// A session, as its token says.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who it is. None while it is pairing.
    pub caller: Option<Arc<Caller>>,
    /// The same for all tokens of one login.
    pub connection: ConnectionId,
    /// When the token ends.
    pub expires: Timestamp,
}

impl Session {
    /// The same, at this address as far as limits count it.
    #[must_use]
    pub fn coming_from(mut self, network: Option<Network>) -> Session {
        self.caller = self.caller.map(|caller| Arc::new(Arc::unwrap_or_clone(caller).coming_from(network)));
        self
    }
}

/// Whether a credential has the shape of a session token. Nothing about it is verified.
pub fn is_session_token(token: &str) -> bool {
    token.len() <= CREDENTIAL_BYTES_MAX
        && matches!(Token::parse(token), Some(Ok(token)) if token.is_of_session())
}

/// What session tokens are signed with.
pub(crate) struct SessionKey {
    signs: EncodingKey,
    verifies: DecodingKey,
}

/// What a session token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionClaims {
    /// None while it is pairing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) org: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sub: Option<Box<str>>,
    pub(crate) kind: CredentialKind,
    pub(crate) cid: Box<str>,
    pub(crate) scope: Scope,
    /// Stands for the secret that was shown. None of a client that was let into the open org.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proof: Option<Box<str>>,
    /// While it is pairing: what it has signed to log in, which may be good by the time of the refresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) login: Option<Box<str>>,
    /// In seconds.
    pub(crate) iat: u64,
    /// In seconds.
    pub(crate) exp: u64,
}

/// What a session token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    /// All that its credential permits.
    All,
    /// Subscribing alone.
    Listen,
}

impl SessionKey {
    pub(crate) fn new(key: &[u8; 32]) -> SessionKey {
        SessionKey { signs: EncodingKey::from_secret(key), verifies: DecodingKey::from_secret(key) }
    }

    /// None if the system gives no random numbers.
    pub(crate) fn random() -> Option<SessionKey> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).ok()?;
        Some(SessionKey::new(&key))
    }

    pub(crate) fn mint(&self, claims: &SessionClaims) -> String {
        let header = Header { kid: Some(KID.into()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, claims, &self.signs).expect("any key and any text can be signed")
    }

    /// The claims of a token that this key has signed and that is not over at `now`.
    fn verify(&self, token: &Token<'_>, now: Timestamp) -> Result<SessionClaims, AuthError> {
        if !token.is_of_session() || !token.is_signed_with(&self.verifies) {
            return Err(AuthError::BadSignature);
        }
        let claims: SessionClaims = token.claims()?;
        if now >= claims.expires() { Err(AuthError::Expired) } else { Ok(claims) }
    }

    /// Stands in a token for the secret of its credential.
    pub(crate) fn fingerprint(&self, entry: &Entry) -> Box<str> {
        // No name and no secret has a NUL in it.
        let (org, kind, name) = (entry.org.as_str(), entry.kind, &entry.identity.id);
        self.mark(&format!("proof\0{org}\0{kind}\0{name}\0{}", entry.proof.text()))
    }

    /// Stands for a text that it does not give away.
    pub(crate) fn mark(&self, text: &str) -> Box<str> {
        let code = jsonwebtoken::crypto::sign(text.as_bytes(), &self.signs, Algorithm::HS256);
        let code = code.expect("any key and any text can be signed");
        // 22 characters are 132 bits.
        code[..22].into()
    }
}

impl SessionClaims {
    pub(crate) fn new(kind: CredentialKind, connection: &ConnectionId) -> SessionClaims {
        let cid = connection.as_str().into();
        let scope = Scope::All;
        SessionClaims { org: None, sub: None, kind, cid, scope, proof: None, login: None, iat: 0, exp: 0 }
    }

    pub(crate) fn expires(&self) -> Timestamp {
        Timestamp(self.exp.saturating_mul(Timestamp::PER_SECOND))
    }

    fn issued(&self) -> Timestamp {
        Timestamp(self.iat.saturating_mul(Timestamp::PER_SECOND))
    }

    pub(crate) fn connection(&self) -> ConnectionId {
        ConnectionId::new(&self.cid)
    }
}

impl Access {
    /// Signs session tokens with `key` from here on, and takes none that was signed with another. Until then the key
    /// is random, and tokens end with the process.
    pub fn set_session_key(&self, key: [u8; 32]) {
        *self.session_key.write() = Some(Arc::new(SessionKey::new(&key)));
    }

    /// Whose session a token is for.
    ///
    /// # Errors
    /// It is not a session token of this server, is over at `now`, or its credential was removed or has another secret.
    pub fn session(&self, token: &str, now: Timestamp) -> Result<Session, AuthError> {
        let claims = self.session_claims(token, now)?;
        let caller = match &claims.org {
            Some(org) => Some(Arc::new(self.session_caller(&claims, org)?)),
            None => None,
        };
        Ok(Session { caller, connection: claims.connection(), expires: claims.expires() })
    }

    /// Who may do what by a session token.
    pub(crate) fn caller_of_session(&self, token: &str, now: Timestamp) -> Result<Caller, AuthError> {
        let claims = self.session_claims(token, now)?;
        let org = claims.org.as_deref().ok_or(AuthError::Pairing)?;
        self.session_caller(&claims, org)
    }

    pub(crate) fn session_claims(&self, token: &str, now: Timestamp) -> Result<SessionClaims, AuthError> {
        let claims = self.signed_session_claims(token, now)?;
        let revoked = claims.org.as_deref().and_then(|org| self.revoked_tokens(&OrgId::new(org)));
        let is_revoked = |revoked: &RevokedTokens| {
            revoked.is_session_revoked(&claims.cid, claims.sub.as_deref(), claims.issued())
        };
        if revoked.is_some_and(is_revoked) { Err(AuthError::TokenRevoked) } else { Ok(claims) }
    }

    /// The claims of a session token that may have been revoked.
    pub(crate) fn signed_session_claims(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<SessionClaims, AuthError> {
        let token = presented::parse(Some(token))?.ok_or(AuthError::Missing)?;
        let token = Token::parse(token).ok_or(AuthError::UnknownKey)??;
        let key = self.session_key().ok_or(AuthError::BadSignature)?;
        key.verify(&token, now)
    }

    pub(crate) fn session_key(&self) -> Option<Arc<SessionKey>> {
        self.session_key.read().clone()
    }

    pub(crate) fn session_caller(&self, claims: &SessionClaims, org: &str) -> Result<Caller, AuthError> {
        let tables = self.tables();
        let name = claims.sub.as_deref().ok_or(AuthError::Revoked)?;
        let mut caller = match &claims.proof {
            Some(proof) => {
                let entry = self.credential(&tables, &OrgId::new(org), claims.kind, name);
                let entry = entry.ok_or(AuthError::Revoked)?;
                let key = self.session_key().ok_or(AuthError::Revoked)?;
                if key.fingerprint(&entry) != *proof {
                    return Err(AuthError::Revoked);
                }
                tables.caller_by(&entry, claims.expires()).ok_or(AuthError::Revoked)?
            }
            None => self.open_caller(&tables, claims, org, name)?,
        };
        if claims.scope == Scope::Listen {
            caller = caller.listening_only();
        }
        match self.revoked_tokens(&caller.org) {
            Some(revoked) => {
                revoked.admit_session(caller, &claims.cid, claims.sub.as_deref(), claims.issued())
            }
            None => Ok(caller),
        }
    }

    /// The caller that the open org let in, as long as the name is nobody's.
    fn open_caller(
        &self,
        tables: &Tables,
        claims: &SessionClaims,
        org: &str,
        name: &str,
    ) -> Result<Caller, AuthError> {
        let open = tables.open.as_ref().filter(|open| open.id.as_str() == org).ok_or(AuthError::Revoked)?;
        if !self.credentials_named(tables, claims.kind, name).is_empty() {
            return Err(AuthError::Revoked);
        }
        let identity = Arc::new(Identity::new(claims.kind.identity_kind(), name));
        let grants = Arc::new([Grant::everywhere(Permissions::CLIENT)]);
        Ok(open.caller((identity, Naming::Named), grants, Some(claims.expires())))
    }
}
