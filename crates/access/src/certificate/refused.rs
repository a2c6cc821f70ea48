use super::info::MalformedCertificate;

/// Why a client's certificate makes nobody of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateRefused {
    /// No authority of any org has issued it, or not for clients.
    #[error("the client certificate is of no authority that is known here, or not for clients")]
    UnknownAuthority,
    /// Its time, or that of an authority above it, has passed.
    #[error("the client certificate has expired")]
    Expired,
    /// Its time is yet to come.
    #[error("the client certificate is not valid yet")]
    NotYetValid,
    /// Its authority has revoked it.
    #[error("the client certificate has been revoked")]
    Revoked,
    /// There has to be a list of what its authority has revoked, and there is none of that authority.
    #[error(
        "it is not known whether the client certificate has been revoked: the server has no valid list of its authority"
    )]
    RevocationUnknown,
    /// It has no name of the sort that is asked for, or none that can be an identity.
    #[error(
        "the client certificate has no name that can be an identity: 1 to {max} bytes without control characters",
        max = crate::IDENTITY_BYTES_MAX
    )]
    NoIdentity,
    /// It is none that can be read.
    #[error("the client certificate is malformed")]
    Malformed,
}

impl From<MalformedCertificate> for CertificateRefused {
    fn from(_: MalformedCertificate) -> CertificateRefused {
        CertificateRefused::Malformed
    }
}

impl From<webpki::Error> for CertificateRefused {
    fn from(error: webpki::Error) -> CertificateRefused {
        use webpki::Error;
        match error {
            Error::CertExpired { .. } => CertificateRefused::Expired,
            Error::CertNotValidYet { .. } => CertificateRefused::NotYetValid,
            Error::CertRevoked => CertificateRefused::Revoked,
            Error::UnknownRevocationStatus
            | Error::InvalidCrlSignatureForPublicKey
            | Error::IssuerNotCrlSigner
            | Error::UnsupportedCrlSignatureAlgorithmContext(_)
            | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => {
                CertificateRefused::RevocationUnknown
            }
            Error::BadDer | Error::BadDerTime | Error::TrailingData(_) => CertificateRefused::Malformed,
            // Which of the many, a stranger need not be told.
            _ => CertificateRefused::UnknownAuthority,
        }
    }
}
