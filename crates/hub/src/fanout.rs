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
    /// Whether it gets every one of `run`, consecutive publications on a channel, that leaves neither its session out nor the
    /// listeners of a channel that it listens to.
    #[inline]
    pub fn takes_all(&self, run: &[Delivery]) -> bool {
        let first = run.first().and_then(Delivery::publication);
        self.filter.is_none() && first.is_some_and(|first| first.position > self.from)
    }

    /// Whether it gets this one, unless it leaves out the listeners of a channel that the subscriber's session listens to:
    /// see [`Fanout::listeners_of`].
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

impl<K, F: PartialEq> Fanout<K, F> {
    /// An empty table.
    pub fn new() -> Fanout<K, F> {
        Fanout { channels: HashMap::default() }
    }

    /// Adds a subscriber to a channel.
    pub fn add(&mut self, channel: ChannelUid, format: F, subscriber: Subscriber<K>) -> Subscription {
        let groups = self.channels.entry(channel).or_default();
        let group = group_of(groups, format);
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

    /// Gives a subscriber another format; it has missed nothing and gets nothing twice by it. None if it is not there.
    pub fn reformat(
        &mut self,
        subscription: Subscription,
        format: impl FnOnce(&F) -> F,
    ) -> Option<Subscription> {
        let groups = self.channels.get_mut(&subscription.channel)?;
        let group = groups.get_mut(subscription.group as usize)?;
        let format = format(&group.format);
        if format == group.format {
            return Some(subscription);
        }
        let subscriber = group.subscribers.try_remove(subscription.slot as usize)?;
        Some(self.add(subscription.channel, format, subscriber))
    }

    /// The groups of a channel, for publications on it.
    pub fn groups(&self, channel: ChannelUid) -> &[Group<K, F>] {
        self.channels.get(&channel).map_or(&[], Vec::as_slice)
    }

    /// The sessions that listen here to any of `channels` since before `position`, some of them several times: who does not get a
    /// publication at that position which leaves out the listeners of these.
    pub fn listeners_of<'a>(
        &'a self,
        channels: &'a [ChannelUid],
        position: Position,
    ) -> impl Iterator<Item = SessionId> + 'a {
        let groups = channels.iter().flat_map(|channel| self.groups(*channel));
        let began_before = move |subscriber: &&Subscriber<K>| subscriber.from < position;
        groups.flat_map(Group::subscribers).filter(began_before).map(|subscriber| subscriber.session)
    }

    /// How many channels have a subscriber here.
    pub fn channels(&self) -> usize {
        self.channels.len()
    }
}

/// The place of a format's group, which is made if there is none.
fn group_of<K, F: PartialEq>(groups: &mut Vec<Group<K, F>>, format: F) -> usize {
    if let Some(group) = groups.iter().position(|group| group.format == format) {
        return group;
    }
    // Formats come and go: there are no more groups than there were formats at a time.
    if let Some(group) = groups.iter().position(Group::is_empty) {
        groups[group].format = format;
        return group;
    }
    groups.push(Group { format, subscribers: Slab::new() });
    groups.len() - 1
}

impl<K, F: PartialEq> Default for Fanout<K, F> {
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

    #[test]
    fn a_format_takes_the_place_of_one_that_nobody_wants_any_more() {
        let mut fanout = Fanout::new();
        let channel = ChannelUid(1);
        let stays = fanout.add(channel, 0, subscriber(1));
        for format in 1..100 {
            let comes_and_goes = fanout.add(channel, format, subscriber(2));
            assert!(!fanout.remove(comes_and_goes));
        }
        assert_eq!(fanout.groups(channel).len(), 2);
        assert!(fanout.remove(stays));
    }

    #[test]
    fn a_subscriber_changes_its_format_and_keeps_its_place_in_time() {
        let mut fanout = Fanout::new();
        let channel = ChannelUid(1);
        let only = fanout.add(channel, 'x', Subscriber { from: Position(7), ..subscriber(1) });
        assert_eq!(fanout.reformat(only, |format| *format), Some(only));
        let changed = fanout.reformat(only, |_| 'y').unwrap();
        let [group] = fanout.groups(channel) else { panic!("{fanout:?}") };
        let moved: Vec<_> = group.subscribers().map(|one| (one.key, one.from)).collect();
        assert_eq!((group.format, moved), ('y', vec![(1, Position(7))]));
        assert!(fanout.remove(changed));
        assert_eq!(fanout.reformat(changed, |_| 'z'), None);
    }
}
