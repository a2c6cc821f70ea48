//! What a token says, as CBOR (RFC 8949): a map with byte strings for keys, as SDKs read it.
//!
//! The tests have tokens that npm `pubnub` 7.3.3 and PyPI `pubnub` 7.2.0 have read.

use std::collections::BTreeMap;

use ciborium::Value;
use serde_json::Map;

use super::{Bits, Scopes, TokenGrant};

/// The format of a token, which it says itself.
const VERSION: u64 = 2;

/// What a token says besides its signature.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Contents {
    /// When it was made, in seconds since 1970.
    pub(super) made: u64,
    pub(super) grant: TokenGrant,
}

/// The bytes are no token's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotContents;

impl Contents {
    /// The CBOR of a token. Its signature is the end of it, and to be filled in.
    pub(super) fn to_cbor(&self, signature: &[u8]) -> Vec<u8> {
        let TokenGrant { ttl_minutes, resources, patterns, meta, uuid } = &self.grant;
        let meta = Value::serialized(meta).expect("JSON has nothing that CBOR has not");
        let mut map = vec![
            (key("v"), Value::from(VERSION)),
            (key("t"), Value::from(self.made)),
            (key("ttl"), Value::from(*ttl_minutes)),
            (key("res"), scopes(resources)),
            (key("pat"), scopes(patterns)),
            (key("meta"), meta),
        ];
        if let Some(uuid) = uuid {
            map.push((key("uuid"), Value::from(&**uuid)));
        }
        map.push((key("sig"), Value::Bytes(signature.to_vec())));
        let mut bytes = Vec::new();
        ciborium::into_writer(&Value::Map(map), &mut bytes).expect("a vector takes all that is written");
        bytes
    }

    /// Reads what [`Contents::to_cbor`] gave. What it does not know is not looked at.
    ///
    /// # Errors
    /// The bytes are none.
    pub(super) fn from_cbor(bytes: &[u8]) -> Result<Contents, NotContents> {
        let mut rest = bytes;
        let value: Value = ciborium::from_reader(&mut rest).map_err(|_| NotContents)?;
        let map = value.into_map().map_err(|_| NotContents)?;
        if !rest.is_empty() {
            return Err(NotContents);
        }
        let (mut contents, mut version) = (Contents::default(), 0);
        for (name, value) in map {
            let name = name.into_bytes().map_err(|_| NotContents)?;
            let grant = &mut contents.grant;
            match name.as_slice() {
                b"v" => version = number(&value)?,
                b"t" => contents.made = number(&value)?,
                b"ttl" => grant.ttl_minutes = number(&value)?,
                b"res" => grant.resources = scopes_of(value)?,
                b"pat" => grant.patterns = scopes_of(value)?,
                b"meta" => grant.meta = meta_of(&value)?,
                b"uuid" => grant.uuid = Some(text(value)?),
                _ => {}
            }
        }
        if version == VERSION { Ok(contents) } else { Err(NotContents) }
    }
}

fn key(name: &str) -> Value {
    Value::Bytes(name.as_bytes().to_vec())
}

/// `usr` and `spc` are of an API that is gone; SDKs look for them still.
fn scopes(scopes: &Scopes) -> Value {
    let none = BTreeMap::new();
    let scopes = [
        ("chan", &scopes.channels),
        ("grp", &scopes.groups),
        ("usr", &none),
        ("spc", &none),
        ("uuid", &scopes.uuids),
    ];
    Value::Map(scopes.map(|(name, scope)| (key(name), self::scope(scope))).into())
}

fn scope(scope: &BTreeMap<Box<str>, Bits>) -> Value {
    Value::Map(scope.iter().map(|(name, bits)| (Value::from(&**name), Value::from(bits.bits()))).collect())
}

fn number(value: &Value) -> Result<u64, NotContents> {
    value.as_integer().and_then(|number| number.try_into().ok()).ok_or(NotContents)
}

fn text(value: Value) -> Result<Box<str>, NotContents> {
    value.into_text().map(Into::into).map_err(|_| NotContents)
}

fn scopes_of(value: Value) -> Result<Scopes, NotContents> {
    let mut scopes = Scopes::default();
    for (name, value) in value.into_map().map_err(|_| NotContents)? {
        let name = name.into_bytes().map_err(|_| NotContents)?;
        match name.as_slice() {
            b"chan" => scopes.channels = scope_of(value)?,
            b"grp" => scopes.groups = scope_of(value)?,
            b"uuid" => scopes.uuids = scope_of(value)?,
            _ => {}
        }
    }
    Ok(scopes)
}

fn scope_of(value: Value) -> Result<BTreeMap<Box<str>, Bits>, NotContents> {
    let entries = value.into_map().map_err(|_| NotContents)?.into_iter();
    entries
        .map(|(name, bits)| Ok((text(name)?, Bits::from_bits(number(&bits)?).ok_or(NotContents)?)))
        .collect()
}

fn meta_of(value: &Value) -> Result<Map<String, serde_json::Value>, NotContents> {
    value.deserialized().map_err(|_| NotContents)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn scope(entries: &[(&str, u64)]) -> BTreeMap<Box<str>, Bits> {
        entries.iter().map(|(name, bits)| ((*name).into(), Bits::from_bits(*bits).unwrap())).collect()
    }

    /// What the SDKs have read from [`TOKEN`].
    fn contents() -> Contents {
        let resources = Scopes {
            channels: scope(&[("ch-a", 1), ("ü/b", 255)]),
            groups: scope(&[("g", 5)]),
            uuids: scope(&[("u", 104)]),
        };
        let patterns =
            Scopes { channels: scope(&[("^room-.*$", 3)]), groups: scope(&[]), uuids: scope(&[(".*", 32)]) };
        let meta =
            json!({"user": "Zoë", "level": 300, "half": 0.5, "ok": true, "none": null, "list": [1, -2]});
        let meta = meta.as_object().unwrap().clone();
        let grant = TokenGrant { ttl_minutes: 43_200, resources, patterns, meta, uuid: Some("u-1".into()) };
        Contents { made: 1_700_000_000, grant }
    }

    /// Without a uuid, and with 32 times FE for its signature, as [`TOKEN`] has it.
    const SMALLEST: &str = "p0F2AkF0GmVT8QBDdHRsAUNyZXOlRGNoYW6hYWEBQ2dycKBDdXNyoENzcGOgRHV1aWSgQ3BhdKVEY2hhbqBDZ3JwoE\
        N1c3KgQ3NwY6BEdXVpZKBEbWV0YaBDc2lnWCD-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_g==";

    const TOKEN: &str = "qEF2AkF0GmVT8QBDdHRsGajAQ3Jlc6VEY2hhbqJkY2gtYQFkw7wvYhj_Q2dycKFhZwVDdXNyoENzcGOgRHV1aWShYX\
        UYaENwYXSlRGNoYW6haV5yb29tLS4qJANDZ3JwoEN1c3KgQ3NwY6BEdXVpZKFiLioYIERtZXRhpmRoYWxm-TgAZWxldmVsGQEsZGxpc3SCASFkb\
        m9uZfZib2v1ZHVzZXJkWm_Dq0R1dWlkY3UtMUNzaWdYIP7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-";

    fn smallest() -> Contents {
        let resources = Scopes { channels: scope(&[("a", 1)]), ..Scopes::default() };
        Contents {
            made: 1_700_000_000,
            grant: TokenGrant { ttl_minutes: 1, resources, ..TokenGrant::default() },
        }
    }

    #[test]
    fn tokens_are_as_the_sdks_have_read_them() {
        for (contents, token) in [(contents(), TOKEN), (smallest(), SMALLEST)] {
            let bytes = contents.to_cbor(&[0xfe; 32]);
            assert_eq!(URL_SAFE.encode(&bytes), token);
            assert_eq!(Contents::from_cbor(&bytes), Ok(contents));
        }
    }

    #[test]
    fn what_says_something_else_is_refused() {
        let bytes = smallest().to_cbor(&[0; 32]);
        let change = |from: &[u8], to: &[u8]| {
            let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
            [&bytes[..at], to, &bytes[at + from.len()..]].concat()
        };
        let longer = [&bytes[..], b"\0"].concat();
        for changed in [
            Vec::new(),
            bytes[..bytes.len() - 1].to_vec(),
            longer,
            change(b"\x41v\x02", b"\x41v\x03"),
            change(b"\x41v\x02", b"\x41x\x02"),
            change(b"\x41v", b"\x61v"),
            change(b"\x61a\x01", b"\x41a\x01"),
            change(b"\x61a\x01", b"\x61a\x20"),
            change(b"\x61a\x01", b"\x61a\x19\x01\x00"),
            change(b"\x44meta\xa0", b"\x44meta\x80"),
            b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
            vec![0x81; 100_000],
        ] {
            assert_eq!(Contents::from_cbor(&changed), Err(NotContents), "{changed:x?}");
        }
        // What is not known is not looked at.
        assert!(Contents::from_cbor(&change(b"\x43sig", b"\x43who")).is_ok());
        assert!(Contents::from_cbor(&change(b"\x43usr\xa0", b"\x43usr\x01")).is_ok());
    }

    fn any_scopes() -> impl Strategy<Value = Scopes> {
        let scope = || prop::collection::btree_map(".{1,20}", 0..=255_u64, 0..5);
        (scope(), scope(), scope()).prop_map(|(channels, groups, uuids)| {
            let scope = |scope: BTreeMap<String, u64>| {
                let entries = scope.into_iter();
                entries.map(|(name, bits)| (name.into(), Bits::from_bits(bits).unwrap())).collect()
            };
            Scopes { channels: scope(channels), groups: scope(groups), uuids: scope(uuids) }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            made in any::<u64>(),
            ttl_minutes in any::<u64>(),
            (resources, patterns) in (any_scopes(), any_scopes()),
            meta in prop::collection::btree_map(".{0,10}", any::<(f64, i64, String)>(), 0..4),
            uuid in prop::option::of(".{0,10}"),
        ) {
            let meta = json!(meta).as_object().unwrap().clone();
            let grant = TokenGrant { ttl_minutes, resources, patterns, meta, uuid: uuid.map(Into::into) };
            let contents = Contents { made, grant };
            prop_assert_eq!(Contents::from_cbor(&contents.to_cbor(&[7; 32])), Ok(contents));
        }

        #[test]
        fn any_bytes_are_survived(data in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Contents::from_cbor(&data);
        }

        #[test]
        fn any_change_is_survived(at in 0..400_usize, byte in any::<u8>(), until in 0..400_usize) {
            let mut bytes = contents().to_cbor(&[0; 32]);
            let at = at % bytes.len();
            bytes[at] = byte;
            bytes.truncate(until.max(1));
            let _ = Contents::from_cbor(&bytes);
        }
    }
}
