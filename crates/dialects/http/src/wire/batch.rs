//! A batch: a JSON array of publications, taken apart without parsing the payloads into trees.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use antiphon_access::LimitSettings;
use antiphon_model::{ChannelFlags, Draft, InvalidJson, Payload, RawJson};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Unexpected, Visitor};
use serde_json::value::RawValue;

use super::listen::{channel, storing};
use super::publish::{Publish, event_name, idempotency_key, kind};

/// The body is not a batch. Nothing of it is published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidBatch {
    /// Not an array of publications.
    #[error("the body is not a JSON array of publications: {0}")]
    Json(Box<str>),
    /// A publication is not what it has to be.
    #[error("publication {index} of the batch (counted from 0): {reason}")]
    Item {
        /// Which.
        index: usize,
        /// What it has to be.
        reason: Box<str>,
    },
    /// More than one request may have.
    #[error("a batch has at most {0} publications")]
    TooMany(usize),
}

/// Takes a batch apart into at most `max` drafts.
///
/// # Errors
/// It is not a batch, or has more.
pub(crate) fn parse(body: &[u8], max: usize, limits: &LimitSettings) -> Result<Vec<Draft>, InvalidBatch> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let items = Items { max }
        .deserialize(&mut deserializer)
        .and_then(|items| deserializer.end().map(|()| items))
        .map_err(|error| InvalidBatch::Json(error.to_string().into()))?;
    let items = items.ok_or(InvalidBatch::TooMany(max))?;
    let draft = |(index, item): (usize, Item<'_>)| {
        item.draft(limits).map_err(|reason| InvalidBatch::Item { index, reason: reason.into() })
    };
    items.into_iter().enumerate().map(draft).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    #[serde(default)]
    system: bool,
    #[serde(default)]
    consumer: bool,
    name: Option<String>,
    #[serde(borrow)]
    payload: &'a RawValue,
    encoding: Option<String>,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
    store: Option<bool>,
    ttl: Option<Ttl>,
    kind: Option<String>,
    idempotency_key: Option<String>,
}

impl Item<'_> {
    fn draft(self, limits: &LimitSettings) -> Result<Draft, String> {
        let flags = ChannelFlags::new(self.system, self.consumer);
        let channel = channel(&self.channel, flags, limits).map_err(|error| error.to_string())?;
        let publish = Publish {
            name: self
                .name
                .map(|name| event_name(&name, limits))
                .transpose()
                .map_err(|r| format!("name {r}"))?,
            kind: self
                .kind
                .map(|word| kind(&word))
                .transpose()
                .map_err(|r| format!("kind {r}"))?
                .unwrap_or_default(),
            meta: self.meta.map(raw).transpose().map_err(|r| format!("meta {r}"))?,
            storing: storing(self.store),
            ttl: self.ttl.map(|Ttl(ttl)| ttl),
            idempotency_key: self
                .idempotency_key
                .map(|key| idempotency_key(key.as_bytes()))
                .transpose()
                .map_err(|r| format!("idempotency_key {r}"))?,
        };
        Ok(publish.draft(channel, payload(self.payload, self.encoding.as_deref())?))
    }
}

/// The payload of an envelope: JSON as it stands, or the bytes of a base64 string.
///
/// # Errors
/// The encoding is another, or the payload is not of it.
pub(crate) fn payload(payload: &RawValue, encoding: Option<&str>) -> Result<Payload, String> {
    match encoding {
        None => Ok(Payload::Json(raw(payload).map_err(|reason| format!("payload {reason}"))?)),
        Some("base64") => {
            let text: Cow<'_, str> = serde_json::from_str(payload.get())
                .map_err(|_| "payload has to be a base64 string".to_owned())?;
            let bytes = STANDARD
                .decode(text.as_bytes())
                .map_err(|error| format!("payload is not base64: {error}"))?;
            Ok(Payload::Binary(bytes.into()))
        }
        Some(_) => Err("encoding has to be base64, or left out".to_owned()),
    }
}

/// A copy, so that a small payload does not keep a large body in memory.
///
/// # Errors
/// It nests deeper than is taken.
fn raw(value: &RawValue) -> Result<RawJson, InvalidJson> {
    RawJson::shallow(Bytes::copy_from_slice(value.get().as_bytes()))
}

/// A duration as text or in milliseconds.
pub(crate) struct Ttl(pub(crate) Duration);

impl<'de> Deserialize<'de> for Ttl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ttl, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = Ttl;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration like \"10m\", or milliseconds")
            }

            fn visit_u64<E: serde::de::Error>(self, millis: u64) -> Result<Ttl, E> {
                // As many digits as the text may have.
                match millis {
                    0..=999_999_999 => Ok(Ttl(Duration::from_millis(millis))),
                    _ => Err(E::custom("a duration in milliseconds is at most 999999999")),
                }
            }

            /// To JSON `0.0` is an integer too.
            fn visit_f64<E: serde::de::Error>(self, millis: f64) -> Result<Ttl, E> {
                match millis {
                    0.0..=999_999_999.0 if millis.fract() == 0.0 => self.visit_u64(millis as u64),
                    _ => Err(E::invalid_type(Unexpected::Float(millis), &self)),
                }
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Ttl, E> {
                super::duration::parse(text).map(Ttl).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// The array, or none if it has more than `max` elements: then no more of them are read.
struct Items {
    max: usize,
}

impl<'de> DeserializeSeed<'de> for Items {
    type Value = Option<Vec<Item<'de>>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items {
    type Value = Option<Vec<Item<'de>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of publications")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        loop {
            if items.len() == self.max {
                let more = seq.next_element::<serde::de::IgnoredAny>()?.is_some();
                while more && seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                return Ok((!more).then_some(items));
            }
            match seq.next_element::<Item<'de>>() {
                Ok(Some(item)) => items.push(item),
                Ok(None) => return Ok(Some(items)),
                Err(error) => return Err(A::Error::custom(format!("publication {}: {error}", items.len()))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_model::{Kind, Storing};
    use proptest::prelude::*;

    fn batch(body: &str) -> Result<Vec<Draft>, InvalidBatch> {
        parse(body.as_bytes(), 3, &LimitSettings::default())
    }

    #[test]
    fn every_member_is_read() {
        let drafts = batch(
            r#" [{"channel":"a","payload": {"x": [1]} },
                {"channel":"b\u0020","system":true,"consumer":true,"name":"n","payload":"AQI=","encoding":"base64",
                 "meta":{"m":1},"store":false,"ttl":"10m","kind":"signal","idempotency_key":"k"},
                {"payload":null,"channel":"c","ttl":1500}] "#,
        )
        .unwrap();
        assert_eq!(drafts[0].payload, Payload::Json(RawJson::new("{\"x\": [1]}".into()).unwrap()));
        assert_eq!(drafts[1].channel.to_string(), "b  (system) (consumer)");
        assert_eq!(drafts[1].payload, Payload::Binary(vec![1, 2].into()));
        assert_eq!((drafts[1].kind, drafts[1].storing), (Kind::Signal, Storing::Never));
        assert_eq!(drafts[1].meta.as_ref().unwrap().as_str(), "{\"m\":1}");
        assert_eq!(drafts[2].ttl, Some(Duration::from_millis(1500)));
        assert!(batch("[]").unwrap().is_empty());
    }

    #[test]
    fn errors_say_which_and_where() {
        for (body, expected) in [
            ("{}", "expected an array of publications"),
            ("[", "EOF"),
            ("[] x", "trailing characters"),
            (r#"[{"channel":"a"}]"#, "publication 0: missing field `payload`"),
            (r#"[{"channel":"a","payload":1},{"chanel":"a"}]"#, "publication 1: unknown field `chanel`"),
            (r#"[{"channel":"a","payload":1},{"channel":"","payload":1}]"#, "publication 1 of the batch"),
            (r#"[{"channel":"a","payload":1,"kind":"presence"}]"#, "kind is message or signal"),
            (r#"[{"channel":"a","payload":1,"encoding":"base64"}]"#, "has to be a base64 string"),
            (r#"[{"channel":"a","payload":"?","encoding":"base64"}]"#, "is not base64"),
            (r#"[{"channel":"a","payload":"","encoding":"hex"}]"#, "encoding has to be base64"),
            (r#"[{"channel":"a","payload":1,"ttl":"1w"}]"#, "a duration is"),
            (r#"[{"channel":"a","payload":1,"ttl":-1}]"#, "invalid type: integer `-1`"),
            (r#"[{"channel":"a","payload":1,"name":"a\nb"}]"#, "name cannot contain control characters"),
            ("[{\"channel\":\"a\",\"payload\":\"\u{1}\"}]", "control character"),
        ] {
            let error = batch(body).unwrap_err().to_string();
            assert!(error.contains(expected), "{body}: {error}");
        }
    }

    #[test]
    fn json_nests_only_as_deep_as_in_a_publish_of_one() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for (depth, taken) in [(128, true), (129, false), (100_000, false)] {
            let nested = nested(depth);
            for item in [
                format!(r#"[{{"channel":"a","payload":{nested}}}]"#),
                format!(r#"[{{"channel":"a","payload":1,"meta":{nested}}}]"#),
            ] {
                let outcome = batch(&item).map(drop).map_err(|error| error.to_string());
                assert_eq!(outcome.is_ok(), taken, "{depth}");
                assert!(taken || outcome.unwrap_err().contains("nests deeper than 128 levels"));
            }
        }
    }

    #[test]
    fn a_batch_has_a_limit() {
        let item = r#"{"channel":"a","payload":1}"#;
        assert_eq!(batch(&format!("[{item},{item},{item}]")).unwrap().len(), 3);
        assert_eq!(batch(&format!("[{item},{item},{item},{item}]")).unwrap_err(), InvalidBatch::TooMany(3));
        assert!(matches!(batch(&format!("[{item},{item},{item},")), Err(InvalidBatch::Json(_))));
    }

    proptest! {
        #[test]
        fn any_body_is_survived(body in "[\\[\\]{}\",:a-c0-9]{0,60}", any in any::<Vec<u8>>()) {
            let _ = parse(body.as_bytes(), 3, &LimitSettings::default());
            let _ = parse(&any, 3, &LimitSettings::default());
        }
    }
}
