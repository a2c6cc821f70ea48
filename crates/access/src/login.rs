//! Logging in: a session token for a signed token or a password.
//!
//! What a stranger is told, and how long that takes, is the same for a name that does not exist and for one whose secret
//! he has not got. Only the open org, which lets anybody in under any name that is nobody's, tells names apart.

mod pairing;
mod password;
pub(crate) mod signed;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use antiphon_model::{OrgId, Timestamp};

use crate::access::Tables;
use crate::credentials::directory::Entry;
use crate::session_token::{Scope, SessionClaims, SessionKey};
use crate::{Access, AuthError, ConnectionId, CredentialKind, TooManyFailures, name};
use pairing::Remembered;
use signed::SignedLogin;

/// What a client logs in with.
#[derive(Clone, Copy)]
pub enum Login<'a> {
    /// A JWT that a device has signed with its secret, or a consumer app with its API key.
    Signed(&'a str),
    /// The password of a user.
    Password {
        /// Who it is.
        username: &'a str,
        /// What only he knows.
        password: &'a str,
        /// His org; None or empty: the only one that has a user of this name.
        organization: Option<&'a str>,
    },
}

/// Who has logged in, and the token that says so.
#[derive(Clone, PartialEq, Eq)]
pub struct LoggedIn {
    /// The session token: a credential like others, until `expires`.
    pub token: String,
    /// A token of the same session that may only subscribe, and that is not refreshed.
    pub restricted_token: String,
    /// When the tokens end: `lifetime` after the login, rounded up to a whole second.
    pub expires: Timestamp,
    /// What sort of client it is.
    pub kind: CredentialKind,
    /// The uuid or the user name. None: a device that has none and is pairing.
    pub name: Option<Box<str>>,
    /// Its org. None while it is pairing.
    pub org: Option<OrgId>,
    /// What its sessions are known by.
    pub connection: ConnectionId,
    /// Whether it only waits to be given a credential.
    pub pairing: Pairing,
}

/// Whether a device only waits to be given a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// It has none that is valid: its token opens a session that may do nothing.
    Yes,
    /// It has one.
    No,
}

/// There is no session token for what was presented.
///
/// [`LoginError::is_unavailable`] tells apart what another try may change; in all other cases the client has not shown who it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// Not a login token, or not one that the SDKs make.
    #[error("the login token is malformed: {0}")]
    Malformed(&'static str),
    /// Nobody of this name, or the wrong secret.
    #[error("the name or the secret is not right")]
    BadCredentials,
    /// The signature is right, but the time is over.
    #[error("the login token has expired: check the clock")]
    Expired,
    /// The signature is right, but the token says no time at all, or its time is over a day ago.
    #[error("the login token needs exp, or an iat of the last 24 hours")]
    NeverExpires,
    /// The password is right, but several orgs have a user of this name.
    #[error("several organizations have a user of this name: the login has to name the organization")]
    OrganizationNeeded,
    /// What is to be refreshed is no session token that is valid.
    #[error(transparent)]
    Session(#[from] AuthError),
    /// What is to be refreshed is a restricted token.
    #[error("a restricted token is not refreshed")]
    Restricted,
    /// What is to be refreshed is a pairing token, and a login would be let in.
    #[error("pairing is over: log in")]
    Paired,
    /// Too many have failed, from this address or under this name: this one was not looked at.
    #[error(transparent)]
    TooManyFailures(#[from] TooManyFailures),
    /// Too many passwords are being checked.
    #[error("too many logins at once")]
    Busy,
    /// The system gives no random numbers.
    #[error("no random numbers are available")]
    NoRandomness,
}

impl LoginError {
    /// Whether the server could not look (503), rather than the client has not shown who it is (401).
    pub fn is_unavailable(&self) -> bool {
        match self {
            LoginError::Busy | LoginError::NoRandomness => true,
            LoginError::Session(error) => *error == AuthError::NoRandomness,
            _ => false,
        }
    }
}

impl Access {
    /// Makes a session token of `lifetime` for a login. A password takes tens of milliseconds, so call this where that
    /// may block; when many are logging in, it waits for its turn.
    ///
    /// A signed token is good until 60 s after its `exp`, which may be in seconds or milliseconds; without one, until 24 h
    /// after its `iat`. One that has neither is refused.
    ///
    /// # Errors
    /// The client has not shown who it is, or the server is busy.
    pub fn login(
        &self,
        login: &Login<'_>,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<LoggedIn, LoginError> {
        let key = self.session_key().ok_or(LoginError::NoRandomness)?;
        let tables = self.tables();
        let who = match *login {
            Login::Signed(text) => self.signed(&tables, &key, text, now)?,
            Login::Password { username, password, organization } => {
                self.user(&tables, username, password, organization)?
            }
        };
        let connection = ConnectionId::random().ok_or(LoginError::NoRandomness)?;
        Ok(issue(&key, who.claims(&key, &connection), lifetime, now))
    }

    /// Makes another session token for one that is still valid.
    ///
    /// # Errors
    /// It is not valid, or its client has to log in anew.
    pub fn refresh(&self, token: &str, lifetime: Duration, now: Timestamp) -> Result<LoggedIn, LoginError> {
        let key = self.session_key().ok_or(LoginError::NoRandomness)?;
        let claims = self.session_claims(token, now)?;
        if claims.scope != Scope::All {
            return Err(LoginError::Restricted);
        }
        match &claims.org {
            Some(org) => drop(self.session_caller(&claims, org)?),
            None => self.check_pairing(&self.tables(), &key, &claims)?,
        }
        Ok(issue(&key, claims, lifetime, now))
    }

    fn signed(
        &self,
        tables: &Tables,
        key: &SessionKey,
        text: &str,
        now: Timestamp,
    ) -> Result<Who, LoginError> {
        let login = SignedLogin::parse(text)?;
        if let Some(entry) = self.signer(tables, &login) {
            login.check_times(now)?;
            return Ok(Who::Holder(entry));
        }
        if let Some(name) = &login.name
            && self.credentials_named(tables, login.kind, name).is_empty()
            && let Some(who) = tables.let_in(login.kind, name, None)
        {
            return Ok(who);
        }
        if !login.allows_pairing {
            return Err(LoginError::BadCredentials);
        }
        let remembered = login.name.is_some().then(|| Remembered::new(key, text, &login));
        Ok(Who::Pairing { name: login.name, remembered })
    }
}

/// Who has logged in.
enum Who {
    /// Whoever has a credential.
    Holder(Arc<Entry>),
    /// Anybody, under a name that is nobody's, in the open org.
    Anybody { org: OrgId, kind: CredentialKind, name: Box<str> },
    /// A device that waits for its credential.
    Pairing { name: Option<Box<str>>, remembered: Option<Remembered> },
}

impl Tables {
    /// Lets anybody into the open org, if there is one and no other is asked for.
    fn let_in(&self, kind: CredentialKind, name: &str, organization: Option<&OrgId>) -> Option<Who> {
        let org = self.open.as_ref()?.id.clone();
        let is_asked_for = organization.is_none_or(|asked| *asked == org);
        (is_asked_for && name::is_identity(name)).then(|| Who::Anybody { org, kind, name: name.into() })
    }
}

impl Who {
    fn claims(self, key: &SessionKey, connection: &ConnectionId) -> SessionClaims {
        let kind = match &self {
            Who::Holder(entry) => entry.kind,
            Who::Anybody { kind, .. } => *kind,
            Who::Pairing { .. } => CredentialKind::Device,
        };
        let mut claims = SessionClaims::new(kind, connection);
        match self {
            Who::Holder(entry) => {
                claims.org = Some(entry.org.as_str().into());
                claims.sub = Some((*entry.identity.id).into());
                claims.proof = Some(key.fingerprint(&entry));
            }
            Who::Anybody { org, name, .. } => {
                claims.org = Some(org.as_str().into());
                claims.sub = Some(name);
            }
            Who::Pairing { name, remembered } => {
                claims.sub = name;
                (claims.login, claims.proof) = remembered.map(|it| (it.login, it.proof)).unzip();
            }
        }
        claims
    }
}

/// Makes the tokens that say this from `now` on.
fn issue(key: &SessionKey, claims: SessionClaims, lifetime: Duration, now: Timestamp) -> LoggedIn {
    let exp = now.later_by(lifetime).0.div_ceil(Timestamp::PER_SECOND);
    let claims = SessionClaims { iat: now.as_secs(), exp, ..claims };
    // Nobody refreshes the restricted one, so what that takes is left out.
    let restricted = SessionClaims { scope: Scope::Listen, login: None, ..claims.clone() };
    LoggedIn {
        token: key.mint(&claims),
        restricted_token: key.mint(&restricted),
        expires: claims.expires(),
        kind: claims.kind,
        pairing: if claims.org.is_some() { Pairing::No } else { Pairing::Yes },
        connection: claims.connection(),
        org: claims.org.as_deref().map(OrgId::new),
        name: claims.sub,
    }
}

impl fmt::Debug for Login<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Login::Signed(_) => f.write_str("Signed([redacted])"),
            Login::Password { username, organization, .. } => f
                .debug_struct("Password")
                .field("username", username)
                .field("organization", organization)
                .finish_non_exhaustive(),
        }
    }
}

impl fmt::Debug for LoggedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggedIn")
            .field("expires", &self.expires)
            .field("kind", &self.kind)
            .field("name", &self.name)
            .field("org", &self.org)
            .field("connection", &self.connection)
            .field("pairing", &self.pairing)
            .finish_non_exhaustive()
    }
}
