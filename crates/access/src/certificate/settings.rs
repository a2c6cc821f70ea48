use std::path::PathBuf;

use antiphon_model::{ChannelPattern, IdentityKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::key_file::KeyFileError;
use crate::settings::{all_channels, credentials};
use crate::{CertificateInfo, Permission};

/// An authority whose certificates are identities: `[[org.certificate_authority]]`. A client that connects by TLS with a
/// certificate of it, and shows no other credential, is who the certificate says. `tls.client_certificates` has to ask
/// for certificates.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateAuthoritySettings {
    /// A file with the authority's certificate in PEM, or with several of the same authority: its next one beside the
    /// one that is about to expire. It is read again at a reload. Whoever can have a certificate signed by it is a
    /// client of the org, so name an authority that signs for nobody else; no other org may name the same. A client may send up to three
    /// authorities between its certificate and this one.
    pub ca_file: PathBuf,
    /// A file with lists of revoked certificates (CRL) in PEM, read again at a reload; connections of certificates that
    /// it then names are closed. There has to be one of each authority between a certificate and `ca_file`, that
    /// included: without it nobody gets in. A list that is past its next update counts as before. A certificate
    /// that comes for the first time costs a look at all of the list: some milliseconds for each megabyte. Default: none, and
    /// nothing is revoked before it expires.
    pub crl_file: Option<PathBuf>,
    /// What sort of clients they are: `device`, `user`, `server` (may publish on system channels) or `consumer_app`
    /// (consumer channels alone). Default: `device`.
    #[serde(default = "device")]
    pub kind: IdentityKind,
    /// Which name of the certificate is the identity; of several, the first. It has 1 to 128 bytes and no control
    /// characters. A device of `[[org.device]]` with the same name is the same identity. Default: `common_name`.
    #[serde(default)]
    pub identity: CertificateName,
    /// What it permits. Default: publish, subscribe, history and presence.
    #[serde(default = "credentials::client")]
    pub allow: Vec<Permission>,
    /// On which channels; `*` stands for any run of characters. Default: all.
    #[serde(default = "all_channels")]
    pub channels: Vec<ChannelPattern>,
}

/// Which name of a certificate is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertificateName {
    /// The common name of its subject.
    #[default]
    CommonName,
    /// A host among its alternative names.
    Dns,
    /// A URI among its alternative names, as SPIFFE has them.
    Uri,
    /// A mail address among its alternative names.
    Email,
}

/// What is wrong with an authority of the settings.
#[derive(Debug, thiserror::Error)]
pub enum CertificateAuthorityProblem {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// There is no certificate in the file, or something else beside.
    #[error("{path}: no certificate in PEM, or a broken one")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A certificate in the file cannot be an authority's.
    #[error("{path}: a certificate that is no authority's")]
    NoAuthority {
        /// The file.
        path: PathBuf,
    },
    /// There is no list in the file, or something else beside.
    #[error("{path}: no certificate revocation list in PEM, or a broken one")]
    NoRevocationList {
        /// The file.
        path: PathBuf,
    },
    /// The same authority a second time, here or in another org.
    #[error("{path}: this authority is in the settings twice")]
    Duplicate {
        /// The file.
        path: PathBuf,
    },
}

impl CertificateName {
    /// The first name of this sort in a certificate.
    pub(super) fn of(self, certificate: &CertificateInfo) -> Option<&str> {
        let names = match self {
            CertificateName::CommonName => &certificate.common_names,
            CertificateName::Dns => &certificate.dns_names,
            CertificateName::Uri => &certificate.uris,
            CertificateName::Email => &certificate.emails,
        };
        names.first().map(|name| &**name)
    }
}

fn device() -> IdentityKind {
    IdentityKind::Device
}
