use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::EventArguments;
use super::binary::with_attachments;

/// Arguments are not what was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ArgumentsError(serde_json::Error);

pub(super) fn parse<T: DeserializeOwned>(arguments: &EventArguments) -> Result<T, ArgumentsError> {
    with_attachments(&arguments.attachments, || T::deserialize(Top { arguments })).map_err(ArgumentsError)
}

/// Hands out the first argument or, to whoever wants several values, each.
struct Top<'a> {
    arguments: &'a EventArguments,
}

impl<'a> Top<'a> {
    /// Reads the first argument, and nothing behind it.
    fn first(self) -> Result<serde_json::Deserializer<serde_json::de::StrRead<'a>>, serde_json::Error> {
        if self.arguments.is_empty() {
            return Err(missing(0));
        }
        Ok(serde_json::Deserializer::from_str(self.arguments.rest()))
    }

    fn each<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, serde_json::Error> {
        // What stands before the first argument is the event's name.
        let json = self.arguments.json.as_str();
        let skipped = usize::from(self.arguments.start > super::open(json));
        serde_json::Deserializer::from_str(json).deserialize_seq(Spread { visitor, skipped })
    }
}

fn missing(index: usize) -> serde_json::Error {
    de::Error::custom(format_args!("argument {} is missing", index + 1))
}

macro_rules! first {
    ($($method:ident($($name:ident: $kind:ty),*);)*) => {$(
        fn $method<V: Visitor<'a>>(self, $($name: $kind,)* visitor: V) -> Result<V::Value, Self::Error> {
            self.first()?.$method($($name,)* visitor)
        }
    )*};
}

impl<'a> Deserializer<'a> for Top<'a> {
    type Error = serde_json::Error;

    first! {
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_seq();
        deserialize_map();
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_unit_struct(name: &'static str);
        deserialize_identifier();
    }

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.arguments.is_empty() {
            return visitor.visit_unit();
        }
        self.first()?.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.arguments.is_empty() || self.arguments.rest().starts_with("null") {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        // That is how it says that it wants the text itself.
        if name == RAW_VALUE {
            return self.first()?.deserialize_newtype_struct(name, visitor);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Self::Error> {
        self.each(visitor)
    }

    fn deserialize_unit<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }
}

/// The name by which `serde_json` is asked for a [`serde_json::value::RawValue`].
const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// Hands the elements of an array on to who wants a tuple, but for the name at its front.
struct Spread<V> {
    visitor: V,
    skipped: usize,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Spread<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<V::Value, A::Error> {
        for _ in 0..self.skipped {
            elements.next_element::<IgnoredAny>()?;
        }
        let values = self.visitor.visit_seq(Elements { elements: &mut elements, index: 0, ended: false })?;
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(values)
    }
}

/// Elements, with nothing after the last for who takes that.
struct Elements<'e, A> {
    elements: &'e mut A,
    index: usize,
    ended: bool,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.index += 1;
        let mut seed = Some(seed);
        if !self.ended {
            match self.elements.next_element_seed(Once { seed: &mut seed })? {
                Some(value) => return Ok(Some(value)),
                None => self.ended = true,
            }
        }
        let Some(seed) = seed else { return Ok(None) };
        seed.deserialize(Nothing { index: self.index - 1, error: std::marker::PhantomData }).map(Some)
    }
}

/// Keeps a seed that an array at its end does not use.
struct Once<'s, T> {
    seed: &'s mut Option<T>,
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Once<'_, T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        let seed = self.seed.take().ok_or_else(|| de::Error::custom("an element is read once"))?;
        seed.deserialize(deserializer)
    }
}

/// An argument that did not come.
struct Nothing<E> {
    index: usize,
    error: std::marker::PhantomData<E>,
}

impl<'de, E: de::Error> Deserializer<'de> for Nothing<E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, E> {
        Err(E::custom(format_args!("argument {} is missing", self.index + 1)))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_none()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit_struct newtype_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}
