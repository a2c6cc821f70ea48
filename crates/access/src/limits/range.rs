use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Addresses that begin alike: `10.0.0.0/8`, `2001:db8::/32`, or one alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressRange {
    first: IpAddr,
    prefix: u8,
}

/// The text names no range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRange {
    /// It is not an address, or what follows the slash is no number of its bits.
    #[error("{0:?} is neither an address nor a range of them: give 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32")]
    Malformed(String),
    /// The address has bits that the prefix leaves out: one of the two is not what was meant.
    #[error("{0:?} has bits set after its prefix: {1} is a range")]
    NotTheFirst(String, AddressRange),
}

impl AddressRange {
    /// Whether an address is one of them. IPv4 addresses that come mapped into IPv6 are those that they stand for.
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.prefix) == Some(self.first)
    }

    /// The ranges of the addresses that only the machine itself has.
    pub fn loopback() -> [AddressRange; 2] {
        [
            AddressRange { first: IpAddr::from([127, 0, 0, 0]), prefix: 8 },
            AddressRange { first: std::net::Ipv6Addr::LOCALHOST.into(), prefix: 128 },
        ]
    }
}

/// The address with the bits after its prefix cleared; none if it has fewer.
fn masked(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => {
            let after = 32_u8.checked_sub(prefix)?;
            let mask = u32::MAX.checked_shl(u32::from(after)).unwrap_or(0);
            Some(IpAddr::V4((address.to_bits() & mask).into()))
        }
        IpAddr::V6(address) => {
            let after = 128_u8.checked_sub(prefix)?;
            let mask = u128::MAX.checked_shl(u32::from(after)).unwrap_or(0);
            Some(IpAddr::V6((address.to_bits() & mask).into()))
        }
    }
}

impl FromStr for AddressRange {
    type Err = InvalidRange;

    fn from_str(text: &str) -> Result<AddressRange, InvalidRange> {
        let malformed = || InvalidRange::Malformed(text.into());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| malformed())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let prefix = prefix.unwrap_or(if address.is_ipv4() { 32 } else { 128 });
        let canonical = address.to_canonical();
        // `::ffff:10.0.0.0/104` is 10.0.0.0/8.
        let prefix = match canonical == address {
            true => prefix,
            false => prefix.checked_sub(96).ok_or_else(malformed)?,
        };
        let first = masked(canonical, prefix).ok_or_else(malformed)?;
        let range = AddressRange { first, prefix };
        if first == canonical { Ok(range) } else { Err(InvalidRange::NotTheFirst(text.into(), range)) }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.first.is_ipv4() { 32 } else { 128 };
        if self.prefix == whole { self.first.fmt(f) } else { write!(f, "{}/{}", self.first, self.prefix) }
    }
}

impl TryFrom<String> for AddressRange {
    type Error = InvalidRange;

    fn try_from(text: String) -> Result<AddressRange, InvalidRange> {
        text.parse()
    }
}

impl From<AddressRange> for String {
    fn from(range: AddressRange) -> String {
        range.to_string()
    }
}

impl schemars::JsonSchema for AddressRange {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AddressRange".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "title": "address or range" })
    }

    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> AddressRange {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_hold_what_begins_like_them() {
        for (range_text, within, without) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.0.0.0/8", "::ffff:10.0.0.1", "::10.0.0.1"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::1", "::1", "::2"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"),
        ] {
            let range = range(range_text);
            assert!(range.contains(within.parse().unwrap()), "{within} in {range}");
            assert!(!range.contains(without.parse().unwrap()), "{without} in {range}");
        }
        let [four, six] = AddressRange::loopback();
        assert!(four.contains([127, 9, 9, 9].into()) && six.contains("::1".parse().unwrap()));
    }

    #[test]
    fn ranges_are_written_as_they_are_read() {
        for text in ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1", "0.0.0.0/0"] {
            assert_eq!(range(text).to_string(), text);
        }
        assert_eq!(range("192.0.2.1/32").to_string(), "192.0.2.1");
    }

    #[test]
    fn what_is_no_range_is_told_so() {
        for text in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/x",
            "example.org",
            "10/8",
            "::ffff:1.2.3.4/8",
        ] {
            assert!(matches!(text.parse::<AddressRange>(), Err(InvalidRange::Malformed(_))), "{text}");
        }
        let refused = "10.1.2.3/8".parse::<AddressRange>().unwrap_err();
        assert_eq!(
            refused.to_string(),
            "\"10.1.2.3/8\" has bits set after its prefix: 10.0.0.0/8 is a range"
        );
    }
}
