use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::acme::AcmeSection;
use super::duration::Duration;
use super::listen::ListenAddress;

/// Connections that are encrypted: `[tls]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TlsSection {
    /// The addresses to take TLS connections on, each as `IP:port`; port 0 takes a free one. Default: none. HTTP/1.1, HTTP/2 and everything
    /// else is spoken there as on the addresses of `listen`. Needs a certificate. An idle connection costs some kilobytes more than a
    /// plain one, a new one as much time as some hundred small messages.
    pub(crate) listen: Vec<ListenAddress>,
    /// The certificate, with those that lead to a known authority behind it, in PEM. Default: none. It is shown to clients that ask for
    /// no name, and for names that no other certificate has.
    pub(crate) certificate_file: Option<PathBuf>,
    /// The key of `certificate_file`, in PEM: PKCS#8, or the older forms for RSA and elliptic curves. Default: none. Nobody but the server
    /// should be able to read the file.
    pub(crate) key_file: Option<PathBuf>,
    /// More certificates: `[[tls.certificate]]`. A client is shown the one that has the name it asks for.
    #[serde(rename = "certificate")]
    pub(crate) certificates: Vec<CertificateFiles>,
    /// The oldest version of TLS that a client may speak. Default: `1.2`. With `1.3` clients of before 2018 are kept out, and nothing
    /// else is gained: of 1.2 only the parts that are still sound are spoken.
    pub(crate) min_version: TlsVersion,
    /// Whether clients are asked for a certificate. Default: `none`. Such a certificate is an identity where an org has a
    /// `[[org.certificate_authority]]` that signed it. With `required` whoever has none cannot connect at all, so that browsers and health
    /// checks are kept out as well.
    pub(crate) client_certificates: ClientCertificates,
    /// Which requests on plain connections are sent on to `https://`, by status 308, where there are TLS addresses. Default: `remote`, all but
    /// those on connections within this machine. `/health/live`, `/health/ready` and the answers to an ACME server are never sent on.
    pub(crate) redirect: Redirect,
    /// For how long browsers are told to come by TLS alone (`Strict-Transport-Security`), with each answer over TLS. Default: not at all.
    /// Dangerous as long as it is not sure that TLS stays: browsers refuse to come without it for that long. Begin with minutes.
    pub(crate) hsts: Option<Duration>,
    /// How often the files of certificates and keys are looked at. Default: 10 seconds; `0s` is never, and then they are read again by a
    /// SIGHUP alone. Files that changed count for the connections that come from then on; those that cannot be used are logged, and what was
    /// there stays.
    pub(crate) reload_interval: Duration,
    /// A certificate that the server gets for itself. Default: none.
    pub(crate) acme: Option<AcmeSection>,
}

impl Default for TlsSection {
    fn default() -> TlsSection {
        TlsSection {
            listen: Vec::new(),
            certificate_file: None,
            key_file: None,
            certificates: Vec::new(),
            min_version: TlsVersion::default(),
            client_certificates: ClientCertificates::default(),
            redirect: Redirect::default(),
            hsts: None,
            reload_interval: Duration::from_secs(10),
            acme: None,
        }
    }
}

/// A certificate and its key: `[[tls.certificate]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CertificateFiles {
    /// The certificate, with those that lead to a known authority behind it, in PEM. Its own names are those it is shown for; `*.example.org`
    /// is one for each name directly below `example.org`.
    pub(crate) certificate_file: PathBuf,
    /// Its key, in PEM.
    pub(crate) key_file: PathBuf,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub(crate) enum TlsVersion {
    /// TLS 1.2.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    Tls13,
}

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientCertificates {
    /// They are not.
    #[default]
    None,
    /// They may show one.
    Optional,
    /// They have to.
    Required,
}

/// Which requests on plain connections are sent on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Redirect {
    /// None.
    Off,
    /// Those of other machines: what comes to a loopback address is answered.
    #[default]
    Remote,
    /// All.
    All,
}

impl TlsSection {
    /// The certificates that the files are to have, the default one first.
    ///
    /// # Errors
    /// What does not go together.
    pub(crate) fn files(&self) -> Result<Vec<CertificateFiles>, &'static str> {
        let default = match (&self.certificate_file, &self.key_file) {
            (Some(certificate_file), Some(key_file)) => Some(CertificateFiles {
                certificate_file: certificate_file.clone(),
                key_file: key_file.clone(),
            }),
            (None, None) => None,
            (Some(_), None) => return Err("tls.certificate_file needs tls.key_file beside it"),
            (None, Some(_)) => return Err("tls.key_file needs tls.certificate_file beside it"),
        };
        Ok(default.into_iter().chain(self.certificates.iter().cloned()).collect())
    }
}
