use std::collections::HashMap;
use std::sync::Arc;

use antiphon_net::tls::ALPN_ACME;
use parking_lot::{Mutex, RwLock};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::pair::{Pair, PairError};
use crate::config::CertificateFiles;
use crate::failure::Failure;

/// The certificates that the server shows: those of files, and those that it gets for itself.
///
/// What is changed counts from the next handshake on; connections that there are stay as they are.
#[derive(Debug)]
pub(crate) struct Certificates {
    files: Mutex<Vec<Watched>>,
    configured: RwLock<Names>,
    /// Asked first.
    managed: RwLock<Names>,
    /// By name, what an ACME server is to see.
    challenges: RwLock<HashMap<Box<str>, Arc<CertifiedKey>>>,
}

/// A pair of files, and what was found there.
#[derive(Debug)]
struct Watched {
    pair: Pair,
    /// What cannot be used, if that is what the files have since the pair was read.
    refused: Option<PairError>,
}

/// Certificates by the names that they are for, without regard to case; `*.` stands before those of a wildcard.
#[derive(Debug, Default)]
struct Names {
    by_name: HashMap<Box<str>, Arc<CertifiedKey>>,
    /// For whoever asks for no name, or one that nobody has.
    default: Option<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Reads the files; `warnings` gets what is to be said of them.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub(crate) fn load(
        files: Vec<CertificateFiles>,
        warnings: &mut Vec<String>,
    ) -> Result<Certificates, Failure> {
        let mut watched = Vec::new();
        for files in files {
            let pair = Pair::read(files).map_err(|error| Failure::new(format!("tls: {error}")))?;
            warnings.extend(pair.warnings().into_iter().map(|warning| format!("tls: {warning}")));
            watched.push(Watched { pair, refused: None });
        }
        Ok(Certificates {
            configured: RwLock::new(names(&watched)),
            files: Mutex::new(watched),
            managed: RwLock::default(),
            challenges: RwLock::default(),
        })
    }

    /// Reads again the files that have changed. Where they cannot be used that is logged, once for what they have, and what was there stays.
    pub(crate) fn reload(&self) {
        let mut files = self.files.lock();
        let mut changed = false;
        for watched in files.iter_mut() {
            changed |= watched.look();
        }
        if changed {
            *self.configured.write() = names(&files);
        }
    }

    /// Shows a certificate to those who ask for these names, in place of what was set for them before; the first one set is shown to those who ask for
    /// no name too, where no file has one.
    pub(crate) fn set_managed(&self, names: &[String], key: Arc<CertifiedKey>) {
        let mut managed = self.managed.write();
        for name in names {
            managed.by_name.insert(name.to_ascii_lowercase().into(), Arc::clone(&key));
        }
        managed.default = Some(key);
    }

    /// Shows an ACME server this certificate when it asks for the name (RFC 8737), or none any more.
    pub(crate) fn set_challenge(&self, name: &str, key: Option<Arc<CertifiedKey>>) {
        let name = name.to_ascii_lowercase().into_boxed_str();
        let mut challenges = self.challenges.write();
        match key {
            Some(key) => challenges.insert(name, key),
            None => challenges.remove(&name),
        };
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let mut offered = hello.alpn().into_iter().flatten();
        if offered.next() == Some(ALPN_ACME) && offered.next().is_none() {
            return self.challenges.read().get(name?.as_str()).cloned();
        }
        let (managed, configured) = (self.managed.read(), self.configured.read());
        let named = name.and_then(|name| managed.of(&name).or_else(|| configured.of(&name)));
        named.or(configured.default.as_ref()).or(managed.default.as_ref()).cloned()
    }
}

impl Names {
    fn of(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        // A wildcard stands for one label (RFC 9525, section 6.3).
        let wildcard = || self.by_name.get(&*format!("*{}", &name[name.find('.')?..]));
        self.by_name.get(name).or_else(wildcard)
    }
}

impl Watched {
    /// Looks whether the files have changed; says whether there is another certificate.
    fn look(&mut self) -> bool {
        let file = self.pair.files.certificate_file.display().to_string();
        match self.pair.read_again() {
            Ok(None) => {
                self.refused = None;
                false
            }
            Ok(Some(pair)) => {
                pair.warnings().iter().for_each(|warning| tracing::warn!("tls: {warning}"));
                tracing::info!(file, "a changed certificate counts from here on");
                *self = Watched { pair, refused: None };
                true
            }
            Err(error) => {
                if self.refused.as_ref() != Some(&error) {
                    tracing::error!("tls: {error}; the certificate stays as it was");
                    self.refused = Some(error);
                }
                false
            }
        }
    }
}

fn names(watched: &[Watched]) -> Names {
    let mut names = Names::default();
    // Of several for a name the first one counts.
    for Watched { pair, .. } in watched.iter().rev() {
        for name in &pair.names {
            names.by_name.insert(name.clone(), Arc::clone(&pair.key));
        }
        names.default = Some(Arc::clone(&pair.key));
    }
    names
}
