use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use antiphon_access::{AtomicGcra, Caller, IdentityLimits};
use antiphon_hub::Org;
use antiphon_model::Identity;
use parking_lot::Mutex;

use crate::idempotency::Attempts;

/// What a node keeps of an org beside its channels.
pub struct NodeOrg {
    /// Its channels.
    pub hub: Arc<Org>,
    pub(crate) attempts: Mutex<Attempts>,
    pub(crate) rate: AtomicGcra,
    pub(crate) identity_rates: IdentityLimits,
    /// How often something was deleted from a channel's past.
    pub(crate) deletions: AtomicU64,
    sessions: Mutex<Sessions>,
}

/// The sessions of an org, counted.
#[derive(Default)]
struct Sessions {
    all: usize,
    by_identity: HashMap<Arc<Identity>, usize, foldhash::fast::RandomState>,
}

/// There are as many sessions as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooManySessions {
    /// In the org.
    #[error("this org has as many connections as it may have")]
    Org,
    /// Of one identity.
    #[error("this identity has as many connections as it may have")]
    Identity,
}

impl NodeOrg {
    pub(crate) fn new(hub: Arc<Org>, rated_identities_max: usize) -> NodeOrg {
        NodeOrg {
            hub,
            attempts: Mutex::default(),
            rate: AtomicGcra::default(),
            identity_rates: IdentityLimits::new(rated_identities_max),
            deletions: AtomicU64::new(0),
            sessions: Mutex::default(),
        }
    }

    /// Counts one more session of a caller's.
    ///
    /// # Errors
    /// His org, or he, has as many as the org's limits allow.
    pub fn enter(&self, caller: &Caller) -> Result<(), TooManySessions> {
        let mut sessions = self.sessions.lock();
        if sessions.all >= caller.limits.connections_max {
            return Err(TooManySessions::Org);
        }
        let of_identity = sessions.by_identity.entry(Arc::clone(&caller.identity)).or_default();
        if *of_identity >= caller.limits.connections_per_identity_max {
            return Err(TooManySessions::Identity);
        }
        *of_identity += 1;
        sessions.all += 1;
        Ok(())
    }

    /// Counts one session less.
    pub fn leave(&self, caller: &Caller) {
        let mut sessions = self.sessions.lock();
        sessions.all = sessions.all.saturating_sub(1);
        if let Some(of_identity) = sessions.by_identity.get_mut(&caller.identity) {
            *of_identity -= 1;
            if *of_identity == 0 {
                sessions.by_identity.remove(&caller.identity);
            }
        }
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.sessions.lock().all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_access::LimitSettings;
    use antiphon_hub::{Hub, HubSettings, Rules};
    use antiphon_model::{IdentityKind, OrgId, Position};

    #[test]
    fn sessions_are_counted_by_org_and_identity() {
        let hub = Hub::new(HubSettings::default(), [], Box::new(|| {}));
        let org = NodeOrg::new(hub.add_org(OrgId::new("acme"), Rules::default(), Position::ZERO), 1);
        let limits =
            LimitSettings { connections_max: 3, connections_per_identity_max: 2, ..LimitSettings::default() };
        let limits = Arc::new(limits);
        let caller = |name| {
            let identity = Arc::new(Identity::new(IdentityKind::User, name));
            Caller::new(OrgId::new("acme"), identity, Arc::new([]), None, Arc::clone(&limits))
        };
        assert_eq!(org.enter(&caller("ann")), Ok(()));
        assert_eq!(org.enter(&caller("ann")), Ok(()));
        assert_eq!(org.enter(&caller("ann")), Err(TooManySessions::Identity));
        assert_eq!(org.enter(&caller("bob")), Ok(()));
        assert_eq!(org.enter(&caller("cem")), Err(TooManySessions::Org));
        org.leave(&caller("ann"));
        assert_eq!(org.enter(&caller("cem")), Ok(()));
        for name in ["ann", "bob", "cem"] {
            org.leave(&caller(name));
        }
        assert_eq!(org.sessions(), 0);
        assert!(org.sessions.lock().by_identity.is_empty());
    }
}
