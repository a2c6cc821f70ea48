//! Channel groups: names for sets of channels. Answered from memory, and kept in the store.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher as _;
use std::sync::Arc;

use antiphon_model::{OrgId, Position};
use antiphon_node::{Node, StoreError};
use bytes::Bytes;
use parking_lot::RwLock;
use tokio::sync::futures::Notified;
use tokio::sync::{Mutex, Notify, oneshot};

/// What the groups are called in the store; a key is a group and a channel with [`BETWEEN`] between them.
const COLLECTION: &str = "pubnub.groups";

/// Between a group and a channel. Neither has one: lists are made with it.
const BETWEEN: char = ',';

/// The groups of all keysets.
pub(crate) struct Groups {
    orgs: RwLock<HashMap<OrgId, OrgGroups, foldhash::fast::RandomState>>,
    /// Held while a change is stored and made, so that both come in one order.
    turn: Mutex<()>,
    /// Who waits is woken by what has the same hash as a group of his, and looks whether it is one.
    changed: [Notify; BELLS],
    hasher: foldhash::fast::RandomState,
    groups_max: usize,
    channels_max: usize,
}

type OrgGroups = BTreeMap<Box<str>, Members>;

/// A group's channels, each with the last position that was delivered before the group had it.
type Members = BTreeMap<Box<str>, Position>;

/// In how many parts those who wait for changes are divided.
const BELLS: usize = 256;

/// Why a group is not changed.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum GroupError {
    /// There are as many groups as there may be.
    #[error("this keyset has as many channel groups as it may have")]
    TooManyGroups,
    /// The group has as many channels as it may.
    #[error("Maximum number of channels in a channel group exceeded")]
    TooManyChannels,
    /// The change is not stored, and not made.
    #[error("the channel group cannot be changed: {0}")]
    Unavailable(#[from] StoreError),
}

impl Groups {
    pub(crate) fn new(groups_max: usize, channels_max: usize) -> Groups {
        Groups {
            orgs: RwLock::default(),
            turn: Mutex::default(),
            changed: std::array::from_fn(|_| Notify::new()),
            hasher: foldhash::fast::RandomState::default(),
            groups_max,
            channels_max,
        }
    }

    /// Reads what the store keeps. Blocks.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn restore(&self, node: &Node) -> Result<(), StoreError> {
        let mut orgs = self.orgs.write();
        for (org, item) in node.store().all_items(COLLECTION)? {
            if let Some((group, channel)) = item.key.split_once(BETWEEN) {
                let groups = orgs.entry(org).or_default();
                groups.entry(group.into()).or_default().insert(channel.into(), Position::ZERO);
            }
        }
        Ok(())
    }

    /// The names of an org's groups, those with channels.
    pub(crate) fn names(&self, org: &OrgId) -> Vec<Box<str>> {
        self.orgs.read().get(org).map(|groups| groups.keys().cloned().collect()).unwrap_or_default()
    }

    /// The channels of a group; none if there is no such group.
    pub(crate) fn channels(&self, org: &OrgId, group: &str) -> Vec<Box<str>> {
        self.members(org, group).into_iter().map(|(channel, _)| channel).collect()
    }

    /// The same, each with the last position that was delivered before the group had it.
    pub(crate) fn members(&self, org: &OrgId, group: &str) -> Vec<(Box<str>, Position)> {
        let orgs = self.orgs.read();
        let members = orgs.get(org).and_then(|groups| groups.get(group));
        let members = members.into_iter().flatten();
        members.map(|(channel, since)| (channel.clone(), *since)).collect()
    }

    /// Done when a group may have changed since this was called.
    pub(crate) fn changed(&self, org: &OrgId, group: &str) -> Notified<'_> {
        self.bell(org, group).notified()
    }

    fn bell(&self, org: &OrgId, group: &str) -> &Notify {
        &self.changed[self.hasher.hash_one((org, group)) as usize % BELLS]
    }

    /// Adds channels to a group, which is made if there is none.
    ///
    /// # Errors
    /// See [`GroupError`]. Some may have been added if the store fails in between.
    pub(crate) async fn add(
        &self,
        node: &Arc<Node>,
        org: &OrgId,
        group: &str,
        channels: &[Box<str>],
    ) -> Result<(), GroupError> {
        let _turn = self.turn.lock().await;
        let new = self.new_ones(org, group, channels)?;
        let write = |channel: &str, done| {
            node.store().put_item(org, COLLECTION, &key(group, channel), Bytes::new(), None, done);
        };
        let stored = all(&new, write).await;
        let mut orgs = self.orgs.write();
        let since = node.org(org).hub.delivered();
        let groups = orgs.entry(org.clone()).or_default();
        let members = groups.entry(group.into()).or_default();
        let mut result = Ok(());
        for (channel, stored) in new.into_iter().zip(stored) {
            match stored {
                Ok(()) => _ = members.insert(channel.into(), since),
                Err(error) => result = Err(GroupError::Unavailable(error)),
            }
        }
        if members.is_empty() {
            groups.remove(group);
        }
        drop(orgs);
        self.bell(org, group).notify_waiters();
        result
    }

    /// Those of the channels that the group does not have yet.
    fn new_ones<'a>(
        &self,
        org: &OrgId,
        group: &str,
        channels: &'a [Box<str>],
    ) -> Result<Vec<&'a str>, GroupError> {
        let orgs = self.orgs.read();
        let groups = orgs.get(org);
        let members = groups.and_then(|groups| groups.get(group));
        if members.is_none() && groups.is_some_and(|groups| groups.len() >= self.groups_max) {
            return Err(GroupError::TooManyGroups);
        }
        let has = |channel: &str| members.is_some_and(|members| members.contains_key(channel));
        let new: Vec<&str> =
            channels.iter().map(|channel| &**channel).filter(|channel| !has(channel)).collect();
        if members.map_or(0, BTreeMap::len) + new.len() > self.channels_max {
            return Err(GroupError::TooManyChannels);
        }
        Ok(new)
    }

    /// Takes channels out of a group; all of them if none are named. A group without any is gone.
    ///
    /// # Errors
    /// The store fails. Some may have been removed.
    pub(crate) async fn remove(
        &self,
        node: &Arc<Node>,
        org: &OrgId,
        group: &str,
        channels: Option<&[Box<str>]>,
    ) -> Result<(), GroupError> {
        let _turn = self.turn.lock().await;
        let members = self.channels(org, group);
        let wanted =
            |channel: &str| channels.is_none_or(|channels| channels.iter().any(|one| **one == *channel));
        let gone: Vec<&str> = members.iter().map(|channel| &**channel).filter(|one| wanted(one)).collect();
        let write =
            |channel: &str, done| node.store().remove_item(org, COLLECTION, &key(group, channel), done);
        let removed = all(&gone, write).await;
        let mut orgs = self.orgs.write();
        let groups = orgs.entry(org.clone()).or_default();
        let mut result = Ok(());
        for (channel, removed) in gone.into_iter().zip(removed) {
            match removed {
                Ok(_) => {
                    if let Some(members) = groups.get_mut(group) {
                        members.remove(channel);
                    }
                }
                Err(error) => result = Err(GroupError::Unavailable(error)),
            }
        }
        if groups.get(group).is_some_and(BTreeMap::is_empty) {
            groups.remove(group);
        }
        drop(orgs);
        self.bell(org, group).notify_waiters();
        result
    }
}

fn key(group: &str, channel: &str) -> String {
    format!("{group}{BETWEEN}{channel}")
}

type Done<T> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;

/// Has all of these written, and waits for each.
async fn all<T: Send + 'static>(
    channels: &[&str],
    write: impl Fn(&str, Done<T>),
) -> Vec<Result<T, StoreError>> {
    let mut waiting = Vec::with_capacity(channels.len());
    for channel in channels {
        let (sender, receiver) = oneshot::channel();
        // Whoever asked may have gone.
        write(channel, Box::new(move |result| _ = sender.send(result)));
        waiting.push(receiver);
    }
    let mut results = Vec::with_capacity(waiting.len());
    for receiver in waiting {
        results.push(receiver.await.unwrap_or(Err(StoreError::Closed)));
    }
    results
}
