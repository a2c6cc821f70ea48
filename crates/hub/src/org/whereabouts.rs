//! Where the members of an org are: presence the other way round.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use antiphon_model::{ChannelId, Identity};
use smallvec::SmallVec;

use super::Org;
use crate::{ChannelUid, Member};

/// The channels on which somebody is present, and on which of them each identity is.
#[derive(Debug, Default)]
pub(super) struct Whereabouts {
    /// In rising order, as most come: a channel is new when its first member comes.
    of: HashMap<Arc<Identity>, SmallVec<[ChannelUid; 2]>, foldhash::fast::RandomState>,
    occupied: BTreeSet<ChannelUid>,
}

impl Whereabouts {
    /// An identity is present on a channel.
    pub(super) fn came(&mut self, identity: &Arc<Identity>, uid: ChannelUid) {
        self.occupied.insert(uid);
        let channels = self.of.entry(Arc::clone(identity)).or_default();
        if let Err(at) = channels.binary_search(&uid) {
            channels.insert(at, uid);
        }
    }

    /// It is no longer, and leaves so many others there.
    pub(super) fn went(&mut self, identity: &Arc<Identity>, uid: ChannelUid, others: usize) {
        if others == 0 {
            self.occupied.remove(&uid);
        }
        let Some(channels) = self.of.get_mut(identity) else { return };
        if let Ok(at) = channels.binary_search(&uid) {
            channels.remove(at);
        }
        if channels.is_empty() {
            self.of.remove(identity);
        }
    }

    fn channels_of(&self, identity: &Identity) -> &[ChannelUid] {
        self.of.get(identity).map_or(&[], SmallVec::as_slice)
    }
}

impl Org {
    /// A member of a channel; none if the identity is not present there.
    pub fn member(&self, id: &ChannelId, identity: &Identity) -> Option<Member> {
        self.lock().channels.get(id)?.presence.member(identity)
    }

    /// The channels on which an identity is present: at most `limit` of those that `shown` says yes to, which runs under the org's
    /// lock.
    pub fn channels_of(
        &self,
        identity: &Identity,
        limit: usize,
        mut shown: impl FnMut(&ChannelId) -> bool,
    ) -> Vec<Arc<ChannelId>> {
        let state = self.lock();
        let uids = state.whereabouts.channels_of(identity).iter();
        uids.filter_map(|uid| state.names.get(uid)).filter(|id| shown(id)).take(limit).cloned().collect()
    }

    /// The channels on which somebody is present, and how many are: at most `limit` of those that `shown` says yes to, which runs under
    /// the org's lock.
    pub fn occupied(
        &self,
        limit: usize,
        mut shown: impl FnMut(&ChannelId) -> bool,
    ) -> Vec<(Arc<ChannelId>, usize)> {
        let state = self.lock();
        let channels = state.whereabouts.occupied.iter().filter_map(|uid| {
            let id = state.names.get(uid)?;
            Some((Arc::clone(id), state.channels.get(id)?.presence.occupancy()))
        });
        channels.filter(|(id, _)| shown(id)).take(limit).collect()
    }
}
