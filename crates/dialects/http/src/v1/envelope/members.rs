use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use antiphon_model::Position;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::wire::duration;

use super::{Id, Invalid};

/// Of a message's members, those that are one word or number each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    Type,
    Id,
    Channel,
    System,
    Consumer,
    Name,
    Kind,
    Encoding,
    Store,
    Ttl,
    Echo,
    IdempotencyKey,
    Timeout,
    Until,
    To,
    Since,
    Limit,
    Presence,
    Join,
    Token,
}

/// Of a message's members, those that are taken as they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RawMember {
    Payload,
    Meta,
    State,
    Channels,
    Events,
}

const SCALARS: usize = Member::Token as usize + 1;
const RAWS: usize = RawMember::Events as usize + 1;

impl Member {
    pub(super) fn name(self) -> &'static str {
        match self {
            Member::Type => "type",
            Member::Id => "id",
            Member::Channel => "channel",
            Member::System => "system",
            Member::Consumer => "consumer",
            Member::Name => "name",
            Member::Kind => "kind",
            Member::Encoding => "encoding",
            Member::Store => "store",
            Member::Ttl => "ttl",
            Member::Echo => "echo",
            Member::IdempotencyKey => "idempotency_key",
            Member::Timeout => "timeout",
            Member::Until => "until",
            Member::To => "to",
            Member::Since => "since",
            Member::Limit => "limit",
            Member::Presence => "presence",
            Member::Join => "join",
            Member::Token => "token",
        }
    }
}

impl RawMember {
    pub(super) fn name(self) -> &'static str {
        match self {
            RawMember::Payload => "payload",
            RawMember::Meta => "meta",
            RawMember::State => "state",
            RawMember::Channels => "channels",
            RawMember::Events => "events",
        }
    }
}

enum Key {
    Scalar(Member),
    Raw(RawMember),
    Unknown,
}

impl Key {
    fn of(name: &str) -> Key {
        Key::Scalar(match name {
            "type" => Member::Type,
            "id" => Member::Id,
            "channel" => Member::Channel,
            "payload" => return Key::Raw(RawMember::Payload),
            "name" => Member::Name,
            "meta" => return Key::Raw(RawMember::Meta),
            "system" => Member::System,
            "consumer" => Member::Consumer,
            "kind" => Member::Kind,
            "encoding" => Member::Encoding,
            "store" => Member::Store,
            "ttl" => Member::Ttl,
            "echo" => Member::Echo,
            "idempotency_key" => Member::IdempotencyKey,
            "timeout" => Member::Timeout,
            "until" => Member::Until,
            "to" => Member::To,
            "since" => Member::Since,
            "limit" => Member::Limit,
            "presence" => Member::Presence,
            "join" => Member::Join,
            "token" => Member::Token,
            "state" => return Key::Raw(RawMember::State),
            "channels" => return Key::Raw(RawMember::Channels),
            "events" => return Key::Raw(RawMember::Events),
            _ => return Key::Unknown,
        })
    }
}

/// A value where one word or number is expected. What is none is noted, not refused: another type of message may not
/// use the member at all, and the message's `id` may come after it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Scalar<'a> {
    #[default]
    Absent,
    Null,
    Bool(bool),
    Integer(u64),
    Text(Cow<'a, str>),
    /// A number that is negative or a fraction, an array, or an object.
    Other,
}

/// The members of one object, found in one pass and not yet judged.
#[derive(Debug, Default)]
pub(super) struct Members<'a> {
    scalars: [Scalar<'a>; SCALARS],
    raws: [Option<&'a RawValue>; RAWS],
    twice: Option<&'static str>,
}

impl<'a> Members<'a> {
    /// Reads a whole text, which has to be one object.
    ///
    /// # Errors
    /// It is not, with the reason.
    pub(super) fn parse(text: &'a [u8]) -> Result<Members<'a>, Box<str>> {
        let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
        if !text.trim_ascii_start().starts_with('{') {
            return Err("it has to begin with {".into());
        }
        serde_json::from_str(text).map_err(|error| error.to_string().into())
    }

    /// The first member that is given twice.
    pub(super) fn twice(&self) -> Option<&'static str> {
        self.twice
    }

    pub(super) fn id(&mut self) -> Result<Option<Id>, Invalid> {
        const REASON: &str = "is an integer from 0 to 9007199254740992, or a string of at most 64 bytes";
        match self.take(Member::Id) {
            None => Ok(None),
            Some(Scalar::Integer(number)) if number <= Id::NUMBER_MAX => Ok(Some(Id::Number(number))),
            Some(Scalar::Text(text)) if text.len() <= Id::TEXT_BYTES_MAX => Ok(Some(Id::Text(text.into()))),
            Some(_) => Err(Invalid::new(Member::Id.name(), REASON)),
        }
    }

    pub(super) fn text(&mut self, member: Member) -> Result<Option<Cow<'a, str>>, Invalid> {
        match self.take(member) {
            None => Ok(None),
            Some(Scalar::Text(text)) => Ok(Some(text)),
            Some(_) => Err(Invalid::new(member.name(), "is a string")),
        }
    }

    pub(super) fn flag(&mut self, member: Member) -> Result<Option<bool>, Invalid> {
        match self.take(member) {
            None => Ok(None),
            Some(Scalar::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(Invalid::new(member.name(), "is true or false")),
        }
    }

    pub(super) fn count(
        &mut self,
        member: Member,
        range: RangeInclusive<usize>,
    ) -> Result<Option<usize>, Invalid> {
        let count = match self.take(member) {
            None => return Ok(None),
            Some(Scalar::Integer(number)) => usize::try_from(number).ok(),
            Some(_) => None,
        };
        match count.filter(|count| range.contains(count)) {
            Some(count) => Ok(Some(count)),
            None => {
                let (min, max) = range.into_inner();
                Err(Invalid::new(member.name(), format!("is an integer from {min} to {max}")))
            }
        }
    }

    pub(super) fn position(&mut self, member: Member) -> Result<Option<Position>, Invalid> {
        const REASON: &str = "is a position: a string of 1 to 19 digits, like \"17325678901234567\"";
        match self.take(member) {
            None => Ok(None),
            Some(Scalar::Text(text)) => {
                text.parse().map(Some).map_err(|_| Invalid::new(member.name(), REASON))
            }
            Some(_) => Err(Invalid::new(member.name(), REASON)),
        }
    }

    pub(super) fn duration(&mut self, member: Member) -> Result<Option<Duration>, Invalid> {
        // As many digits as the text may have.
        const MILLIS_MAX: u64 = 999_999_999;
        const REASON: &str =
            "is a duration: up to 9 digits with ms, s, m, h or d, like \"25s\", or milliseconds";
        match self.take(member) {
            None => Ok(None),
            Some(Scalar::Integer(millis)) if millis <= MILLIS_MAX => Ok(Some(Duration::from_millis(millis))),
            Some(Scalar::Text(text)) => {
                duration::parse(&text).map(Some).map_err(|_| Invalid::new(member.name(), REASON))
            }
            Some(_) => Err(Invalid::new(member.name(), REASON)),
        }
    }

    /// A member as it stands, `null` included.
    pub(super) fn raw(&self, member: RawMember) -> Option<&'a RawValue> {
        self.raws[member as usize]
    }

    /// None if it is absent or `null`, which mean the same.
    fn take(&mut self, member: Member) -> Option<Scalar<'a>> {
        match std::mem::take(&mut self.scalars[member as usize]) {
            Scalar::Absent | Scalar::Null => None,
            scalar => Some(scalar),
        }
    }

    fn note_twice(&mut self, name: &'static str) {
        self.twice.get_or_insert(name);
    }

    /// Reads an object whose brace is open.
    pub(super) fn read<A: MapAccess<'a>>(mut map: A) -> Result<Members<'a>, A::Error> {
        let mut members = Members::default();
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::Scalar(member) => {
                    let before = std::mem::replace(&mut members.scalars[member as usize], map.next_value()?);
                    if before != Scalar::Absent {
                        members.note_twice(member.name());
                    }
                }
                Key::Raw(member) => {
                    if members.raws[member as usize].replace(map.next_value()?).is_some() {
                        members.note_twice(member.name());
                    }
                }
                Key::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(members)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'a>, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Members<'de>, A::Error> {
                Members::read(map)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Key, E> {
                Ok(Key::of(name))
            }
        }

        deserializer.deserialize_identifier(Name)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scalar<'a>, D::Error> {
        deserializer.deserialize_any(AnyScalar)
    }
}

struct AnyScalar;

impl<'de> Visitor<'de> for AnyScalar {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Integer(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}
