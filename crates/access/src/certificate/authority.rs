//! An authority of the settings, and which certificates are of it.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use antiphon_model::{Identity, IdentityKind, Timestamp};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor, UnixTime};
use webpki::{
    ALL_VERIFICATION_ALGS, CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage,
    OwnedCertRevocationList, RevocationCheckDepth, RevocationOptions, RevocationOptionsBuilder,
    UnknownStatusPolicy, VerifiedPath,
};

use super::refused::CertificateRefused;
use super::settings::{CertificateAuthorityProblem, CertificateAuthoritySettings, CertificateName};
use crate::access::Org;
use crate::{CertificateInfo, Grant, key_file, name};

/// Some hundred thousand revoked certificates.
const REVOCATION_LISTS_BYTES_MAX: u64 = 64 << 20;

/// An authority whose certificates are identities of an org.
pub(crate) struct Authority {
    pub(super) org: Arc<Org>,
    pub(super) grants: Arc<[Grant]>,
    kind: IdentityKind,
    name: CertificateName,
    certificates: Vec<CertificateDer<'static>>,
    /// Of each certificate.
    not_after: Vec<Timestamp>,
    /// Of each certificate, as the verification wants it.
    anchors: Vec<TrustAnchor<'static>>,
    /// None: nothing is revoked.
    revoked: Option<Vec<CertRevocationList<'static>>>,
}

/// Who holds a certificate, as its authority says.
pub(super) struct Holder {
    pub(super) identity: Arc<Identity>,
    pub(super) expires: Timestamp,
}

/// The anchor that is the fewest steps above a certificate. Whether the certificate is revoked is not looked at.
pub(super) fn nearest(
    anchors: &[TrustAnchor<'static>],
    chain: &[CertificateDer<'_>],
    now: Timestamp,
) -> Result<TrustAnchor<'static>, CertificateRefused> {
    let (own, others) = chain.split_first().ok_or(CertificateRefused::Malformed)?;
    let certificate = EndEntityCert::try_from(own)?;
    let found = RefCell::new(None);
    let look_on = |path: &VerifiedPath<'_>| {
        let steps = path.intermediate_certificates().count();
        let mut found = found.borrow_mut();
        if found.as_ref().is_none_or(|(fewest, _)| steps < *fewest) {
            *found = Some((steps, path.anchor().to_owned()));
        }
        Err(webpki::Error::UnknownIssuer)
    };
    let usage = KeyUsage::client_auth();
    let looked = certificate.verify_for_usage(
        ALL_VERIFICATION_ALGS,
        anchors,
        others,
        unix_time(now),
        usage,
        None,
        Some(&look_on),
    );
    let refused = looked.err().map_or(CertificateRefused::UnknownAuthority, CertificateRefused::from);
    found.into_inner().map(|(_, anchor)| anchor).ok_or(refused)
}

fn unix_time(now: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()))
}

impl Authority {
    /// Reads the files that the settings name.
    pub(crate) fn load(
        settings: &CertificateAuthoritySettings,
        org: &Arc<Org>,
    ) -> Result<Authority, CertificateAuthorityProblem> {
        let certificates = certificates(&settings.ca_file)?;
        let permissions = settings.allow.iter().copied().collect();
        let mut authority = Authority {
            org: Arc::clone(org),
            grants: Arc::new([Grant { channels: settings.channels.clone(), permissions }]),
            kind: settings.kind,
            name: settings.identity,
            not_after: Vec::new(),
            anchors: Vec::new(),
            certificates,
            revoked: settings.crl_file.as_deref().map(revocation_lists).transpose()?,
        };
        for certificate in &authority.certificates {
            let malformed = || CertificateAuthorityProblem::NoAuthority { path: settings.ca_file.clone() };
            let info = CertificateInfo::read(certificate).map_err(|_| malformed())?;
            let anchor = webpki::anchor_from_trusted_cert(certificate).map_err(|_| malformed())?;
            authority.not_after.push(info.not_after);
            authority.anchors.push(anchor.to_owned());
        }
        Ok(authority)
    }

    /// Whether it is another's, or a part of it.
    pub(crate) fn overlaps(&self, other: &Authority) -> bool {
        self.anchors.iter().any(|own| other.anchors.iter().any(|theirs| is_same(own, theirs)))
    }

    pub(super) fn has(&self, anchor: &TrustAnchor<'_>) -> bool {
        self.anchors.iter().any(|own| is_same(own, anchor))
    }

    pub(crate) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }

    /// Who holds a certificate, which came with those that may lead from it to this authority.
    pub(super) fn holder(
        &self,
        chain: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<Holder, CertificateRefused> {
        let (own, others) = chain.split_first().ok_or(CertificateRefused::Malformed)?;
        let certificate = EndEntityCert::try_from(own)?;
        let revoked: Vec<_> = self.revoked.iter().flatten().collect();
        let path = certificate.verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &self.anchors,
            others,
            unix_time(now),
            KeyUsage::client_auth(),
            self.revocation(&revoked),
            Some(&|path| {
                if now < self.end_of(path.anchor()) { Ok(()) } else { Err(webpki::Error::UnknownIssuer) }
            }),
        )?;
        let info = CertificateInfo::read(own)?;
        let mut expires = info.not_after.min(self.end_of(path.anchor()));
        for certificate in path.intermediate_certificates() {
            expires = expires.min(CertificateInfo::read(&certificate.der())?.not_after);
        }
        let name = self.name.of(&info).filter(|name| name::is_identity(name));
        let name = name.ok_or(CertificateRefused::NoIdentity)?;
        Ok(Holder { identity: Arc::new(Identity::new(self.kind, name)), expires })
    }

    fn revocation<'a>(&self, lists: &'a [&'a CertRevocationList<'a>]) -> Option<RevocationOptions<'a>> {
        self.revoked.as_ref()?;
        let options = RevocationOptionsBuilder::new(lists).expect("a file without any is refused");
        let options = options
            .with_depth(RevocationCheckDepth::Chain)
            .with_status_policy(UnknownStatusPolicy::Deny)
            // A list that nobody renews would lock everybody out at some hour of the night.
            .with_expiration_policy(ExpirationPolicy::Ignore);
        Some(options.build())
    }

    /// When an authority is over: when the last of its certificates is, which have the same name and key.
    fn end_of(&self, anchor: &TrustAnchor<'_>) -> Timestamp {
        let ends = self.anchors.iter().zip(&self.not_after).filter(|(own, _)| is_same(own, anchor));
        ends.map(|(_, end)| *end).max().unwrap_or_default()
    }
}

fn is_same(one: &TrustAnchor<'_>, other: &TrustAnchor<'_>) -> bool {
    one.subject == other.subject && one.subject_public_key_info == other.subject_public_key_info
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateAuthorityProblem> {
    let text = key_file::read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(CertificateAuthorityProblem::NoCertificate { path: path.to_owned() }),
    }
}

fn revocation_lists(path: &Path) -> Result<Vec<CertRevocationList<'static>>, CertificateAuthorityProblem> {
    let none = || CertificateAuthorityProblem::NoRevocationList { path: path.to_owned() };
    let text = key_file::read_up_to(path, REVOCATION_LISTS_BYTES_MAX)?;
    let mut lists = Vec::new();
    for list in CertificateRevocationListDer::pem_slice_iter(text.as_bytes()) {
        let list = OwnedCertRevocationList::from_der(&list.map_err(|_| none())?).map_err(|_| none())?;
        lists.push(CertRevocationList::Owned(list));
    }
    if lists.is_empty() { Err(none()) } else { Ok(lists) }
}
