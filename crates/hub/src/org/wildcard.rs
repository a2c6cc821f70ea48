//! Wildcard companions: channels on which all is published that is published on those whose names begin as theirs do.

use std::collections::HashMap;
use std::sync::Arc;

use antiphon_model::{ChannelFlags, ChannelId, Now, Publication};
use smallvec::SmallVec;

use super::Org;
use super::state::State;
use crate::ChannelUid;
use crate::inbox::Woken;

/// The companions of one prefix: one for each combination of other flags.
type Companions = SmallVec<[(ChannelFlags, ChannelUid); 1]>;

/// The wildcard companions in memory.
#[derive(Debug, Default)]
pub(super) struct Wildcards {
    by_prefix: HashMap<Box<str>, Companions, foldhash::fast::RandomState>,
}

impl Wildcards {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.by_prefix.is_empty()
    }

    /// Notes a channel that came into memory, if it is one.
    pub(super) fn insert(&mut self, id: &ChannelId, uid: ChannelUid) {
        if let Some(prefix) = id.wildcard_prefix() {
            self.by_prefix.entry(prefix.into()).or_default().push((id.flags(), uid));
        }
    }

    /// Forgets a channel that leaves memory, if it is one.
    pub(super) fn remove(&mut self, id: &ChannelId, uid: ChannelUid) {
        if let Some(prefix) = id.wildcard_prefix()
            && let Some(companions) = self.by_prefix.get_mut(prefix)
        {
            companions.retain(|(_, one)| *one != uid);
            if companions.is_empty() {
                self.by_prefix.remove(prefix);
            }
        }
    }

    /// Those above a channel, the one with the shortest prefix first. There are none above one of themselves.
    pub(super) fn above(&self, id: &ChannelId) -> SmallVec<[ChannelUid; 2]> {
        if id.flags().contains(ChannelFlags::WILDCARD) {
            return SmallVec::new();
        }
        let flags = id.flags().with(ChannelFlags::WILDCARD);
        let companions = id.wildcard_prefixes().filter_map(|prefix| self.by_prefix.get(prefix));
        companions.flatten().filter(|(one, _)| *one == flags).map(|(_, uid)| *uid).collect()
    }
}

impl Org {
    /// Delivers a publication to the listeners of the companions above its channel. Who listens to the channel itself too, or to the
    /// closer companion of the two, gets it there and not here.
    #[inline(never)]
    pub(super) fn deliver_to_wildcards(
        &self,
        state: &mut State,
        publication: &Arc<Publication>,
        except: Option<&Arc<[ChannelUid]>>,
        now: Now,
    ) {
        let companions = state.wildcards.above(&publication.channel);
        if companions.is_empty() {
            return;
        }
        let mut without: SmallVec<[ChannelUid; 4]> = SmallVec::new();
        without.extend(except.iter().flat_map(|except| except.iter().copied()));
        let channel = state.channels.get(&publication.channel).filter(|channel| !channel.workers.is_empty());
        without.extend(channel.map(|channel| channel.uid));
        let mut woken = Woken::new();
        for uid in companions.into_iter().rev() {
            let Some(companion) = state.by_uid(uid) else { continue };
            if !companion.workers.is_empty() {
                let except = (!without.is_empty()).then(|| Arc::from(&without[..]));
                woken.extend(companion.hand_out(publication, except.as_ref(), &self.shared));
                companion.used = now.monotonic;
                without.push(uid);
            }
            companion.remember(Arc::clone(publication), &self.shared, now);
        }
        if !woken.is_empty() {
            state.woken.extend(woken);
        }
    }
}
