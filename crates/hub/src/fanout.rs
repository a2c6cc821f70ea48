use std::collections::HashMap;
use std::rc::Rc;

use antiphon_model::{Position, Publication, SessionId};
use slab::Slab;

use crate::{ChannelUid, Delivery};

/// Whether a subscriber wants a publication.
pub type Filter = Rc<dyn Fn(&Publication) -> bool>;

/// A worker's own subscribers, by channel and by the format they want.
///
/// `K` names an outbox, `F` a format: subscribers of one format share the encoded bytes. Not shared between
/// threads, so that delivering takes no lock.
#[derive(Debug)]
pub struct Fanout<K, F> {
    channels: HashMap<ChannelUid, Vec<Group<K, F>>, foldhash::fast::RandomState>,
}

/// The subscribers of a channel that want one format.
#[derive(Debug)]
pub struct Group<K, F> {
    /// The format.
    pub format: F,
    subscribers: Slab<Subscriber<K>>,
}

/// One subscriber of a channel.
#[derive(Clone)]
pub struct Subscriber<K> {
    /// Its outbox.
    pub key: K,
    /// What came up to here it already has, or did not ask for.
    pub from: Position,
    /// Its session, for publications that leave one out.
    pub session: SessionId,
    /// What it wants of the channel; none is everything.
    pub filter: Option<Filter>,
}

impl<K: std::fmt::Debug> std::fmt::Debug for Subscriber<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscriber").field("key", &self.key).field("from", &self.from).finish_non_exhaustive()
    }
}

/// A place in a [`Fanout`], to be given up with [`Fanout::remove`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The channel.
    pub channel: ChannelUid,
    group: u32,
    slot: u32,
}

impl<K> Subscriber<K> {
    /// Whether it gets every one of `run` that does not leave its session out.
    #[inline]
    pub fn takes_all(&self, run: &[Delivery]) -> bool {
        self.filter.is_none() && run.first().is_some_and(|first| first.publication.position > self.from)
    }

    /// Whether it gets this one.
    pub fn takes(&self, publication: &Publication) -> bool {
        publication.position > self.from
            && publication.except != Some(self.session)
            && self.filter.as_ref().is_none_or(|filter| filter(publication))
    }
}

impl<K, F> Group<K, F> {
    /// The subscribers.
    pub fn subscribers(&self) -> impl Iterator<Item = &Subscriber<K>> {
        self.subscribers.iter().map(|(_, subscriber)| subscriber)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.subscribers.is_empty()
    }
}

impl<K, F: Copy + PartialEq> Fanout<K, F> {
    /// An empty table.
    pub fn new() -> Fanout<K, F> {
        Fanout { channels: HashMap::default() }
    }

    /// Adds a subscriber to a channel.
    pub fn add(&mut self, channel: ChannelUid, format: F, subscriber: Subscriber<K>) -> Subscription {
        let groups = self.channels.entry(channel).or_default();
        let group = groups.iter().position(|group| group.format == format).unwrap_or_else(|| {
            groups.push(Group { format, subscribers: Slab::new() });
            groups.len() - 1
        });
        let slot = groups[group].subscribers.insert(subscriber);
        Subscription { channel, group: group as u32, slot: slot as u32 }
    }

    /// Takes a subscriber away. True if it was the channel's last here: the hub is then to be told.
    pub fn remove(&mut self, subscription: Subscription) -> bool {
        let Some(groups) = self.channels.get_mut(&subscription.channel) else { return false };
        if let Some(group) = groups.get_mut(subscription.group as usize) {
            group.subscribers.try_remove(subscription.slot as usize);
        }
        let last = groups.iter().all(Group::is_empty);
        if last {
            self.channels.remove(&subscription.channel);
        }
        last
    }

    /// The groups of a channel, for publications on it.
    pub fn groups(&self, channel: ChannelUid) -> &[Group<K, F>] {
        self.channels.get(&channel).map_or(&[], Vec::as_slice)
    }

    /// How many channels have a subscriber here.
    pub fn channels(&self) -> usize {
        self.channels.len()
    }
}

impl<K, F: Copy + PartialEq> Default for Fanout<K, F> {
    fn default() -> Fanout<K, F> {
        Fanout::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscriber(key: u32) -> Subscriber<u32> {
        Subscriber { key, from: Position::ZERO, session: SessionId(u64::from(key)), filter: None }
    }

    #[test]
    fn subscribers_of_a_format_are_a_group_and_the_last_to_go_is_told() {
        let mut fanout = Fanout::new();
        let channel = ChannelUid(1);
        let a = fanout.add(channel, 'x', subscriber(1));
        let b = fanout.add(channel, 'y', subscriber(2));
        let c = fanout.add(channel, 'x', subscriber(3));
        let keys: Vec<Vec<u32>> =
            fanout.groups(channel).iter().map(|g| g.subscribers().map(|s| s.key).collect()).collect();
        assert_eq!(keys, [vec![1, 3], vec![2]]);
        assert!(!fanout.remove(a));
        assert!(!fanout.remove(b));
        assert!(fanout.remove(c));
        assert!(!fanout.remove(c));
        assert_eq!(fanout.channels(), 0);
    }
}
