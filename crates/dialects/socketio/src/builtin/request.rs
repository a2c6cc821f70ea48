//! What the built-in events take: the members of `antiphon.v1`'s messages, as JavaScript values.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use antiphon_access::LimitSettings;
use antiphon_model::{ChannelFlags, ChannelId, Draft, Kind, Payload, Position, RawJson, Storing};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::invalid::Invalid;
use crate::EventArguments;

/// How many channels one `subscribe` or `unsubscribe` names at most.
const CHANNELS_MAX: usize = 1000;
/// How many event names one subscription lets through at most.
const EVENTS_MAX: usize = 100;
/// How many messages a history answers at most, and if it does not say.
const HISTORY_LIMITS: RangeInclusive<usize> = 1..=1000;
const HISTORY_LIMIT_DEFAULT: usize = 100;
/// With how many replies a broadcast may end.
const UNTIL: RangeInclusive<usize> = 1..=10_000;
/// For how long a broadcast collects replies if it does not say, and at most.
const BROADCAST_TIMEOUT_DEFAULT: Duration = Duration::from_secs(2);
const BROADCAST_TIMEOUT_MAX: Duration = Duration::from_secs(60);

/// A channel that a client wants to listen to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Subscription {
    pub(super) channel: Arc<ChannelId>,
    pub(super) since: Option<Position>,
    pub(super) events: Vec<Box<str>>,
    pub(super) presence: bool,
    /// Whether it counts as present there, and with what state.
    pub(super) join: Option<Option<RawJson>>,
}

/// A draft, and whether its publisher gets it too.
#[derive(Clone, Debug)]
pub(super) struct Publish {
    pub(super) draft: Draft,
    pub(super) echo: bool,
}

/// A broadcast.
#[derive(Clone, Debug)]
pub(super) struct Broadcast {
    pub(super) publish: Publish,
    pub(super) timeout: Duration,
    pub(super) until: Option<usize>,
}

/// What is wanted of a channel's past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Past {
    pub(super) channel: Arc<ChannelId>,
    pub(super) since: Option<Position>,
    pub(super) limit: usize,
}

/// One thing or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        }
    }
}

/// A channel by its name alone, or as an object with more about it.
#[derive(Deserialize)]
#[serde(untagged)]
enum NameOr<T> {
    Name(String),
    Object(T),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ChannelMembers {
    channel: Option<String>,
    system: bool,
    consumer: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SubscriptionMembers {
    #[serde(flatten)]
    channel: ChannelMembers,
    since: Option<String>,
    events: Vec<Box<str>>,
    presence: bool,
    join: bool,
    state: Option<serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PastMembers {
    #[serde(flatten)]
    channel: ChannelMembers,
    since: Option<String>,
    limit: Option<usize>,
}

/// A duration as text, or in milliseconds.
#[derive(Deserialize)]
#[serde(untagged)]
enum Span {
    Millis(u64),
    Text(String),
}

/// Everything of `publish` and `broadcast` but the payload. Not flattened: with that no part could be taken as it is written.
#[derive(Default, Deserialize)]
#[serde(default)]
struct PublishMembers<'a> {
    channel: Option<String>,
    system: bool,
    consumer: bool,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    name: Option<String>,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
    store: Option<bool>,
    ttl: Option<Span>,
    kind: Option<String>,
    echo: Option<bool>,
    idempotency_key: Option<String>,
    timeout: Option<Span>,
    until: Option<usize>,
}

/// Reads the channels of a `subscribe`.
pub(super) fn subscriptions(arguments: &EventArguments) -> Result<Vec<Subscription>, Invalid> {
    let wanted: OneOrMany<NameOr<SubscriptionMembers>> = read(arguments)?;
    let wanted = bounded("channel", wanted.into_vec(), CHANNELS_MAX)?;
    wanted.into_iter().map(subscription).collect()
}

fn subscription(wanted: NameOr<SubscriptionMembers>) -> Result<Subscription, Invalid> {
    let members = match wanted {
        NameOr::Name(name) => {
            SubscriptionMembers { channel: ChannelMembers::named(name), ..Default::default() }
        }
        NameOr::Object(members) => members,
    };
    let state = members.state.map(|state| RawJson::from_serializer(state.to_string()));
    Ok(Subscription {
        channel: members.channel.id()?,
        since: members.since.as_deref().map(|since| position("since", since)).transpose()?,
        events: bounded_or_empty("events", members.events, EVENTS_MAX)?,
        presence: members.presence,
        join: members.join.then_some(state),
    })
}

/// Reads the channels of an `unsubscribe`.
pub(super) fn channels(arguments: &EventArguments) -> Result<Vec<Arc<ChannelId>>, Invalid> {
    let named: OneOrMany<NameOr<ChannelMembers>> = read(arguments)?;
    bounded("channel", named.into_vec(), CHANNELS_MAX)?.into_iter().map(NameOr::id).collect()
}

/// Reads the channel of a `presence`.
pub(super) fn channel(arguments: &EventArguments) -> Result<Arc<ChannelId>, Invalid> {
    read::<NameOr<ChannelMembers>>(arguments)?.id()
}

/// Reads a `history`.
pub(super) fn past(arguments: &EventArguments) -> Result<Past, Invalid> {
    let members = match read::<NameOr<PastMembers>>(arguments)? {
        NameOr::Name(name) => PastMembers { channel: ChannelMembers::named(name), ..Default::default() },
        NameOr::Object(members) => members,
    };
    let limit = members.limit.unwrap_or(HISTORY_LIMIT_DEFAULT);
    Ok(Past {
        channel: members.channel.id()?,
        since: members.since.as_deref().map(|since| position("since", since)).transpose()?,
        limit: within("limit", limit, HISTORY_LIMITS)?,
    })
}

/// Reads a `publish`: an object, or channel and payload and then an object with the rest.
pub(super) fn publish(arguments: &EventArguments, limits: &LimitSettings) -> Result<Publish, Invalid> {
    publish_members(arguments, |members, payload| members.publish(payload, limits))
}

/// Reads a `broadcast`: as a `publish`.
pub(super) fn broadcast(arguments: &EventArguments, limits: &LimitSettings) -> Result<Broadcast, Invalid> {
    publish_members(arguments, |mut members, payload| {
        if members.idempotency_key.is_some() {
            return Err(Invalid::new("idempotency_key", "is for publish only: each broadcast collects anew"));
        }
        let timeout = members.timeout.take().map(|span| span.duration("timeout")).transpose()?;
        let until = members.until.map(|until| within("until", until, UNTIL)).transpose()?;
        Ok(Broadcast {
            publish: members.publish(payload, limits)?,
            timeout: timeout.unwrap_or(BROADCAST_TIMEOUT_DEFAULT).min(BROADCAST_TIMEOUT_MAX),
            until,
        })
    })
}

fn publish_members<T>(
    arguments: &EventArguments,
    then: impl FnOnce(PublishMembers<'_>, Payload) -> Result<T, Invalid>,
) -> Result<T, Invalid> {
    let mut each = arguments.iter();
    let first = each.next().ok_or(Invalid::new("channel", "is missing"))?;
    let mut members: PublishMembers<'_>;
    let payload;
    if first.starts_with('"') {
        payload = each.next().ok_or(Invalid::new("payload", "is missing"))?;
        members = each.next().map(parse).transpose()?.unwrap_or_default();
        members.channel = Some(parse(first)?);
    } else {
        members = parse(first)?;
        payload = members.payload.map(RawValue::get).ok_or(Invalid::new("payload", "is missing"))?;
    }
    let payload =
        arguments.payload_of(payload).ok_or(Invalid::new("payload", "alone can have bytes in it"))?;
    then(members, payload)
}

impl PublishMembers<'_> {
    fn publish(self, payload: Payload, limits: &LimitSettings) -> Result<Publish, Invalid> {
        let channel = ChannelMembers { channel: self.channel, system: self.system, consumer: self.consumer };
        let ttl = self.ttl.map(|span| span.duration("ttl")).transpose()?;
        let is_stored = self.store.unwrap_or(true) && ttl != Some(Duration::ZERO);
        let draft = Draft {
            name: self.name.map(|name| event_name(name, limits)).transpose()?,
            kind: self.kind.as_deref().map_or(Ok(Kind::Message), kind)?,
            meta: self.meta.map(|meta| RawJson::from_serializer(meta.get().to_owned())),
            storing: if is_stored { Storing::ByRule } else { Storing::Never },
            ttl: ttl.filter(|ttl| !ttl.is_zero()),
            idempotency_key: self.idempotency_key.map(idempotency_key).transpose()?,
            ..Draft::new(channel.id()?, payload)
        };
        Ok(Publish { draft, echo: self.echo.unwrap_or(true) })
    }
}

impl ChannelMembers {
    fn named(name: String) -> ChannelMembers {
        ChannelMembers { channel: Some(name), ..ChannelMembers::default() }
    }

    fn id(self) -> Result<Arc<ChannelId>, Invalid> {
        let name = self.channel.ok_or(Invalid::new("channel", "is missing"))?;
        let id = ChannelId::new(&name, ChannelFlags::new(self.system, self.consumer));
        id.map(Arc::new).map_err(|error| Invalid::new("channel", error.to_string()))
    }
}

impl NameOr<ChannelMembers> {
    fn id(self) -> Result<Arc<ChannelId>, Invalid> {
        match self {
            NameOr::Name(name) => ChannelMembers::named(name).id(),
            NameOr::Object(members) => members.id(),
        }
    }
}

impl Span {
    fn duration(self, parameter: &'static str) -> Result<Duration, Invalid> {
        const WHAT: &str = "is 1 to 9 digits with ms, s, m, h or d, like \"25s\", or milliseconds";
        let (digits, factor) = match &self {
            Span::Millis(millis) => (Some(*millis), 1),
            Span::Text(text) => {
                let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
                let (digits, unit) = text.split_at(end);
                let factor = match unit {
                    "" | "ms" => 1,
                    "s" => 1000,
                    "m" => 60_000,
                    "h" => 3_600_000,
                    "d" => 86_400_000,
                    _ => return Err(Invalid::new(parameter, WHAT)),
                };
                (digits.parse().ok(), factor)
            }
        };
        let number = digits.filter(|number| *number <= 999_999_999).ok_or(Invalid::new(parameter, WHAT))?;
        Ok(Duration::from_millis(number * factor))
    }
}

fn read<T: serde::de::DeserializeOwned>(arguments: &EventArguments) -> Result<T, Invalid> {
    arguments.iter().next().ok_or(Invalid::new("channel", "is missing")).and_then(parse)
}

fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Invalid> {
    serde_json::from_str(json).map_err(|error| Invalid::body(&error))
}

fn bounded<T>(parameter: &'static str, list: Vec<T>, max: usize) -> Result<Vec<T>, Invalid> {
    if list.is_empty() {
        return Err(Invalid::new(parameter, "is missing"));
    }
    bounded_or_empty(parameter, list, max)
}

fn bounded_or_empty<T>(parameter: &'static str, list: Vec<T>, max: usize) -> Result<Vec<T>, Invalid> {
    if list.len() > max {
        Err(Invalid::new(parameter, format!("has at most {max} elements")))
    } else {
        Ok(list)
    }
}

fn within(parameter: &'static str, number: usize, range: RangeInclusive<usize>) -> Result<usize, Invalid> {
    let (min, max) = (range.start(), range.end());
    range
        .contains(&number)
        .then_some(number)
        .ok_or_else(|| Invalid::new(parameter, format!("is a number from {min} to {max}")))
}

fn position(parameter: &'static str, text: &str) -> Result<Position, Invalid> {
    text.parse().map_err(|_| Invalid::new(parameter, "is a string of 1 to 19 digits"))
}

fn event_name(name: String, limits: &LimitSettings) -> Result<Box<str>, Invalid> {
    let max = limits.event_name_bytes_max;
    if name.is_empty() || name.len() > max || name.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(Invalid::new("name", format!("has 1 to {max} bytes and no control characters")));
    }
    Ok(name.into())
}

fn kind(word: &str) -> Result<Kind, Invalid> {
    match word {
        "message" => Ok(Kind::Message),
        "signal" => Ok(Kind::Signal),
        _ => Err(Invalid::new("kind", "is message or signal")),
    }
}

fn idempotency_key(key: String) -> Result<Box<str>, Invalid> {
    let is_one = (1..=128).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    is_one.then(|| key.into()).ok_or(Invalid::new("idempotency_key", "has 1 to 128 visible ASCII characters"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::Binary;

    fn arguments(value: &impl serde::Serialize) -> EventArguments {
        EventArguments::of(value).unwrap()
    }

    fn json(text: &str) -> EventArguments {
        arguments(&serde_json::from_str::<serde_json::Value>(text).unwrap())
    }

    fn names(arguments: &EventArguments) -> Vec<String> {
        channels(arguments).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn channels_are_named_in_several_ways() {
        assert_eq!(names(&json(r#""a""#)), ["a"]);
        assert_eq!(names(&json(r#"{"channel":"a","system":true}"#)), ["a (system)"]);
        assert_eq!(names(&json(r#"["a",{"channel":"b","consumer":true}]"#)), ["a", "b (consumer)"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, parameter) in [
            ("[]", Some("channel")),
            ("{}", Some("channel")),
            (r#"{"channel":""}"#, Some("channel")),
            (r#"{"channel":"a","since":"x"}"#, Some("since")),
            ("17", None),
        ] {
            let error = subscriptions(&json(text)).unwrap_err();
            assert_eq!(error.parameter(), parameter, "{text}");
        }
        let limits = LimitSettings::default();
        for (text, parameter) in [
            (r#"{"payload":1}"#, "channel"),
            (r#"{"channel":"a"}"#, "payload"),
            (r#"{"channel":"a","payload":1,"kind":"x"}"#, "kind"),
            (r#"{"channel":"a","payload":1,"ttl":"1y"}"#, "ttl"),
            (r#"{"channel":"a","payload":1,"name":""}"#, "name"),
            (r#"{"channel":"a","payload":1,"idempotency_key":" "}"#, "idempotency_key"),
        ] {
            let error = publish(&json(text), &limits).unwrap_err();
            assert_eq!(error.parameter(), Some(parameter), "{text}");
        }
        let error = broadcast(&json(r#"{"channel":"a","payload":1,"until":0}"#), &limits).unwrap_err();
        assert_eq!(error.parameter(), Some("until"));
        assert_eq!(publish(&EventArguments::none(), &limits).unwrap_err().parameter(), Some("channel"));
        assert_eq!(past(&json(r#"{"channel":"a","limit":0}"#)).unwrap_err().parameter(), Some("limit"));
    }

    #[test]
    fn a_subscription_has_what_antiphon_v1_has() {
        let all = r#"{"channel":"a","since":"17","events":["x"],"presence":true,"join":true,"state":{"a":1},"more":0}"#;
        let found = subscriptions(&json(all)).unwrap().remove(0);
        assert_eq!((found.since, found.presence), (Some(Position(17)), true));
        assert_eq!(found.events, ["x".into()]);
        assert_eq!(found.join.unwrap().unwrap().as_str(), r#"{"a":1}"#);
        assert_eq!(subscriptions(&json(r#"{"channel":"a","state":1}"#)).unwrap()[0].join, None);
    }

    #[test]
    fn payloads_are_json_text_or_bytes() {
        let limits = LimitSettings::default();
        let payload = |arguments: &EventArguments| publish(arguments, &limits).unwrap().draft.payload;
        assert!(matches!(payload(&arguments(&("a", 1))), Payload::Json(one) if one.as_str() == "1"));
        assert!(matches!(payload(&arguments(&("a", "b"))), Payload::Text(text) if text == "b"));
        let bytes = Binary(Bytes::from_static(b"\x00"));
        assert!(matches!(payload(&arguments(&("a", &bytes))), Payload::Binary(bytes) if bytes[..] == [0]));
        let nested = arguments(&("a", [&bytes, &bytes]));
        assert!(matches!(payload(&nested), Payload::Arguments(found) if found.attachments().len() == 2));
        let object = serde_json::json!({"channel": "a", "payload": {"x": 1}, "name": "n", "echo": false});
        let found = publish(&arguments(&object), &limits).unwrap();
        assert_eq!((found.draft.name.as_deref(), found.echo), (Some("n"), false));
        let options = serde_json::json!({"store": false, "ttl": 5});
        let found = publish(&arguments(&("a", 1, options)), &limits).unwrap().draft;
        assert_eq!((found.storing, found.ttl), (Storing::Never, Some(Duration::from_millis(5))));
    }
}
