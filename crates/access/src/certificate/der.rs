//! As much of DER (ITU-T X.690) as the names and times of a certificate need.

use super::info::MalformedCertificate;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const OID: u8 = 0x06;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const UTF8: u8 = 0x0c;
pub(super) const PRINTABLE: u8 = 0x13;
pub(super) const TELETEX: u8 = 0x14;
pub(super) const IA5: u8 = 0x16;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const BMP: u8 = 0x1e;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// What is still to be read of a value's content.
#[derive(Clone, Copy)]
pub(super) struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Der<'a> {
        Der(bytes)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next value: its tag and its content.
    pub(super) fn next(&mut self) -> Result<(u8, &'a [u8]), MalformedCertificate> {
        let (&[tag, first], rest) = self.0.split_first_chunk().ok_or(MalformedCertificate)?;
        // Tags of several bytes are in no certificate's names.
        if tag & 0x1f == 0x1f {
            return Err(MalformedCertificate);
        }
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // More than 4 bytes would be longer than any certificate, 0x80 is BER.
            0x81..=0x84 => {
                let (digits, rest) =
                    rest.split_at_checked(usize::from(first & 0x7f)).ok_or(MalformedCertificate)?;
                let length = digits.iter().fold(0usize, |length, digit| length << 8 | usize::from(*digit));
                if digits[0] == 0 || length < 0x80 {
                    return Err(MalformedCertificate);
                }
                (length, rest)
            }
            _ => return Err(MalformedCertificate),
        };
        let (content, rest) = rest.split_at_checked(length).ok_or(MalformedCertificate)?;
        self.0 = rest;
        Ok((tag, content))
    }

    /// The content of the next value, which has this tag.
    pub(super) fn expect(&mut self, expected: u8) -> Result<&'a [u8], MalformedCertificate> {
        match self.next()? {
            (tag, content) if tag == expected => Ok(content),
            _ => Err(MalformedCertificate),
        }
    }

    /// The content of the next value if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, MalformedCertificate> {
        match self.0.first() {
            Some(first) if *first == tag => self.expect(tag).map(Some),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_one_after_the_other() {
        let long = [&[OCTETS, 0x81, 0x80][..], &[7; 128]].concat();
        let all = [&[UTF8, 2, b'a', b'b', SET, 0][..], &long].concat();
        let mut der = Der::new(&all);
        assert_eq!(der.optional(SET), Ok(None));
        assert_eq!(der.expect(UTF8), Ok(&b"ab"[..]));
        assert_eq!(der.optional(SET), Ok(Some(&b""[..])));
        assert_eq!(der.next(), Ok((OCTETS, &[7; 128][..])));
        assert!(der.is_empty());
        assert_eq!(der.next(), Err(MalformedCertificate));
    }

    #[test]
    fn what_is_not_der_is_refused() {
        for bytes in [
            &[UTF8][..],
            &[UTF8, 1],
            &[UTF8, 0x80, 0, 0],
            &[UTF8, 0x81, 1, 0],
            &[UTF8, 0x82, 0, 0x80],
            &[UTF8, 0x81],
            &[UTF8, 0x85, 1, 1, 1, 1, 1],
            &[UTF8, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x1f, 1, 0],
        ] {
            assert_eq!(Der::new(bytes).next(), Err(MalformedCertificate), "{bytes:?}");
        }
    }
}
