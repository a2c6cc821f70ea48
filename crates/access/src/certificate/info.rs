use std::net::IpAddr;

use antiphon_model::Timestamp;

use super::der::{self, Der};
use super::time;

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// What a certificate says of its holder, and for how long. Whether that is true is not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateInfo {
    /// When it begins to be valid.
    pub not_before: Timestamp,
    /// When it is over.
    pub not_after: Timestamp,
    /// The common names of its subject, in their order.
    pub common_names: Vec<Box<str>>,
    /// The alternative names that are hosts, `*.example.com` among them.
    pub dns_names: Vec<Box<str>>,
    /// The alternative names that are addresses.
    pub addresses: Vec<IpAddr>,
    /// The alternative names that are URIs.
    pub uris: Vec<Box<str>>,
    /// The alternative names that are mail addresses.
    pub emails: Vec<Box<str>>,
}

/// The bytes are no certificate (RFC 5280, 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an X.509 certificate")]
pub struct MalformedCertificate;

impl CertificateInfo {
    /// Reads the names and times of a certificate in DER. Names in a form that is no text are left out.
    ///
    /// # Errors
    /// It is none.
    pub fn read(certificate: &[u8]) -> Result<CertificateInfo, MalformedCertificate> {
        let mut outer = Der::new(certificate);
        let mut signed = Der::new(outer.expect(der::SEQUENCE)?);
        let mut body = Der::new(signed.expect(der::SEQUENCE)?);
        // Version, serial number, algorithm and issuer.
        body.optional(0xa0)?;
        for _ in 0..3 {
            body.next()?;
        }
        let mut validity = Der::new(body.expect(der::SEQUENCE)?);
        let mut info = CertificateInfo {
            not_before: time::read(validity.next()?)?,
            not_after: time::read(validity.next()?)?,
            common_names: Vec::new(),
            dns_names: Vec::new(),
            addresses: Vec::new(),
            uris: Vec::new(),
            emails: Vec::new(),
        };
        info.read_subject(body.expect(der::SEQUENCE)?)?;
        // Its key, and the unique ids that nobody uses.
        body.expect(der::SEQUENCE)?;
        body.optional(0x81)?;
        body.optional(0x82)?;
        if let Some(extensions) = body.optional(0xa3)? {
            info.read_extensions(Der::new(extensions).expect(der::SEQUENCE)?)?;
        }
        Ok(info)
    }

    /// RFC 5280, 4.1.2.4.
    fn read_subject(&mut self, subject: &[u8]) -> Result<(), MalformedCertificate> {
        let mut sets = Der::new(subject);
        while !sets.is_empty() {
            let mut attributes = Der::new(sets.expect(der::SET)?);
            while !attributes.is_empty() {
                let mut attribute = Der::new(attributes.expect(der::SEQUENCE)?);
                let kind = attribute.expect(der::OID)?;
                let value = attribute.next()?;
                if kind == COMMON_NAME {
                    self.common_names.extend(text(value));
                }
            }
        }
        Ok(())
    }

    fn read_extensions(&mut self, extensions: &[u8]) -> Result<(), MalformedCertificate> {
        let mut extensions = Der::new(extensions);
        while !extensions.is_empty() {
            let mut extension = Der::new(extensions.expect(der::SEQUENCE)?);
            let kind = extension.expect(der::OID)?;
            extension.optional(der::BOOLEAN)?;
            let value = extension.expect(der::OCTETS)?;
            if kind == SUBJECT_ALT_NAME {
                self.read_alternative_names(Der::new(value).expect(der::SEQUENCE)?)?;
            }
        }
        Ok(())
    }

    /// RFC 5280, 4.2.1.6.
    fn read_alternative_names(&mut self, names: &[u8]) -> Result<(), MalformedCertificate> {
        let mut names = Der::new(names);
        while !names.is_empty() {
            let (tag, content) = names.next()?;
            match tag {
                0x81 => self.emails.extend(ascii(content)),
                0x82 => self.dns_names.extend(ascii(content)),
                0x86 => self.uris.extend(ascii(content)),
                0x87 => self.addresses.extend(address(content)),
                _ => {}
            }
        }
        Ok(())
    }
}

fn text((tag, content): (u8, &[u8])) -> Option<Box<str>> {
    match tag {
        der::UTF8 => std::str::from_utf8(content).ok().map(Box::from),
        // Teletex has other letters beyond ASCII, which nobody agrees on.
        der::PRINTABLE | der::IA5 | der::TELETEX => ascii(content),
        der::BMP => {
            let (units, rest) = content.as_chunks();
            let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
            if rest.is_empty() { String::from_utf16(&units).ok().map(Box::from) } else { None }
        }
        _ => None,
    }
}

fn ascii(content: &[u8]) -> Option<Box<str>> {
    if content.is_ascii() { std::str::from_utf8(content).ok().map(Box::from) } else { None }
}

fn address(content: &[u8]) -> Option<IpAddr> {
    match content.len() {
        4 => <[u8; 4]>::try_from(content).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(content).ok().map(IpAddr::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, SanType};

    fn certificate(common_name: DnValue, names: Vec<SanType>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Acme");
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.subject_alt_names = names;
        params.not_before = rcgen::date_time_ymd(2001, 9, 9);
        params.not_after = rcgen::date_time_ymd(2096, 2, 29);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn names_and_times_are_read() {
        let names = vec![
            SanType::DnsName("*.example.com".try_into().unwrap()),
            SanType::DnsName("example.com".try_into().unwrap()),
            SanType::IpAddress([127, 0, 0, 1].into()),
            SanType::IpAddress(std::net::Ipv6Addr::LOCALHOST.into()),
            SanType::URI("spiffe://acme/sensor/7".try_into().unwrap()),
            SanType::Rfc822Name("ann@example.com".try_into().unwrap()),
            SanType::OtherName((vec![1, 3, 6, 1], "x".into())),
        ];
        let info = CertificateInfo::read(&certificate("sensör-7".into(), names)).unwrap();
        assert_eq!(info.not_before, Timestamp(999_993_600 * Timestamp::PER_SECOND));
        assert_eq!(info.not_after, Timestamp(3_981_312_000 * Timestamp::PER_SECOND));
        let boxed = |names: &[&str]| names.iter().map(|name| Box::from(*name)).collect::<Vec<Box<str>>>();
        assert_eq!(info.common_names, boxed(&["sensör-7"]));
        assert_eq!(info.dns_names, boxed(&["*.example.com", "example.com"]));
        assert_eq!(info.uris, boxed(&["spiffe://acme/sensor/7"]));
        assert_eq!(info.emails, boxed(&["ann@example.com"]));
        assert_eq!(info.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(), ["127.0.0.1", "::1"]);
    }

    #[test]
    fn common_names_are_read_in_each_form() {
        for name in [
            DnValue::PrintableString("ann".try_into().unwrap()),
            DnValue::Ia5String("ann".try_into().unwrap()),
            DnValue::TeletexString("ann".try_into().unwrap()),
            DnValue::BmpString("ann".try_into().unwrap()),
            DnValue::Utf8String("ann".into()),
        ] {
            let info = CertificateInfo::read(&certificate(name.clone(), Vec::new())).unwrap();
            assert_eq!(info.common_names, [Box::from("ann")], "{name:?}");
        }
    }

    #[test]
    fn a_certificate_that_is_cut_is_none() {
        let whole = certificate("ann".into(), vec![SanType::DnsName("a.example".try_into().unwrap())]);
        for end in 0..whole.len() {
            assert_eq!(CertificateInfo::read(&whole[..end]), Err(MalformedCertificate), "{end}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(
            data in prop::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(),
            byte: u8,
        ) {
            let _ = CertificateInfo::read(&data);
            let mut almost = certificate("ann".into(), vec![SanType::DnsName("a.example".try_into().unwrap())]);
            let at = at.index(almost.len());
            almost[at] = byte;
            let _ = CertificateInfo::read(&almost);
        }
    }
}
