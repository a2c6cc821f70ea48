use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use antiphon_model::{Identity, IdentityKind, OrgId, Timestamp};
use parking_lot::RwLock;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use sha2::{Digest, Sha256};

use crate::certificate::authority::Authority;
use crate::certificate::verified::VerifiedCertificates;
use crate::credentials::directory::{Directory, Entry};
use crate::credentials::settings::Loaded;
use crate::jwt::Token;
use crate::jwt::keys::{KeyError, Signer};
use crate::key_file::{self, KeyFileError};
use crate::keyset::{self, Keyset};
use crate::limits::attempts::Attempts;
use crate::pam::Pam;
use crate::revoked_tokens::RevokedTokens;
use crate::session_token::SessionKey;
use crate::{
    AttemptSettings, AuthError, Caller, CertificateAuthorityProblem, CertificateAuthoritySettings,
    Credential, CredentialKind, CredentialProblem, CredentialSource, Grant, InvalidLimits, InvalidOrigin,
    KeySettings, KeysetProblem, LimitSettings, Naming, OrgSettings, OriginPolicy, OriginRefused, Permission,
    Permissions, TokenClaims, Transport, credentials, is_session_token, name, presented,
};

/// All orgs with their keys: makes callers of credentials.
pub struct Access {
    settings: Vec<OrgSettings>,
    /// What was granted and revoked while the server runs, by org.
    pams: HashMap<OrgId, Arc<Pam>>,
    revoked_tokens: HashMap<OrgId, RevokedTokens>,
    tables: RwLock<Arc<Tables>>,
    /// The credentials that were added to the running server: a reload leaves them alone.
    pub(crate) stored: RwLock<Directory>,
    /// None only where the system gives no random numbers.
    pub(crate) session_key: RwLock<Option<Arc<SessionKey>>>,
    pub(crate) attempts: Arc<Attempts>,
    pub(crate) certificates: VerifiedCertificates,
}

/// An org as the settings describe it.
pub struct Org {
    /// Its name.
    pub id: OrgId,
    /// Its limits.
    pub limits: Arc<LimitSettings>,
    /// The web pages that may connect to it.
    pub origins: OriginPolicy,
    signers: Vec<Signer>,
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("org {org:?}: {problem}")]
pub struct SettingsError {
    /// The org.
    pub org: String,
    /// What is wrong in it.
    #[source]
    pub problem: SettingsProblem,
}

/// What is wrong with the settings of an org.
#[derive(Debug, thiserror::Error)]
pub enum SettingsProblem {
    /// The name is none an org can have.
    #[error("an org's name is 1 to 64 of A-Z, a-z, 0-9, '-', '_' and '.'")]
    Name,
    /// There is another of this name.
    #[error("there are two of this name")]
    Duplicate,
    /// There is another open one.
    #[error("only one org can be open")]
    SecondOpen,
    /// An API key is none.
    #[error(
        "key {0} (counted from 1): give key or key_file, 8 to 512 printable ASCII characters without spaces"
    )]
    ApiKey(usize),
    /// An API key's file cannot be read.
    #[error("key {0} (counted from 1): {1}")]
    ApiKeyFile(usize, #[source] KeyFileError),
    /// The same API key a second time, here or in another org.
    #[error("key {0} (counted from 1) is in the settings twice")]
    ApiKeyTwice(usize),
    /// An API key's identity is none.
    #[error("key {0} (counted from 1): an identity has 1 to {max} bytes and no control characters", max = crate::IDENTITY_BYTES_MAX)]
    Identity(usize),
    /// A signer's key cannot be used.
    #[error("jwt {0} (counted from 1): {1}")]
    Signer(usize, #[source] KeyError),
    /// A device, a consumer app or a user cannot be used.
    #[error("{0} {1:?}: {2}")]
    Credential(CredentialKind, String, #[source] CredentialProblem),
    /// More of them than the org's limit.
    #[error("it has more devices, consumer apps and users than limits.credentials_max")]
    TooManyCredentials,
    /// An authority of clients' certificates cannot be used.
    #[error("certificate_authority {0} (counted from 1): {1}")]
    CertificateAuthority(usize, #[source] CertificateAuthorityProblem),
    /// The keys that PubNub SDKs name cannot be used.
    #[error(transparent)]
    Keyset(#[from] KeysetProblem),
    /// An allowed origin is none.
    #[error(transparent)]
    Origin(#[from] InvalidOrigin),
    /// The limits cannot be held.
    #[error(transparent)]
    Limits(#[from] InvalidLimits),
}

impl Access {
    /// Checks the settings and reads the key files that they name.
    ///
    /// # Errors
    /// Something in them cannot be used.
    pub fn load(settings: Vec<OrgSettings>) -> Result<Access, SettingsError> {
        let pams = settings.iter().map(|org| (OrgId::new(&org.name), Arc::default())).collect();
        let tables = RwLock::new(Arc::new(Tables::build(&settings, &pams)?));
        let revoked_tokens =
            settings.iter().map(|org| (OrgId::new(&org.name), RevokedTokens::default())).collect();
        let session_key = RwLock::new(SessionKey::random().map(Arc::new));
        let (stored, certificates) = Default::default();
        let attempts = Arc::new(Attempts::new(AttemptSettings::default()));
        Ok(Access { settings, pams, revoked_tokens, tables, stored, session_key, attempts, certificates })
    }

    /// Reads all key files again, and those of certificate authorities. Callers keep what they were granted before, except those of a device or an app
    /// whose file holds another secret, those by a token that a keyset's former secret key has signed, and those by a
    /// certificate that is revoked or whose authority is gone: they end.
    ///
    /// # Errors
    /// One of them cannot be used; all keys stay as they were.
    pub fn reload(&self) -> Result<(), SettingsError> {
        let mut tables = Tables::build(&self.settings, &self.pams)?;
        let mut current = self.tables.write();
        let ended = tables.credentials.take_over(&current.credentials);
        let changed = current.keysets.values().filter(|old| !tables.has_secret_key_of(old));
        let changed: Vec<Arc<Pam>> = changed.map(|keyset| Arc::clone(&keyset.pam)).collect();
        tables.generation = current.generation + 1;
        *current = Arc::new(tables);
        drop(current);
        ended.iter().for_each(|entry| entry.revocation.revoke());
        changed.iter().for_each(|pam| pam.end_callers());
        self.verify_certificates_again();
        Ok(())
    }

    /// Makes a caller of what a client presented: an API key, a JWT or a session token, with or without `Bearer`
    /// before it, or nothing, for the open org. `identity_hint` is how the client names itself, where it may.
    ///
    /// # Errors
    /// The credential is none of this server's, or is not valid at `now`; or the identity cannot be one.
    pub fn authenticate(
        &self,
        credential: Option<&str>,
        identity_hint: Option<&str>,
        now: Timestamp,
    ) -> Result<Caller, AuthError> {
        self.authenticate_over(None, credential, identity_hint, now)
    }

    /// As [`Access::authenticate`], on a connection that perhaps has the certificate of a client: who presents nothing is
    /// who that says.
    ///
    /// # Errors
    /// As there; or nothing was presented and the certificate makes nobody of it.
    pub fn authenticate_over(
        &self,
        certificate: Option<&[CertificateDer<'_>]>,
        credential: Option<&str>,
        identity_hint: Option<&str>,
        now: Timestamp,
    ) -> Result<Caller, AuthError> {
        let tables = self.tables();
        let Some(credential) = presented::parse(credential)? else {
            return match certificate {
                Some(chain) => self.authenticate_certificate(chain, now),
                None => tables.anonymous(identity_hint),
            };
        };
        match tables.keys.get(&digest(credential)) {
            Some(key) => key.caller(identity_hint),
            None if is_session_token(credential) => self.caller_of_session(credential, now),
            None => self.caller_of_jwt(&tables, credential, identity_hint, now),
        }
    }

    fn caller_of_jwt(
        &self,
        tables: &Tables,
        credential: &str,
        identity_hint: Option<&str>,
        now: Timestamp,
    ) -> Result<Caller, AuthError> {
        let token = Token::parse(credential).ok_or(AuthError::UnknownKey)??;
        let (caller, claims) = tables.token(&token, identity_hint, now)?;
        match self.revoked_tokens(&caller.org) {
            Some(revoked) => {
                revoked.admit(caller, token.id(), claims.sub.as_deref(), claims.iat.map(|iat| iat.0))
            }
            None => Ok(caller),
        }
    }

    /// The org of this name.
    pub fn org(&self, id: &OrgId) -> Option<Arc<Org>> {
        self.tables().orgs.get(id).cloned()
    }

    /// All orgs, by name.
    pub fn orgs(&self) -> Vec<Arc<Org>> {
        self.tables().orgs.values().cloned().collect()
    }

    /// The org that asks for no credentials.
    pub fn open_org(&self) -> Option<Arc<Org>> {
        self.tables().open.clone()
    }

    /// Checks the origin of a request whose org is not known, as a CORS preflight's: some org has to allow it.
    ///
    /// # Errors
    /// None does.
    pub fn check_preflight(
        &self,
        origin: Option<&str>,
        host: Option<&str>,
        transport: Transport,
    ) -> Result<(), OriginRefused> {
        self.tables().any_origins.check(origin, host, transport)
    }

    /// What was granted and revoked in an org, if there is such an org.
    pub(crate) fn pam(&self, org: &OrgId) -> Option<&Arc<Pam>> {
        self.pams.get(org)
    }

    /// What was revoked of an org's tokens, if there is such an org.
    pub(crate) fn revoked_tokens(&self, org: &OrgId) -> Option<&RevokedTokens> {
        self.revoked_tokens.get(org)
    }

    pub(crate) fn tables(&self) -> Arc<Tables> {
        Arc::clone(&self.tables.read())
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("orgs", &self.tables().orgs.keys()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Org {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Org")
            .field("id", &self.id)
            .field("limits", &self.limits)
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}

/// What the settings and the key files come to: replaced as a whole.
#[derive(Default)]
pub(crate) struct Tables {
    /// How often it was replaced.
    pub(crate) generation: u64,
    pub(crate) orgs: BTreeMap<OrgId, Arc<Org>>,
    pub(crate) open: Option<Arc<Org>>,
    pub(crate) credentials: Directory,
    /// By subscribe key.
    pub(crate) keysets: HashMap<Box<str>, Arc<Keyset>>,
    pub(crate) authorities: Vec<Authority>,
    /// Of all authorities.
    pub(crate) certificate_anchors: Vec<TrustAnchor<'static>>,
    /// By digest: looking a guess up takes a time that says nothing about how much of a key it has right.
    keys: HashMap<[u8; 32], ApiKey>,
    any_origins: OriginPolicy,
}

struct ApiKey {
    org: Arc<Org>,
    kind: IdentityKind,
    identity: Option<Arc<Identity>>,
    grants: Arc<[Grant]>,
}

impl ApiKey {
    fn caller(&self, identity_hint: Option<&str>) -> Result<Caller, AuthError> {
        let identity = match &self.identity {
            Some(identity) => (Arc::clone(identity), Naming::Named),
            None => name::identity(self.kind, identity_hint)?,
        };
        Ok(self.org.caller(identity, Arc::clone(&self.grants), None))
    }
}

impl Org {
    pub(crate) fn caller(
        &self,
        (identity, naming): (Arc<Identity>, Naming),
        grants: Arc<[Grant]>,
        expires: Option<Timestamp>,
    ) -> Caller {
        let limits = Arc::clone(&self.limits);
        let mut caller = Caller::new(self.id.clone(), identity, grants, expires, limits);
        caller.naming = naming;
        caller
    }
}

impl Tables {
    fn build(settings: &[OrgSettings], pams: &HashMap<OrgId, Arc<Pam>>) -> Result<Tables, SettingsError> {
        let mut tables = Tables::default();
        for org in settings {
            tables.add(org, pams).map_err(|problem| SettingsError { org: org.name.clone(), problem })?;
        }
        Ok(tables)
    }

    fn add(
        &mut self,
        settings: &OrgSettings,
        pams: &HashMap<OrgId, Arc<Pam>>,
    ) -> Result<(), SettingsProblem> {
        if !name::is_org_name(&settings.name) {
            return Err(SettingsProblem::Name);
        }
        settings.limits.check()?;
        let mut signers = Vec::new();
        for (index, jwt) in settings.jwt.iter().enumerate() {
            signers.push(Signer::load(jwt).map_err(|error| SettingsProblem::Signer(index + 1, error))?);
        }
        let org = Arc::new(Org {
            id: OrgId::new(&settings.name),
            limits: Arc::new(settings.limits.clone()),
            origins: OriginPolicy::new(&settings.allowed_origins)?,
            signers,
        });
        if settings.open && self.open.replace(Arc::clone(&org)).is_some() {
            return Err(SettingsProblem::SecondOpen);
        }
        for (index, key) in settings.keys.iter().enumerate() {
            self.add_key(&org, key, index + 1)?;
        }
        for Loaded { kind, name, credential } in credentials::settings::load(settings) {
            let added = credential.and_then(|credential| self.add_credential(&org.id, credential));
            added.map_err(|problem| SettingsProblem::Credential(kind, name.into(), problem))?;
        }
        if self.credentials.count(&org.id) > org.limits.credentials_max {
            return Err(SettingsProblem::TooManyCredentials);
        }
        for (index, authority) in settings.certificate_authorities.iter().enumerate() {
            let added = self.add_authority(&org, authority);
            added.map_err(|problem| SettingsProblem::CertificateAuthority(index + 1, problem))?;
        }
        if let Some(keys) = keyset::settings::load(settings)? {
            let pam = pams.get(&org.id).cloned().unwrap_or_default();
            self.add_keyset(Keyset::new(keys, &org, pam))?;
        }
        self.any_origins = std::mem::take(&mut self.any_origins).union(&org.origins);
        match self.orgs.insert(org.id.clone(), org) {
            None => Ok(()),
            Some(_) => Err(SettingsProblem::Duplicate),
        }
    }

    fn add_key(
        &mut self,
        org: &Arc<Org>,
        settings: &KeySettings,
        number: usize,
    ) -> Result<(), SettingsProblem> {
        let in_file = |path: &PathBuf| {
            key_file::read_secret(path).map_err(|error| SettingsProblem::ApiKeyFile(number, error))
        };
        let key = match (&settings.key, &settings.key_file) {
            (Some(key), None) => key.clone(),
            (None, Some(path)) => in_file(path)?,
            _ => return Err(SettingsProblem::ApiKey(number)),
        };
        let key = key.expose();
        if !(8..=512).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SettingsProblem::ApiKey(number));
        }
        let permissions: Permissions = settings.allow.iter().copied().collect();
        let kind = settings.kind.unwrap_or_else(|| default_kind(permissions));
        let identity = match settings.identity.as_deref() {
            Some(name) if !name::is_identity(name) => return Err(SettingsProblem::Identity(number)),
            name => name.map(|name| Arc::new(Identity::new(kind, name))),
        };
        let grants = Arc::new([Grant { channels: settings.channels.clone(), permissions }]);
        let key_of_org = ApiKey { org: Arc::clone(org), kind, identity, grants };
        match self.keys.insert(digest(key), key_of_org) {
            None => Ok(()),
            Some(_) => Err(SettingsProblem::ApiKeyTwice(number)),
        }
    }

    fn add_credential(&mut self, org: &OrgId, credential: Credential) -> Result<(), CredentialProblem> {
        let entry = Entry::new(org.clone(), credential, CredentialSource::Configuration);
        let mut named = self.credentials.named(entry.kind, &entry.identity.id).iter();
        if named.any(|other| other.org != *org && other.has_secret_of(&entry.proof)) {
            return Err(CredentialProblem::SharedSecret);
        }
        match self.credentials.insert(Arc::new(entry)) {
            None => Ok(()),
            Some(_) => Err(CredentialProblem::Duplicate),
        }
    }

    fn add_authority(
        &mut self,
        org: &Arc<Org>,
        settings: &CertificateAuthoritySettings,
    ) -> Result<(), CertificateAuthorityProblem> {
        let authority = Authority::load(settings, org)?;
        if self.authorities.iter().any(|other| other.overlaps(&authority)) {
            return Err(CertificateAuthorityProblem::Duplicate { path: settings.ca_file.clone() });
        }
        self.certificate_anchors.extend_from_slice(authority.anchors());
        self.authorities.push(authority);
        Ok(())
    }

    fn add_keyset(&mut self, keyset: Keyset) -> Result<(), KeysetProblem> {
        match self.keysets.insert(keyset.subscribe_key.clone(), Arc::new(keyset)) {
            None => Ok(()),
            Some(_) => Err(KeysetProblem::Duplicate),
        }
    }

    fn has_secret_key_of(&self, old: &Keyset) -> bool {
        match (self.keysets.get(&old.subscribe_key).map(|keyset| &keyset.secret_key), &old.secret_key) {
            (Some(Some(secret_key)), Some(old)) => secret_key.is_same(old),
            (secret_key, None) => matches!(secret_key, Some(None)),
            _ => false,
        }
    }

    /// The caller that came by a credential. None if there is no such org, which cannot be while the settings stay.
    pub(crate) fn caller_by(&self, entry: &Entry, expires: Timestamp) -> Option<Caller> {
        let org = self.orgs.get(&entry.org)?;
        let identity = (Arc::clone(&entry.identity), Naming::Named);
        let mut caller = org.caller(identity, Arc::clone(&entry.grants), Some(expires));
        caller.revocations.push(entry.revocation.clone());
        Some(caller)
    }

    fn anonymous(&self, identity_hint: Option<&str>) -> Result<Caller, AuthError> {
        let org = self.open.as_ref().ok_or(AuthError::Missing)?;
        let identity = name::identity(IdentityKind::User, identity_hint)?;
        Ok(org.caller(identity, Arc::clone(&OF_ANYBODY), None))
    }

    fn token(
        &self,
        token: &Token<'_>,
        identity_hint: Option<&str>,
        now: Timestamp,
    ) -> Result<(Caller, TokenClaims), AuthError> {
        let org = self.org_of(token.claimed_org()?.as_deref()).ok_or(AuthError::UnknownSigningKey)?;
        let (claims, signer) = token.verify(&org.signers, now)?;
        let grants = match &claims.permissions {
            Some(grants) => grants.as_slice().into(),
            None => Arc::clone(&signer.default_grants),
        };
        let permissions = grants.iter().fold(Permissions::NONE, |all, grant| all.union(grant.permissions));
        let kind = claims.kind.unwrap_or_else(|| default_kind(permissions));
        if kind == IdentityKind::Server && !permissions.contains(Permission::Admin) {
            return Err(AuthError::KindRefused);
        }
        let identity = name::identity(kind, claims.sub.as_deref().or(identity_hint))?;
        Ok((org.caller(identity, grants, claims.exp.map(|exp| exp.0)), claims))
    }

    /// Verifies a token that has to be an org's, and gives when it ends.
    pub(crate) fn verified(
        &self,
        org: &OrgId,
        token: &Token<'_>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, AuthError> {
        let claimed = self.org_of(token.claimed_org()?.as_deref()).filter(|claimed| claimed.id == *org);
        let (claims, _) = token.verify(&claimed.ok_or(AuthError::UnknownSigningKey)?.signers, now)?;
        Ok(claims.exp.map(|exp| exp.0))
    }

    /// The org whose keys are to verify a token that claims to be for `name`; without a claim, the only org
    /// that takes tokens.
    fn org_of(&self, name: Option<&str>) -> Option<&Arc<Org>> {
        if let Some(name) = name {
            return self.orgs.get(&OrgId::new(name));
        }
        let mut takers = self.orgs.values().filter(|org| !org.signers.is_empty());
        takers.next().filter(|_| takers.next().is_none())
    }
}

/// What anybody may in an open org. One for all of them: there may be as many as there are connections.
static OF_ANYBODY: LazyLock<Arc<[Grant]>> =
    LazyLock::new(|| Arc::new([Grant::everywhere(Permissions::CLIENT)]));

fn default_kind(permissions: Permissions) -> IdentityKind {
    if permissions.contains(Permission::Admin) { IdentityKind::Server } else { IdentityKind::User }
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}
