//! Which certificates a listener takes from clients: those that are an identity of some org.
//!
//! It is access that answers, in the handshake as for each request later: a reload of its files counts for both at once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use antiphon_access::{AuthError, CertificateRefused};
use antiphon_model::Timestamp;
use antiphon_net::tls;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use crate::serve::gate::Gate;

/// Whether clients have to have a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Those who have one may show it.
    Optional,
    /// Without one there is no connection.
    Required,
}

/// What asks clients for certificates of the authorities that access knows, once the server has started.
pub(crate) fn verifier(gate: &Arc<Gate>, wanted: Wanted) -> Arc<dyn ClientCertVerifier> {
    let algorithms = tls::provider().signature_verification_algorithms;
    Arc::new(ByAccess { gate: Arc::clone(gate), wanted, algorithms })
}

struct ByAccess {
    gate: Arc<Gate>,
    wanted: Wanted,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for ByAccess {
    fn client_auth_mandatory(&self) -> bool {
        self.wanted == Wanted::Required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Without any, clients show what they have; names would be those of before a reload.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let node = self.gate.node.get().ok_or(CertificateError::ApplicationVerificationFailure)?;
        let chain: Vec<_> = [end_entity].into_iter().chain(intermediates).cloned().collect();
        let now = Timestamp(0).later_by(Duration::from_secs(now.as_secs()));
        match node.access().authenticate_certificate(&chain, now) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(error) => Err(refused(&error)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for ByAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByAccess").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

/// The alert that a client gets (RFC 8446, 6.2).
fn refused(error: &AuthError) -> Error {
    let AuthError::Certificate(refused) = error else {
        return CertificateError::ApplicationVerificationFailure.into();
    };
    match refused {
        CertificateRefused::UnknownAuthority => CertificateError::UnknownIssuer.into(),
        CertificateRefused::Expired => CertificateError::Expired.into(),
        CertificateRefused::NotYetValid => CertificateError::NotValidYet.into(),
        CertificateRefused::Revoked => CertificateError::Revoked.into(),
        CertificateRefused::RevocationUnknown => CertificateError::UnknownRevocationStatus.into(),
        CertificateRefused::NoIdentity => CertificateError::ApplicationVerificationFailure.into(),
        CertificateRefused::Malformed => CertificateError::BadEncoding.into(),
    }
}
