use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use antiphon_access::{AtomicGcra, IdentityLimits};
use antiphon_hub::Org;
use parking_lot::Mutex;

use crate::idempotency::Attempts;

/// What a node keeps of an org beside its channels.
pub struct NodeOrg {
    /// Its channels.
    pub hub: Arc<Org>,
    pub(crate) attempts: Mutex<Attempts>,
    pub(crate) rate: AtomicGcra,
    pub(crate) identity_rates: IdentityLimits,
    sessions: AtomicUsize,
}

impl NodeOrg {
    pub(crate) fn new(hub: Arc<Org>, rated_identities_max: usize) -> NodeOrg {
        NodeOrg {
            hub,
            attempts: Mutex::default(),
            rate: AtomicGcra::default(),
            identity_rates: IdentityLimits::new(rated_identities_max),
            sessions: AtomicUsize::new(0),
        }
    }

    /// Counts one more session, unless there are `max` already.
    pub fn enter(&self, max: usize) -> bool {
        let before = self.sessions.fetch_add(1, Ordering::Relaxed);
        if before >= max {
            self.leave();
        }
        before < max
    }

    /// Counts one session less.
    pub fn leave(&self) {
        self.sessions.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }
}
