use std::collections::BTreeMap;
use std::sync::Arc;

use antiphon_model::ChannelId;
use antiphon_net::Label;
use smallvec::SmallVec;

use crate::formats;

/// The channels that a client listens to, and how it spells each.
#[derive(Default)]
pub(crate) struct Spellings {
    ids: BTreeMap<Arc<str>, Arc<ChannelId>>,
    channels: BTreeMap<Arc<ChannelId>, SmallVec<[Arc<str>; 1]>>,
    /// Of all ids.
    bytes: usize,
}

/// How much a client may say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpellingLimits {
    /// Spellings of one channel: whatever is published there is written in each.
    pub(crate) per_channel_max: usize,
    /// Bytes of all ids.
    pub(crate) bytes_max: usize,
}

/// What an id that was added is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// The first of its channel.
    Channel,
    /// Another one of a channel that is listened to.
    Spelling,
}

/// A limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Spellings {
    pub(crate) fn contains(&self, id: &str) -> bool {
        self.ids.contains_key(id)
    }

    /// Adds an id of a channel's, which is not there yet.
    ///
    /// # Errors
    /// There is no room for it.
    pub(crate) fn add(
        &mut self,
        id: &Arc<str>,
        channel: &Arc<ChannelId>,
        limits: &SpellingLimits,
    ) -> Result<Added, Full> {
        let of_channel = self.channels.get(channel).map_or(0, SmallVec::len);
        if of_channel >= limits.per_channel_max || self.bytes.saturating_add(id.len()) > limits.bytes_max {
            return Err(Full);
        }
        if self.ids.insert(Arc::clone(id), Arc::clone(channel)).is_none() {
            self.bytes += id.len();
            self.channels.entry(Arc::clone(channel)).or_default().push(Arc::clone(id));
        }
        Ok(if of_channel == 0 { Added::Channel } else { Added::Spelling })
    }

    /// Removes a channel, in whatever way it is spelled.
    pub(crate) fn remove(&mut self, channel: &ChannelId) {
        for id in self.channels.remove(channel).into_iter().flatten() {
            self.bytes -= id.len();
            self.ids.remove(&id);
        }
    }

    /// A channel's label: its spellings in an order that does not depend on the client's, so that more clients share it.
    pub(crate) fn label(&self, channel: &ChannelId) -> Label {
        let mut spellings: SmallVec<[&str; 4]> =
            self.channels.get(channel).into_iter().flatten().map(|id| &**id).collect();
        spellings.sort_unstable();
        formats::label(spellings)
    }
}

#[cfg(test)]
mod tests {
    use antiphon_model::ChannelFlags;
    use proptest::prelude::*;

    use super::*;

    const LIMITS: SpellingLimits = SpellingLimits { per_channel_max: 2, bytes_max: 10 };

    fn channel(name: &str) -> Arc<ChannelId> {
        Arc::new(ChannelId::new(name, ChannelFlags::NONE).unwrap())
    }

    #[test]
    fn a_channel_has_all_its_spellings_in_its_label() {
        let (a, b) = (channel("a"), channel("b"));
        let mut spellings = Spellings::default();
        assert_eq!(spellings.add(&"a2".into(), &a, &LIMITS), Ok(Added::Channel));
        assert_eq!(spellings.add(&"b1".into(), &b, &LIMITS), Ok(Added::Channel));
        assert_eq!(spellings.add(&"a1".into(), &a, &LIMITS), Ok(Added::Spelling));
        assert_eq!((&*spellings.label(&a), &*spellings.label(&b)), ("a1\na2", "b1"));
        assert!(spellings.contains("a1") && !spellings.contains("a"));
    }

    #[test]
    fn spellings_and_bytes_are_limited() {
        let (a, b) = (channel("a"), channel("b"));
        let mut spellings = Spellings::default();
        for id in ["a1", "a2"] {
            spellings.add(&id.into(), &a, &LIMITS).unwrap();
        }
        assert_eq!(spellings.add(&"a3".into(), &a, &LIMITS), Err(Full));
        assert_eq!(spellings.add(&"b......".into(), &b, &LIMITS), Err(Full));
        assert_eq!(spellings.add(&"b.....".into(), &b, &LIMITS), Ok(Added::Channel));
        spellings.remove(&b);
        spellings.remove(&b);
        assert_eq!(spellings.add(&"b.....".into(), &b, &LIMITS), Ok(Added::Channel));
    }

    proptest! {
        /// Whatever is added and removed: the limits hold, and each id is in the label of its channel alone.
        #[test]
        fn any_order(steps in prop::collection::vec((0..3_usize, "[xyz]{1,3}", any::<bool>()), 0..40)) {
            let channels = ["a", "b", "c"].map(channel);
            let mut spellings = Spellings::default();
            for (of, id, adds) in steps {
                // An id says which channel it is of.
                let id: Arc<str> = format!("{of}{id}").into();
                if !adds {
                    spellings.remove(&channels[of]);
                } else if !spellings.contains(&id) {
                    let added = spellings.add(&id, &channels[of], &LIMITS);
                    prop_assert_eq!(added.is_ok(), spellings.contains(&id));
                }
                let bytes: usize = spellings.ids.keys().map(|id| id.len()).sum();
                prop_assert_eq!(bytes, spellings.bytes);
                prop_assert!(bytes <= LIMITS.bytes_max);
                for (number, channel) in channels.iter().enumerate() {
                    let label = spellings.label(channel);
                    let in_label: Vec<_> = label.split('\n').filter(|id| !id.is_empty()).collect();
                    prop_assert!(in_label.len() <= LIMITS.per_channel_max);
                    prop_assert!(in_label.iter().all(|id| id.starts_with(&number.to_string())));
                    prop_assert!(in_label.iter().all(|id| spellings.contains(id)));
                }
            }
        }
    }
}
