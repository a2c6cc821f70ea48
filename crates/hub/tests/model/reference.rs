//! What the hub has to do, said the obvious way: one list of everything, walked from end to end each time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use antiphon_model::{Monotonic, Now, Position};

use crate::{ANNOUNCE_MAX, INTERVAL, INTERVAL_BYTES_MAX, PREFIXES};

/// A channel of the test, or the companion with its presence events; or a wildcard, of either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Chan {
    Plain(usize),
    Companion(usize),
    Wildcard(usize),
    WildcardCompanion(usize),
}

impl Chan {
    /// Whether one channel of the specs is below this one if it is a wildcard, or is this one.
    pub(crate) fn covers(self, other: Chan, specs: &[Spec]) -> bool {
        let below =
            |prefix: usize, chan: usize| specs[chan].name.starts_with(&format!("{}.", PREFIXES[prefix]));
        match (self, other) {
            (Chan::Wildcard(prefix), Chan::Plain(chan))
            | (Chan::WildcardCompanion(prefix), Chan::Companion(chan)) => below(prefix, chan),
            (this, other) => this == other,
        }
    }
}

/// How a channel of the test behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) persist: bool,
    pub(crate) history: usize,
    pub(crate) ring: usize,
    pub(crate) age: Option<Duration>,
    pub(crate) presence: bool,
}

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// The rule for companions. How much the hub keeps of them is not held against it: only that it says so.
const COMPANION: Spec =
    Spec { name: "", persist: false, history: 100, ring: 100, age: Some(WEEK), presence: false };

/// One publication.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) position: Position,
    pub(crate) chan: Chan,
    pub(crate) what: String,
    pub(crate) odd: bool,
    pub(crate) except: Option<u64>,
    /// Whose listeners do not get it.
    pub(crate) except_of: Vec<usize>,
    hold: Option<Monotonic>,
    dropped: bool,
    delivered: Option<Monotonic>,
    /// Delivered when its time was up, and then found to be a duplicate: the store does not have it.
    pub(crate) withdrawn: bool,
    /// Whether memory keeps it.
    kept: bool,
    /// As if it had never been.
    deleted: bool,
    /// The same for who listens to a wildcard: it may have been kept there longer than on its channel.
    deleted_above: bool,
    /// Whether it was too old at some time.
    perhaps_dropped: bool,
}

/// Who does not get a publication.
#[derive(Clone, Debug, Default)]
pub(crate) struct Except {
    pub(crate) session: Option<u64>,
    pub(crate) listeners_of: Vec<usize>,
}

/// A subscriber.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listener {
    pub(crate) no_odd: bool,
    /// Each channel, and after which position it is wanted.
    pub(crate) channels: BTreeMap<Chan, Position>,
    /// What is on its way.
    pub(crate) expected: VecDeque<usize>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Presence {
    pub(crate) sessions: BTreeSet<u64>,
    pub(crate) grace: Option<Monotonic>,
    pub(crate) heartbeat: Option<Monotonic>,
    pub(crate) state: Option<String>,
}

impl Presence {
    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        self.grace.max(self.heartbeat)
    }
}

/// What is to be told together of a channel.
#[derive(Clone, Debug, Default)]
struct Interval {
    /// Who was here when it began.
    before: BTreeSet<usize>,
    /// Everything that happened.
    log: Vec<(usize, &'static str)>,
}

/// A broadcast and what its collector has to have been told.
#[derive(Clone, Debug)]
pub(crate) struct Broadcast {
    pub(crate) position: Position,
    pub(crate) chan: usize,
    pub(crate) deadline: Monotonic,
    pub(crate) until: Option<usize>,
    pub(crate) told: Vec<Told>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Reply(String),
    End { complete: bool },
}

impl Broadcast {
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.told.last(), Some(Told::End { .. }))
    }
}

#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) specs: &'static [Spec],
    pub(crate) entries: Vec<Entry>,
    /// The first entry whose turn has not come.
    turn: usize,
    pub(crate) last: Position,
    pub(crate) delivered: Position,
    /// Positions before this may lie before something that left memory with its channel.
    pub(crate) doubt: Position,
    pub(crate) listeners: BTreeMap<u64, Listener>,
    pub(crate) present: BTreeMap<(usize, usize), Presence>,
    /// In the order in which they are due.
    intervals: VecDeque<(Monotonic, usize, Interval)>,
    pub(crate) broadcasts: Vec<Broadcast>,
}

impl Reference {
    pub(crate) fn new(specs: &'static [Spec], floor: Position) -> Reference {
        Reference {
            specs,
            entries: Vec::new(),
            turn: 0,
            last: floor,
            delivered: floor,
            doubt: floor,
            listeners: BTreeMap::new(),
            present: BTreeMap::new(),
            intervals: VecDeque::new(),
            broadcasts: Vec::new(),
        }
    }

    pub(crate) fn spec(&self, chan: Chan) -> Spec {
        match chan {
            Chan::Plain(index) => self.specs[index],
            Chan::Companion(_) | Chan::Wildcard(_) | Chan::WildcardCompanion(_) => COMPANION,
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.entries.len() - self.turn
    }

    pub(crate) fn publish(
        &mut self,
        chan: Chan,
        what: String,
        odd: bool,
        except: Except,
        hold: Option<Monotonic>,
        now: Now,
    ) -> Position {
        self.last = Position(now.wall.0).max(Position(self.last.0 + 1));
        let position = self.last;
        self.entries.push(Entry {
            position,
            chan,
            what,
            odd,
            except: except.session,
            except_of: except.listeners_of,
            hold,
            dropped: false,
            delivered: None,
            withdrawn: false,
            kept: false,
            deleted: false,
            deleted_above: false,
            perhaps_dropped: false,
        });
        if self.waiting() == 1 && hold.is_none() {
            self.deliver_next(now);
        }
        position
    }

    fn deliver_next(&mut self, now: Now) {
        let index = self.turn;
        self.turn += 1;
        let entry = &mut self.entries[index];
        if entry.dropped {
            return;
        }
        (entry.delivered, entry.kept) = (Some(now.monotonic), true);
        let (position, chan) = (entry.position, entry.chan);
        self.delivered = position;
        let spec = self.spec(chan);
        let kept: Vec<usize> =
            (0..self.turn).filter(|at| self.entries[*at].chan == chan && self.entries[*at].kept).collect();
        for at in kept.iter().rev().skip(spec.ring.min(spec.history)) {
            self.entries[*at].kept = false;
        }
        self.expire(chan, Position::ZERO, now);
        let (entry, specs) = (&self.entries[index], self.specs);
        for (session, listener) in &mut self.listeners {
            let mut channels = listener.channels.iter();
            let asked = channels.any(|(on, from)| on.covers(chan, specs) && position > *from);
            let from = |chan: usize| listener.channels.get(&Chan::Plain(chan));
            let left_out =
                entry.except_of.iter().any(|chan| from(*chan).is_some_and(|from| position > *from));
            if asked && !left_out && wants(*session, listener.no_odd, entry) {
                listener.expected.push_back(index);
            }
        }
    }

    /// Memory drops what is too old, when it is looked at. What was too old at a time when it may have been
    /// looked at is kept or not, as `floor` says: the clock may have stepped back meanwhile.
    pub(crate) fn expire(&mut self, chan: Chan, floor: Position, now: Now) {
        let Some(age) = self.spec(chan).age else { return };
        let oldest = now.wall.earlier_by(age);
        for entry in self.entries.iter_mut().filter(|entry| entry.chan == chan) {
            let dropped = entry.perhaps_dropped && entry.position <= floor;
            entry.kept &= entry.position.timestamp() >= oldest && !dropped;
        }
    }

    pub(crate) fn settle(&mut self, position: Position, keep: bool) {
        let entry = self.entries.iter_mut().find(|entry| entry.position == position);
        let entry = entry.expect("only what was published is settled");
        entry.hold = None;
        if !keep {
            (entry.dropped, entry.withdrawn) = (entry.delivered.is_none(), entry.delivered.is_some());
        }
    }

    /// Deletes what nobody holds any more, of what was published after one position and not after another.
    pub(crate) fn delete(&mut self, chan: Chan, after: Position, until: Position) {
        let (turn, persist) = (self.turn, self.spec(chan).persist);
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if entry.chan != chan || entry.position <= after || entry.position > until {
                continue;
            }
            if index >= turn {
                entry.dropped |= entry.hold.is_none();
                continue;
            }
            entry.deleted_above = true;
            // What memory had let go of before is a gap still.
            if persist || entry.kept {
                (entry.deleted, entry.kept) = (true, false);
            }
        }
    }

    pub(crate) fn release(&mut self, now: Now) {
        while self.turn < self.entries.len() {
            if self.entries[self.turn].hold.is_some_and(|until| until > now.monotonic) {
                return;
            }
            self.deliver_next(now);
        }
    }

    /// Everything delivered on a channel after a position, and not deleted.
    pub(crate) fn since(&self, chan: Chan, position: Position) -> impl Iterator<Item = &Entry> {
        let deleted =
            move |entry: &Entry| if entry.chan == chan { entry.deleted } else { entry.deleted_above };
        let delivered = move |entry: &&Entry| entry.delivered.is_some() && !deleted(entry);
        let here = move |entry: &&Entry| chan.covers(entry.chan, self.specs) && entry.position > position;
        self.entries.iter().filter(delivered).filter(here)
    }

    /// The part of it that memory keeps.
    pub(crate) fn kept(&self, chan: Chan, position: Position) -> Vec<Position> {
        self.since(chan, position).filter(|entry| entry.kept).map(|entry| entry.position).collect()
    }

    /// Whether some of it is not kept by anything.
    pub(crate) fn lost(&self, chan: Chan, position: Position) -> bool {
        !self.spec(chan).persist && self.since(chan, position).any(|entry| !entry.kept)
    }

    pub(crate) fn arrive(
        &mut self,
        key: (usize, usize),
        session: Option<u64>,
        until: Option<Monotonic>,
        state: Option<String>,
        now: Now,
    ) {
        let new = !self.present.contains_key(&key);
        let member = self.present.entry(key).or_default();
        if let Some(session) = session {
            member.sessions.insert(session);
            member.grace = None;
        }
        if until.is_some() {
            member.heartbeat = until;
        }
        let changed = state.is_some() && member.state != state;
        if changed {
            member.state.clone_from(&state);
        }
        if new || changed {
            self.tell(if new { "join" } else { "state" }, key, state, now);
        }
    }

    pub(crate) fn leave(&mut self, key: (usize, usize), session: u64, until: Option<Monotonic>, now: Now) {
        let Some(member) = self.present.get_mut(&key) else { return };
        if member.sessions.remove(&session) {
            member.grace = member.grace.max(until);
            if member.sessions.is_empty() && member.deadline().is_none() {
                self.gone("leave", key, now);
            }
        }
    }

    pub(crate) fn depart(&mut self, key: (usize, usize), now: Now) {
        let Some(member) = self.present.get_mut(&key) else { return };
        (member.grace, member.heartbeat) = (None, None);
        if member.sessions.is_empty() {
            self.gone("leave", key, now);
        }
    }

    /// False if it is not there to have a state.
    pub(crate) fn set_state(&mut self, key: (usize, usize), state: Option<String>, now: Now) -> bool {
        let Some(member) = self.present.get_mut(&key) else { return false };
        member.state.clone_from(&state);
        self.tell("state", key, state, now);
        true
    }

    fn gone(&mut self, name: &'static str, key: (usize, usize), now: Now) {
        let state = self.present.remove(&key).and_then(|member| member.state);
        self.tell(name, key, state, now);
    }

    fn tell(&mut self, name: &'static str, (chan, who): (usize, usize), state: Option<String>, now: Now) {
        let here = self.here(chan);
        let occupancy = here.len();
        let interval = self.intervals.iter_mut().find(|(_, on, _)| *on == chan);
        if name != "state" && (occupancy > ANNOUNCE_MAX || interval.is_some()) {
            match interval {
                Some((.., interval)) => interval.log.push((who, name)),
                None => {
                    let mut before = here;
                    if !before.remove(&who) {
                        before.insert(who);
                    }
                    let interval = Interval { before, log: vec![(who, name)] };
                    self.intervals.push_back((now.monotonic + INTERVAL, chan, interval));
                }
            }
            return;
        }
        let what = presence_event(name, &who.to_string(), occupancy as u64, state.as_deref());
        self.publish(Chan::Companion(chan), what, false, Except::default(), None, now);
    }

    pub(crate) fn here(&self, chan: usize) -> BTreeSet<usize> {
        self.present.keys().filter(|(on, _)| *on == chan).map(|(_, who)| *who).collect()
    }

    fn tell_interval(&mut self, chan: usize, interval: &Interval, now: Now) {
        let here = self.here(chan);
        let (mut names, mut too_long) = (interval.before.clone(), false);
        for (who, name) in &interval.log {
            if *name == "join" {
                names.insert(*who)
            } else {
                names.remove(who)
            };
            // A name of one digit takes four bytes in a list.
            too_long |= names.symmetric_difference(&interval.before).count() * 4 > INTERVAL_BYTES_MAX;
        }
        assert_eq!(names, here, "the log is complete");
        let came: Vec<_> = here.difference(&interval.before).copied().collect();
        let went = |how: &str| -> Vec<usize> {
            let last =
                |who: &usize| interval.log.iter().rev().find(|(one, _)| one == who).map(|(_, name)| *name);
            interval.before.difference(&here).copied().filter(|who| last(who) == Some(how)).collect()
        };
        let lists = if too_long { None } else { Some([came, went("leave"), went("timeout")]) };
        if lists.as_ref().is_none_or(|lists| !lists.iter().all(Vec::is_empty)) {
            let what = interval_event(here.len() as u64, lists.as_ref());
            self.publish(Chan::Companion(chan), what, false, Except::default(), None, now);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) {
        for broadcast in &mut self.broadcasts {
            if broadcast.is_open() && broadcast.deadline <= now.monotonic {
                broadcast.told.push(Told::End { complete: false });
            }
        }
        self.release(now);
        let due = |(key, member): (&(usize, usize), &Presence)| Some((member.deadline()?, *key));
        let mut due: Vec<_> =
            self.present.iter().filter_map(due).filter(|(at, _)| *at <= now.monotonic).collect();
        due.sort();
        for (_, key) in due {
            if let Some(member) = self.present.get_mut(&key) {
                (member.grace, member.heartbeat) = (None, None);
                if member.sessions.is_empty() {
                    self.gone("timeout", key, now);
                }
            }
        }
        while self.intervals.front().is_some_and(|(due, ..)| *due <= now.monotonic) {
            if let Some((_, chan, interval)) = self.intervals.pop_front() {
                self.tell_interval(chan, &interval, now);
            }
        }
    }

    /// What nobody used for so long may have left memory, and what is too old as well.
    pub(crate) fn forget(&mut self, idle: Duration, now: Now) {
        for index in 0..self.entries.len() {
            if let Some(age) = self.spec(self.entries[index].chan).age {
                let entry = &mut self.entries[index];
                entry.perhaps_dropped |= entry.position.timestamp() < now.wall.earlier_by(age);
            }
        }
        let old = |at: Monotonic| now.monotonic.since(at) >= idle;
        let forgotten = self.entries.iter().filter(|entry| entry.delivered.is_some_and(old));
        self.doubt = forgotten.map(|entry| entry.position).max().unwrap_or_default().max(self.doubt);
    }

    /// The earliest time at which something has to happen.
    pub(crate) fn earliest(&self) -> Option<Monotonic> {
        let held = self.entries.get(self.turn).map(|first| first.hold.unwrap_or_default());
        let open = self.broadcasts.iter().filter(|broadcast| broadcast.is_open());
        let lapses = self.present.values().filter(|member| member.sessions.is_empty());
        let lapses = lapses.filter_map(Presence::deadline);
        let intervals = self.intervals.front().map(|(due, ..)| *due);
        held.into_iter().chain(open.map(|broadcast| broadcast.deadline)).chain(lapses).chain(intervals).min()
    }
}

/// Whether a subscriber wants a publication of a channel it listens to.
pub(crate) fn wants(session: u64, no_odd: bool, entry: &Entry) -> bool {
    entry.except != Some(session) && !(no_odd && entry.odd)
}

/// A presence event as both sides write it for comparison.
pub(crate) fn presence_event(name: &str, who: &str, occupancy: u64, state: Option<&str>) -> String {
    format!("{name} {who} of {occupancy} {state:?}")
}

/// An event that tells of some time together; without lists if they were too long.
pub(crate) fn interval_event(occupancy: u64, lists: Option<&[Vec<usize>; 3]>) -> String {
    format!("interval of {occupancy} {lists:?}")
}
