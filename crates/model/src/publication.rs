use std::sync::Arc;
use std::time::Duration;

use crate::{ChannelId, Identity, Payload, Position, RawJson, Timestamp};

/// What a publication is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// An ordinary message.
    #[default]
    Message = 0,
    /// Small and of the moment (typing, cursors): never stored, dropped first for a slow reader.
    Signal = 1,
    /// A reaction or another action on an earlier message.
    Action = 2,
    /// A file was shared.
    File = 3,
    /// Somebody came, went or changed state.
    Presence = 4,
    /// An object (user, channel, membership) changed.
    Object = 5,
}

impl Kind {
    /// The kind of a stored number, if this version knows it.
    pub fn from_number(number: u8) -> Option<Kind> {
        [Kind::Message, Kind::Signal, Kind::Action, Kind::File, Kind::Presence, Kind::Object]
            .into_iter()
            .find(|kind| *kind as u8 == number)
    }

    /// The word for it on JSON wires.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Message => "message",
            Kind::Signal => "signal",
            Kind::Action => "action",
            Kind::File => "file",
            Kind::Presence => "presence",
            Kind::Object => "object",
        }
    }
}

/// A session as a whole process can name it: unique among the process's sessions, past ones included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Whether a publication is kept in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storing {
    /// As the channel's rule says.
    #[default]
    ByRule,
    /// Not even if the rule says so.
    Never,
}

/// Whether listeners' replies are collected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expects {
    /// A plain publication.
    #[default]
    Nothing,
    /// A broadcast: listeners may reply to its position.
    Replies,
}

/// Whether the bytes of a publication may be compressed on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compress {
    /// As each connection has agreed to, and the settings say.
    #[default]
    AsConfigured,
    /// Not: it is compressed already, or a secret beside what an attacker chose.
    Never,
}

/// A publication that has no position yet.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Where it goes.
    pub channel: Arc<ChannelId>,
    /// What it is.
    pub kind: Kind,
    /// The event name; none is `message` to dialects that need one.
    pub name: Option<Box<str>>,
    /// What it carries.
    pub payload: Payload,
    /// A JSON value about it, for filters.
    pub meta: Option<RawJson>,
    /// Who publishes.
    pub publisher: Option<Arc<Identity>>,
    /// A session that is not to get it: the publisher's own, where a dialect says "all but me".
    pub except: Option<SessionId>,
    /// Channels whose listeners are not to get it: "to these rooms, but not to those".
    pub except_listeners_of: Option<Arc<[Arc<ChannelId>]>>,
    /// Whether replies are collected.
    pub expects: Expects,
    /// Whether it is stored.
    pub storing: Storing,
    /// How long it is kept, if shorter than the channel's rule.
    pub ttl: Option<Duration>,
    /// The publisher's own name for this attempt: a second draft with it, on this channel and by this
    /// publisher, is the same publication.
    pub idempotency_key: Option<Box<str>>,
    /// Whether it may be compressed.
    pub compress: Compress,
}

impl Draft {
    /// A plain message.
    pub fn new(channel: Arc<ChannelId>, payload: Payload) -> Draft {
        Draft {
            channel,
            kind: Kind::Message,
            name: None,
            payload,
            meta: None,
            publisher: None,
            except: None,
            except_listeners_of: None,
            expects: Expects::Nothing,
            storing: Storing::ByRule,
            ttl: None,
            idempotency_key: None,
            compress: Compress::AsConfigured,
        }
    }

    /// The publication this becomes at `position`.
    pub fn at(self, position: Position) -> Publication {
        Publication {
            position,
            expires: self.ttl.map(|ttl| position.timestamp().later_by(ttl)),
            channel: self.channel,
            kind: self.kind,
            name: self.name,
            payload: self.payload,
            meta: self.meta,
            publisher: self.publisher,
            except: self.except,
            except_listeners_of: self.except_listeners_of,
            expects: self.expects,
            compress: self.compress,
        }
    }
}

/// One message on a channel, at its position. Shared by reference from here on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Where it stands in its org's order.
    pub position: Position,
    /// When its own time is up. None: only the channel's rule limits how long it is kept, or the store answers for it.
    pub expires: Option<Timestamp>,
    /// Its channel.
    pub channel: Arc<ChannelId>,
    /// What it is.
    pub kind: Kind,
    /// The event name, if it was given one.
    pub name: Option<Box<str>>,
    /// What it carries.
    pub payload: Payload,
    /// A JSON value about it.
    pub meta: Option<RawJson>,
    /// Who published it.
    pub publisher: Option<Arc<Identity>>,
    /// A session that does not get it.
    pub except: Option<SessionId>,
    /// Channels of the org whose listeners do not get it: who listens to one of them when it is delivered, or comes back for
    /// what he missed and listens to one then.
    pub except_listeners_of: Option<Arc<[Arc<ChannelId>]>>,
    /// Whether replies to it are collected.
    pub expects: Expects,
    /// Whether it may be compressed. Not stored: of the moment.
    pub compress: Compress,
}

impl Publication {
    /// The event name, `message` if it was given none.
    pub fn name_or_default(&self) -> &str {
        self.name.as_deref().unwrap_or("message")
    }

    /// About how many bytes it keeps in memory, for limits on rings and outboxes.
    pub fn memory_bytes(&self) -> usize {
        std::mem::size_of::<Publication>()
            + self.payload.len()
            + self.name.as_ref().map_or(0, |name| name.len())
            + self.meta.as_ref().map_or(0, |meta| meta.as_bytes().len())
            + self.except_listeners_of.as_ref().map_or(0, |channels| {
                channels.iter().map(|channel| std::mem::size_of::<ChannelId>() + channel.name().len()).sum()
            })
    }
}
