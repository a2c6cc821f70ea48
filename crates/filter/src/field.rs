//! Fields of JSON text, found without making a tree of it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::{Number, Segment, Value};

/// The value at a path of a JSON text. [`Value::Null`] if there is nothing, or the text is no JSON.
pub fn find<'a>(json: &'a str, path: &[Segment]) -> Value<'a> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let found = Step { path }.deserialize(&mut deserializer);
    // What comes behind the field is not looked at.
    found.ok().flatten().map_or(Value::Null, |raw| value(raw.get()))
}

/// The items of a JSON array; none of anything else.
pub(crate) fn items(json: &str) -> Vec<Value<'_>> {
    let items: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
    items.into_iter().map(|item| value(item.get())).collect()
}

fn value(json: &str) -> Value<'_> {
    match json.as_bytes().first() {
        Some(b'"') => {
            let text: Result<Cow<'_, str>, _> = serde_json::from_str::<Text<'_>>(json).map(|text| text.0);
            text.map_or(Value::Null, Value::Text)
        }
        Some(b't') => Value::Boolean(true),
        Some(b'f') => Value::Boolean(false),
        Some(b'{' | b'[') => Value::Json(json.into()),
        _ => Number::parse(json).map_or(Value::Null, Value::Number),
    }
}

#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// What is left of the way.
struct Step<'p> {
    path: &'p [Segment],
}

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.path.is_empty() {
            let raw: &RawValue = serde::Deserialize::deserialize(deserializer)?;
            return Ok(Some(raw));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Some((Segment::Name(name), rest)) = self.path.split_first() else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(None);
        };
        let mut found = None;
        // Of several members of a name the last counts, as where JSON is made a tree.
        while let Some(Text(key)) = map.next_key()? {
            if *key == **name {
                found = map.next_value_seed(Step { path: rest })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let (mut found, mut at) = (None, 0);
        let wanted = match self.path.split_first() {
            Some((Segment::Index(index), rest)) => Some((*index, rest)),
            _ => None,
        };
        loop {
            let more = match wanted {
                Some((index, rest)) if index == at => {
                    items.next_element_seed(Step { path: rest })?.map(|one| found = one)
                }
                _ => items.next_element::<IgnoredAny>()?.map(drop),
            };
            if more.is_none() {
                return Ok(found);
            }
            at += 1;
        }
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(names: &[&str]) -> Vec<Segment> {
        names.iter().map(|name| Segment::Name((*name).into())).collect()
    }

    #[test]
    fn the_last_member_counts_and_what_is_none_is_null() {
        assert_eq!(find(r#"{"a":1,"a":"\u00e9"}"#, &names(&["a"])), Value::Text("é".into()));
        assert_eq!(find(r#"{"\u0061":{"b":[1]}}"#, &names(&["a", "b"])), Value::Json("[1]".into()));
        for json in ["", "1", "\"a\"", "null", "[1]", "{\"b\":1}", "{\"a\"", "{\"a\":}", "nonsense"] {
            assert_eq!(find(json, &names(&["a"])), Value::Null, "{json}");
        }
    }

    proptest! {
        #[test]
        fn it_finds_what_a_tree_has(value in json(), path in proptest::collection::vec(segment(), 0..4)) {
            let text = value.to_string();
            let expected = path.iter().try_fold(&value, |at, segment| match segment {
                Segment::Name(name) => at.as_object()?.get(&**name),
                Segment::Index(index) => at.as_array()?.get(*index),
            });
            let expected = expected.map_or("null".to_owned(), ToString::to_string);
            prop_assert_eq!(find(&text, &path), super::value(&expected));
        }

        #[test]
        fn nothing_panics(text: String, path in proptest::collection::vec(segment(), 0..4)) {
            find(&text, &path);
            items(&text);
        }
    }

    fn segment() -> impl Strategy<Value = Segment> {
        prop_oneof!["[a-c]".prop_map(|name| Segment::Name(name.into())), (0usize..3).prop_map(Segment::Index)]
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            ".{0,4}".prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 20, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Into::into),
                proptest::collection::hash_map("[a-c]", inner, 0..3)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }
}
