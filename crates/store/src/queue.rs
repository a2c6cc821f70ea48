//! What waits for the writer: entries in order, other changes among them, changes of the vault in an order of their own, leases, records,
//! and those who wait for a point in that order.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use antiphon_model::{OrgId, Position};
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::records::{Changes, Record, RecordChange, RecordKey};
use crate::stats::Counters;
use crate::store::Done;
use crate::vault::VaultChange;
use crate::{Change, Completion, Entry, StoreError, StoreSettings};

pub(crate) type Answer = oneshot::Sender<Result<(), StoreError>>;

/// Somebody who waits until all that was queued before him is done.
pub(crate) enum Barrier {
    Flush(Answer),
    Sweep(Answer),
}

pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    entries_max: usize,
    bytes_max: usize,
    group_entries_max: usize,
    pub(crate) counters: Arc<Counters>,
}

struct State {
    work: Work,
    records: Changes,
    /// Entries and changes, queued or being committed.
    pending_entries: usize,
    pending_bytes: usize,
    fresh: Fresh,
    closed: bool,
    parked: Parked,
}

/// All that was queued at one moment.
#[derive(Default)]
pub(crate) struct Work {
    pub(crate) entries: Vec<Entry>,
    /// One for each entry.
    pub(crate) completions: Vec<Completion>,
    pub(crate) vault: Vec<(VaultChange, Done)>,
    /// Each with how many of the entries were queued before it.
    pub(crate) changes: Vec<(usize, Change)>,
    /// Each with how many of the entries were queued before it.
    pub(crate) barriers: Vec<(usize, Barrier)>,
    pub(crate) notes: Notes,
}

/// What goes with a group and nobody waits for.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) leases: HashMap<OrgId, Position>,
    pub(crate) records: Vec<RecordChange>,
}

impl Notes {
    pub(crate) fn is_empty(&self) -> bool {
        self.leases.is_empty() && self.records.is_empty()
    }
}

/// Whether there are leases, records or changes that nobody has tried to commit yet.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Fresh {
    Yes,
    #[default]
    No,
}

/// What the writer sleeps for.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Parked {
    #[default]
    No,
    /// Any work.
    Idle,
    /// A whole group, or somebody who waits: there is work, and its time has not come.
    Gathering,
}

/// Why [`Queue::take`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Work,
    /// Nothing is queued and it is `tick_at`.
    Tick,
    /// Nothing is queued nor ever will be.
    Closed,
}

impl Queue {
    pub(crate) fn new(settings: &StoreSettings) -> Queue {
        Queue {
            state: Mutex::new(State {
                work: Work::default(),
                records: Changes::new(settings.queue_entries_max, settings.queue_bytes_max),
                pending_entries: 0,
                pending_bytes: 0,
                fresh: Fresh::No,
                closed: false,
                parked: Parked::No,
            }),
            wake: Condvar::new(),
            entries_max: settings.queue_entries_max,
            bytes_max: settings.queue_bytes_max,
            group_entries_max: settings.group_entries_max.max(1),
            counters: Arc::default(),
        }
    }

    pub(crate) fn append(&self, entry: Entry, done: Completion) {
        let refused = {
            let mut state = self.state.lock();
            match self.make_room(&mut state, entry.memory_bytes()) {
                Err(refused) => refused,
                Ok(()) => {
                    state.work.entries.push(entry);
                    state.work.completions.push(done);
                    Counters::add(&self.counters.queued, 1);
                    let full = state.work.entries.len() >= self.group_entries_max;
                    if state.parked == Parked::Idle || (full && state.parked == Parked::Gathering) {
                        self.unpark(&mut state);
                    }
                    return;
                }
            }
        };
        done(Err(refused));
    }

    pub(crate) fn change_vault(&self, change: VaultChange, done: Done) {
        let refused = {
            let mut state = self.state.lock();
            match self.make_room(&mut state, change.memory_bytes()) {
                Err(refused) => refused,
                Ok(()) => {
                    state.work.vault.push((change, done));
                    self.freshen(&mut state);
                    return;
                }
            }
        };
        done(Err(refused));
    }

    pub(crate) fn push_change(&self, change: Change) {
        let refused = {
            let mut state = self.state.lock();
            match self.make_room(&mut state, change.memory_bytes()) {
                Err(refused) => refused,
                Ok(()) => {
                    let behind = state.work.entries.len();
                    state.work.changes.push((behind, change));
                    self.freshen(&mut state);
                    return;
                }
            }
        };
        change.refuse(refused);
    }

    /// Counts one more that waits, if there may be one.
    fn make_room(&self, state: &mut State, bytes: usize) -> Result<(), StoreError> {
        if state.closed {
            return Err(StoreError::Closed);
        }
        if state.pending_entries >= self.entries_max
            // A lone entry is let through, or one larger than the limit could never be stored.
            || (state.pending_entries > 0 && state.pending_bytes.saturating_add(bytes) > self.bytes_max)
        {
            Counters::add(&self.counters.overloaded, 1);
            return Err(StoreError::Overloaded);
        }
        state.pending_entries += 1;
        state.pending_bytes += bytes;
        Ok(())
    }

    pub(crate) fn lease(&self, org: &OrgId, upto: Position) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        raise(&mut state.work.notes.leases, org, upto);
        self.freshen(&mut state);
    }

    /// Puts a record, or removes it. Without room, or when the store is closed, nothing happens.
    pub(crate) fn change(&self, key: RecordKey, record: Option<Record>) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        match state.records.change(key, record) {
            Ok(()) => self.freshen(&mut state),
            Err(_) => Counters::add(&self.counters.overloaded, 1),
        }
    }

    /// The last word on a record that is not committed yet, if there is one: `Some(None)` if it is removed.
    ///
    /// # Errors
    /// The store is closed.
    pub(crate) fn find_record(&self, key: &RecordKey) -> Result<Option<Option<Record>>, StoreError> {
        let state = self.state.lock();
        if state.closed { Err(StoreError::Closed) } else { Ok(state.records.find(key)) }
    }

    fn freshen(&self, state: &mut State) {
        state.fresh = Fresh::Yes;
        if state.parked == Parked::Idle {
            self.unpark(state);
        }
    }

    pub(crate) fn wait_behind(&self, barrier: Barrier) {
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            let (Barrier::Flush(answer) | Barrier::Sweep(answer)) = barrier;
            let _ = answer.send(Err(StoreError::Closed));
            return;
        }
        let behind = state.work.entries.len();
        state.work.barriers.push((behind, barrier));
        self.unpark(&mut state);
    }

    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        self.unpark(&mut state);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().pending_entries
    }

    fn unpark(&self, state: &mut State) {
        if state.parked != Parked::No {
            state.parked = Parked::No;
            self.wake.notify_one();
        }
    }

    /// Waits for work and takes all there is. Work that nobody waits behind is left to gather until `not_before`;
    /// without work it returns at `tick_at`. `into` has to be empty; its allocations are used for what comes next.
    pub(crate) fn take(&self, not_before: Instant, tick_at: Instant, into: &mut Work) -> Taken {
        debug_assert!(into.entries.is_empty() && into.barriers.is_empty() && into.notes.is_empty());
        debug_assert!(into.vault.is_empty() && into.changes.is_empty());
        let mut state = self.state.lock();
        loop {
            let now = Instant::now();
            let urgent = state.closed
                || !state.work.barriers.is_empty()
                || state.work.entries.len() >= self.group_entries_max;
            let any = !state.work.entries.is_empty() || state.fresh == Fresh::Yes;
            let (parked, deadline) = match (urgent, any) {
                (true, _) => break,
                (false, true) if now >= not_before => break,
                (false, true) => (Parked::Gathering, not_before),
                (false, false) if now >= tick_at => break,
                (false, false) => (Parked::Idle, tick_at),
            };
            state.parked = parked;
            self.wake.wait_until(&mut state, deadline);
            state.parked = Parked::No;
        }
        let any = !state.work.entries.is_empty()
            || !state.work.vault.is_empty()
            || !state.work.changes.is_empty()
            || !state.work.barriers.is_empty()
            || !state.work.notes.leases.is_empty()
            || !state.records.is_empty();
        // Whoever waits, waits for all of them.
        let at_once = if state.work.barriers.is_empty() { self.group_entries_max } else { usize::MAX };
        state.work.notes.records = state.records.some(at_once);
        state.fresh = Fresh::No;
        mem::swap(&mut state.work, into);
        match (any, state.closed) {
            (true, _) => Taken::Work,
            (false, true) => Taken::Closed,
            (false, false) => Taken::Tick,
        }
    }

    /// Makes room for as many entries or changes: they have their completions.
    pub(crate) fn completed(&self, entries: usize, bytes: usize) {
        let mut state = self.state.lock();
        state.pending_entries -= entries;
        state.pending_bytes -= bytes;
    }

    /// Lets go of notes that were committed.
    pub(crate) fn noted(&self, notes: &Notes) {
        if notes.records.is_empty() {
            return;
        }
        let mut state = self.state.lock();
        state.records.committed(&notes.records);
        if !state.records.is_empty() {
            state.fresh = Fresh::Yes;
        }
    }

    /// Puts back notes whose group failed, for the next group or tick. Lost if the store is closing: then there
    /// is no later group, and the disk that refused this one will not take another.
    pub(crate) fn put_back(&self, notes: Notes) {
        let mut state = self.state.lock();
        if state.closed {
            state.records.clear();
            return;
        }
        for (org, upto) in notes.leases {
            raise(&mut state.work.notes.leases, &org, upto);
        }
    }
}

fn raise(leases: &mut HashMap<OrgId, Position>, org: &OrgId, upto: Position) {
    match leases.get_mut(org) {
        Some(lease) => *lease = upto.max(*lease),
        None => {
            leases.insert(org.clone(), upto);
        }
    }
}
