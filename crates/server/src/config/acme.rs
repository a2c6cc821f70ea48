use std::path::PathBuf;

use antiphon_access::Secret;
use rustls::pki_types::DnsName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::Duration;
use super::settings::Settings;
use super::tls::ClientCertificates;

/// Where most people get their certificates from.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// What most authorities take in one certificate.
const DOMAINS_MAX: usize = 100;

/// A certificate that the server gets for itself from an ACME server, as Let's Encrypt is one, and renews in time:
/// `[tls.acme]`. It is shown for its domains as soon as it is there, and connections stay as they are. Certificate, key and
/// account are kept in `acme` below `data_dir`, for the server's own user alone. What goes wrong is logged, and tried again
/// after a while; meanwhile the certificate from before is shown, or that of `tls.certificate_file`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcmeSection {
    /// The names that the certificate is for, at most 100. Each has to lead to this server from the outside: the authority
    /// looks. Wildcards cannot be had this way.
    pub(crate) domains: Vec<String>,
    /// Whether you agree to the terms of service of the authority, which has to be said: without it there is no
    /// certificate. Default: false.
    #[serde(default)]
    pub(crate) terms_of_service_agreed: bool,
    /// Where the authority writes to when something is wrong: `mailto:ops@example.com`. Default: nowhere.
    #[serde(default)]
    pub(crate) contact: Vec<String>,
    /// The ACME server's directory. Default: Let's Encrypt, `https://acme-v02.api.letsencrypt.org/directory`. Try a new
    /// setup with `https://acme-staging-v02.api.letsencrypt.org/directory`, whose certificates nobody trusts, and which
    /// minds failures less.
    #[serde(default = "lets_encrypt")]
    pub(crate) directory_url: String,
    /// How the authority sees that the domains are ours. Default: `tls-alpn-01`, by which it connects to port 443 of each
    /// domain, which has to lead to `tls.listen`. With `http-01` it asks on port 80, which has to lead to `listen`.
    #[serde(default)]
    pub(crate) challenge: AcmeChallenge,
    /// A file with the certificates in PEM that the ACME server's own is to be of, if it is a private one. Default: what
    /// the world's browsers trust.
    pub(crate) ca_file: Option<PathBuf>,
    /// The name of the account at the authority that ours belongs to, where it wants one (external account binding).
    /// Default: none.
    pub(crate) external_account: Option<String>,
    /// The key of `external_account`, in base64url. Either this or `external_account_key_file`.
    pub(crate) external_account_key: Option<Secret>,
    /// A file with the key of `external_account` on its only line.
    pub(crate) external_account_key_file: Option<PathBuf>,
    /// How long before its end a certificate is renewed; at most half its life counts. Default: a third of its life.
    pub(crate) renew_before: Option<Duration>,
    /// How long after a failure it is tried again; each further one doubles it, up to 12 hours. Default: 5 minutes, at
    /// least 1 second. Authorities take only a few failures an hour, and none for a while after that.
    #[serde(default = "retry_after")]
    pub(crate) retry_after: Duration,
}

/// How an ACME server sees that a domain is ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub(crate) enum AcmeChallenge {
    /// It looks for a certificate with an answer (RFC 8737).
    #[default]
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
    /// It asks by plain HTTP (RFC 8555, 8.3).
    #[serde(rename = "http-01")]
    Http01,
}

impl AcmeSection {
    /// Checks it against itself and the rest of the settings.
    ///
    /// # Errors
    /// No certificate could be had with it.
    pub(crate) fn check(&self, settings: &Settings) -> Result<(), String> {
        if self.domains.is_empty() || self.domains.len() > DOMAINS_MAX {
            return Err(format!("domains has 1 to {DOMAINS_MAX} names"));
        }
        for domain in &self.domains {
            if domain.starts_with("*.") {
                return Err(format!(
                    "domains: {domain:?}: the challenges that are known here give no wildcards"
                ));
            }
            if !is_domain(domain) {
                return Err(format!("domains: {domain:?} is no name that an authority could look for"));
            }
        }
        if !self.terms_of_service_agreed {
            return Err(
                "read the terms of service of the authority and set terms_of_service_agreed = true".into()
            );
        }
        let is_url = self.directory_url.parse::<http::Uri>().is_ok_and(|url| url.authority().is_some());
        if !is_url || !self.directory_url.starts_with("https://") {
            return Err(format!("directory_url: {:?} is no https:// URL", self.directory_url));
        }
        if let Some(contact) = self.contact.iter().find(|contact| !contact.contains(':')) {
            return Err(format!("contact: {contact:?} is no URL like \"mailto:ops@example.com\""));
        }
        let keys = [self.external_account_key.is_some(), self.external_account_key_file.is_some()];
        let keys = keys.into_iter().filter(|is_there| *is_there).count();
        if keys != usize::from(self.external_account.is_some()) {
            return Err(
                "external_account goes with one of external_account_key and external_account_key_file".into(),
            );
        }
        if self.retry_after.0.as_secs() < 1 {
            return Err("retry_after is at least 1s: the authority would shut us out".into());
        }
        self.check_reachable(settings)
    }

    fn check_reachable(&self, settings: &Settings) -> Result<(), String> {
        if settings.tls.listen.is_empty() {
            return Err("there is no tls.listen that would show the certificate".into());
        }
        match self.challenge {
            AcmeChallenge::Http01 if settings.listen.is_empty() => {
                Err("challenge = \"http-01\" needs an address in listen, which port 80 leads to".into())
            }
            AcmeChallenge::TlsAlpn01 if settings.tls.client_certificates == ClientCertificates::Required => {
                Err("the authority has no client certificate: tls.client_certificates = \"required\" needs challenge = \"http-01\""
                    .into())
            }
            _ => Ok(()),
        }
    }
}

fn is_domain(name: &str) -> bool {
    DnsName::try_from(name).is_ok() && name.contains('.') && !name.ends_with('.')
}

fn lets_encrypt() -> String {
    LETS_ENCRYPT.into()
}

fn retry_after() -> Duration {
    Duration::from_secs(5 * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(acme: &str, more: &str) -> Result<(), String> {
        let text = format!("{more}\n[tls.acme]\n{acme}");
        let settings: Settings = toml::from_str(&text).unwrap();
        settings.tls.acme.as_ref().unwrap().check(&settings)
    }

    #[test]
    fn what_could_have_no_certificate_is_refused() {
        const AGREED: &str = "terms_of_service_agreed = true\n";
        const TLS: &str = "[tls]\nlisten = [\"127.0.0.1:0\"]";
        let domain = "domains = [\"chat.example.com\"]\n";
        assert_eq!(check(&format!("{AGREED}{domain}"), TLS), Ok(()));
        for (acme, more, expected) in [
            (AGREED.to_owned() + "domains = []", TLS, "1 to 100"),
            (AGREED.to_owned() + "domains = [\"*.example.com\"]", TLS, "wildcards"),
            (AGREED.to_owned() + "domains = [\"localhost\"]", TLS, "no name"),
            (AGREED.to_owned() + "domains = [\"a b.c\"]", TLS, "no name"),
            (domain.to_owned(), TLS, "terms_of_service_agreed"),
            (format!("{AGREED}{domain}directory_url = \"http://a.example/\""), TLS, "https://"),
            (format!("{AGREED}{domain}contact = [\"ops@example.com\"]"), TLS, "mailto:"),
            (format!("{AGREED}{domain}external_account = \"a\""), TLS, "external_account_key"),
            (format!("{AGREED}{domain}external_account_key = \"a\""), TLS, "external_account_key"),
            (format!("{AGREED}{domain}retry_after = \"10ms\""), TLS, "at least 1s"),
            (format!("{AGREED}{domain}"), "", "tls.listen"),
            (
                format!("{AGREED}{domain}"),
                "[tls]\nlisten = [\"127.0.0.1:0\"]\nclient_certificates = \"required\"",
                "http-01",
            ),
            (
                format!("{AGREED}{domain}challenge = \"http-01\""),
                "listen = []\n[tls]\nlisten = [\"127.0.0.1:0\"]",
                "address in listen",
            ),
        ] {
            let refused = check(&acme, more).unwrap_err();
            assert!(refused.contains(expected), "{acme}: {refused}");
        }
    }

    #[test]
    fn the_key_of_an_account_is_not_shown() {
        let text = "domains = []\nexternal_account_key = \"bm90IGZvciBsb2dz\"";
        let section: AcmeSection = toml::from_str(text).unwrap();
        assert!(!format!("{section:?}").contains("bm90"));
    }
}
