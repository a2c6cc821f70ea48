use std::collections::btree_map;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use antiphon_model::{OrgId, Position, Timestamp};

use super::actions::Place;
use super::channel::{Channel, Stored};
use super::items::ItemMap;
use super::keys::{Keys, Scope};
use super::objects::Objects;
use super::records::Records;
use super::vault::Vault;
use crate::queue::Notes;
use crate::records::{Record, RecordKey};
use crate::store::ChannelKey;
use crate::vault::VaultChange;
use crate::writer::{Outcomes, Progress};
use crate::{Committed, Entry, Page, Query, StoreError, StoreSettings};

/// Publications that one step of retention removes at most: readers wait while it lasts.
const STEP_ENTRIES: usize = 500;

/// All that is kept.
pub(crate) struct State {
    orgs: HashMap<OrgId, Org>,
    pub(super) channels: HashMap<ChannelKey, Channel>,
    /// Channels without publications and actions that are remembered for their `trimmed_to`.
    pub(super) empty: BTreeSet<(Position, ChannelKey)>,
    arrivals: BTreeMap<u64, (ChannelKey, Position)>,
    expiries: BTreeMap<(Timestamp, u64), (ChannelKey, Position)>,
    /// The actions that expire.
    pub(super) action_expiries: BTreeSet<(Timestamp, ChannelKey, Place)>,
    pub(super) actions_count: usize,
    pub(super) objects: HashMap<OrgId, Objects>,
    pub(super) items: ItemMap,
    keys: Keys,
    records: Records,
    vault: Vault,
    next_arrival: u64,
    pub(super) settings: StoreSettings,
    closed: bool,
}

#[derive(Clone, Copy, Default)]
struct Org {
    floor: Position,
    forgotten_to: Position,
}

impl State {
    pub(super) fn new(settings: &StoreSettings) -> State {
        State {
            orgs: HashMap::new(),
            channels: HashMap::new(),
            empty: BTreeSet::new(),
            arrivals: BTreeMap::new(),
            expiries: BTreeMap::new(),
            action_expiries: BTreeSet::new(),
            actions_count: 0,
            objects: HashMap::new(),
            items: ItemMap::default(),
            keys: Keys::default(),
            records: Records::default(),
            vault: Vault::default(),
            next_arrival: 0,
            settings: settings.clone(),
            closed: false,
        }
    }

    pub(super) fn close(&mut self) {
        *self = State { closed: true, ..State::new(&self.settings) };
    }

    /// # Errors
    /// The store is closed.
    pub(super) fn open(&self) -> Result<&State, StoreError> {
        if self.closed { Err(StoreError::Closed) } else { Ok(self) }
    }

    pub(super) fn floor(&self, org: &OrgId) -> Position {
        self.orgs.get(org).map(|org| org.floor).unwrap_or_default()
    }

    pub(super) fn page(&self, query: &Query) -> Result<Page, StoreError> {
        self.open()?;
        let key = ChannelKey { org: query.org.clone(), channel: query.channel.clone() };
        Ok(match self.channels.get(&key) {
            Some(channel) => channel.page(query, &self.settings),
            None => Page { trimmed_to: self.forgotten_to(&query.org), ..Page::default() },
        })
    }

    pub(super) fn record(&self, key: &RecordKey) -> Option<Record> {
        self.records.find(key)
    }

    /// The credentials and secrets.
    ///
    /// # Errors
    /// The store is closed.
    pub(super) fn vault(&self) -> Result<&Vault, StoreError> {
        self.open().map(|state| &state.vault)
    }

    pub(super) fn keep(&mut self, changes: &[VaultChange]) {
        self.vault.apply(changes);
    }

    pub(super) fn forgotten_to(&self, org: &OrgId) -> Position {
        self.orgs.get(org).map(|org| org.forgotten_to).unwrap_or_default()
    }

    /// Also gives how many older publications had to make room.
    pub(super) fn commit(&mut self, entries: &[Entry], notes: &Notes) -> (Outcomes, usize) {
        let mut removed = 0;
        let mut outcomes = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = ChannelKey::of(entry);
            let outcome = self.insert(entry, &key);
            if outcome == Ok(Committed::Stored) {
                removed += self.make_room(&key, entry.keep);
            }
            outcomes.push(outcome);
        }
        for (org, upto) in &notes.leases {
            self.raise_floor(org, *upto);
        }
        self.records.apply(&notes.records, self.settings.records_max);
        (outcomes, removed)
    }

    fn insert(&mut self, entry: &Entry, key: &ChannelKey) -> Result<Committed, StoreError> {
        let position = entry.publication.position;
        if i64::try_from(position.0).is_err() {
            return Err(StoreError::Unstorable("its position is beyond 63 bits".into()));
        }
        let scope = Scope::of(entry, key);
        if let Some(seen) = scope.as_ref().and_then(|scope| self.keys.seen(scope, position.timestamp())) {
            return Ok(Committed::Duplicate { position: seen });
        }
        let arrival = self.next_arrival;
        let forgotten_to = self.forgotten_to(&entry.org);
        let channel = self
            .channels
            .entry(key.clone())
            .or_insert_with(|| Channel { trimmed_to: forgotten_to, ..Channel::default() });
        let btree_map::Entry::Vacant(place) = channel.publications.entry(position) else {
            return Err(StoreError::PositionTaken(position));
        };
        place.insert(Stored { publication: entry.publication.clone(), expires: entry.expires, arrival });
        self.empty.remove(&(channel.trimmed_to, key.clone()));
        self.next_arrival += 1;
        self.arrivals.insert(arrival, (key.clone(), position));
        if let Some(expires) = entry.expires {
            self.expiries.insert((expires, arrival), (key.clone(), position));
        }
        if let Some(scope) = scope {
            let expires = (self.settings.idempotency_keep().as_nanos() / 100) as u64;
            let expires = Timestamp(position.0.saturating_add(expires));
            self.keys.remember(scope, position, expires, self.settings.memory_entries_max);
        }
        self.raise_floor(&entry.org, position);
        Ok(Committed::Stored)
    }

    fn raise_floor(&mut self, org: &OrgId, position: Position) {
        match self.orgs.get_mut(org) {
            Some(org) => org.floor = position.max(org.floor),
            None => {
                self.orgs.insert(org.clone(), Org { floor: position, ..Org::default() });
            }
        }
    }

    /// Applies the history size of one channel and the limit of all.
    fn make_room(&mut self, key: &ChannelKey, keep: Option<u64>) -> usize {
        let mut removed = 0;
        if let (Some(keep), Some(channel)) = (keep, self.channels.get(key)) {
            let excess =
                channel.publications.len().saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
            let oldest: Vec<Position> = channel.publications.keys().take(excess).copied().collect();
            removed += self.remove(key, &oldest);
        }
        while self.arrivals.len() > self.settings.memory_entries_max.max(1) {
            let (_, (key, position)) = self.arrivals.first_key_value().expect("there are more than one");
            let (key, position) = (key.clone(), position.0);
            removed += self.delete(&key, (position, position)) as usize;
        }
        removed
    }

    fn remove(&mut self, key: &ChannelKey, positions: &[Position]) -> usize {
        let Some(channel) = self.channels.get_mut(key) else {
            return 0;
        };
        if positions.is_empty() {
            return 0;
        }
        let (removed, actions) = channel.remove(positions);
        self.actions_removed(key, actions);
        for stored in &removed {
            self.arrivals.remove(&stored.arrival);
            if let Some(expires) = stored.expires {
                self.expiries.remove(&(expires, stored.arrival));
            }
        }
        removed.len()
    }

    /// Deletes the publications between two positions, both included, and the actions on them. How many publications there were.
    pub(crate) fn delete(&mut self, key: &ChannelKey, (first, last): (u64, u64)) -> u64 {
        let Some(channel) = self.channels.get_mut(key).filter(|_| first <= last) else {
            return 0;
        };
        let range = Position(first)..=Position(last);
        let actions = channel.actions.take_on(range.clone());
        let positions: Vec<Position> =
            channel.publications.range(range).map(|(position, _)| *position).collect();
        self.actions_removed(key, actions);
        self.remove(key, &positions) as u64
    }

    /// How many publications after a position are shown, up to the size of a page.
    pub(crate) fn count(&self, key: &ChannelKey, after: Position, now: Timestamp) -> u64 {
        let Some(channel) = self.channels.get(key) else {
            return 0;
        };
        let later = channel.publications.range((Bound::Excluded(after), Bound::Unbounded));
        let shown = later.filter(|(_, stored)| !stored.has_expired(now));
        shown.take(self.settings.page_entries_max.max(1)).count() as u64
    }

    /// One step of retention: how many it removed, and whether there is more to do.
    pub(super) fn retain(&mut self, now: Timestamp, forget: Timestamp) -> (usize, Progress) {
        let mut expired: HashMap<ChannelKey, Vec<Position>> = HashMap::new();
        let due = self.expiries.range(..=(now, u64::MAX)).take(STEP_ENTRIES);
        for (_, (key, position)) in due {
            expired.entry(key.clone()).or_default().push(*position);
        }
        let removed = expired.iter().map(|(key, positions)| self.remove(key, positions)).sum();
        self.keys.remove_expired(now);
        self.records.remove_expired(now);
        self.items.remove_expired(now);
        let actions = self.remove_expired_actions(now, STEP_ENTRIES);
        self.forget_channels(forget);
        (removed, if removed.max(actions) < STEP_ENTRIES { Progress::Done } else { Progress::More })
    }

    fn forget_channels(&mut self, before: Timestamp) {
        while let Some((trimmed_to, _)) = self.empty.first()
            && (trimmed_to.timestamp() < before || self.empty.len() > self.settings.memory_entries_max)
        {
            let (trimmed_to, key) = self.empty.pop_first().expect("there is a first");
            self.channels.remove(&key);
            let org = self.orgs.entry(key.org).or_default();
            org.forgotten_to = trimmed_to.max(org.forgotten_to);
        }
    }
}
