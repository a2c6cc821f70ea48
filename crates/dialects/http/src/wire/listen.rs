use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use antiphon_access::LimitSettings;
use antiphon_model::{ChannelFlags, ChannelId, Position, RawJson, Storing};

use super::query::{InvalidParameter, Query};

/// How many event names a listener can ask for.
pub(crate) const EVENTS_MAX: usize = 100;

/// How many messages a poll answers if it does not say.
const LIMIT_DEFAULT: usize = 100;

/// The channels a request is about: one in its path, or those in its query.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Channels<'a> {
    /// `/v1/channels/{channel}`
    One(&'a str),
    /// `/v1/events?channel=…&channel=…`, at least so many.
    Many {
        /// Fewer are refused.
        min: usize,
    },
}

/// What a listener wants, whatever the technique.
#[derive(Clone, Debug)]
pub(crate) struct Listen {
    /// The channels, each once, in the order they were named.
    pub(crate) channels: Vec<Arc<ChannelId>>,
    /// After which position.
    pub(crate) since: Option<Position>,
    /// How many messages at most, for polls.
    pub(crate) limit: usize,
    /// How long to wait for one, for polls.
    pub(crate) wait: Option<Duration>,
    /// Only these event names; none means all.
    pub(crate) events: Vec<Box<str>>,
    /// Presence events too.
    pub(crate) presence: bool,
    /// Count the listener as present.
    pub(crate) join: bool,
    /// With this state.
    pub(crate) state: Option<RawJson>,
    /// Whole messages where payloads would do.
    pub(crate) envelope: bool,
    /// A raw WebSocket gets what it publishes itself.
    pub(crate) echo: bool,
    /// What a raw WebSocket publishes is stored.
    pub(crate) storing: Storing,
}

impl Listen {
    /// Reads the query of a listening request, and its `Last-Event-ID`.
    ///
    /// # Errors
    /// A parameter is not what it has to be, or there are too few or too many channels.
    pub(crate) fn parse(
        query: &Query<'_>,
        channels: Channels<'_>,
        last_event_id: Option<&[u8]>,
        limits: &LimitSettings,
        limit_max: usize,
    ) -> Result<Listen, InvalidParameter> {
        let events = query.all("event", EVENTS_MAX)?;
        Ok(Listen {
            envelope: query.flag("envelope")?.unwrap_or_default()
                || matches!(channels, Channels::Many { .. }),
            channels: self::channels(query, channels, limits)?,
            since: since(query, last_event_id)?,
            limit: query.number("limit", 1..=limit_max)?.unwrap_or(LIMIT_DEFAULT.min(limit_max)),
            wait: query.duration("wait")?.filter(|wait| !wait.is_zero()),
            events: events.into_iter().map(Box::from).collect(),
            presence: query.flag("presence")?.unwrap_or_default(),
            join: query.flag("join")?.unwrap_or_default(),
            state: query.json("state")?,
            echo: query.flag("echo")?.unwrap_or(true),
            storing: storing(query.flag("store")?),
        })
    }
}

/// `store=false` keeps a publication out of the store.
pub(crate) fn storing(store: Option<bool>) -> Storing {
    match store {
        Some(false) => Storing::Never,
        Some(true) | None => Storing::ByRule,
    }
}

/// The flags that `system` and `consumer` select.
pub(crate) fn flags(query: &Query<'_>) -> Result<ChannelFlags, InvalidParameter> {
    let system = query.flag("system")?.unwrap_or_default();
    let consumer = query.flag("consumer")?.unwrap_or_default();
    Ok(ChannelFlags::new(system, consumer))
}

/// The channel of this name.
///
/// # Errors
/// It is not one a channel of the org can have.
pub(crate) fn channel(
    name: &str,
    flags: ChannelFlags,
    limits: &LimitSettings,
) -> Result<Arc<ChannelId>, InvalidParameter> {
    let max = limits.channel_name_bytes_max;
    if name.len() > max {
        return Err(InvalidParameter::new("channel", format!("has at most {max} bytes")));
    }
    match ChannelId::new(name, flags) {
        Ok(channel) => Ok(Arc::new(channel)),
        Err(error) => Err(InvalidParameter::new("channel", error.to_string())),
    }
}

fn channels(
    query: &Query<'_>,
    channels: Channels<'_>,
    limits: &LimitSettings,
) -> Result<Vec<Arc<ChannelId>>, InvalidParameter> {
    let flags = flags(query)?;
    let (names, min) = match channels {
        Channels::One(name) => (vec![Cow::Borrowed(name)], 1),
        Channels::Many { min } => (query.all("channel", limits.subscriptions_per_session_max)?, min),
    };
    if names.len() < min {
        return Err(InvalidParameter::new(
            "channel",
            "is missing: name at least one, like ?channel=a&channel=b",
        ));
    }
    let mut seen = std::collections::HashSet::new();
    let mut distinct = Vec::with_capacity(names.len());
    for name in &names {
        if seen.insert(&**name) {
            distinct.push(channel(name, flags, limits)?);
        }
    }
    Ok(distinct)
}

/// `Last-Event-ID` before `since`: an `EventSource` that reconnects repeats its URL, and knows better by then.
fn since(query: &Query<'_>, last_event_id: Option<&[u8]>) -> Result<Option<Position>, InvalidParameter> {
    let since = query.parsed("since", |text| text.parse().map_err(|_| POSITION))?;
    match last_event_id.filter(|id| !id.is_empty()) {
        None => Ok(since),
        Some(id) => match std::str::from_utf8(id).ok().and_then(|id| id.parse().ok()) {
            Some(position) => Ok(Some(position)),
            None => Err(InvalidParameter::new("Last-Event-ID", POSITION)),
        },
    }
}

/// What a position has to be.
pub(crate) const POSITION: &str = "is a position: 1 to 19 digits, like 17325678901234567";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::query::Query;

    fn parse(query: &str, channels: Channels<'_>, id: Option<&str>) -> Result<Listen, InvalidParameter> {
        let id = id.map(str::as_bytes);
        Listen::parse(&Query::parse(query), channels, id, &LimitSettings::default(), 1000)
    }

    const ROOM: Channels<'_> = Channels::One("room");
    const MANY: Channels<'_> = Channels::Many { min: 1 };

    #[test]
    fn everything_has_a_default() {
        let listen = parse("", ROOM, None).unwrap();
        assert_eq!(listen.channels[0].name(), "room");
        assert_eq!((listen.since, listen.limit, listen.wait), (None, 100, None));
        assert!(!listen.presence && !listen.join && !listen.envelope && listen.echo);
        assert_eq!(listen.storing, Storing::ByRule);
    }

    #[test]
    fn everything_can_be_said() {
        let query = "since=17&limit=5&wait=25s&event=a&event=b&presence=true&join=true&state=%7B%7D\
                     &envelope=true&echo=false&store=false&system=true&consumer=true&unknown=x";
        let listen = parse(query, ROOM, None).unwrap();
        assert_eq!(listen.since, Some(Position(17)));
        assert_eq!((listen.limit, listen.wait), (5, Some(Duration::from_secs(25))));
        assert_eq!(listen.events, ["a".into(), "b".into()]);
        assert!(listen.presence && listen.join && listen.envelope && !listen.echo);
        assert_eq!(listen.state.unwrap().as_str(), "{}");
        assert_eq!(listen.storing, Storing::Never);
        assert_eq!(listen.channels[0].to_string(), "room (system) (consumer)");
    }

    #[test]
    fn channels_collapse_and_are_counted() {
        let listen = parse("channel=a&channel=b&channel=a", MANY, None).unwrap();
        assert_eq!(listen.channels.iter().map(|c| c.name()).collect::<Vec<_>>(), ["a", "b"]);
        assert!(listen.envelope);
        assert!(parse("", MANY, None).unwrap_err().to_string().starts_with("channel: is missing"));
        assert!(parse("", Channels::Many { min: 0 }, None).unwrap().channels.is_empty());
        let many = (0..1001).map(|i| format!("channel={i}")).collect::<Vec<_>>().join("&");
        assert_eq!(
            parse(&many, MANY, None).unwrap_err().to_string(),
            "channel: is given more than 1000 times"
        );
        assert_eq!(
            parse("channel=a&channel=", MANY, None).unwrap_err().to_string(),
            "channel: a channel name cannot be empty"
        );
    }

    #[test]
    fn the_last_event_id_counts_before_since() {
        assert_eq!(parse("since=1", ROOM, Some("2")).unwrap().since, Some(Position(2)));
        assert_eq!(parse("since=1", ROOM, Some("")).unwrap().since, Some(Position(1)));
        assert_eq!(parse("", ROOM, Some("x")).unwrap_err().name, "Last-Event-ID");
        assert_eq!(parse("since=x", ROOM, Some("2")).unwrap_err().name, "since");
    }

    #[test]
    fn limits_are_kept() {
        for query in ["limit=0", "limit=1001", "limit=x", "wait=soon", "join=1", "state={", "echo="] {
            let name = query.split('=').next().unwrap();
            assert_eq!(parse(query, ROOM, None).unwrap_err().name, name);
        }
        let limits = LimitSettings { channel_name_bytes_max: 3, ..LimitSettings::default() };
        assert!(channel("room", ChannelFlags::NONE, &limits).is_err());
    }
}
