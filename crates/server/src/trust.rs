//! Whom the binary trusts where it is a client itself, and what it shows of itself there.

use std::fs;
use std::path::Path;

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use crate::args::TlsArgs;

/// As the options want it.
///
/// # Errors
/// A file cannot be used; says why.
pub(crate) fn config(args: &TlsArgs) -> Result<TlsConfig, String> {
    let mut config = TlsConfig::builder();
    if let Some(ca_file) = &args.ca_file {
        config = config.root_certs(roots(ca_file)?);
    }
    if let (Some(cert_file), Some(key_file)) = (&args.cert_file, &args.key_file) {
        let key = PrivateKey::from_pem(&read(key_file)?);
        let key = key.map_err(|_| format!("{}: no key in PEM", key_file.display()))?;
        config = config.client_cert(Some(ClientCert::new_with_certs(&certificates(cert_file)?, key)));
    }
    Ok(config.build())
}

/// The authorities in a file, in place of those that browsers trust.
///
/// # Errors
/// The file cannot be used; says why.
pub(crate) fn roots(file: &Path) -> Result<RootCerts, String> {
    certificates(file).map(RootCerts::from)
}

fn certificates(file: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let mut certificates = Vec::new();
    for item in parse_pem(&read(file)?) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(format!("{}: not PEM", file.display())),
        }
    }
    if certificates.is_empty() {
        Err(format!("{}: no certificate in PEM", file.display()))
    } else {
        Ok(certificates)
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
}
