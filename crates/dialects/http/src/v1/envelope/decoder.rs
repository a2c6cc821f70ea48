use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use antiphon_access::{LimitSettings, Secret};
use antiphon_model::{ChannelFlags, ChannelId, Draft, Payload, RawJson};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::value::RawValue;

use super::list::{Item, each};
use super::members::{Member, Members, RawMember};
use super::{Bounds, Echo, Envelope, Id, Invalid, Join, Malformed, Ordered, Request, Subscription};
use crate::routes::broadcast::UNTIL_MAX;
use crate::wire::listen::{EVENTS_MAX, storing};
use crate::wire::publish::{Publish, event_name, idempotency_key, kind};

const TYPES: &str =
    "is subscribe, unsubscribe, publish, broadcast, reply, presence, state, history, authenticate or ping";

/// How many messages a history answers if it does not say.
const HISTORY_LIMIT_DEFAULT: usize = 100;
/// For how long a broadcast collects replies if it does not say.
const BROADCAST_TIMEOUT_DEFAULT: Duration = Duration::from_secs(2);

/// Reads a client's messages.
#[derive(Debug)]
pub(crate) struct Decoder {
    bounds: Bounds,
    /// The channel named last: most clients name the same one again and again.
    recent: Option<Arc<ChannelId>>,
}

impl Decoder {
    pub(crate) fn new(bounds: Bounds) -> Decoder {
        Decoder { bounds, recent: None }
    }

    /// Reads a message.
    ///
    /// # Errors
    /// It is none, and why.
    pub(crate) fn decode(&mut self, text: &[u8]) -> Result<Envelope, Malformed> {
        let mut members = Members::parse(text).map_err(Malformed::NotAnObject)?;
        let id = members.id();
        let twice = members.twice().map(|name| Invalid::new(name, "is given twice"));
        let (id, request) = match (id, twice) {
            (Err(invalid), _) => return Err(Malformed::Member { id: None, invalid }),
            (Ok(id), Some(invalid)) => (id, Err(invalid)),
            (Ok(id), None) => {
                let request = self.request(id.as_ref(), &mut members);
                (id, request)
            }
        };
        match request {
            Ok(request) => Ok(Envelope { id, request }),
            Err(invalid) => Err(Malformed::Member { id, invalid }),
        }
    }

    fn request(&mut self, id: Option<&Id>, members: &mut Members<'_>) -> Result<Request, Invalid> {
        let kind = members.text(Member::Type)?.ok_or(Invalid::missing("type"))?;
        match &*kind {
            "publish" => self.publish(members),
            "broadcast" => self.broadcast(id, members),
            "reply" => self.reply(members),
            "ping" => Ok(Request::Ping),
            "subscribe" => self.subscribe(members).map(Ordered::Subscribe).map(Request::Ordered),
            "unsubscribe" => self.unsubscribe(members).map(Ordered::Unsubscribe).map(Request::Ordered),
            "presence" => {
                needed(id)?;
                self.channel(members).map(Ordered::Presence).map(Request::Ordered)
            }
            "state" => self.state(members).map(Request::Ordered),
            "history" => self.history(id, members).map(Request::Ordered),
            "authenticate" => authenticate(members).map(Request::Ordered),
            _ => Err(Invalid::new("type", TYPES)),
        }
    }

    fn publish(&mut self, members: &mut Members<'_>) -> Result<Request, Invalid> {
        let key = members.text(Member::IdempotencyKey)?;
        let key = key.map(|key| idempotency_key(key.as_bytes())).transpose();
        let key = key.map_err(|reason| Invalid::new("idempotency_key", reason))?;
        let (draft, echo) = self.draft(members)?;
        Ok(Request::Publish { draft: Draft { idempotency_key: key, ..draft }, echo })
    }

    fn broadcast(&mut self, id: Option<&Id>, members: &mut Members<'_>) -> Result<Request, Invalid> {
        let id = needed(id)?.clone();
        if members.text(Member::IdempotencyKey)?.is_some() {
            return Err(Invalid::new("idempotency_key", "is for publish only: each broadcast collects anew"));
        }
        let timeout = members.duration(Member::Timeout)?.unwrap_or(BROADCAST_TIMEOUT_DEFAULT);
        let timeout = timeout.min(self.bounds.broadcast_timeout_max);
        let until = members.count(Member::Until, 1..=UNTIL_MAX)?;
        let (draft, echo) = self.draft(members)?;
        Ok(Request::Broadcast { id, draft, echo, timeout, until })
    }

    fn draft(&mut self, members: &mut Members<'_>) -> Result<(Draft, Echo), Invalid> {
        let channel = self.channel(members)?;
        let limits = &self.bounds.limits;
        let name = members.text(Member::Name)?.map(|name| event_name(&name, limits)).transpose();
        let word = members.text(Member::Kind)?.map(|word| kind(&word)).transpose();
        let publish = Publish {
            name: name.map_err(|reason| Invalid::new("name", reason))?,
            kind: word.map_err(|reason| Invalid::new("kind", reason))?.unwrap_or_default(),
            meta: json(members, RawMember::Meta)?,
            storing: storing(members.flag(Member::Store)?),
            ttl: members.duration(Member::Ttl)?,
            idempotency_key: None,
        };
        let echo = match members.flag(Member::Echo)? {
            Some(false) => Echo::No,
            Some(true) | None => Echo::Yes,
        };
        Ok((publish.draft(channel, payload(members)?), echo))
    }

    fn reply(&mut self, members: &mut Members<'_>) -> Result<Request, Invalid> {
        let channel = self.channel(members)?;
        let to = members.position(Member::To)?.ok_or(Invalid::missing("to"))?;
        Ok(Request::Reply { channel, to, payload: payload(members)? })
    }

    fn subscribe(&mut self, members: &Members<'_>) -> Result<Vec<Subscription>, Invalid> {
        let mut subscriptions = Vec::new();
        self.each_channel(members, |channel, members, limits| {
            let mut subscription =
                Subscription { channel, since: None, events: Vec::new(), presence: false, join: Join::No };
            if let Some(mut members) = members {
                subscription.since = members.position(Member::Since)?;
                subscription.presence = members.flag(Member::Presence)?.unwrap_or_default();
                let state = json(&members, RawMember::State)?;
                if members.flag(Member::Join)?.unwrap_or_default() {
                    subscription.join = Join::Yes(state);
                }
                if let Some(raw) = members.raw(RawMember::Events).filter(|raw| raw.get() != "null") {
                    each(raw, "events", EVENTS_MAX, |item| {
                        let Item::Text(name) = item else { return Err(Invalid::element("is a string")) };
                        subscription.events.push(event_name(&name, limits).map_err(Invalid::element)?);
                        Ok(())
                    })?;
                }
            }
            subscriptions.push(subscription);
            Ok(())
        })?;
        Ok(subscriptions)
    }

    fn unsubscribe(&mut self, members: &Members<'_>) -> Result<Vec<Arc<ChannelId>>, Invalid> {
        let mut channels = Vec::new();
        self.each_channel(members, |channel, _, _| {
            channels.push(channel);
            Ok(())
        })?;
        Ok(channels)
    }

    fn state(&mut self, members: &mut Members<'_>) -> Result<Ordered, Invalid> {
        let channel = self.channel(members)?;
        if members.raw(RawMember::State).is_none() {
            return Err(Invalid::new("state", "is missing: it is any JSON, null to have none"));
        }
        Ok(Ordered::State { channel, state: json(members, RawMember::State)? })
    }

    fn history(&mut self, id: Option<&Id>, members: &mut Members<'_>) -> Result<Ordered, Invalid> {
        needed(id)?;
        let channel = self.channel(members)?;
        let max = self.bounds.history_limit_max;
        let limit = members.count(Member::Limit, 1..=max)?.unwrap_or(HISTORY_LIMIT_DEFAULT.min(max));
        Ok(Ordered::History { channel, since: members.position(Member::Since)?, limit })
    }

    /// Reads `channels`, whose elements are names or objects.
    fn each_channel<'a>(
        &mut self,
        members: &Members<'a>,
        mut take: impl FnMut(Arc<ChannelId>, Option<Box<Members<'a>>>, &LimitSettings) -> Result<(), Invalid>,
    ) -> Result<(), Invalid> {
        let raw = members.raw(RawMember::Channels).ok_or(Invalid::missing("channels"))?;
        let limits = Arc::clone(&self.bounds.limits);
        each(raw, "channels", limits.subscriptions_per_session_max, |item| match item {
            Item::Text(name) => {
                let channel = self.named(&name, ChannelFlags::NONE);
                take(channel.map_err(Invalid::element)?, None, &limits)
            }
            Item::Members(mut members) => {
                if let Some(name) = members.twice() {
                    return Err(Invalid::new(name, "is given twice"));
                }
                let channel = self.channel(&mut members)?;
                take(channel, Some(members), &limits)
            }
            Item::Other => Err(Invalid::element("is a channel's name, or an object with channel")),
        })
    }

    fn channel(&mut self, members: &mut Members<'_>) -> Result<Arc<ChannelId>, Invalid> {
        let name = members.text(Member::Channel)?.ok_or(Invalid::missing("channel"))?;
        let system = members.flag(Member::System)?.unwrap_or_default();
        let consumer = members.flag(Member::Consumer)?.unwrap_or_default();
        let channel = self.named(&name, ChannelFlags::new(system, consumer));
        channel.map_err(|reason| Invalid::new("channel", reason))
    }

    fn named(&mut self, name: &str, flags: ChannelFlags) -> Result<Arc<ChannelId>, Cow<'static, str>> {
        if let Some(recent) = &self.recent
            && recent.name() == name
            && recent.flags() == flags
        {
            return Ok(Arc::clone(recent));
        }
        let max = self.bounds.limits.channel_name_bytes_max;
        if name.len() > max {
            return Err(format!("has at most {max} bytes").into());
        }
        let channel = Arc::new(ChannelId::new(name, flags).map_err(|error| error.to_string())?);
        self.recent = Some(Arc::clone(&channel));
        Ok(channel)
    }
}

/// What has nothing to answer under would be asked in vain.
fn needed(id: Option<&Id>) -> Result<&Id, Invalid> {
    id.ok_or(Invalid::new("id", "is missing: the answer is sent under it"))
}

/// Whether it is a credential at all is for the access to say, in words that do not repeat it.
fn authenticate(members: &mut Members<'_>) -> Result<Ordered, Invalid> {
    let token = members.text(Member::Token)?.ok_or(Invalid::missing("token"))?;
    if token.trim_ascii().is_empty() {
        return Err(Invalid::new("token", "is empty: it is an API key or a JWT"));
    }
    Ok(Ordered::Authenticate(Secret::new(&token)))
}

fn payload(members: &mut Members<'_>) -> Result<Payload, Invalid> {
    let raw = members.raw(RawMember::Payload).ok_or(Invalid::missing("payload"))?;
    match members.text(Member::Encoding)?.as_deref() {
        None => Ok(Payload::Json(shallow("payload", raw)?)),
        Some("base64") => {
            let text = text(raw).ok_or(Invalid::new("payload", "is a base64 string"))?;
            let bytes = STANDARD.decode(text.as_bytes());
            let bytes = bytes.map_err(|error| Invalid::new("payload", format!("is not base64: {error}")))?;
            Ok(Payload::Binary(bytes.into()))
        }
        Some(_) => Err(Invalid::new("encoding", "is base64, or left out")),
    }
}

/// Any JSON; `null` is none.
fn json(members: &Members<'_>, member: RawMember) -> Result<Option<RawJson>, Invalid> {
    let raw = members.raw(member).filter(|raw| raw.get() != "null");
    raw.map(|raw| shallow(member.name(), raw)).transpose()
}

/// A copy of its own, so that a small payload does not keep a large message in memory.
fn shallow(member: &'static str, raw: &RawValue) -> Result<RawJson, Invalid> {
    let text = Bytes::copy_from_slice(raw.get().as_bytes());
    RawJson::shallow(text).map_err(|error| Invalid::new(member, error.to_string()))
}

/// A string, borrowed where it has no escapes.
fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    match serde_json::from_str::<&str>(raw.get()) {
        Ok(text) => Some(Cow::Borrowed(text)),
        Err(_) => serde_json::from_str::<String>(raw.get()).ok().map(Cow::Owned),
    }
}
