use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Invalid;
use super::members::Members;

/// An element of a list: a plain string, or an object.
pub(super) enum Item<'a> {
    Text(Cow<'a, str>),
    Members(Box<Members<'a>>),
    Other,
}

/// Hands each element of the array `raw` to `take`, with no more than `max` of them in memory or on the way.
///
/// # Errors
/// It is no array, is longer, or `take` refuses an element; the error names it as `member[index]`.
pub(super) fn each<'a>(
    raw: &'a RawValue,
    member: &'static str,
    max: usize,
    take: impl FnMut(Item<'a>) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    if !raw.get().starts_with('[') {
        return Err(Invalid::new(member, "is an array"));
    }
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    match (Each { member, max, take }).deserialize(&mut deserializer) {
        Ok(judged) => judged,
        Err(error) => Err(Invalid::new(member, error.to_string())),
    }
}

struct Each<F> {
    member: &'static str,
    max: usize,
    take: F,
}

impl<'de, F: FnMut(Item<'de>) -> Result<(), Invalid>> DeserializeSeed<'de> for Each<F> {
    type Value = Result<(), Invalid>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(Item<'de>) -> Result<(), Invalid>> Visitor<'de> for Each<F> {
    type Value = Result<(), Invalid>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut judged = Ok(());
        let mut index = 0;
        while judged.is_ok() && index < self.max {
            let Some(item) = seq.next_element::<Item<'de>>()? else { return Ok(Ok(())) };
            judged = (self.take)(item).map_err(|invalid| invalid.within(self.member, index));
            index += 1;
        }
        let mut more = false;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            more = true;
        }
        if judged.is_ok() && more {
            judged = Err(Invalid::new(self.member, format!("has at most {} elements", self.max)));
        }
        Ok(judged)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Item<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Item<'a>, D::Error> {
        deserializer.deserialize_any(AnyItem)
    }
}

struct AnyItem;

impl<'de> Visitor<'de> for AnyItem {
    type Value = Item<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Item<'de>, E> {
        Ok(Item::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Item<'de>, E> {
        Ok(Item::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Item<'de>, A::Error> {
        Ok(Item::Members(Box::new(Members::read(map)?)))
    }

    fn visit_unit<E>(self) -> Result<Item<'de>, E> {
        Ok(Item::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Item<'de>, E> {
        Ok(Item::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Item<'de>, E> {
        Ok(Item::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Item<'de>, E> {
        Ok(Item::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Item<'de>, E> {
        Ok(Item::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Item<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Item::Other)
    }
}
