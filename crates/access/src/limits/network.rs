use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// An address as limits count it: whoever has one has all of it.
///
/// An IPv4 address counts whole, also where it comes mapped into IPv6. Of an IPv6 address the first bits count, as many as
/// [`Ipv6Prefix`] says, because a customer is given a network of them and can take another address for each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    V4([u8; 4]),
    // The bits after the prefix are zero, so that equal networks are equal values.
    V6([u8; 16], Ipv6Prefix),
}

/// How many bits of an IPv6 address make a network of one owner: 1 to 128.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Ipv6Prefix(u8);

/// No prefix of an IPv6 address has that length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an IPv6 prefix has 1 to 128 bits, not {0}")]
pub struct InvalidIpv6Prefix(pub u8);

impl Network {
    /// The network of `address`, by the first `prefix` bits if it is an IPv6 one.
    pub fn of(address: IpAddr, prefix: Ipv6Prefix) -> Network {
        match address.to_canonical() {
            IpAddr::V4(address) => Network(Kind::V4(address.octets())),
            IpAddr::V6(address) => {
                let mask = u128::MAX << (128 - u32::from(prefix.0));
                Network(Kind::V6((address.to_bits() & mask).to_be_bytes(), prefix))
            }
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::V4([a, b, c, d]) => write!(f, "{a}.{b}.{c}.{d}"),
            Kind::V6(octets, Ipv6Prefix(bits)) => write!(f, "{}/{bits}", Ipv6Addr::from(octets)),
        }
    }
}

impl Ipv6Prefix {
    /// The first `bits` of an address.
    ///
    /// # Errors
    /// There are none, or more than an address has.
    pub fn new(bits: u8) -> Result<Ipv6Prefix, InvalidIpv6Prefix> {
        if (1..=128).contains(&bits) { Ok(Ipv6Prefix(bits)) } else { Err(InvalidIpv6Prefix(bits)) }
    }
}

impl Default for Ipv6Prefix {
    fn default() -> Ipv6Prefix {
        Ipv6Prefix(64)
    }
}

impl TryFrom<u8> for Ipv6Prefix {
    type Error = InvalidIpv6Prefix;

    fn try_from(bits: u8) -> Result<Ipv6Prefix, InvalidIpv6Prefix> {
        Ipv6Prefix::new(bits)
    }
}

impl From<Ipv6Prefix> for u8 {
    fn from(prefix: Ipv6Prefix) -> u8 {
        prefix.0
    }
}

impl schemars::JsonSchema for Ipv6Prefix {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        u8::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        u8::json_schema(generator)
    }

    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn network(address: &str, bits: u8) -> Network {
        Network::of(address.parse().unwrap(), Ipv6Prefix::new(bits).unwrap())
    }

    #[test]
    fn addresses_of_one_owner_are_one_network() {
        for (address, bits, shown) in [
            ("192.0.2.7", 64, "192.0.2.7"),
            ("::ffff:192.0.2.7", 64, "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", 64, "2001:db8:1:2::/64"),
            ("2001:db8:1:2ff::", 56, "2001:db8:1:200::/56"),
            ("2001:db8::1", 128, "2001:db8::1/128"),
            ("ffff::1", 1, "8000::/1"),
            ("::1", 64, "::/64"),
        ] {
            assert_eq!(network(address, bits).to_string(), shown, "{address}");
        }
        assert_ne!(network("192.0.2.7", 64), network("192.0.2.8", 64));
        assert_ne!(network("2001:db8:0:1::1", 64), network("2001:db8:0:2::1", 64));
    }

    #[test]
    fn prefixes_are_checked() {
        assert_eq!(Ipv6Prefix::new(0), Err(InvalidIpv6Prefix(0)));
        assert_eq!(Ipv6Prefix::new(129), Err(InvalidIpv6Prefix(129)));
        assert_eq!(Ipv6Prefix::default(), Ipv6Prefix::new(64).unwrap());
        assert!(serde_json::from_str::<Ipv6Prefix>("200").is_err());
        assert_eq!(serde_json::to_string(&Ipv6Prefix::default()).unwrap(), "64");
    }

    proptest! {
        #[test]
        fn the_bits_after_the_prefix_do_not_matter(bits in 1_u8..=128, address: u128, noise: u128) {
            let prefix = Ipv6Prefix::new(bits).unwrap();
            let after = u128::MAX.checked_shr(u32::from(bits)).unwrap_or(0);
            let other = Ipv6Addr::from(address ^ (noise & after));
            let address = Ipv6Addr::from(address);
            prop_assume!(address.to_ipv4_mapped().is_none() && other.to_ipv4_mapped().is_none());
            prop_assert_eq!(Network::of(address.into(), prefix), Network::of(other.into(), prefix));
        }
    }
}
