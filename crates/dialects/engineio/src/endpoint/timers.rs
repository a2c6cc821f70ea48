//! When sessions have something to do: one heap and one task for all of a worker's.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;

use antiphon_model::Monotonic;
use antiphon_net::Worker;
use tokio::sync::Notify;

use super::table::Table;
use crate::handshake::Sid;

/// How many sessions are looked at before others of the worker's tasks run.
const BATCH: usize = 256;

/// The deadlines of a worker's sessions.
///
/// A session stands in the heap at least once, no later than it is due. A deadline that moves back is found when the earlier one has
/// come; so heartbeats that are put off with each packet cost nothing. Where a deadline moves forward, the later place is left, and means
/// nothing when it comes.
#[derive(Default)]
pub(super) struct Timers {
    heap: RefCell<BinaryHeap<Reverse<(Monotonic, Sid)>>>,
    earlier: Notify,
    runs: Cell<bool>,
}

/// The earliest time at which a session stands in the heap.
#[derive(Default)]
pub(super) struct Place(Cell<Option<Monotonic>>);

impl Place {
    /// A time has come at which the session stands in the heap: whether it is to be looked at. It is not if an earlier time took the
    /// place of this one: whoever moves his deadline to and fro would stand there ever more often.
    pub(super) fn has_come(&self, at: Monotonic) -> bool {
        let is_it = self.0.get() == Some(at);
        if is_it {
            self.0.set(None);
        }
        is_it
    }
}

impl Timers {
    /// Has the session looked at at that time, or before it.
    pub(super) fn add(&self, at: Monotonic, sid: Sid, place: &Place) {
        if place.0.get().is_some_and(|earlier| earlier <= at) {
            return;
        }
        place.0.set(Some(at));
        let mut heap = self.heap.borrow_mut();
        let is_first = heap.peek().is_none_or(|Reverse((first, _))| at < *first);
        heap.push(Reverse((at, sid)));
        if is_first {
            self.earlier.notify_one();
        }
    }

    fn first(&self) -> Option<Monotonic> {
        self.heap.borrow().peek().map(|Reverse((at, _))| *at)
    }

    fn take_due(&self, now: Monotonic) -> Option<(Monotonic, Sid)> {
        let mut heap = self.heap.borrow_mut();
        let Reverse((at, _)) = heap.peek()?;
        if *at > now {
            return None;
        }
        heap.pop().map(|Reverse(due)| due)
    }
}

/// Begins to watch the time, and the server's end, if nobody does yet.
pub(super) fn watch(table: &Rc<Table>, worker: &Worker) {
    if !table.timers.runs.replace(true) {
        tokio::task::spawn_local(run(Rc::clone(table), worker.clone()));
        tokio::task::spawn_local(shut_down(Rc::clone(table), worker.clone()));
    }
}

async fn run(table: Rc<Table>, worker: Worker) {
    loop {
        let due = table.timers.first().map(|at| worker.node().clock().instant(at));
        let sleep = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep => look(&table, &worker).await,
            () = table.timers.earlier.notified() => {}
        }
    }
}

async fn look(table: &Table, worker: &Worker) {
    loop {
        let now = worker.now().monotonic;
        for _ in 0..BATCH {
            let Some((at, sid)) = table.timers.take_due(now) else { return };
            if let Some(entry) = table.find(&sid) {
                entry.handle_timer(at, now);
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Ends all sessions when the worker is about to stop. Those with a WebSocket are told by their connections.
async fn shut_down(table: Rc<Table>, worker: Worker) {
    worker.drained().await;
    for entry in table.all() {
        entry.shut_down();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_deadline_that_moves_to_and_fro_takes_no_more_places() {
        let (timers, place) = (Timers::default(), Place::default());
        let sid = Sid::new(0, [0; Sid::RANDOM_BYTES]);
        let at = |millis| Monotonic(Duration::from_millis(millis));
        let mut looked = 0;
        for step in 0..100_u64 {
            let (soon, late) = (step * 1000 + 100, step * 1000 + 1000);
            timers.add(at(late), sid, &place);
            timers.add(at(soon), sid, &place);
            for now in [soon, late] {
                while let Some((at, _)) = timers.take_due(Monotonic(Duration::from_millis(now))) {
                    if place.has_come(at) {
                        looked += 1;
                        timers.add(Monotonic(Duration::from_millis(late + 1000)), sid, &place);
                    }
                }
            }
            assert!(timers.heap.borrow().len() <= 3, "{}", timers.heap.borrow().len());
        }
        assert!(looked >= 100);
    }
}
