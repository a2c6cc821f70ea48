//! Certificates of clients as identities: whose they are, and whether they still count.
//!
//! A listener asks for them while a connection is set up, and a dialect once more for each request that shows no other
//! credential: both times it is [`Access::authenticate_certificate`] that answers.

pub(crate) mod authority;
mod der;
pub(crate) mod info;
pub(crate) mod refused;
pub(crate) mod settings;
mod time;
pub(crate) mod verified;

use antiphon_model::Timestamp;
use rustls_pki_types::CertificateDer;

use self::authority::{Authority, Holder};
use self::refused::CertificateRefused;
use crate::access::Tables;
use crate::{Access, AuthError, Caller, Naming};

/// The longest chain that is looked at: a certificate, and the authorities above it. With the same name each, they may be above each
/// other in every order, so that each further one multiplies what there is to look at.
const CHAIN_MAX: usize = 4;

impl Access {
    /// Whether the certificates of some authority are identities here.
    pub fn has_certificate_authorities(&self) -> bool {
        !self.tables().authorities.is_empty()
    }

    /// Makes a caller of a certificate whose key the client has shown to hold: it is first in `chain`, and those follow
    /// that may lead to an authority of the settings. Where several orgs' authorities are on the way, it is of the org of
    /// the nearest.
    ///
    /// # Errors
    /// It is of none of them, or is not valid at `now`, or names nobody.
    pub fn authenticate_certificate(
        &self,
        chain: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<Caller, AuthError> {
        self.verified(chain, now).map_err(AuthError::Certificate)
    }
}

impl Tables {
    /// Who holds a certificate. The way up is looked for once for all authorities, however many there are: what a stranger sends
    /// may be made to have a great many.
    fn holder_of(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<Caller, CertificateRefused> {
        if chain.len() > CHAIN_MAX {
            return Err(CertificateRefused::UnknownAuthority);
        }
        let nearest = authority::nearest(&self.certificate_anchors, chain, now)?;
        let authority = self.authorities.iter().find(|authority| authority.has(&nearest));
        let authority = authority.ok_or(CertificateRefused::UnknownAuthority)?;
        Ok(authority.caller(authority.holder(chain, now)?))
    }
}

impl Authority {
    fn caller(&self, holder: Holder) -> Caller {
        let identity = (holder.identity, Naming::Named);
        self.org.caller(identity, std::sync::Arc::clone(&self.grants), Some(holder.expires))
    }
}
