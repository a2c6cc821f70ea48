//! What a client says in `subscribe`.

use std::borrow::Cow;
use std::fmt;

use antiphon_socketio::EventData;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The channel ids of a `subscribe`, in their order: of the first argument, an array, what is a string. What is beyond `max` is left
/// out; so is all else that there may be.
pub(crate) fn channel_ids(event: &EventData, max: usize) -> Vec<Box<str>> {
    let mut json = serde_json::Deserializer::from_str(event.json().as_str());
    // An event's JSON has been checked, so that there is no error but an argument of another shape.
    Event { max }.deserialize(&mut json).unwrap_or_default()
}

/// The whole array, with the name first.
struct Event {
    max: usize,
}

impl<'de> DeserializeSeed<'de> for Event {
    type Value = Vec<Box<str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Box<str>>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Event {
    type Value = Vec<Box<str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut event: A) -> Result<Vec<Box<str>>, A::Error> {
        event.next_element::<IgnoredAny>()?;
        let ids = event.next_element_seed(Ids { max: self.max })?;
        while event.next_element::<IgnoredAny>()?.is_some() {}
        Ok(ids.unwrap_or_default())
    }
}

/// The array of ids.
struct Ids {
    max: usize,
}

impl<'de> DeserializeSeed<'de> for Ids {
    type Value = Vec<Box<str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Box<str>>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Ids {
    type Value = Vec<Box<str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of channel ids")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<Box<str>>, A::Error> {
        let mut ids = Vec::new();
        while ids.len() < self.max {
            let Some(element) = elements.next_element::<&RawValue>()? else { return Ok(ids) };
            if let Ok(id) = serde_json::from_str::<Cow<'_, str>>(element.get()) {
                ids.push(id.into());
            }
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(ids)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn ids(event: &str, max: usize) -> Vec<String> {
        let event = EventData::parse(Bytes::copy_from_slice(event.as_bytes())).unwrap();
        channel_ids(&event, max).into_iter().map(String::from).collect()
    }

    #[test]
    fn ids_are_the_strings_of_the_first_argument() {
        for (event, expected) in [
            (r#"["subscribe",["a","b"]]"#, &["a", "b"][..]),
            (r#"["subscribe",[]]"#, &[]),
            (r#"["subscribe"]"#, &[]),
            (r#"["subscribe",null]"#, &[]),
            (r#"["subscribe","a"]"#, &[]),
            (r#"["subscribe",{"0":"a"}]"#, &[]),
            (r#"["subscribe",["a"],["b"],7]"#, &["a"]),
            (r#" [ "subscribe" , [ "\u0061" , 1, null, ["b"], {"c":"d"}, "e/+=" ] ] "#, &["a", "e/+="]),
            (r#"["subscribe",["\ud800","a"]]"#, &["a"]),
        ] {
            assert_eq!(ids(event.trim(), 10), expected, "{event}");
        }
    }

    #[test]
    fn what_is_beyond_the_limit_is_left_out() {
        let event = r#"["subscribe",["a",1,"b","c"],["d"]]"#;
        assert_eq!(ids(event, 2), ["a", "b"]);
        assert_eq!(ids(event, 0), [""; 0]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(written: Vec<String>) {
            let event = serde_json::json!(["subscribe", written]).to_string();
            prop_assert_eq!(ids(&event, usize::MAX), written);
        }

        #[test]
        fn any_event_is_survived(rest in r#"[\[\]{},:"\\a0 ]{0,30}"#, max in 0..3_usize) {
            let event = format!("[\"subscribe\",{rest}]");
            if let Ok(event) = EventData::parse(event.into()) {
                prop_assert!(channel_ids(&event, max).len() <= max);
            }
        }
    }
}
