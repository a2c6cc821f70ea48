//! Random sequences of calls, against a model that is too simple to be wrong.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use antiphon_model::{ChannelId, Position, Timestamp};
use antiphon_store::{Committed, End, Entry, Range, Store, StoreSettings};
use proptest::prelude::*;

use crate::fixture::{
    Backend, Fixture, SECOND, append, channel, done, everything, org, plain, positions, read_at, wait,
};
use crate::records::{put, record};

/// Seconds that keys and empty channels are remembered.
const KEEP_SECS: u64 = 3;

#[derive(Clone, Debug)]
enum Step {
    Append { channel: usize, key: Option<u8>, ttl: Option<u64>, keep: Option<u64> },
    Wait { units: u64 },
    Sweep,
    Reopen,
    Read { channel: usize, range: RangeOf, limit: usize },
    Delete { channel: usize, after: usize, until: usize },
    Count { channel: usize, after: usize },
    PutRecord { key: u8, ttl: u64 },
    RemoveRecord { key: u8 },
    ReadRecord { key: u8 },
}

/// A range between the n-th positions given out.
#[derive(Clone, Copy, Debug)]
enum RangeOf {
    After(usize),
    AfterUntil(usize, usize),
    Between(usize, usize, End),
    Newest,
    Before(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let ttl = proptest::option::of(0..3 * SECOND);
    let keep = proptest::option::of(0..5_u64);
    let range = prop_oneof![
        (0..40_usize).prop_map(RangeOf::After),
        (0..40_usize, 0..40_usize).prop_map(|(after, until)| RangeOf::AfterUntil(after, until)),
        (0..40_usize, 0..40_usize, prop_oneof![Just(End::Oldest), Just(End::Newest)])
            .prop_map(|(after, until, from)| RangeOf::Between(after, until, from)),
        Just(RangeOf::Newest),
        (0..40_usize).prop_map(RangeOf::Before),
    ];
    prop_oneof![
        6 => (0..3_usize, proptest::option::of(0..3_u8), ttl, keep)
            .prop_map(|(channel, key, ttl, keep)| Step::Append { channel, key, ttl, keep }),
        2 => (0..2 * SECOND).prop_map(|units| Step::Wait { units }),
        1 => Just(Step::Sweep),
        1 => Just(Step::Reopen),
        4 => (0..4_usize, range, 0..6_usize)
            .prop_map(|(channel, range, limit)| Step::Read { channel, range, limit }),
        1 => (0..4_usize, 0..40_usize, 0..40_usize)
            .prop_map(|(channel, after, until)| Step::Delete { channel, after, until }),
        1 => (0..4_usize, 0..40_usize).prop_map(|(channel, after)| Step::Count { channel, after }),
        2 => (0..3_u8, 0..3 * SECOND).prop_map(|(key, ttl)| Step::PutRecord { key, ttl }),
        1 => (0..3_u8).prop_map(|key| Step::RemoveRecord { key }),
        2 => (0..3_u8).prop_map(|key| Step::ReadRecord { key }),
    ]
}

#[derive(Default)]
struct Model {
    now: u64,
    given: Vec<u64>,
    channels: BTreeMap<usize, Channel>,
    keys: HashMap<(usize, u8), u64>,
    /// What each says, and when it expires.
    records: HashMap<u8, (String, u64)>,
    records_put: u64,
    forgotten_to: u64,
}

#[derive(Default)]
struct Channel {
    /// When each expires.
    publications: BTreeMap<u64, Option<u64>>,
    trimmed_to: u64,
}

impl Channel {
    fn expired(&self, now: u64) -> Vec<u64> {
        let expired = self.publications.iter().filter(|(_, expires)| expires.is_some_and(|at| at <= now));
        expired.map(|(position, _)| *position).collect()
    }

    fn remove(&mut self, positions: &[u64]) {
        self.publications.retain(|position, _| !positions.contains(position));
        let oldest = self.publications.keys().next().copied().unwrap_or(u64::MAX);
        let gone = positions.iter().copied().filter(|position| *position < oldest).max();
        self.trimmed_to = self.trimmed_to.max(gone.unwrap_or(0));
    }
}

impl Model {
    fn append(&mut self, position: u64, channel: usize, key: Option<u8>, expires: Option<u64>) -> Committed {
        if let Some(key) = key {
            match self.keys.get(&(channel, key)) {
                Some(seen) if position < seen + KEEP_SECS * SECOND => {
                    return Committed::Duplicate { position: Position(*seen) };
                }
                _ => drop(self.keys.insert((channel, key), position)),
            }
        }
        let trimmed_to = self.forgotten_to;
        let channel = self.channels.entry(channel).or_insert(Channel { trimmed_to, ..Channel::default() });
        channel.publications.insert(position, expires);
        Committed::Stored
    }

    fn trim(&mut self, channel: usize, keep: u64) {
        let channel = self.channels.get_mut(&channel).unwrap();
        let excess = channel.publications.len().saturating_sub(keep as usize);
        let oldest: Vec<u64> = channel.publications.keys().copied().take(excess).collect();
        channel.remove(&oldest);
    }

    fn sweep(&mut self) {
        let forget_before = self.now.saturating_sub(KEEP_SECS * SECOND);
        for channel in self.channels.values_mut() {
            channel.remove(&channel.expired(self.now));
        }
        let forgotten_to = &mut self.forgotten_to;
        self.channels.retain(|_, channel| {
            let keep = !channel.publications.is_empty() || channel.trimmed_to >= forget_before;
            if !keep {
                *forgotten_to = channel.trimmed_to.max(*forgotten_to);
            }
            keep
        });
    }

    /// Positions, whether there are more, and up to where it is trimmed.
    fn read(&self, channel: usize, range: Range, limit: usize) -> (Vec<u64>, bool, u64) {
        let Some(channel) = self.channels.get(&channel) else {
            return (Vec::new(), false, self.forgotten_to);
        };
        let expired = channel.expired(self.now);
        let oldest_shown = channel.publications.keys().find(|position| !expired.contains(position));
        let trimmed_to = expired.iter().filter(|gone| oldest_shown.is_none_or(|oldest| *gone < oldest)).max();
        let trimmed_to = trimmed_to.copied().unwrap_or(0).max(channel.trimmed_to);
        let within = |position: &u64| match range {
            Range::After(after) => *position > after.0,
            Range::AfterUntil { after, until } | Range::Between { after, until, .. } => {
                *position > after.0 && *position <= until.0
            }
            Range::Newest => true,
            Range::Before(before) => *position < before.0,
        };
        let shown: Vec<u64> =
            channel.publications.keys().filter(|p| !expired.contains(p)).copied().filter(within).collect();
        let more = shown.len() > limit;
        let page = match range {
            Range::After(_) | Range::AfterUntil { .. } | Range::Between { from: End::Oldest, .. } => {
                shown.into_iter().take(limit).collect()
            }
            Range::Newest | Range::Before(_) | Range::Between { .. } => {
                shown[shown.len().saturating_sub(limit)..].to_vec()
            }
        };
        (page, more, trimmed_to)
    }

    fn delete(&mut self, channel: usize, after: Position, until: Position) -> u64 {
        let Some(channel) = self.channels.get_mut(&channel) else { return 0 };
        let within = |position: &u64| *position > after.0 && *position <= until.0;
        let gone: Vec<u64> = channel.publications.keys().copied().filter(within).collect();
        channel.remove(&gone);
        gone.len() as u64
    }

    /// The n-th position given out, or one before all.
    fn nth(&self, n: usize) -> Position {
        Position(self.given.get(n).copied().unwrap_or(n as u64))
    }

    fn resolve(&self, range: RangeOf) -> Range {
        let nth = |n| self.nth(n);
        match range {
            RangeOf::After(after) => Range::After(nth(after)),
            RangeOf::AfterUntil(after, until) => Range::AfterUntil { after: nth(after), until: nth(until) },
            RangeOf::Between(after, until, from) => {
                Range::Between { after: nth(after), until: nth(until), from }
            }
            RangeOf::Newest => Range::Newest,
            RangeOf::Before(before) => Range::Before(nth(before)),
        }
    }
}

struct Run {
    fixture: Fixture,
    settings: StoreSettings,
    store: Arc<dyn Store>,
    channels: Vec<Arc<ChannelId>>,
    model: Model,
}

impl Run {
    fn new(fixture: Fixture) -> Run {
        let settings = StoreSettings {
            idempotency_keep_secs: KEEP_SECS,
            forget_channel_secs: KEEP_SECS,
            // Only when told to.
            retention_interval_millis: 3_600_000,
            channel_cache: 2,
            ..StoreSettings::default()
        };
        let store = fixture.open_with(&settings);
        let channels = ["a", "b", "c", "never used"].map(channel).into();
        let model = Model { now: 10 * SECOND, ..Model::default() };
        fixture.set_now(model.now);
        Run { fixture, settings, store, channels, model }
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Append { channel, key, ttl, keep } => self.append(channel, key, ttl, keep)?,
            Step::Wait { units } => {
                self.model.now += units;
                self.fixture.set_now(self.model.now);
            }
            Step::Sweep => self.sweep(),
            Step::Reopen => {
                if matches!(self.fixture.backend, Backend::Sqlite(_)) {
                    self.store.close().unwrap();
                    self.store = self.fixture.open_with(&self.settings);
                }
            }
            Step::Read { channel, range, limit } => {
                self.check(channel, self.model.resolve(range), limit)?;
            }
            Step::Delete { channel, after, until } => {
                let (after, until) = (self.model.nth(after), self.model.nth(until));
                let name = &self.channels[channel];
                let deleted = done(|done| self.store.delete(&org(), name, after, until, done));
                prop_assert_eq!(deleted, Ok(self.model.delete(channel, after, until)));
            }
            Step::Count { channel, after } => {
                let after = self.model.nth(after);
                let count = wait(self.store.count(&org(), &self.channels[channel], after));
                let (shown, ..) = self.model.read(channel, Range::After(after), usize::MAX);
                prop_assert_eq!(count, Ok(shown.len() as u64));
            }
            Step::PutRecord { key, ttl } => {
                let (value, expires) = (self.model.records_put.to_string(), self.model.now + ttl);
                self.model.records_put += 1;
                put(&self.store, &key.to_string(), &value, expires);
                self.model.records.insert(key, (value, expires));
            }
            Step::RemoveRecord { key } => {
                self.store.remove_record(&org(), &key.to_string());
                self.model.records.remove(&key);
            }
            Step::ReadRecord { key } => {
                let expected = self.model.records.get(&key).filter(|(_, expires)| *expires > self.model.now);
                let expected = expected.map(|(value, _)| value.clone());
                prop_assert_eq!(record(&self.store, &key.to_string()), expected);
            }
        }
        Ok(())
    }

    fn append(
        &mut self,
        channel: usize,
        key: Option<u8>,
        ttl: Option<u64>,
        keep: Option<u64>,
    ) -> Result<(), TestCaseError> {
        let position = self.model.given.last().map_or(self.model.now, |last| self.model.now.max(last + 1));
        self.model.given.push(position);
        let expires = ttl.map(|ttl| self.model.now + ttl);
        let entry = Entry {
            idempotency_key: key.map(|key| key.to_string().into()),
            expires: expires.map(Timestamp),
            keep,
            ..plain(&self.channels[channel], position)
        };
        let expected = self.model.append(position, channel, key, expires);
        prop_assert_eq!(append(&self.store, entry), Ok(expected));
        // When histories are trimmed is up to the backend, but for the end of a sweep.
        if let (Some(keep), Committed::Stored) = (keep, expected) {
            self.model.trim(channel, keep);
            self.sweep();
        }
        Ok(())
    }

    fn sweep(&mut self) {
        wait(self.store.sweep()).unwrap();
        self.model.sweep();
    }

    fn check(&self, channel: usize, range: Range, limit: usize) -> Result<(), TestCaseError> {
        let page = read_at(&self.store, &self.channels[channel], range, limit, self.model.now);
        let got = (positions(&page), page.more, page.trimmed_to.0);
        prop_assert_eq!(got, self.model.read(channel, range, limit), "channel {} {:?}", channel, range);
        Ok(())
    }

    fn run(mut self, steps: &[Step]) -> Result<(), TestCaseError> {
        for step in steps {
            self.step(step)?;
        }
        for channel in 0..self.channels.len() {
            self.check(channel, everything(), 1_000)?;
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_does_as_the_model(steps in proptest::collection::vec(step(), 0..60)) {
        Run::new(Fixture::memory()).run(&steps)?;
    }
}

proptest! {
    // Each of them opens files a few times over.
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_does_as_the_model(steps in proptest::collection::vec(step(), 0..60)) {
        Run::new(Fixture::sqlite()).run(&steps)?;
    }
}

/// The floor is not in the model's way: it only ever rises with what was stored.
#[test]
fn the_floor_outlives_the_publications() {
    let fixture = Fixture::sqlite();
    let settings =
        StoreSettings { forget_channel_secs: 0, idempotency_keep_secs: 0, ..StoreSettings::default() };
    let store = fixture.open_with(&settings);
    append(&store, Entry { keep: Some(0), ..plain(&channel("room"), 77) }).unwrap();
    fixture.set_now(1_000);
    wait(store.sweep()).unwrap();
    drop(store);
    assert_eq!(fixture.open().position_floor(&org()), Ok(Position(77)));
}
