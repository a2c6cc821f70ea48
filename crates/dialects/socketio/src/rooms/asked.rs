use std::rc::Rc;
use std::sync::Arc;

use antiphon_access::{Caller, Permission};
use antiphon_hub::{Filter, Since};
use antiphon_model::{ChannelFlags, ChannelId, Kind, Position, Publication, RawJson};
use antiphon_net::{Format, ListenError, Want};
use antiphon_node::Node;
use serde::{Deserialize, Serialize};

/// What a client asked to listen to by itself: a channel of whatever name and flags, and what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) channel: Arc<ChannelId>,
    /// The events that it wants; all if there are none.
    pub(crate) events: Vec<Box<str>>,
    /// Whether it wants to know who comes and goes.
    pub(crate) presence: bool,
    /// Whether it counts as present, and with what state.
    pub(crate) join: Option<Option<RawJson>>,
}

/// A client that began to listen got what it had missed before: until it has all of that, the last event that it got says little about
/// its other channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct CatchUp {
    /// Which of the socket's it is: several channels can be in one.
    pub(super) turn: u32,
    /// It ends there, and what is live comes after it.
    pub(super) until: Position,
}

/// What of [`Asked`] is in a record.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct AskedRecord {
    channel: Box<str>,
    #[serde(default, skip_serializing_if = "is_zero")]
    flags: u8,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    events: Vec<Box<str>>,
    #[serde(default, skip_serializing_if = "is_not")]
    presence: bool,
    #[serde(default, skip_serializing_if = "is_not")]
    join: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<Box<str>>,
}

fn is_zero(flags: &u8) -> bool {
    *flags == 0
}

fn is_not(flag: &bool) -> bool {
    !flag
}

impl Asked {
    /// A channel with all that is published on it, and nothing more.
    pub(crate) fn plain(channel: Arc<ChannelId>) -> Asked {
        Asked { channel, events: Vec::new(), presence: false, join: None }
    }

    /// What it is for a session.
    pub(crate) fn want(&self, since: Since, format: &'static Format) -> Want {
        let channel = Arc::clone(&self.channel);
        Want { channel, since, format, filter: self.filter(), presence: self.presence, label: None }
    }

    fn filter(&self) -> Option<Filter> {
        if self.events.is_empty() {
            return None;
        }
        let events = self.events.clone();
        Some(Rc::new(move |publication: &Publication| {
            publication.kind == Kind::Presence
                || events.iter().any(|name| **name == *publication.name_or_default())
        }))
    }

    /// Checks that somebody may have it.
    ///
    /// # Errors
    /// He may not.
    pub(super) fn check(&self, node: &Node, caller: &Caller) -> Result<(), ListenError> {
        node.may_listen(caller, &self.channel)?;
        if self.presence {
            node.may_listen(caller, &self.channel.presence())?;
        }
        if self.join.is_some() {
            caller.may(Permission::Presence, &self.channel)?;
        }
        Ok(())
    }

    pub(super) fn to_record(&self) -> AskedRecord {
        AskedRecord {
            channel: self.channel.name().into(),
            flags: self.channel.flags().bits(),
            events: self.events.clone(),
            presence: self.presence,
            join: self.join.is_some(),
            state: self.join.as_ref().and_then(Option::as_ref).map(|state| state.as_str().into()),
        }
    }

    /// None if no channel has such a name, which a record of ours does not say.
    pub(super) fn of_record(record: AskedRecord) -> Option<Asked> {
        let channel = ChannelId::new(&record.channel, ChannelFlags::from_bits(record.flags)).ok()?;
        let state = record.state.map(|state| RawJson::from_serializer(String::from(state)));
        let join = record.join.then_some(state);
        Some(Asked { channel: Arc::new(channel), events: record.events, presence: record.presence, join })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_all_of_it() {
        let channel = |system| Arc::new(ChannelId::new("a", ChannelFlags::new(system, false)).unwrap());
        let state = RawJson::from_serializer(r#"{"x":1}"#.to_owned());
        let all = Asked {
            channel: channel(true),
            events: vec!["e".into()],
            presence: true,
            join: Some(Some(state)),
        };
        for (asked, expected) in [
            (Asked::plain(channel(false)), r#"{"channel":"a"}"#),
            (
                all,
                r#"{"channel":"a","flags":1,"events":["e"],"presence":true,"join":true,"state":"{\"x\":1}"}"#,
            ),
        ] {
            let json = serde_json::to_string(&asked.to_record()).unwrap();
            assert_eq!(json, expected);
            assert_eq!(Asked::of_record(serde_json::from_str(&json).unwrap()), Some(asked));
        }
    }
}
