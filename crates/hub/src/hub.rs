use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use antiphon_model::{Monotonic, Now, OrgId, Position};
use parking_lot::RwLock;

use crate::inbox::Congestion;
use crate::org::Org;
use crate::replies::ReplyLimits;
use crate::{ChannelUid, Inbox, OwnLine, Rules, WorkerId};

/// The hub's limits and times. Each org has these for itself.
#[derive(Clone, Debug)]
pub struct HubSettings {
    /// How many channels may be in memory at a time.
    pub channels_max: usize,
    /// How many bytes of publications a channel keeps in memory.
    pub ring_bytes_max: usize,
    /// How many identities may be present on a channel.
    pub members_max: usize,
    /// Up to how many members of a channel each who joins or leaves is told of. With more, they are told together.
    pub presence_announce_max: usize,
    /// How often that is.
    pub presence_interval: Duration,
    /// How many bytes of names are told together; if there are more, none are.
    pub presence_interval_bytes_max: usize,
    /// How many broadcasts may collect replies at a time.
    pub broadcasts_max: usize,
    /// How many replies are collected for a broadcast.
    pub replies_max: usize,
    /// How many bytes of replies are collected for a broadcast.
    pub reply_bytes_max: usize,
    /// How long a channel that nobody uses stays in memory.
    pub channel_idle: Duration,
    /// How many deliveries may wait for a worker before publishers are slowed down.
    pub inbox_max: usize,
}

impl Default for HubSettings {
    fn default() -> HubSettings {
        HubSettings {
            channels_max: 1_000_000,
            ring_bytes_max: 4 << 20,
            members_max: 100_000,
            presence_announce_max: 1000,
            presence_interval: Duration::from_secs(10),
            presence_interval_bytes_max: 24 << 10,
            broadcasts_max: 10_000,
            replies_max: 10_000,
            reply_bytes_max: 16 << 20,
            channel_idle: Duration::from_secs(300),
            inbox_max: 100_000,
        }
    }
}

impl HubSettings {
    pub(crate) fn replies(&self) -> ReplyLimits {
        ReplyLimits { replies: self.replies_max, bytes: self.reply_bytes_max }
    }
}

/// All orgs of a process, and the workers that deliver for them.
pub struct Hub {
    pub(crate) shared: Arc<Shared>,
    orgs: RwLock<HashMap<OrgId, Arc<Org>>>,
}

/// What every org of a hub uses.
pub(crate) struct Shared {
    pub(crate) settings: HubSettings,
    pub(crate) inboxes: Box<[Arc<Inbox>]>,
    congestion: Arc<Congestion>,
    on_earlier: Box<dyn Fn() + Send + Sync>,
    refuses_new_channels: AtomicBool,
    // What is above is read by everybody with each publication, and hardly ever written.
    /// The earliest deadline of any org, in nanoseconds; `u64::MAX` if there is none.
    earliest: OwnLine<AtomicU64>,
    last_uid: OwnLine<AtomicU64>,
}

/// Whether channels that are not in memory can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewChannels {
    /// As many as there may be.
    Taken,
    /// None: there are as many as there may be.
    Refused,
}

impl Shared {
    /// A number for a channel that no channel has had, of any org: workers know subscribers by it alone, and theirs are of all orgs.
    pub(crate) fn next_uid(&self) -> ChannelUid {
        ChannelUid(self.last_uid.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Notes a deadline, and wakes whoever watches the time if it is the earliest.
    pub(crate) fn note_deadline(&self, deadline: Monotonic) {
        // Past the end of the count is as good as never; wrapped around it would be due for ever.
        let nanos = u64::try_from(deadline.0.as_nanos()).unwrap_or(u64::MAX);
        if self.earliest.load(Ordering::Acquire) > nanos
            && self.earliest.fetch_min(nanos, Ordering::AcqRel) > nanos
        {
            (self.on_earlier)();
        }
    }

    pub(crate) fn refuses_new_channels(&self) -> bool {
        self.refuses_new_channels.load(Ordering::Relaxed)
    }

    pub(crate) fn inbox(&self, worker: WorkerId) -> &Inbox {
        &self.inboxes[usize::from(worker.0)]
    }
}

impl Hub {
    /// A hub for the workers with these inboxes. `on_earlier` is called, from any thread, when
    /// [`Hub::poll_timeout`] becomes earlier.
    pub fn new(
        settings: HubSettings,
        inboxes: impl IntoIterator<Item = Arc<Inbox>>,
        on_earlier: Box<dyn Fn() + Send + Sync>,
    ) -> Hub {
        let inboxes: Box<[Arc<Inbox>]> = inboxes.into_iter().collect();
        let congestion = Arc::new(Congestion::new(settings.inbox_max));
        inboxes.iter().for_each(|inbox| inbox.set_congestion(&congestion));
        let shared = Shared {
            settings,
            inboxes,
            congestion,
            on_earlier,
            refuses_new_channels: AtomicBool::new(false),
            earliest: OwnLine(AtomicU64::new(u64::MAX)),
            last_uid: OwnLine::default(),
        };
        Hub { shared: Arc::new(shared), orgs: RwLock::default() }
    }

    /// Adds an org whose positions are all above `floor`.
    pub fn add_org(&self, id: OrgId, rules: Rules, floor: Position) -> Arc<Org> {
        let org = Arc::new(Org::new(id.clone(), rules, floor, Arc::clone(&self.shared)));
        self.orgs.write().insert(id, Arc::clone(&org));
        org
    }

    /// An org by its id.
    pub fn org(&self, id: &OrgId) -> Option<Arc<Org>> {
        self.orgs.read().get(id).cloned()
    }

    /// Every org.
    pub fn orgs(&self) -> Vec<Arc<Org>> {
        self.orgs.read().values().cloned().collect()
    }

    /// A worker's inbox.
    pub fn inbox(&self, worker: WorkerId) -> &Arc<Inbox> {
        &self.shared.inboxes[usize::from(worker.0)]
    }

    /// Sets whether channels that are not in memory can be used, in every org. Those that are go on in any case.
    pub fn set_new_channels(&self, new: NewChannels) {
        self.shared.refuses_new_channels.store(new == NewChannels::Refused, Ordering::Relaxed);
    }

    /// Whether some worker has so much to deliver that publishers should wait.
    pub fn is_congested(&self) -> bool {
        self.shared.congestion.is_any()
    }

    /// When [`Hub::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        match self.shared.earliest.load(Ordering::Acquire) {
            u64::MAX => None,
            nanos => Some(Monotonic(Duration::from_nanos(nanos))),
        }
    }

    /// Does what is due: releases held publications, ends collections, times members out, forgets channels.
    pub fn handle_timeout(&self, now: Now) {
        self.shared.earliest.store(u64::MAX, Ordering::Release);
        for org in self.orgs() {
            org.handle_timeout(now);
        }
    }
}
