use std::sync::Arc;
use std::time::Duration;

use antiphon_access::LimitSettings;
use antiphon_model::{ChannelId, Draft, Kind, Payload, RawJson, Storing};
pub(crate) use antiphon_net::request::event_name;
use bytes::Bytes;

use super::listen::storing;
use super::query::{InvalidParameter, Query};

/// The limit of an idempotency key's length in characters.
pub(crate) const IDEMPOTENCY_KEY_MAX: usize = 128;

/// What is said of a publication beside its payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Publish {
    pub(crate) name: Option<Box<str>>,
    pub(crate) kind: Kind,
    pub(crate) meta: Option<RawJson>,
    pub(crate) storing: Storing,
    pub(crate) ttl: Option<Duration>,
    pub(crate) idempotency_key: Option<Box<str>>,
}

/// The headers that say something of a publication.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PublishHeaders<'a> {
    /// `X-Antiphon-Meta`
    pub(crate) meta: Option<&'a [u8]>,
    /// `Idempotency-Key`
    pub(crate) idempotency_key: Option<&'a [u8]>,
}

impl Publish {
    /// Reads the query and headers of a publish or broadcast.
    ///
    /// # Errors
    /// A parameter is not what it has to be.
    pub(crate) fn parse(
        query: &Query<'_>,
        headers: PublishHeaders<'_>,
        limits: &LimitSettings,
    ) -> Result<Publish, InvalidParameter> {
        let meta = match headers.meta {
            None => query.json("meta")?,
            Some(header) => Some(meta_header(header)?),
        };
        let publish = Publish {
            name: query.parsed("name", |name| event_name(name, limits))?,
            kind: query.parsed("kind", kind)?.unwrap_or_default(),
            meta,
            storing: storing(query.flag("store")?),
            ttl: query.duration("ttl")?,
            idempotency_key: match headers.idempotency_key {
                None => None,
                Some(key) => Some(
                    idempotency_key(key)
                        .map_err(|reason| InvalidParameter::new("Idempotency-Key", reason))?,
                ),
            },
        };
        Ok(publish)
    }

    /// The publication of this payload on this channel.
    pub(crate) fn draft(self, channel: Arc<ChannelId>, payload: Payload) -> Draft {
        // To be kept for no time at all is not to be kept.
        let kept = self.ttl.is_none_or(|ttl| !ttl.is_zero());
        Draft {
            kind: self.kind,
            name: self.name,
            meta: self.meta,
            storing: if kept { self.storing } else { Storing::Never },
            ttl: self.ttl.filter(|ttl| !ttl.is_zero()),
            idempotency_key: self.idempotency_key,
            ..Draft::new(channel, payload)
        }
    }
}

/// The kinds that a client can publish.
///
/// # Errors
/// It is none of them.
pub(crate) fn kind(word: &str) -> Result<Kind, &'static str> {
    match word {
        "message" => Ok(Kind::Message),
        "signal" => Ok(Kind::Signal),
        _ => Err("is message or signal"),
    }
}

/// An idempotency key.
///
/// # Errors
/// It is empty, too long, or has something else than visible ASCII.
pub(crate) fn idempotency_key(key: &[u8]) -> Result<Box<str>, &'static str> {
    let allowed = (1..=IDEMPOTENCY_KEY_MAX).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
    match std::str::from_utf8(key) {
        Ok(key) if allowed => Ok(key.into()),
        _ => Err("has 1 to 128 visible ASCII characters"),
    }
}

fn meta_header(header: &[u8]) -> Result<RawJson, InvalidParameter> {
    RawJson::new(Bytes::copy_from_slice(header))
        .map_err(|error| InvalidParameter::new("X-Antiphon-Meta", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str, headers: PublishHeaders<'_>) -> Result<Publish, InvalidParameter> {
        Publish::parse(&Query::parse(query), headers, &LimitSettings::default())
    }

    #[test]
    fn everything_can_be_said() {
        assert_eq!(parse("", PublishHeaders::default()), Ok(Publish::default()));
        let headers = PublishHeaders { meta: None, idempotency_key: Some(b"k-1") };
        let publish = parse("name=a+b&kind=signal&meta=%5B1%5D&store=false&ttl=10m", headers).unwrap();
        assert_eq!(publish.name.as_deref(), Some("a b"));
        assert_eq!((publish.kind, publish.storing), (Kind::Signal, Storing::Never));
        assert_eq!(publish.meta.unwrap().as_str(), "[1]");
        assert_eq!(publish.ttl, Some(Duration::from_secs(600)));
        assert_eq!(publish.idempotency_key.as_deref(), Some("k-1"));
    }

    #[test]
    fn the_header_counts_before_the_query() {
        let headers = PublishHeaders { meta: Some("{\"ü\":1}".as_bytes()), idempotency_key: None };
        assert_eq!(parse("meta=2", headers).unwrap().meta.unwrap().as_str(), "{\"ü\":1}");
    }

    #[test]
    fn errors_name_the_parameter() {
        let long_name = format!("name={}", "x".repeat(257));
        for query in
            ["name=", "name=a%0Ab", long_name.as_str(), "kind=presence", "meta=x", "ttl=x", "store=no"]
        {
            let name = query.split('=').next().unwrap();
            assert_eq!(parse(query, PublishHeaders::default()).unwrap_err().name, name, "{query}");
        }
        let long_key = [b'k'; 129];
        for key in [&b""[..], b"a b", b"\xff", &long_key] {
            let headers = PublishHeaders { meta: None, idempotency_key: Some(key) };
            assert_eq!(parse("", headers).unwrap_err().name, "Idempotency-Key");
        }
        let headers = PublishHeaders { meta: Some(b"\xff"), idempotency_key: None };
        assert_eq!(parse("", headers).unwrap_err().name, "X-Antiphon-Meta");
    }

    #[test]
    fn kept_for_no_time_is_not_kept() {
        let channel = Arc::new(ChannelId::new("a", antiphon_model::ChannelFlags::NONE).unwrap());
        let draft =
            parse("ttl=0", PublishHeaders::default()).unwrap().draft(channel, Payload::Text("".into()));
        assert_eq!((draft.ttl, draft.storing), (None, Storing::Never));
    }
}
