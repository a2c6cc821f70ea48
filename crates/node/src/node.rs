use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use antiphon_access::{Access, Act, Caller, RateLimited};
use antiphon_hub::{Hub, Inbox, NewChannels};
use antiphon_model::{Now, OrgId, Position};
use antiphon_store::{Store, StoreError};

use crate::credentials::{self, Turn};
use crate::revocations;
use crate::{Edge, Metrics, NodeOrg, NodeSettings, OrgParts, Overload, SystemClock};

/// How far ahead of the last one positions are leased: after a crash they go on from there.
const LEASE_AHEAD: Duration = Duration::from_secs(3);

/// What a node is made of.
pub struct NodeParts {
    /// Its limits and times.
    pub settings: NodeSettings,
    /// Who may do what.
    pub access: Access,
    /// Where publications are kept.
    pub store: Arc<dyn Store>,
    /// Every org; access has to know them too.
    pub orgs: Vec<OrgParts>,
    /// The workers' inboxes.
    pub inboxes: Vec<Arc<Inbox>>,
    /// Called, from any thread, when [`Hub::poll_timeout`] becomes earlier.
    pub on_earlier: Box<dyn Fn() + Send + Sync>,
}

/// A process of a cluster.
pub struct Node {
    pub(crate) settings: NodeSettings,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) metrics: Metrics,
    access: Access,
    hub: Hub,
    orgs: HashMap<OrgId, Arc<NodeOrg>, foldhash::fast::RandomState>,
    clock: SystemClock,
    closing: AtomicBool,
    overload: Overload,
    pub(crate) credentials_turn: Turn,
}

impl Node {
    /// Puts a node together. Reads from the store where each org's positions go on, and the credentials that were added to orgs.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn new(parts: NodeParts, clock: SystemClock) -> Result<Arc<Node>, StoreError> {
        let NodeParts { settings, access, store, orgs: parts, inboxes, on_earlier } = parts;
        credentials::load(&access, &*store)?;
        revocations::load(&access, &*store)?;
        let hub = Hub::new(settings.hub.clone(), inboxes, on_earlier);
        let mut orgs: HashMap<_, _, foldhash::fast::RandomState> = HashMap::default();
        for OrgParts { id, rules } in parts {
            // Not below the clock: a cursor into an org that has published nothing yet is a position like others.
            let floor = store.position_floor(&id)?.max(Position(clock.now().wall.0));
            let org = hub.add_org(id.clone(), rules, floor);
            let limits = access.org(&id).map(|org| Arc::clone(&org.limits)).unwrap_or_default();
            org.limit_channels(limits.channels_max);
            orgs.insert(id, Arc::new(NodeOrg::new(org, &limits)));
        }
        let overload = Overload::new(settings.memory_bytes_max);
        let node = Node {
            settings,
            store,
            metrics: Metrics::default(),
            access,
            hub,
            orgs,
            clock,
            closing: AtomicBool::new(false),
            overload,
            credentials_turn: Turn::default(),
        };
        node.lease_positions();
        Ok(Arc::new(node))
    }

    /// Both clocks, read now.
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// The clock.
    pub fn clock(&self) -> SystemClock {
        self.clock
    }

    /// Who may do what.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Its limits and times.
    pub fn settings(&self) -> &NodeSettings {
        &self.settings
    }

    /// What is measured.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Where publications are kept.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The channels of all orgs.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Every org.
    pub fn orgs(&self) -> impl Iterator<Item = &Arc<NodeOrg>> {
        self.orgs.values()
    }

    /// A caller's org.
    ///
    /// # Panics
    /// The org is not one of the node's: access made a caller of an org that the node was not given.
    pub fn org(&self, id: &OrgId) -> &Arc<NodeOrg> {
        self.orgs.get(id).expect("access knows only the orgs that the node was given")
    }

    /// A cursor for a caller who starts to listen now.
    pub fn position(&self, caller: &Caller) -> Position {
        self.org(&caller.org).hub.delivered()
    }

    /// Counts so many channels that a caller begins to listen to against the rates of subscribing. Permissions are not asked.
    ///
    /// # Errors
    /// Too many in too short a time.
    pub fn admit_subscriptions(&self, caller: &Caller, channels: usize) -> Result<(), RateLimited> {
        if !caller.is_rated(Act::Subscribe) {
            return Ok(());
        }
        let channels = u32::try_from(channels).unwrap_or(u32::MAX);
        self.org(&caller.org).rates.check(Act::Subscribe, caller, channels, self.now().monotonic)
    }

    /// Takes back what [`Node::admit_subscriptions`] counted just before: it comes to nothing.
    pub fn give_back_subscriptions(&self, caller: &Caller, channels: usize) {
        let channels = u32::try_from(channels).unwrap_or(u32::MAX);
        self.org(&caller.org).rates.give_back(Act::Subscribe, caller, channels, self.now().monotonic);
    }

    /// Makes sure that positions go on rising after a crash. To be called every second.
    pub fn lease_positions(&self) {
        let now = self.now();
        for org in self.orgs.values() {
            let ahead = now.wall.later_by(LEASE_AHEAD);
            let last = org.hub.last_position().timestamp().later_by(LEASE_AHEAD);
            self.store.lease_positions(org.hub.id(), Position(ahead.max(last).0));
        }
    }

    /// Whether there is memory for more.
    pub fn overload(&self) -> &Overload {
        &self.overload
    }

    /// Notes how many bytes of memory the process uses; says so if that crosses the ceiling. To be called by one thread, several times a second.
    pub fn note_memory(&self, used: u64) -> Option<Edge> {
        let edge = self.overload.note(used)?;
        let ceiling = self.overload.ceiling().unwrap_or_default();
        match edge {
            Edge::Over => tracing::error!(used, ceiling, "short of memory: nothing new is taken on"),
            Edge::Under => tracing::info!(used, ceiling, "there is memory again: new work is taken on"),
        }
        self.hub.set_new_channels(match edge {
            Edge::Over => NewChannels::Refused,
            Edge::Under => NewChannels::Taken,
        });
        Some(edge)
    }

    /// Refuses publications from here on.
    pub fn begin_closing(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Whether it is about to stop.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}
