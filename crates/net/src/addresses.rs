//! How many connections come from each address, and how fast they come.

use std::collections::HashMap;
use std::collections::hash_map::{Entry as Slot, RandomState};
use std::fmt;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use antiphon_access::{AddressRange, Gcra, Ipv6Prefix, Network, Rate};
use antiphon_model::Monotonic;
use parking_lot::Mutex;

/// The limits of what comes from one address.
#[derive(Clone, Debug)]
pub struct AddressSettings {
    /// How many connections there may be from one address.
    pub connections_max: usize,
    /// How fast connections may come from one address.
    pub connect_rate: Option<Rate>,
    /// How many addresses without connections are remembered for that rate.
    pub remembered_max: usize,
    /// How many bits of an IPv6 address count.
    pub ipv6_prefix: Ipv6Prefix,
    /// Addresses that have no such limits.
    pub exempt: Vec<AddressRange>,
}

impl Default for AddressSettings {
    fn default() -> AddressSettings {
        AddressSettings {
            connections_max: 10_000,
            connect_rate: None,
            remembered_max: 100_000,
            ipv6_prefix: Ipv6Prefix::default(),
            exempt: AddressRange::loopback().to_vec(),
        }
    }
}

impl AddressSettings {
    /// What an address counts as; none if it has no limits.
    pub(crate) fn network(&self, address: IpAddr) -> Option<Network> {
        let exempt = self.exempt.iter().any(|range| range.contains(address));
        (!exempt).then(|| Network::of(address, self.ipv6_prefix))
    }
}

/// The parts that are locked one by one.
const SHARDS: usize = 64;

/// How long a full part waits before it looks again for addresses that can be forgotten: what a flood of them can make us search.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The connections of each address, counted.
///
/// Bounded by the connections that there are, and by [`AddressSettings::remembered_max`] for addresses that have none but used up
/// some of their rate. When those are so many, the connections of further addresses share one rate.
pub(crate) struct Addresses {
    settings: AddressSettings,
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
}

#[derive(Default)]
struct Shard {
    entries: HashMap<Network, Entry>,
    /// For those whom there is no room to remember.
    shared_rate: Gcra,
    sweep_from: Monotonic,
}

#[derive(Default)]
struct Entry {
    connections: u32,
    /// Its own rate; none if it has the shared one.
    rate: Option<Gcra>,
}

/// A connection is one too many for its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooMany {
    /// There are as many as there may be.
    #[error("there are too many connections from your address")]
    Connections,
    /// They come too fast; the next is taken after so long.
    #[error("connections from your address come too fast")]
    Rate(Duration),
}

/// What a connection counts towards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// The number of connections and their rate: it begins.
    Beginning,
    /// The number alone: it is a request on somebody else's connection, a proxy's.
    Request,
}

/// A connection's place among those of its address, for as long as it is not dropped.
pub(crate) struct Place {
    addresses: Arc<Addresses>,
    network: Network,
}

impl Addresses {
    pub(crate) fn new(settings: AddressSettings) -> Addresses {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Addresses { settings, shards, hasher: RandomState::new() }
    }

    /// Counts a connection in.
    ///
    /// # Errors
    /// It would be one too many.
    pub(crate) fn enter(
        self: &Arc<Self>,
        network: Network,
        counts: Counts,
        now: Monotonic,
    ) -> Result<Place, TooMany> {
        let rate = self.settings.connect_rate.filter(|_| counts == Counts::Beginning);
        let mut shard = self.shard(network).lock();
        let own_rate = shard.entries.contains_key(&network) || shard.has_room(&self.settings, now);
        let Shard { entries, shared_rate, .. } = &mut *shard;
        match entries.entry(network) {
            Slot::Occupied(mut slot) => {
                let entry = slot.get_mut();
                if entry.connections as usize >= self.settings.connections_max {
                    return Err(TooMany::Connections);
                }
                check(entry.rate.as_mut().unwrap_or(shared_rate), rate, now)?;
                entry.connections += 1;
            }
            Slot::Vacant(slot) => {
                let mut own = own_rate.then(Gcra::default);
                check(own.as_mut().unwrap_or(shared_rate), rate, now)?;
                slot.insert(Entry { connections: 1, rate: own });
            }
        }
        drop(shard);
        Ok(Place { addresses: Arc::clone(self), network })
    }

    fn leave(&self, network: Network) {
        let mut shard = self.shard(network).lock();
        let Slot::Occupied(mut slot) = shard.entries.entry(network) else { return };
        slot.get_mut().connections -= 1;
        let remembered = self.settings.connect_rate.is_some() && slot.get().rate.is_some();
        if slot.get().connections == 0 && !remembered {
            slot.remove();
        }
    }

    fn shard(&self, network: Network) -> &Mutex<Shard> {
        &self.shards[self.hasher.hash_one(network) as usize % SHARDS]
    }
}

fn check(limiter: &mut Gcra, rate: Option<Rate>, now: Monotonic) -> Result<(), TooMany> {
    let Some(rate) = rate else { return Ok(()) };
    limiter.check(now, rate, 1).map_err(|again| TooMany::Rate(again.0))
}

impl Shard {
    /// Whether one more address can be remembered; forgets those that need not be.
    fn has_room(&mut self, settings: &AddressSettings, now: Monotonic) -> bool {
        let Some(rate) = settings.connect_rate else { return true };
        let capacity = settings.remembered_max.div_ceil(SHARDS);
        if self.entries.len() >= capacity && now >= self.sweep_from {
            self.sweep_from = now + SWEEP_EVERY;
            self.entries.retain(|_, entry| entry.connections > 0 || !entry.is_idle(rate, now));
        }
        self.entries.len() < capacity
    }
}

impl Entry {
    /// Whether it has forgotten the past: a fresh one would decide the same.
    fn is_idle(&self, rate: Rate, now: Monotonic) -> bool {
        let Some(mut probe) = self.rate else { return true };
        probe.check(now, rate, rate.burst()).is_ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.addresses.leave(self.network);
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").field(&self.network).finish()
    }
}

#[cfg(test)]
mod tests;
