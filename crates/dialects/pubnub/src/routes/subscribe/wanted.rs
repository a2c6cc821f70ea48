use std::collections::HashSet;
use std::sync::Arc;

use antiphon_hub::{Filter, Since};
use antiphon_model::{ChannelFlags, ChannelId, Position, Publication};
use antiphon_net::{Label, Want};

use crate::formats::{self, ENVELOPE};
use crate::request::Request;
use crate::routes::asked::Asked;
use crate::wire::names::{PRESENCE_SUFFIX, channel, wildcard_prefix};

/// What a subscriber listens to: the channels that its names and groups stand for at a moment, each once.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) subscriptions: Vec<Subscription>,
}

/// A channel, and the label by which it is listened to.
#[derive(Clone, PartialEq)]
pub(super) struct Subscription {
    pub(super) channel: Arc<ChannelId>,
    pub(super) label: Label,
    /// The last position that was delivered before it was among them, where a group has led to it.
    pub(super) since: Position,
}

impl Wanted {
    /// What these names stand for. One that stands for a channel on its own comes before a group.
    pub(super) fn of(request: &Request, asked: &Asked) -> Wanted {
        let key = &*request.keyset.subscribe_key;
        let plain = request.local.label(key);
        let (mut seen, mut subscriptions) = (HashSet::new(), Vec::with_capacity(asked.channels.len()));
        let mut add = |channel: Option<ChannelId>, label: &Label, since: Position| {
            if let Some(channel) = channel.map(Arc::new)
                && seen.insert(Arc::clone(&channel))
            {
                subscriptions.push(Subscription { channel, label: Label::clone(label), since });
            }
        };
        for name in &asked.channels {
            let base = name.strip_suffix(PRESENCE_SUFFIX).unwrap_or(name);
            match wildcard_prefix(base) {
                Some(_) => add(companion(name), &formats::label(key, Some(name)), Position::ZERO),
                None => add(companion(name), &plain, Position::ZERO),
            }
        }
        for group in &asked.groups {
            let label = formats::label(key, Some(group));
            let (base, presence) = match group.strip_suffix(PRESENCE_SUFFIX) {
                Some(base) => (base, true),
                None => (&**group, false),
            };
            for (name, since) in request.shared.groups.members(&request.keyset.org, base) {
                match (presence, name.ends_with(PRESENCE_SUFFIX)) {
                    (false, _) => add(companion(&name), &label, since),
                    (true, false) => add(companion(&format!("{name}{PRESENCE_SUFFIX}")), &label, since),
                    (true, true) => {}
                }
            }
        }
        Wanted { subscriptions }
    }

    /// As net wants to know it.
    pub(super) fn wants(&self, since: Since, filter: Option<&Filter>) -> Vec<Want> {
        let want = |one: &Subscription| Want {
            channel: Arc::clone(&one.channel),
            since,
            format: &ENVELOPE,
            filter: filter.cloned(),
            presence: false,
            label: Some(Label::clone(&one.label)),
        };
        self.subscriptions.iter().map(want).collect()
    }

    /// Whether a publication leaves out who listens to one of these.
    pub(super) fn is_left_out_by(&self, publication: &Publication) -> bool {
        let except = publication.except_listeners_of.as_deref().unwrap_or_default();
        except.iter().any(|channel| self.subscriptions.iter().any(|one| one.channel == *channel))
    }

    /// Since when there is something that another resolution of the same names does not have.
    pub(super) fn more_than(&self, other: &Wanted) -> Option<Position> {
        if self.is(other) {
            return None;
        }
        let more = self.subscriptions.iter().filter(|one| !other.subscriptions.contains(one));
        more.map(|one| one.since).min()
    }

    /// Whether another resolution of the same names leads to the same channels.
    pub(super) fn is(&self, other: &Wanted) -> bool {
        self.subscriptions == other.subscriptions
    }
}

/// The channel that a name is subscribed to as: a wildcard's companion, a channel's presence events, or the channel itself.
fn companion(name: &str) -> Option<ChannelId> {
    let (base, presence) = match name.strip_suffix(PRESENCE_SUFFIX) {
        Some(base) if !base.is_empty() => (base, true),
        _ => (name, false),
    };
    let id = match wildcard_prefix(base).and_then(ChannelId::wildcard_of) {
        Some(companion) => companion,
        None => ChannelId::clone(&*channel(base).ok()?),
    };
    debug_assert!(!id.flags().contains(ChannelFlags::PRESENCE));
    Some(if presence { id.presence() } else { id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_channels_their_presence_and_companions() {
        let plain = |name| ChannelId::new(name, ChannelFlags::NONE).unwrap();
        let wildcard = |prefix| ChannelId::wildcard_of(prefix).unwrap();
        for (name, expected) in [
            ("room", plain("room")),
            ("room-pnpres", plain("room").presence()),
            ("a.*", wildcard("a")),
            ("a.b.*-pnpres", wildcard("a.b").presence()),
            ("a.b.c.*", plain("a.b.c.*")),
            ("-pnpres", plain("-pnpres")),
        ] {
            assert_eq!(companion(name), Some(expected), "{name}");
        }
        assert_eq!(companion("a\nb"), None);
    }
}
