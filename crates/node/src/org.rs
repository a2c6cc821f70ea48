use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use antiphon_access::{Act, Caller, LimitSettings, OrgRates, RateLimited};
use antiphon_hub::Org;
use antiphon_model::{Identity, Monotonic};
use parking_lot::Mutex;

use crate::Overloaded;
use crate::idempotency::Attempts;

/// What a node keeps of an org beside its channels.
pub struct NodeOrg {
    /// Its channels.
    pub hub: Arc<Org>,
    pub(crate) attempts: Mutex<Attempts>,
    pub(crate) rates: OrgRates,
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

/// Whether a session is a new one, as rates count it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Begins {
    /// It is: a socket, a stream, the first of several polls.
    #[default]
    Anew,
    /// It goes on where an earlier one ended: a poll with a position.
    Again,
}

/// There are as many sessions as there may be, or too many have begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooManySessions {
    /// In the org.
    #[error("this org has as many connections as it may have")]
    Org,
    /// Of one identity.
    #[error("this identity has as many connections as it may have")]
    Identity,
    /// In too short a time.
    #[error(transparent)]
    Rate(#[from] RateLimited),
    /// In all: there is no memory for more.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
}

impl NodeOrg {
    pub(crate) fn new(hub: Arc<Org>, limits: &LimitSettings) -> NodeOrg {
        NodeOrg {
            hub,
            attempts: Mutex::default(),
            rates: OrgRates::new(limits),
            deletions: AtomicU64::new(0),
            sessions: Mutex::default(),
        }
    }

    /// Counts one more session of a caller's.
    ///
    /// # Errors
    /// His org, or he, has as many as the org's limits allow; or one begins anew, and too many have in too short a time.
    pub fn enter(&self, caller: &Caller, begins: Begins, now: Monotonic) -> Result<(), TooManySessions> {
        let mut sessions = self.sessions.lock();
        if sessions.all >= caller.limits.connections_max {
            return Err(TooManySessions::Org);
        }
        let of_identity = sessions.by_identity.get(&caller.identity).copied().unwrap_or_default();
        if of_identity >= caller.limits.connections_per_identity_max {
            return Err(TooManySessions::Identity);
        }
        if begins == Begins::Anew {
            self.rates.check(Act::Connect, caller, 1, now)?;
        }
        *sessions.by_identity.entry(Arc::clone(&caller.identity)).or_default() += 1;
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
    use std::time::Duration;

    use super::*;
    use antiphon_access::{Rate, Scope};
    use antiphon_hub::{Hub, HubSettings, Rules};
    use antiphon_model::{IdentityKind, OrgId, Position};

    fn org_with(limits: LimitSettings) -> (NodeOrg, impl Fn(&str) -> Caller) {
        let hub = Hub::new(HubSettings::default(), [], Box::new(|| {}));
        let hub = hub.add_org(OrgId::new("acme"), Rules::default(), Position::ZERO);
        let limits = Arc::new(limits);
        let org = NodeOrg::new(hub, &limits);
        let caller = move |name: &str| {
            let identity = Arc::new(Identity::new(IdentityKind::User, name));
            Caller::new(OrgId::new("acme"), identity, Arc::new([]), None, Arc::clone(&limits))
        };
        (org, caller)
    }

    #[test]
    fn sessions_that_begin_have_a_rate_and_those_that_go_on_have_none() {
        let rate = Some(Rate::new(1.0, 1).unwrap());
        let (org, caller) =
            org_with(LimitSettings { connect_rate_per_org: rate, ..LimitSettings::default() });
        let enter =
            |begins, millis| org.enter(&caller("ann"), begins, Monotonic(Duration::from_millis(millis)));
        assert_eq!(enter(Begins::Anew, 0), Ok(()));
        let retry_after = Duration::from_millis(600);
        let limited = RateLimited { act: Act::Connect, scope: Scope::Org, retry_after };
        assert_eq!(enter(Begins::Anew, 400), Err(limited.into()));
        assert_eq!(enter(Begins::Again, 400), Ok(()));
        assert_eq!(org.sessions(), 2, "the refused one is none");
        assert_eq!(enter(Begins::Anew, 1000), Ok(()));
    }

    #[test]
    fn sessions_are_counted_by_org_and_identity() {
        let limits =
            LimitSettings { connections_max: 3, connections_per_identity_max: 2, ..LimitSettings::default() };
        let (org, caller) = org_with(limits);
        let enter = |name| org.enter(&caller(name), Begins::Anew, Monotonic::default());
        assert_eq!(enter("ann"), Ok(()));
        assert_eq!(enter("ann"), Ok(()));
        assert_eq!(enter("ann"), Err(TooManySessions::Identity));
        assert_eq!(enter("bob"), Ok(()));
        assert_eq!(enter("cem"), Err(TooManySessions::Org));
        org.leave(&caller("ann"));
        assert_eq!(enter("cem"), Ok(()));
        for name in ["ann", "bob", "cem"] {
            org.leave(&caller(name));
        }
        assert_eq!(org.sessions(), 0);
        assert!(org.sessions.lock().by_identity.is_empty());
    }
}
