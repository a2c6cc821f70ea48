//! What a request is about: channels by their names in its path, and the channels of the groups in its query.

use std::collections::HashSet;
use std::sync::Arc;

use antiphon_access::pam::{Bits, Resource};
use antiphon_model::{ChannelId, RawJson};
use serde_json::Value;

use crate::request::Request;
use crate::wire::error::Refusal;
use crate::wire::names::{PRESENCE_SUFFIX, channel, list, unique};

/// The channels and groups that a request names, each once.
pub(super) struct Asked {
    pub(super) channels: Vec<Box<str>>,
    pub(super) groups: Vec<Box<str>>,
    /// How many channels and groups it named: clients that name one twice still mean several.
    pub(super) listed: Listed,
}

/// How many names there are, which decides on the shape of some answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    /// One channel and no group.
    OneChannel,
    /// Anything else.
    Several,
}

/// A channel where somebody is present.
pub(super) struct Place {
    pub(super) channel: Arc<ChannelId>,
    /// The group that leads to it, if no name does.
    pub(super) group: Option<Box<str>>,
}

impl Asked {
    /// Reads the names of a request whose path has `{channels}`.
    ///
    /// # Errors
    /// There are too many, none, or no channel can be called so.
    pub(super) fn of(request: &Request) -> Result<Asked, Refusal> {
        let channels = request.path.of("channels");
        let groups = request.query.one("channel-group").unwrap_or_default();
        let listed = match (list(channels).take(2).count(), list(groups).next()) {
            (1, None) => Listed::OneChannel,
            _ => Listed::Several,
        };
        let asked = Asked { channels: names(channels), groups: names(groups), listed };
        let max = request.settings().names_per_request_max;
        if asked.channels.len() > max || asked.groups.len() > max {
            return Err(Refusal::bad("Too many channels"));
        }
        if asked.channels.is_empty() && asked.groups.is_empty() {
            return Err(Refusal::bad("Missing Channel"));
        }
        for name in asked.channels.iter().chain(&asked.groups) {
            channel(name)?;
        }
        Ok(asked)
    }

    /// Checks that the request may read all of it.
    ///
    /// # Errors
    /// The refusal names what it may not.
    pub(super) fn may_read(&self, request: &Request) -> Result<(), Refusal> {
        let channels = self.channels.iter().map(|name| Resource::Channel(name));
        let groups = self.groups.iter().map(|name| Resource::Group(name));
        request.may(channels.chain(groups), Bits::READ)
    }

    /// The channels where who asks is present, or is asked about: those that are no presence events, each once.
    pub(super) fn places(&self, request: &Request) -> Vec<Place> {
        let mut seen = HashSet::new();
        let mut places = Vec::with_capacity(self.channels.len());
        let mut add = |name: &str, group: Option<&str>| {
            if let Some(channel) = place(name)
                && seen.insert(Arc::clone(&channel))
            {
                places.push(Place { channel, group: group.map(Box::from) });
            }
        };
        for name in &self.channels {
            add(name, None);
        }
        for group in self.groups.iter().filter(|group| !group.ends_with(PRESENCE_SUFFIX)) {
            for name in request.shared.groups.channels(&request.keyset.org, group) {
                add(&name, Some(group));
            }
        }
        places
    }
}

fn names(text: &str) -> Vec<Box<str>> {
    unique(text).into_iter().map(Box::from).collect()
}

/// Where a subscriber to a name is present. A wildcard's is a channel of its own, by the wildcard's name.
fn place(name: &str) -> Option<Arc<ChannelId>> {
    if name.ends_with(PRESENCE_SUFFIX) { None } else { channel(name).ok() }
}

/// The states that a request sets, by the name of a channel or group.
#[derive(Default)]
pub(super) struct States(serde_json::Map<String, Value>);

impl States {
    /// Reads `state={"channel":{…}}`.
    ///
    /// # Errors
    /// It is no object of objects.
    pub(super) fn of(request: &Request) -> Result<States, Refusal> {
        let Some(text) = request.query.filled("state") else { return Ok(States::default()) };
        let states: serde_json::Map<String, Value> =
            serde_json::from_str(text).map_err(|_| invalid_state())?;
        if states.values().all(|state| state.is_object() || state.is_null()) {
            Ok(States(states))
        } else {
            Err(invalid_state())
        }
    }

    /// What is set at a place: by the channel's name, else by its group's.
    pub(super) fn at(&self, place: &Place) -> Option<RawJson> {
        let by_group = || self.0.get(place.group.as_deref()?);
        let state = self.0.get(place.channel.name()).or_else(by_group)?;
        state.is_object().then(|| RawJson::shallow(state.to_string().into()).ok()).flatten()
    }
}

/// The state is not one.
pub(super) fn invalid_state() -> Refusal {
    Refusal::bad("Invalid JSON specified.")
}
