//! What the lock of an org guards.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use antiphon_model::{ChannelId, Identity, Monotonic, Position, Publication};

use super::whereabouts::Whereabouts;
use super::wildcard::Wildcards;
use super::{Org, TooManyChannels};
use crate::ChannelUid;
use crate::channel::Channel;
use crate::hub::Shared;
use crate::inbox::Woken;
use crate::presence::Change;
use crate::sequence::Sequence;

/// The channels of an org, and the order of what is published on them.
pub(super) struct State {
    pub(super) sequence: Sequence,
    /// How many there were since the start.
    pub(super) publications: u64,
    /// Who is to be woken when the lock is given back.
    pub(super) woken: Woken,
    /// The last position handed to the workers.
    pub(super) delivered: Position,
    /// Nothing was published after this on a channel that is kept by its rule and is not in memory.
    pub(super) forgotten: Position,
    pub(super) channels: HashMap<Arc<ChannelId>, Channel, foldhash::fast::RandomState>,
    pub(super) names: HashMap<ChannelUid, Arc<ChannelId>, foldhash::fast::RandomState>,
    /// Idle channels, and when to look at them.
    pub(super) fading: VecDeque<(Monotonic, ChannelUid)>,
    pub(super) lingering: BTreeSet<(Monotonic, ChannelUid, Arc<Identity>)>,
    /// The channels that tell together who came and went, and when: all wait for the same time, so the first is due first.
    pub(super) intervals: VecDeque<(Monotonic, ChannelUid)>,
    pub(super) whereabouts: Whereabouts,
    pub(super) wildcards: Wildcards,
}

impl State {
    pub(super) fn room_for(&self, id: &ChannelId, org: &Org) -> Result<(), TooManyChannels> {
        let full = self.channels.len() >= org.channels_max() || org.shared.refuses_new_channels();
        if full && !self.channels.contains_key(id) { Err(TooManyChannels) } else { Ok(()) }
    }

    pub(super) fn open(&mut self, id: &Arc<ChannelId>, org: &Org) -> &mut Channel {
        let State { channels, names, delivered, forgotten, wildcards, .. } = self;
        channels.entry(Arc::clone(id)).or_insert_with(|| {
            let uid = org.shared.next_uid();
            names.insert(uid, Arc::clone(id));
            wildcards.insert(id, uid);
            let rule = org.rule(id);
            let floor = if rule.keeps(id) { *forgotten } else { *delivered };
            Channel::new(uid, Arc::clone(id), rule, floor)
        })
    }

    /// The channel that has to know of a publication; none if nobody ever asks.
    pub(super) fn channel_for(&mut self, publication: &Publication, org: &Org) -> Option<&mut Channel> {
        let id = &publication.channel;
        if !self.channels.contains_key(id) {
            if !org.rule(id).keeps(id) {
                return None;
            }
            if self.room_for(id, org).is_err() {
                self.forgotten = publication.position;
                return None;
            }
            self.open(id, org);
        }
        self.channels.get_mut(id)
    }

    /// The channels of these that are in memory: nobody listens to another.
    pub(super) fn uids(&self, channels: &[Arc<ChannelId>]) -> Arc<[ChannelUid]> {
        channels.iter().filter_map(|id| self.channels.get(id)).map(|channel| channel.uid).collect()
    }

    pub(super) fn by_uid(&mut self, uid: ChannelUid) -> Option<&mut Channel> {
        self.channels.get_mut(self.names.get(&uid)?)
    }

    pub(super) fn remove(&mut self, uid: ChannelUid) {
        let Some(id) = self.names.remove(&uid) else { return };
        self.wildcards.remove(&id, uid);
        if let Some(channel) = self.channels.remove(&id)
            && channel.rule.keeps(&id)
        {
            self.forgotten = self.forgotten.max(channel.ring.last());
        }
    }

    pub(super) fn fade(&mut self, uid: ChannelUid, due: Monotonic, shared: &Shared) {
        if self.fading.is_empty() {
            shared.note_deadline(due);
        }
        self.fading.push_back((due, uid));
    }

    pub(super) fn fade_if_idle(&mut self, uid: ChannelUid, now: Monotonic, shared: &Shared) {
        let Some(channel) = self.by_uid(uid) else { return };
        if channel.is_idle() && !channel.fading {
            channel.fading = true;
            self.fade(uid, now + shared.settings.channel_idle, shared);
        }
    }

    pub(super) fn linger(
        &mut self,
        uid: ChannelUid,
        identity: &Arc<Identity>,
        change: &Change,
        shared: &Shared,
    ) {
        if change.before == change.after {
            return;
        }
        if let Some(due) = change.before {
            self.lingering.remove(&(due, uid, Arc::clone(identity)));
        }
        if let Some(due) = change.after {
            self.lingering.insert((due, uid, Arc::clone(identity)));
            shared.note_deadline(due);
        }
    }
}
