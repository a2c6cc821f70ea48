use std::sync::Arc;

use antiphon_access::CertificateInfo;
use antiphon_net::tls::provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// A certificate with its key, ready to be shown and as it is kept.
pub(super) struct Issued {
    pub(super) info: CertificateInfo,
    pub(super) key: Arc<CertifiedKey>,
    /// The key, then the certificate and those that lead to its authority.
    pub(super) pem: String,
}

impl Issued {
    /// # Errors
    /// It is not what it should be; says what.
    pub(super) fn read(pem: String) -> Result<Issued, &'static str> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let chain = chain.map_err(|_| "the certificate is not PEM")?;
        let info = chain.first().ok_or("there is no certificate")?;
        let info = CertificateInfo::read(info).map_err(|_| "the certificate is none")?;
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| "there is no key")?;
        let key = provider().key_provider.load_private_key(key).map_err(|_| "the key is none")?;
        let key = CertifiedKey::new(chain, key);
        key.keys_match().map_err(|_| "the key is not the certificate's")?;
        Ok(Issued { info, key: Arc::new(key), pem })
    }

    /// Whether it is for these domains and no others.
    pub(super) fn is_for(&self, domains: &[String]) -> bool {
        let names = &self.info.dns_names;
        let is_in = |domain: &String| names.iter().any(|name| name.eq_ignore_ascii_case(domain));
        names.len() == domains.len() && domains.iter().all(is_in)
    }
}
