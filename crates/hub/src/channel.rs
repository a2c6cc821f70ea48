use std::sync::Arc;

use antiphon_model::{ChannelId, Monotonic, Now, Position, Publication};
use smallvec::SmallVec;

use crate::hub::Shared;
use crate::inbox::{Put, Woken};
use crate::presence::Presence;
use crate::ring::{Ring, RingLimits};
use crate::{Delivery, Rule, WorkerId};

/// A channel of any org, as long as it is in memory: a number that is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelUid(pub u64);

/// What the hub keeps of a channel that somebody listens to, is present on, or may want to recover.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) uid: ChannelUid,
    pub(crate) id: Arc<ChannelId>,
    pub(crate) rule: Arc<Rule>,
    /// The workers that have a subscriber, or soon will.
    pub(crate) workers: SmallVec<[Listening; 4]>,
    pub(crate) ring: Ring,
    pub(crate) presence: Presence,
    /// When it was last published on or left.
    pub(crate) used: Monotonic,
    /// Until when the ring grows past its size: somebody reads the store up to where it begins.
    pub(crate) read_until: Monotonic,
    /// Whether it stands in the queue of channels to forget.
    pub(crate) fading: bool,
}

/// A worker that gets what is published on a channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listening {
    pub(crate) worker: WorkerId,
    /// How many tasks that bring it a subscriber are on their way.
    pub(crate) tasks: u32,
}

impl Channel {
    pub(crate) fn new(uid: ChannelUid, id: Arc<ChannelId>, rule: Arc<Rule>, floor: Position) -> Channel {
        Channel {
            uid,
            id,
            rule,
            workers: SmallVec::new(),
            ring: Ring::new(floor),
            presence: Presence::default(),
            used: Monotonic::default(),
            read_until: Monotonic::default(),
            fading: false,
        }
    }

    /// The place of a worker that listens.
    pub(crate) fn listening(&mut self, worker: WorkerId) -> Option<&mut Listening> {
        self.workers.iter_mut().find(|listening| listening.worker == worker)
    }

    /// Whether nobody listens or is present, and all is told.
    pub(crate) fn is_idle(&self) -> bool {
        self.workers.is_empty() && self.presence.is_empty() && self.presence.interval.is_none()
    }

    /// Puts a publication into the inboxes of the workers that listen; gives those that had nothing before and are to be woken. Inlined, as
    /// [`Channel::remember`]: every publication passes here.
    #[inline(always)]
    pub(crate) fn hand_out(
        &self,
        publication: &Arc<Publication>,
        except: Option<&Arc<[ChannelUid]>>,
        shared: &Shared,
    ) -> Woken {
        let mut woken = Woken::new();
        for Listening { worker, .. } in &self.workers {
            let delivery = Delivery::Publication {
                channel: self.uid,
                publication: Arc::clone(publication),
                except: except.cloned(),
            };
            if shared.inbox(*worker).put(delivery) == Put::First {
                woken.push(*worker);
            }
        }
        woken
    }

    /// Puts a publication into the ring.
    #[inline(always)]
    pub(crate) fn remember(&mut self, publication: Arc<Publication>, shared: &Shared, now: Now) {
        let size = self.rule.ring_size.min(self.rule.history_size);
        let limits = RingLimits {
            size: if now.monotonic < self.read_until { self.rule.history_size } else { size },
            bytes: shared.settings.ring_bytes_max,
            age: self.rule.history_age,
        };
        self.ring.push(publication, limits, now.wall);
    }
}
