//! Channels as EXP clients name them: by an encoded id, or in bodies by an object as well.

use std::borrow::Cow;
use std::fmt;

use antiphon_model::{ChannelFlags, ChannelId, InvalidChannelName, OrgId};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

/// How long an id may be, in bytes: any channel's name fits, even if its JSON escapes every character.
pub(crate) const ID_BYTES_MAX: usize = 16 << 10;

/// A channel as a client names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChannelRef {
    /// The org that the client says. None in the object form, which says none.
    pub(crate) org: Option<Box<str>>,
    /// The channel within it.
    pub(crate) channel: ChannelId,
}

/// The text or object names no channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidChannel {
    /// Longer than any channel's id.
    #[error("a channel id has at most {ID_BYTES_MAX} bytes")]
    TooLong,
    /// Neither in the alphabet of standard base64 nor in the URL-safe one.
    #[error("a channel id is base64 of a JSON array")]
    NotBase64,
    /// It decodes to something else.
    #[error("a channel id is base64 of the JSON array [organization, name, system, consumer]")]
    NotAnId,
    /// No channel can have that name.
    #[error(transparent)]
    Name(#[from] InvalidChannelName),
}

/// The channel is of another org.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the channel is of another organization")]
pub(crate) struct ForeignOrg;

impl ChannelRef {
    /// The channel, for a caller of `org`.
    ///
    /// # Errors
    /// The client named another org.
    pub(crate) fn within(self, org: &OrgId) -> Result<ChannelId, ForeignOrg> {
        match &self.org {
            Some(named) if **named != *org.as_str() => Err(ForeignOrg),
            _ => Ok(self.channel),
        }
    }
}

/// Reads an encoded id: base64, standard or URL-safe, padded or not, of the JSON array `[org, name, system, consumer]` whose flags
/// are 0, 1, `true` or `false`. Bytes that are not UTF-8 are Latin-1, because that is what the JavaScript SDK encodes in browsers.
///
/// # Errors
/// It is none.
pub(crate) fn decode_id(text: &str) -> Result<ChannelRef, InvalidChannel> {
    if text.len() > ID_BYTES_MAX {
        return Err(InvalidChannel::TooLong);
    }
    let engine = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD_OR_UNPADDED };
    let bytes = engine.decode(text).map_err(|_| InvalidChannel::NotBase64)?;
    let json = match String::from_utf8(bytes) {
        Ok(json) => json,
        Err(error) => error.as_bytes().iter().map(|byte| char::from(*byte)).collect(),
    };
    let id: Id<'_> = serde_json::from_str(&json).map_err(|_| InvalidChannel::NotAnId)?;
    let Id(org, name, system, consumer) = id;
    let channel = ChannelId::new(&name.0, ChannelFlags::new(system.0, consumer.0))?;
    Ok(ChannelRef { org: Some(org.0.into()), channel })
}

/// Writes an id as the JavaScript SDK does.
pub(crate) fn encode_id(org: &str, channel: &ChannelId) -> String {
    let flag = |flag| u8::from(channel.flags().contains(flag));
    let id = (org, channel.name(), flag(ChannelFlags::SYSTEM), flag(ChannelFlags::CONSUMER));
    // Strings and numbers are always serializable.
    STANDARD.encode(serde_json::to_vec(&id).unwrap_or_default())
}

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

static STANDARD_OR_UNPADDED: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
static URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// `[org, name, system, consumer]`
#[derive(serde::Deserialize)]
struct Id<'a>(#[serde(borrow)] Text<'a>, #[serde(borrow)] Text<'a>, Flag, Flag);

/// A string, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// `true` or `false`, or 1 or 0. Off where it is left out or null.
#[derive(Clone, Copy, Debug, Default)]
struct Flag(bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Flag, D::Error> {
        struct Flags;

        impl Visitor<'_> for Flags {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, 1 or 0")
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Flag, E> {
                Ok(Flag(flag))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Flag, E> {
                match number {
                    0 | 1 => Ok(Flag(number == 1)),
                    _ => Err(E::invalid_value(de::Unexpected::Unsigned(number), &self)),
                }
            }

            fn visit_unit<E>(self) -> Result<Flag, E> {
                Ok(Flag(false))
            }
        }

        deserializer.deserialize_any(Flags)
    }
}

/// A channel in the body of a request: an encoded id, or the object `{"name", "system"?, "consumer"?}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ChannelArgument<'a> {
    Id(Cow<'a, str>),
    Named { name: Cow<'a, str>, flags: ChannelFlags },
}

impl ChannelArgument<'_> {
    /// What it names.
    ///
    /// # Errors
    /// Nothing.
    pub(crate) fn resolve(&self) -> Result<ChannelRef, InvalidChannel> {
        match self {
            ChannelArgument::Id(id) => decode_id(id),
            ChannelArgument::Named { name, flags } => {
                Ok(ChannelRef { org: None, channel: ChannelId::new(name, *flags)? })
            }
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for ChannelArgument<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ChannelArgument<'a>, D::Error> {
        struct Channels;

        impl<'de> Visitor<'de> for Channels {
            type Value = ChannelArgument<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a channel id, or an object with name, system and consumer")
            }

            fn visit_borrowed_str<E>(self, id: &'de str) -> Result<ChannelArgument<'de>, E> {
                Ok(ChannelArgument::Id(Cow::Borrowed(id)))
            }

            fn visit_str<E>(self, id: &str) -> Result<ChannelArgument<'de>, E> {
                Ok(ChannelArgument::Id(Cow::Owned(id.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ChannelArgument<'de>, A::Error> {
                let Named { name, system, consumer } =
                    Named::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(ChannelArgument::Named { name: name.0, flags: ChannelFlags::new(system.0, consumer.0) })
            }
        }

        deserializer.deserialize_any(Channels)
    }
}

#[derive(serde::Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(default)]
    system: Flag,
    #[serde(default)]
    consumer: Flag,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn channel(name: &str, system: bool, consumer: bool) -> ChannelId {
        ChannelId::new(name, ChannelFlags::new(system, consumer)).unwrap()
    }

    fn decoded(org: &str, name: &str, system: bool, consumer: bool) -> Result<ChannelRef, InvalidChannel> {
        Ok(ChannelRef { org: Some(org.into()), channel: channel(name, system, consumer) })
    }

    #[test]
    fn ids_by_example() {
        let id = "WyJzY2FsYSIsInRlc3RDaGFubmVsIiwwLDBd";
        assert_eq!(decode_id(id), decoded("scala", "testChannel", false, false));
        assert_eq!(encode_id("scala", &channel("testChannel", false, false)), id);
        for (json, expected) in [
            (r#"["scala","testChannel",1,0]"#, decoded("scala", "testChannel", true, false)),
            (r#"["scala","testChannel",false,true]"#, decoded("scala", "testChannel", false, true)),
            (r#"["scala", "testChannel", 1, 1]"#, decoded("scala", "testChannel", true, true)),
            (r#"["scala","Z\u00fcrich",0,0]"#, decoded("scala", "Zürich", false, false)),
            (r#"["scala","Zürich",0,0]"#, decoded("scala", "Zürich", false, false)),
            (r#"["scala","a:zone:b/c",0,0]"#, decoded("scala", "a:zone:b/c", false, false)),
            (r#"["scala","",0,0]"#, Err(InvalidChannelName::Empty.into())),
            (r#"["scala","a\n",0,0]"#, Err(InvalidChannelName::ControlCharacter.into())),
            (r#"["scala","a",2,0]"#, Err(InvalidChannel::NotAnId)),
            (r#"["scala","a","0",0]"#, Err(InvalidChannel::NotAnId)),
            (r#"["scala","a",0]"#, Err(InvalidChannel::NotAnId)),
            (r#"["scala","a",0,0,0]"#, Err(InvalidChannel::NotAnId)),
            (r#"[null,"a",0,0]"#, Err(InvalidChannel::NotAnId)),
            (r#"["scala",7,0,0]"#, Err(InvalidChannel::NotAnId)),
            (r#"{"name":"a"}"#, Err(InvalidChannel::NotAnId)),
            ("", Err(InvalidChannel::NotAnId)),
        ] {
            assert_eq!(decode_id(&STANDARD.encode(json)), expected, "{json}");
        }
    }

    #[test]
    fn what_is_not_utf8_is_latin_1() {
        let latin: Vec<u8> = "[\"scala\",\"Grüße\",0,0]".chars().map(|char| char as u8).collect();
        assert_eq!(decode_id(&STANDARD.encode(latin)), decoded("scala", "Grüße", false, false));
    }

    #[test]
    fn every_spelling_of_base64_is_read() {
        // These bytes make `+`, `/` and padding.
        let json = r#"["scala","x~~~???>>>",0,0]"#;
        let standard = STANDARD.encode(json);
        assert!(standard.contains('/') && standard.ends_with('='), "{standard}");
        let url_safe = standard.replace('+', "-").replace('/', "_");
        for id in [&standard, &url_safe] {
            assert_eq!(decode_id(id), decoded("scala", "x~~~???>>>", false, false), "{id}");
            assert_eq!(decode_id(id.trim_end_matches('=')), decode_id(id), "{id}");
        }
        for junk in ["ä", "WyJ+-_", "a b", "====", "a"] {
            assert_eq!(decode_id(junk), Err(InvalidChannel::NotBase64), "{junk}");
        }
        assert_eq!(decode_id(&"A".repeat(ID_BYTES_MAX + 1)), Err(InvalidChannel::TooLong));
    }

    #[test]
    fn the_org_has_to_be_the_callers_where_it_is_named() {
        let (scala, other) = (OrgId::new("scala"), OrgId::new("other"));
        let reference = decode_id(&encode_id("scala", &channel("a", false, false))).unwrap();
        assert_eq!(reference.clone().within(&scala), Ok(channel("a", false, false)));
        assert_eq!(reference.within(&other), Err(ForeignOrg));
        let argument: ChannelArgument<'_> = serde_json::from_str(r#"{"name":"a"}"#).unwrap();
        assert_eq!(argument.resolve().unwrap().within(&other), Ok(channel("a", false, false)));
    }

    #[test]
    fn arguments_are_ids_or_objects() {
        let named = |name: &'static str, system, consumer| {
            Some(ChannelArgument::Named { name: name.into(), flags: ChannelFlags::new(system, consumer) })
        };
        for (json, expected) in [
            (r#""WyJh""#, Some(ChannelArgument::Id("WyJh".into()))),
            (r#""W\u0079Jh""#, Some(ChannelArgument::Id("WyJh".into()))),
            (r#"{"name":"a"}"#, named("a", false, false)),
            (r#"{"name":"\u00fc","consumer":true,"x":[]}"#, named("ü", false, true)),
            (r#"{"name":"a","system":1,"consumer":null}"#, named("a", true, false)),
            (r#"{"system":true}"#, None),
            (r#"{"name":1}"#, None),
            (r#"["scala","a",0,0]"#, None),
            ("null", None),
        ] {
            assert_eq!(serde_json::from_str::<ChannelArgument<'_>>(json).ok(), expected, "{json}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in any::<String>(), id in "[A-Za-z0-9+/_=-]{0,60}") {
            let _ = (decode_id(&text), decode_id(&id), decode_id(&STANDARD.encode(&text)));
            let _ = serde_json::from_str::<ChannelArgument<'_>>(&text);
        }

        #[test]
        fn what_is_encoded_is_decoded(org in any::<String>(), name in "[^\\p{Cc}]{1,80}", flags in 0_u8..4) {
            let channel = ChannelId::new(&name, ChannelFlags::from_bits(flags)).unwrap();
            let expected = ChannelRef { org: Some(org.clone().into()), channel: channel.clone() };
            let id = encode_id(&org, &channel);
            prop_assert_eq!(decode_id(&id), Ok(expected.clone()));
            let url_safe = id.replace('+', "-").replace('/', "_");
            prop_assert_eq!(decode_id(url_safe.trim_end_matches('=')), Ok(expected));
        }
    }
}
