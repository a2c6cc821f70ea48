use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use antiphon_net::tls::{ALPN_ACME, Oldest, provider, server_config};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::server::NoClientAuth;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};

use super::Certificates;
use crate::config::CertificateFiles;

/// A certificate for these names, in PEM, and its key.
fn made(names: &[&str]) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn files(directory: &Path, name: &str, (certificate, key): &(String, String)) -> CertificateFiles {
    let files = CertificateFiles {
        certificate_file: directory.join(format!("{name}.pem")),
        key_file: directory.join(format!("{name}.key")),
    };
    fs::write(&files.certificate_file, certificate).unwrap();
    fs::write(&files.key_file, key).unwrap();
    files
}

fn certified(names: &[&str]) -> Arc<CertifiedKey> {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let key = provider().key_provider.load_private_key(key).unwrap();
    Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key))
}

/// The certificate that a client is shown who asks for this name, in DER; none if the handshake fails.
fn shown(certificates: &Arc<Certificates>, name: &str, alpn: &[&[u8]]) -> Option<Vec<u8>> {
    let resolver = Arc::clone(certificates);
    let config = server_config(resolver, Arc::new(NoClientAuth), Oldest::Tls12).unwrap();
    let mut server = ServerConnection::new(Arc::new(config)).unwrap();
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    config.dangerous().set_certificate_verifier(Arc::new(anybody::Anybody));
    config.alpn_protocols = alpn.iter().map(|one| one.to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        server.read_tls(&mut &bytes[..]).unwrap();
        server.process_new_packets().ok()?;
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        client.read_tls(&mut &bytes[..]).unwrap();
        client.process_new_packets().ok()?;
    }
    // And it is one that works.
    client.writer().write_all(b"x").unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    server.read_tls(&mut &bytes[..]).unwrap();
    server.process_new_packets().unwrap();
    assert_eq!(server.reader().read(&mut [0; 8]).unwrap(), 1);
    Some(client.peer_certificates().unwrap()[0].to_vec())
}

fn der(pem: &str) -> Vec<u8> {
    use rustls_pki_types::pem::PemObject;
    rustls_pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

#[test]
fn each_name_has_its_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let [first, exact, wild] = [&["a.test"][..], &["x.b.test", "A.test"], &["*.b.test"]].map(made);
    let all = [("first", &first), ("exact", &exact), ("wild", &wild)];
    let all = all.map(|(name, pair)| files(directory.path(), name, pair));
    let mut warnings = Vec::new();
    let certificates = Arc::new(Certificates::load(all.into(), &mut warnings).unwrap());
    let readable = warnings.iter().filter(|warning| warning.contains("everybody"));
    assert_eq!(readable.count(), warnings.len());
    for (name, expected) in [
        ("a.test", &first),
        ("x.b.test", &exact),
        ("y.b.test", &wild),
        ("X.B.test", &exact),
        ("b.test", &first),
        ("z.y.b.test", &first),
        ("other.test", &first),
        ("127.0.0.1", &first),
    ] {
        assert!(shown(&certificates, name, &[]) == Some(der(&expected.0)), "{name}");
    }
    // Those that the server gets for itself come first.
    let managed = certified(&["a.test"]);
    certificates.set_managed(&["A.test".into()], Arc::clone(&managed));
    assert!(shown(&certificates, "a.test", &[]) == Some(managed.cert[0].to_vec()));
    assert!(shown(&certificates, "other.test", &[]) == Some(der(&first.0)));
}

#[test]
fn an_acme_server_is_shown_its_challenge_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let pair = made(&["a.test"]);
    let files = files(directory.path(), "a", &pair);
    let certificates = Arc::new(Certificates::load(vec![files], &mut Vec::new()).unwrap());
    assert_eq!(shown_to_acme(&certificates, "a.test"), None);
    let challenge = certified(&["a.test"]);
    certificates.set_challenge("A.test", Some(Arc::clone(&challenge)));
    assert!(shown_to_acme(&certificates, "a.test") == Some(challenge.cert[0].to_vec()));
    assert_eq!(shown_to_acme(&certificates, "b.test"), None);
    assert!(shown(&certificates, "a.test", &[b"h2", ALPN_ACME]) == Some(der(&pair.0)));
    certificates.set_challenge("a.test", None);
    assert_eq!(shown_to_acme(&certificates, "a.test"), None);
}

fn shown_to_acme(certificates: &Arc<Certificates>, name: &str) -> Option<Vec<u8>> {
    shown(certificates, name, &[ALPN_ACME])
}

#[test]
fn changed_files_count_and_those_that_cannot_be_used_do_not() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (made(&["a.test"]), made(&["a.test"]));
    let files = files(directory.path(), "a", &old);
    let certificates = Arc::new(Certificates::load(vec![files.clone()], &mut Vec::new()).unwrap());
    let is_shown = |pair: &(String, String)| shown(&certificates, "a.test", &[]) == Some(der(&pair.0));
    certificates.reload();
    assert!(is_shown(&old));
    // One after the other: until both are there, the old ones stay.
    fs::write(&files.certificate_file, &new.0).unwrap();
    certificates.reload();
    assert!(is_shown(&old));
    fs::write(&files.key_file, &new.1).unwrap();
    certificates.reload();
    assert!(is_shown(&new));
    fs::remove_file(&files.key_file).unwrap();
    certificates.reload();
    assert!(is_shown(&new));
    fs::write(&files.key_file, &old.1).unwrap();
    fs::write(&files.certificate_file, &old.0).unwrap();
    certificates.reload();
    assert!(is_shown(&old));
}

#[test]
fn what_is_wrong_with_files_is_said_and_no_key_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    let (good, other) = (made(&["a.test"]), made(&["a.test"]));
    let secret = good.1.lines().nth(1).unwrap().to_owned();
    let broken = good.1.replacen(&secret[..4], "!!!!", 1);
    let endless = good.1.replace("END", "and");
    for (certificate, key, expected) in [
        (&good.0, &other.1, "a.key is not the key of "),
        (&String::new(), &good.1, "a.pem: there is no certificate in it"),
        (&good.0, &good.0, "a.key: there is no private key in it"),
        (&good.1, &good.0, "a.pem: there is no certificate in it"),
        (&good.0, &broken, "a.key: not PEM"),
        (&good.0, &endless, "a.key: not PEM"),
    ] {
        let files = files(directory.path(), "a", &(certificate.clone(), key.clone()));
        let error = Certificates::load(vec![files], &mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains(&secret), "{error}");
    }
    let missing = CertificateFiles { certificate_file: "nowhere.pem".into(), key_file: "nowhere.key".into() };
    let error = Certificates::load(vec![missing], &mut Vec::new()).unwrap_err().to_string();
    assert!(error.starts_with("tls: nowhere.pem: "), "{error}");
}

#[test]
fn times_and_names_are_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let warned = |change: &dyn Fn(&mut CertificateParams), names: &[&str]| {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let pair = (params.self_signed(&key).unwrap().pem(), key.serialize_pem());
        let files = files(directory.path(), "a", &pair);
        fs::set_permissions(&files.key_file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let mut warnings = Vec::new();
        Certificates::load(vec![files], &mut warnings).unwrap();
        warnings.join("\n")
    };
    assert_eq!(warned(&|_| {}, &["a.test"]), "");
    assert_eq!(warned(&|_| {}, &["127.0.0.1"]), "");
    assert!(warned(&|_| {}, &[]).contains("no alternative names"));
    let expired = warned(&|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1), &["a.test"]);
    assert!(expired.contains("a.pem: the certificate has expired"), "{expired}");
    let early = warned(&|params| params.not_before = rcgen::date_time_ymd(3000, 1, 1), &["a.test"]);
    assert!(early.contains("not valid yet"), "{early}");
}

mod anybody {
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};

    /// Takes every certificate.
    #[derive(Debug)]
    pub(super) struct Anybody;

    impl ServerCertVerifier for Anybody {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            antiphon_net::tls::provider().signature_verification_algorithms.supported_schemes()
        }
    }
}
