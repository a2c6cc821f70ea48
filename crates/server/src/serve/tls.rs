//! TLS as the settings want it: what listeners speak, which certificates they show, and that changed files count.

mod certificates;
mod pair;

use std::sync::Arc;
use std::time::Duration;

use antiphon_net::Listen;
use antiphon_net::tls::{Oldest, server_config};
use rustls::server::{NoClientAuth, ServerConfig};

pub(crate) use self::certificates::Certificates;
use crate::config::{ClientCertificates, TlsSection, TlsVersion};
use crate::failure::Failure;
use crate::serve::client_certificates::{self, Wanted};
use crate::serve::gate::Gate;

/// What TLS listeners speak.
pub(crate) struct Tls {
    /// What they show.
    pub(crate) certificates: Arc<Certificates>,
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads the certificates and keys; none if there are no TLS addresses. `warnings` gets what works and is likely not what was meant.
    ///
    /// # Errors
    /// A file cannot be used, or there is no certificate.
    pub(crate) fn new(
        section: &TlsSection,
        gate: &Arc<Gate>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Tls>, Failure> {
        let files = section.files().map_err(Failure::new)?;
        if section.listen.is_empty() {
            if !files.is_empty() {
                warnings.push("tls: there are certificates, but no tls.listen that would show them".into());
            }
            return Ok(None);
        }
        if files.is_empty() && section.acme.is_none() {
            return Err(Failure::new("tls.listen needs tls.certificate_file and tls.key_file, or tls.acme"));
        }
        let certificates = Arc::new(Certificates::load(files, warnings)?);
        let wanted = match section.client_certificates {
            ClientCertificates::None => None,
            ClientCertificates::Optional => Some(Wanted::Optional),
            ClientCertificates::Required => Some(Wanted::Required),
        };
        let verifier = match wanted {
            None => Arc::new(NoClientAuth),
            Some(wanted) => client_certificates::verifier(gate, wanted),
        };
        let oldest = match section.min_version {
            TlsVersion::Tls12 => Oldest::Tls12,
            TlsVersion::Tls13 => Oldest::Tls13,
        };
        let config = server_config(Arc::clone(&certificates) as _, verifier, oldest)
            .map_err(|error| Failure::new(format!("tls: {error}")))?;
        Ok(Some(Tls { certificates, config: Arc::new(config) }))
    }

    /// The section's addresses, with what is spoken there.
    pub(crate) fn listen(&self, section: &TlsSection) -> impl Iterator<Item = Listen> {
        section.listen.iter().map(|address| Listen::tls(address.0, Arc::clone(&self.config)))
    }

    /// Looks at the files again and again, for as long as the runtime runs.
    pub(crate) fn watch(&self, interval: Duration) {
        if interval.is_zero() {
            return;
        }
        let certificates = Arc::clone(&self.certificates);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(interval).await;
                certificates.reload();
            }
        });
    }
}

#[cfg(test)]
mod tests;
