//! Keysets: an org as PubNub SDKs know it, by two keys that everybody may know and a secret one that signs.
//!
//! A request goes through here in three steps: [`Access::keyset`] finds the org of its subscribe key,
//! [`Keyset::verify`] its signature, and [`Access::permit`] what it may do. What the node is then called with
//! is [`Keyset::caller`], which may do all that clients may: a dialect asks the permit before it calls.

mod path;
mod query;
pub(crate) mod secret_key;
pub(crate) mod settings;
pub(crate) mod signature;

use std::fmt;
use std::sync::Arc;

use antiphon_model::{IdentityKind, OrgId};

use crate::access::Org;
use crate::pam::Pam;
use crate::{Access, AuthError, Caller, Grant, LimitSettings, Permissions, name};
use secret_key::SecretKey;

/// An org as PubNub SDKs know it.
pub struct Keyset {
    /// The org.
    pub org: OrgId,
    /// The key that publishers name.
    pub publish_key: Box<str>,
    /// The key that names the keyset: no other has it.
    pub subscribe_key: Box<str>,
    /// Whether clients may do only what they were granted.
    pub access_manager: bool,
    pub(crate) secret_key: Option<SecretKey>,
    /// What was granted and revoked while the server runs: the same after a reload.
    pub(crate) pam: Arc<Pam>,
    of: Arc<Org>,
    grants: Arc<[Grant]>,
}

impl Access {
    /// The keyset of this subscribe key.
    pub fn keyset(&self, subscribe_key: &str) -> Option<Arc<Keyset>> {
        self.tables().keysets.get(subscribe_key).cloned()
    }

    /// The keyset that an org is, if it is one.
    pub fn keyset_of(&self, org: &OrgId) -> Option<Arc<Keyset>> {
        self.tables().keysets.values().find(|keyset| keyset.org == *org).cloned()
    }
}

impl Keyset {
    pub(crate) fn new(loaded: settings::Loaded, org: &Arc<Org>, pam: Arc<Pam>) -> Keyset {
        let settings::Loaded { publish_key, subscribe_key, secret_key, access_manager } = loaded;
        Keyset {
            org: org.id.clone(),
            publish_key,
            subscribe_key,
            access_manager,
            secret_key,
            pam,
            of: Arc::clone(org),
            grants: Arc::new([Grant::everywhere(Permissions::CLIENT)]),
        }
    }

    /// Who the node is called for: the user of this name, or one of a random name, with all permissions of clients on
    /// every channel. What the access manager grants is not in it.
    ///
    /// # Errors
    /// The name cannot be one.
    pub fn caller(&self, uuid: Option<&str>) -> Result<Caller, AuthError> {
        let identity = name::identity(IdentityKind::User, uuid)?;
        Ok(self.of.caller(identity, Arc::clone(&self.grants), None))
    }

    /// Whether there is a secret key, without which nothing is granted and signatures are not looked at.
    pub fn has_secret_key(&self) -> bool {
        self.secret_key.is_some()
    }

    pub(crate) fn limits(&self) -> &LimitSettings {
        &self.of.limits
    }
}

impl fmt::Debug for Keyset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyset")
            .field("org", &self.org)
            .field("publish_key", &self.publish_key)
            .field("subscribe_key", &self.subscribe_key)
            .field("access_manager", &self.access_manager)
            .field("has_secret_key", &self.has_secret_key())
            .finish_non_exhaustive()
    }
}
