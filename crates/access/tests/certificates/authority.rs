//! Authorities that sign what a test wants.

use std::path::{Path, PathBuf};

use antiphon_access::{Access, CertificateAuthoritySettings, OrgSettings, SettingsError};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use rustls_pki_types::CertificateDer;

pub(crate) type Chain = Vec<CertificateDer<'static>>;

/// An authority with its key.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// Settings that name files, which are gone with it.
pub(crate) struct Files(tempfile::TempDir);

impl Authority {
    pub(crate) fn root(name: &str) -> Authority {
        Authority(CertifiedIssuer::self_signed(of_authority(name), KeyPair::generate().unwrap()).unwrap())
    }

    /// One that this one has signed.
    pub(crate) fn below(&self, name: &str) -> Authority {
        Authority(
            CertifiedIssuer::signed_by(of_authority(name), KeyPair::generate().unwrap(), &self.0).unwrap(),
        )
    }

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.0.as_ref().der().clone()
    }

    pub(crate) fn pem(&self) -> String {
        self.0.as_ref().pem()
    }

    /// Signs a client's certificate, which is alone in its chain.
    pub(crate) fn signs(&self, params: &CertificateParams) -> Chain {
        vec![params.signed_by(&KeyPair::generate().unwrap(), &self.0).unwrap().der().clone()]
    }

    /// A list of revoked certificates, by their serial numbers.
    pub(crate) fn revokes(&self, serial_numbers: &[u64]) -> String {
        let revoked = serial_numbers.iter().map(|serial_number| RevokedCertParams {
            serial_number: SerialNumber::from(*serial_number),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(2020, 1, 2),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.0).unwrap().pem().unwrap()
    }
}

fn of_authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// The certificate of a client of this name, from 2020 to the end of 2029.
pub(crate) fn client(name: &str, serial_number: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(serial_number));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2030, 1, 1));
    params
}

impl Files {
    pub(crate) fn new() -> Files {
        Files(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

/// The settings of an authority, with `more` in TOML.
pub(crate) fn settings(ca_file: &Path, more: &str) -> CertificateAuthoritySettings {
    toml::from_str(&format!("ca_file = {ca_file:?}\n{more}")).unwrap()
}

pub(crate) fn org(name: &str, authorities: Vec<CertificateAuthoritySettings>) -> OrgSettings {
    OrgSettings { name: name.into(), certificate_authorities: authorities, ..OrgSettings::default() }
}

pub(crate) fn load(orgs: Vec<OrgSettings>) -> Result<Access, SettingsError> {
    Access::load(orgs)
}
