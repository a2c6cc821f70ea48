//! What the built-in events take: the members of `antiphon.v1`'s messages, as JavaScript values.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use antiphon_access::LimitSettings;
use antiphon_hub::Since;
use antiphon_model::{ChannelFlags, ChannelId, Draft, Kind, Payload, Position, RawJson, Storing};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::invalid::Invalid;
use crate::EventArguments;
use crate::channels::namespace_of;
use crate::rooms::Asked;

/// How many channels one `subscribe` or `unsubscribe` names at most.
const CHANNELS_MAX: usize = 1000;
/// How many event names one subscription lets through at most.
const EVENTS_MAX: usize = 100;
/// How many messages a history answers if it does not say.
const HISTORY_LIMIT_DEFAULT: usize = 100;
/// With how many replies a broadcast may end.
const UNTIL: RangeInclusive<usize> = 1..=10_000;
/// For how long a broadcast collects replies if it does not say.
const BROADCAST_TIMEOUT_DEFAULT: Duration = Duration::from_secs(2);

/// How much a client may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many messages a history answers.
    pub history_limit_max: usize,
    /// For how long a broadcast collects replies.
    pub broadcast_timeout_max: Duration,
}

/// A channel that a client wants to listen to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Subscription {
    pub(super) asked: Asked,
    pub(super) since: Option<Position>,
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

/// A channel, by the members of an object.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "a channel: its name, or an object")]
struct ChannelMembers {
    channel: Option<String>,
    system: bool,
    consumer: bool,
}

/// A channel to listen to.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "a channel: its name, or an object")]
struct SubscriptionMembers<'a> {
    channel: Option<String>,
    system: bool,
    consumer: bool,
    since: Option<String>,
    events: Vec<Box<str>>,
    presence: bool,
    join: bool,
    #[serde(borrow)]
    state: Option<&'a RawValue>,
}

/// A channel to read.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "a channel: its name, or an object")]
struct PastMembers {
    channel: Option<String>,
    system: bool,
    consumer: bool,
    since: Option<String>,
    limit: Option<usize>,
}

/// A duration as text, or in milliseconds.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a duration like \"25s\", or milliseconds")]
enum Span {
    Millis(u64),
    Text(String),
}

/// What `publish` and `broadcast` take.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "a channel's name, or an object")]
struct PublishMembers<'a> {
    channel: Option<String>,
    system: bool,
    consumer: bool,
    /// `null` is one.
    #[serde(borrow, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
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

fn present<'de: 'a, 'a, D: Deserializer<'de>>(value: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(value).map(Some)
}

/// Reads the channels of a `subscribe`.
pub(super) fn subscriptions(
    arguments: &EventArguments,
    limits: &LimitSettings,
) -> Result<Vec<Subscription>, Invalid> {
    let wanted = bounded("channel", one_or_many(first(arguments)?)?, CHANNELS_MAX)?;
    wanted.into_iter().map(|wanted| subscription(wanted, limits)).collect()
}

fn subscription(wanted: &str, limits: &LimitSettings) -> Result<Subscription, Invalid> {
    let members = match name(wanted)? {
        Some(channel) => SubscriptionMembers { channel: Some(channel), ..SubscriptionMembers::default() },
        None => parse(wanted)?,
    };
    let SubscriptionMembers { channel, system, consumer, since, events, presence, join, state } = members;
    let channel = ChannelMembers { channel, system, consumer }.id()?;
    if !namespace_of(&channel).is_root() {
        let what = "cannot be listened to by Socket.IO: a name that begins with / and has a # is a room of another namespace";
        return Err(Invalid::new("channel", what));
    }
    let state = state.map(|state| RawJson::from_serializer(state.get().to_owned()));
    let events = event_names(events, limits)?;
    Ok(Subscription {
        asked: Asked { channel, events, presence, join: join.then_some(state) },
        since: since.as_deref().map(|since| position("since", since)).transpose()?,
    })
}

impl Subscription {
    /// From where on it is wanted.
    pub(super) fn asked_since(&self) -> Since {
        self.since.map_or(Since::Now, Since::After)
    }
}

/// Reads the channels of an `unsubscribe`.
pub(super) fn channels(arguments: &EventArguments) -> Result<Vec<Arc<ChannelId>>, Invalid> {
    let named = one_or_many(first(arguments)?)?;
    bounded("channel", named, CHANNELS_MAX)?.into_iter().map(channel_id).collect()
}

/// Reads the channel of a `presence`.
pub(super) fn channel(arguments: &EventArguments) -> Result<Arc<ChannelId>, Invalid> {
    first(arguments).and_then(channel_id)
}

/// Reads a `history`.
pub(super) fn past(arguments: &EventArguments, bounds: &Bounds) -> Result<Past, Invalid> {
    let wanted = first(arguments)?;
    let members = match name(wanted)? {
        Some(channel) => PastMembers { channel: Some(channel), ..PastMembers::default() },
        None => parse(wanted)?,
    };
    let PastMembers { channel, system, consumer, since, limit } = members;
    let max = bounds.history_limit_max;
    Ok(Past {
        channel: ChannelMembers { channel, system, consumer }.id()?,
        since: since.as_deref().map(|since| position("since", since)).transpose()?,
        limit: within("limit", limit.unwrap_or(HISTORY_LIMIT_DEFAULT.min(max)), 1..=max)?,
    })
}

/// Reads a `publish`: an object, or the channel, the payload, and an object with the rest.
pub(super) fn publish(arguments: &EventArguments, limits: &LimitSettings) -> Result<Publish, Invalid> {
    let (members, payload) = publish_members(arguments)?;
    members.publish(payload, limits)
}

/// Reads a `broadcast`: as a `publish`.
pub(super) fn broadcast(
    arguments: &EventArguments,
    limits: &LimitSettings,
    bounds: &Bounds,
) -> Result<Broadcast, Invalid> {
    let (mut members, payload) = publish_members(arguments)?;
    if members.idempotency_key.is_some() {
        return Err(Invalid::new("idempotency_key", "is for publish only: each broadcast collects anew"));
    }
    let timeout = members.timeout.take().map(|span| span.duration("timeout")).transpose()?;
    let until = members.until.map(|until| within("until", until, UNTIL)).transpose()?;
    Ok(Broadcast {
        publish: members.publish(payload, limits)?,
        timeout: timeout.unwrap_or(BROADCAST_TIMEOUT_DEFAULT).min(bounds.broadcast_timeout_max),
        until,
    })
}

fn publish_members(arguments: &EventArguments) -> Result<(PublishMembers<'_>, Payload), Invalid> {
    let mut each = arguments.iter();
    let target = each.next().ok_or(MISSING_CHANNEL)?;
    let mut members: PublishMembers<'_> = match name(target)? {
        Some(channel) => PublishMembers { channel: Some(channel), ..PublishMembers::default() },
        None => parse(target)?,
    };
    let payload = match (members.payload, members.arguments) {
        (Some(_), Some(_)) => return Err(Invalid::new("arguments", "are in place of payload")),
        (None, Some(several)) => arguments.payload_of_several(several.get()),
        (Some(payload), None) => arguments.payload_of(payload.get()),
        (None, None) => {
            let payload = each.next().ok_or(Invalid::new("payload", "is missing"))?;
            if let Some(options) = each.next().map(parse::<Option<PublishMembers<'_>>>).transpose()?.flatten()
            {
                let (system, consumer) = (members.system, members.consumer);
                let (system, consumer) = (system || options.system, consumer || options.consumer);
                members = PublishMembers { channel: members.channel, system, consumer, ..options };
            }
            arguments.payload_of(payload)
        }
    };
    let payload =
        payload.ok_or(Invalid::new("payload", "alone can have bytes in it, and arguments are an array"))?;
    Ok((members, payload))
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
    fn id(self) -> Result<Arc<ChannelId>, Invalid> {
        let name = self.channel.ok_or(MISSING_CHANNEL)?;
        let id = ChannelId::new(&name, ChannelFlags::new(self.system, self.consumer));
        id.map(Arc::new).map_err(|error| Invalid::new("channel", error.to_string()))
    }
}

fn channel_id(json: &str) -> Result<Arc<ChannelId>, Invalid> {
    let members = match name(json)? {
        Some(channel) => ChannelMembers { channel: Some(channel), ..ChannelMembers::default() },
        None => parse(json)?,
    };
    members.id()
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

const MISSING_CHANNEL: Invalid = Invalid::missing("channel");

fn first(arguments: &EventArguments) -> Result<&str, Invalid> {
    arguments.iter().next().ok_or(MISSING_CHANNEL)
}

/// The elements of a list, or what is none.
fn one_or_many(json: &str) -> Result<Vec<&str>, Invalid> {
    if !json.starts_with('[') {
        return Ok(vec![json]);
    }
    let list: Vec<&RawValue> = parse(json)?;
    Ok(list.into_iter().map(RawValue::get).collect())
}

/// A channel that is its name alone; none if it is an object with more about it.
fn name(json: &str) -> Result<Option<String>, Invalid> {
    if json.starts_with('"') { parse(json).map(Some) } else { Ok(None) }
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
    if !is_event_name(&name, limits) {
        return Err(Invalid::new("name", format!("has 1 to {max} bytes and no control characters")));
    }
    Ok(name.into())
}

/// The names that a subscription lets through; with others than events have, they could be of any length.
fn event_names(names: Vec<Box<str>>, limits: &LimitSettings) -> Result<Vec<Box<str>>, Invalid> {
    let names = bounded_or_empty("events", names, EVENTS_MAX)?;
    let max = limits.event_name_bytes_max;
    if !names.iter().all(|name| is_event_name(name, limits)) {
        return Err(Invalid::new(
            "events",
            format!("are names of 1 to {max} bytes without control characters"),
        ));
    }
    Ok(names)
}

fn is_event_name(name: &str, limits: &LimitSettings) -> bool {
    (1..=limits.event_name_bytes_max).contains(&name.len())
        && !name.bytes().any(|byte| byte.is_ascii_control())
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
mod tests;
