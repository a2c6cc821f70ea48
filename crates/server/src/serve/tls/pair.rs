use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use antiphon_access::CertificateInfo;
use antiphon_model::Timestamp;
use antiphon_net::tls::provider;
use antiphon_store::system_clock;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::CertificateFiles;

/// How many bytes a file may have: one that is far too long is a mistake.
const BYTES_MAX: u64 = 1 << 20;
/// Everybody else may read it.
const READABLE_BY_OTHERS: u32 = 0o004;

/// A certificate and its key, as read from files.
pub(super) struct Pair {
    pub(super) files: CertificateFiles,
    pub(super) key: Arc<CertifiedKey>,
    /// The names that it is for, in lower case.
    pub(super) names: Vec<Box<str>>,
    info: CertificateInfo,
    /// Of what the files had.
    hash: u64,
}

/// A pair of files cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PairError {
    #[error("{}: {problem}", file.display())]
    File { file: PathBuf, problem: String },
    #[error("{} is not the key of {}", key.display(), certificate.display())]
    NoMatch { certificate: PathBuf, key: PathBuf },
}

impl PairError {
    fn file(file: &Path, problem: impl fmt::Display) -> PairError {
        PairError::File { file: file.into(), problem: problem.to_string() }
    }
}

impl Pair {
    pub(super) fn read(files: CertificateFiles) -> Result<Pair, PairError> {
        let bytes = Bytes::read(&files)?;
        Pair::parse(files, &bytes)
    }

    /// The pair that the files have, if they have changed.
    pub(super) fn read_again(&self) -> Result<Option<Pair>, PairError> {
        let bytes = Bytes::read(&self.files)?;
        if bytes.hash() == self.hash {
            return Ok(None);
        }
        Pair::parse(self.files.clone(), &bytes).map(Some)
    }

    fn parse(files: CertificateFiles, bytes: &Bytes) -> Result<Pair, PairError> {
        let (certificate_file, key_file) = (&files.certificate_file, &files.key_file);
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&bytes.certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| PairError::file(certificate_file, not_pem(&error)))?;
        let Some(first) = chain.first() else {
            return Err(PairError::file(certificate_file, "there is no certificate in it"));
        };
        let info = CertificateInfo::read(first).map_err(|error| PairError::file(certificate_file, error))?;
        let key = PrivateKeyDer::from_pem_slice(&bytes.key).map_err(|error| match error {
            pem::Error::NoItemsFound => PairError::file(key_file, "there is no private key in it"),
            other => PairError::file(key_file, not_pem(&other)),
        })?;
        let key = provider().key_provider.load_private_key(key);
        let key = key.map_err(|_| {
            PairError::file(
                key_file,
                "a key of a kind that is not known: take RSA, ECDSA P-256 or P-384, or Ed25519",
            )
        })?;
        let key = CertifiedKey::new(chain, key);
        match key.keys_match() {
            Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
                let (certificate, key) = (certificate_file.clone(), key_file.clone());
                return Err(PairError::NoMatch { certificate, key });
            }
            Err(rustls::Error::InconsistentKeys(_)) | Ok(()) => {}
            Err(error) => return Err(PairError::file(certificate_file, error)),
        }
        let names = if info.dns_names.is_empty() { &info.common_names } else { &info.dns_names };
        let names = names.iter().map(|name| name.to_ascii_lowercase().into()).collect();
        Ok(Pair { names, info, key: Arc::new(key), hash: bytes.hash(), files })
    }

    /// What is to be said of it at this time.
    pub(super) fn warnings(&self) -> Vec<String> {
        let CertificateFiles { certificate_file, key_file } = &self.files;
        let certificate = certificate_file.display();
        let now: Timestamp = system_clock()();
        let mut warnings = Vec::new();
        if self.info.not_after < now {
            warnings.push(format!("{certificate}: the certificate has expired: clients refuse it"));
        } else if now < self.info.not_before {
            warnings.push(format!("{certificate}: the certificate is not valid yet: clients refuse it"));
        }
        if self.info.dns_names.is_empty() && self.info.addresses.is_empty() {
            warnings.push(format!(
                "{certificate}: the certificate has no alternative names, without which most clients refuse it"
            ));
        }
        if std::fs::metadata(key_file).is_ok_and(|file| file.mode() & READABLE_BY_OTHERS != 0) {
            warnings.push(format!("{}: everybody on this machine can read the key", key_file.display()));
        }
        warnings
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("files", &self.files).field("names", &self.names).finish_non_exhaustive()
    }
}

/// What two files have.
struct Bytes {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Bytes {
    fn read(files: &CertificateFiles) -> Result<Bytes, PairError> {
        Ok(Bytes { certificate: read(&files.certificate_file)?, key: read(&files.key_file)? })
    }

    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.certificate, &self.key).hash(&mut hasher);
        hasher.finish()
    }
}

fn read(file: &Path) -> Result<Vec<u8>, PairError> {
    let size = std::fs::metadata(file).map_err(|error| PairError::file(file, error))?.len();
    if size > BYTES_MAX {
        return Err(PairError::file(file, "far too long for a certificate or a key"));
    }
    std::fs::read(file).map_err(|error| PairError::file(file, error))
}

/// Without what is in the file: it may be a key.
fn not_pem(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "not PEM: a section does not end",
        pem::Error::Base64Decode(_) => "not PEM: a section is not base64",
        _ => "not PEM",
    }
}
