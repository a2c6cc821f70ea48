//! What clients do that a rate can be set for, and the limiters of an org that hold these rates.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use antiphon_model::{Identity, Monotonic};

use crate::{AtomicGcra, Caller, KeyedLimits, LimitSettings, Network, Rate, RetryAfter};

/// What a client does, as rates count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A publication, each of a batch.
    Publish,
    /// A channel that a session begins to listen to.
    Subscribe,
    /// A session that begins: a socket, a stream, the first of several polls.
    Connect,
}

/// Over whom a rate was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What one connection does.
    Connection,
    /// All that one identity does.
    Identity,
    /// All that comes from one address.
    Address,
    /// All that is done in one org.
    Org,
}

/// Too many in too short a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many {act} {scope}: try again in {} ms", .retry_after.as_millis().max(1))]
pub struct RateLimited {
    /// Of what.
    pub act: Act,
    /// Whose rate it is.
    pub scope: Scope,
    /// When the same will be let through, if nothing else is until then.
    pub retry_after: Duration,
}

/// The limiters of an org.
#[derive(Debug)]
pub struct OrgRates {
    publish: ActRates,
    subscribe: ActRates,
    connect: ActRates,
}

#[derive(Debug)]
struct ActRates {
    identities: KeyedLimits<Identity>,
    addresses: KeyedLimits<Network>,
    org: Arc<AtomicGcra>,
}

struct Limiter {
    scope: Scope,
    limiter: Arc<AtomicGcra>,
    rate: Rate,
}

/// The rates that are set for an act.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rates {
    pub(crate) identity: Option<Rate>,
    pub(crate) address: Option<Rate>,
    pub(crate) org: Option<Rate>,
}

impl OrgRates {
    /// Limiters for an org with these limits.
    pub fn new(limits: &LimitSettings) -> OrgRates {
        let act = || ActRates {
            identities: KeyedLimits::new(limits.rated_identities_max),
            addresses: KeyedLimits::new(limits.rated_addresses_max),
            org: Arc::default(),
        };
        OrgRates { publish: act(), subscribe: act(), connect: act() }
    }

    /// Counts `cost` of an act against each rate that is set for it: the caller's, his address's and his org's.
    ///
    /// What costs more than a burst waits until nothing of it is used up, and is charged in full, so that those who come after it wait
    /// the longer.
    ///
    /// # Errors
    /// One of the rates does not let it through, the narrowest that does not; then none has been used up.
    #[inline]
    pub fn check(&self, act: Act, caller: &Caller, cost: u32, now: Monotonic) -> Result<(), RateLimited> {
        if caller.is_rated(act) { self.check_rated(act, caller, cost, now) } else { Ok(()) }
    }

    #[cold]
    fn check_rated(&self, act: Act, caller: &Caller, cost: u32, now: Monotonic) -> Result<(), RateLimited> {
        let limiters = self.limiters(act, caller, now);
        for (at, one) in limiters.iter().enumerate() {
            let Some(Limiter { scope, limiter, rate }) = one else { continue };
            if let Err(RetryAfter(retry_after)) = limiter.check_in_full(now, *rate, cost) {
                limiters[..at].iter().flatten().for_each(|one| one.limiter.give_back(one.rate, cost));
                return Err(RateLimited { act, scope: *scope, retry_after });
            }
        }
        Ok(())
    }

    /// Takes back what was let through just before, and has come to nothing.
    pub fn give_back(&self, act: Act, caller: &Caller, cost: u32, now: Monotonic) {
        if caller.is_rated(act) {
            let limiters = self.limiters(act, caller, now);
            limiters.iter().flatten().for_each(|one| one.limiter.give_back(one.rate, cost));
        }
    }

    /// The limiters that there are rates for, the narrowest first.
    fn limiters(&self, act: Act, caller: &Caller, now: Monotonic) -> [Option<Limiter>; 3] {
        let (rates, limiters) = (caller.limits.rates(act), self.of(act));
        let limiter = |scope, limiter, rate| Limiter { scope, limiter, rate };
        let identity = || limiters.identities.limiter(&caller.identity, now);
        let address = |network| limiters.addresses.limiter(&network, now);
        [
            rates.identity.map(|rate| limiter(Scope::Identity, identity(), rate)),
            rates
                .address
                .zip(caller.network)
                .map(|(rate, from)| limiter(Scope::Address, address(from), rate)),
            rates.org.map(|rate| limiter(Scope::Org, Arc::clone(&limiters.org), rate)),
        ]
    }

    fn of(&self, act: Act) -> &ActRates {
        match act {
            Act::Publish => &self.publish,
            Act::Subscribe => &self.subscribe,
            Act::Connect => &self.connect,
        }
    }
}

impl Act {
    pub(crate) fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Rates {
    pub(crate) fn is_set(&self) -> bool {
        self.identity.is_some() || self.address.is_some() || self.org.is_some()
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Act::Publish => "publications",
            Act::Subscribe => "subscriptions",
            Act::Connect => "new connections",
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scope::Connection => "by this connection",
            Scope::Identity => "by this identity",
            Scope::Address => "from this address",
            Scope::Org => "in this org",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_model::{IdentityKind, OrgId};

    use crate::Ipv6Prefix;

    fn at(millis: u64) -> Monotonic {
        Monotonic(Duration::from_millis(millis))
    }

    fn rate(per_second: f64, burst: u32) -> Option<Rate> {
        Some(Rate::new(per_second, burst).unwrap())
    }

    fn caller(limits: &Arc<LimitSettings>, name: &str, address: Option<[u8; 4]>) -> Caller {
        let identity = Arc::new(Identity::new(IdentityKind::User, name));
        let network = address.map(|address| Network::of(address.into(), Ipv6Prefix::default()));
        Caller::new(OrgId::new("acme"), identity, Arc::new([]), None, Arc::clone(limits)).coming_from(network)
    }

    /// Each scope of each act has a rate of its own, and a refusal says whose.
    #[test]
    fn every_act_by_every_scope() {
        for act in [Act::Publish, Act::Subscribe, Act::Connect] {
            for scope in [Scope::Identity, Scope::Address, Scope::Org] {
                let mut limits = LimitSettings::default();
                let field = match (act, scope) {
                    (Act::Publish, Scope::Identity) => &mut limits.publish_rate_per_identity,
                    (Act::Publish, Scope::Address) => &mut limits.publish_rate_per_address,
                    (Act::Publish, _) => &mut limits.publish_rate_per_org,
                    (Act::Subscribe, Scope::Identity) => &mut limits.subscribe_rate_per_identity,
                    (Act::Subscribe, Scope::Address) => &mut limits.subscribe_rate_per_address,
                    (Act::Subscribe, _) => &mut limits.subscribe_rate_per_org,
                    (Act::Connect, Scope::Identity) => &mut limits.connect_rate_per_identity,
                    (Act::Connect, Scope::Address) => &mut limits.connect_rate_per_address,
                    (Act::Connect, _) => &mut limits.connect_rate_per_org,
                };
                *field = rate(2.0, 2);
                let limits = Arc::new(limits);
                let rates = OrgRates::new(&limits);
                let here = Some([192, 0, 2, 1]);
                let ann = caller(&limits, "ann", here);
                for millis in [0, 0, 500] {
                    assert_eq!(rates.check(act, &ann, 1, at(millis)), Ok(()));
                }
                let refused = RateLimited { act, scope, retry_after: Duration::from_millis(400) };
                assert_eq!(rates.check(act, &ann, 1, at(600)), Err(refused), "{act} {scope}");
                // Who shares what the rate is of shares its refusal.
                let same_address = rates.check(act, &caller(&limits, "bob", here), 1, at(600)).is_ok();
                let other_address = Some([192, 0, 2, 2]);
                let same_org = rates.check(act, &caller(&limits, "cem", other_address), 1, at(600)).is_ok();
                let same_name = rates.check(act, &caller(&limits, "ann", other_address), 1, at(600)).is_ok();
                let expected = match scope {
                    Scope::Identity => (true, true, false),
                    Scope::Address => (false, true, true),
                    _ => (false, false, false),
                };
                assert_eq!((same_address, same_org, same_name), expected, "{act} {scope}");
                for other in
                    [Act::Publish, Act::Subscribe, Act::Connect].into_iter().filter(|one| *one != act)
                {
                    assert_eq!(rates.check(other, &ann, 1000, at(600)), Ok(()));
                }
            }
        }
    }

    #[test]
    fn the_refusal_says_what_whose_and_when() {
        let retry_after = Duration::from_micros(1_500);
        let refused = RateLimited { act: Act::Subscribe, scope: Scope::Address, retry_after };
        assert_eq!(refused.to_string(), "too many subscriptions from this address: try again in 1 ms");
    }

    #[test]
    fn a_refusal_uses_nothing_up() {
        let limits = LimitSettings {
            publish_rate_per_identity: rate(1.0, 3),
            publish_rate_per_address: rate(1.0, 3),
            publish_rate_per_org: rate(1.0, 1),
            ..LimitSettings::default()
        };
        let limits = Arc::new(limits);
        let rates = OrgRates::new(&limits);
        let ann = caller(&limits, "ann", Some([192, 0, 2, 1]));
        let scope = |outcome: Result<(), RateLimited>| outcome.err().map(|refused| refused.scope);
        assert_eq!(scope(rates.check(Act::Publish, &ann, 1, at(0))), None);
        for _ in 0..100 {
            assert_eq!(scope(rates.check(Act::Publish, &ann, 1, at(0))), Some(Scope::Org));
        }
        // The org's again, not hers.
        for millis in [1000, 2000] {
            assert_eq!(scope(rates.check(Act::Publish, &ann, 1, at(millis))), None);
        }
    }

    #[test]
    fn who_has_no_address_is_not_counted_by_it() {
        let limits = LimitSettings { connect_rate_per_address: rate(1.0, 1), ..LimitSettings::default() };
        let limits = Arc::new(limits);
        let rates = OrgRates::new(&limits);
        let exempt = caller(&limits, "ann", None);
        for _ in 0..10 {
            assert_eq!(rates.check(Act::Connect, &exempt, 1, at(0)), Ok(()));
        }
    }

    #[test]
    fn what_is_more_than_a_burst_waits_for_all_of_it_and_is_charged_in_full() {
        let limits = LimitSettings { subscribe_rate_per_org: rate(10.0, 10), ..LimitSettings::default() };
        let limits = Arc::new(limits);
        let rates = OrgRates::new(&limits);
        let ann = caller(&limits, "ann", None);
        let check =
            |cost, millis| rates.check(Act::Subscribe, &ann, cost, at(millis)).map_err(|it| it.retry_after);
        assert_eq!(check(1, 0), Ok(()));
        assert_eq!(check(50, 0), Err(Duration::from_millis(100)));
        assert_eq!(check(50, 100), Ok(()));
        assert_eq!(check(1, 100), Err(Duration::from_millis(4100)));
        assert_eq!(check(1, 4200), Ok(()));
    }

    #[test]
    fn identities_beyond_those_told_apart_share_one_rate() {
        let limits = LimitSettings {
            publish_rate_per_identity: rate(1.0, 1),
            rated_identities_max: 1,
            ..LimitSettings::default()
        };
        let limits = Arc::new(limits);
        let rates = OrgRates::new(&limits);
        let check = |name| rates.check(Act::Publish, &caller(&limits, name, None), 1, at(0)).is_ok();
        assert!(check("a") && check("b"));
        assert!(!check("c"));
    }
}
