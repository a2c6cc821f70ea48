//! What is due later on a worker's thread: one heap, and one task that sleeps until the first of it.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::home::{self, ConnectionKey, Whereabouts};
use crate::recovery::stored;
use crate::socket::WeakSocket;
use crate::{Io, acks};

/// What is to be done.
pub(crate) enum Due {
    /// Acknowledgements of a socket may be late.
    Acks(WeakSocket),
    /// Clients that lost their connection may not have come back.
    Recovery(Io),
    /// What connected clients could recover is to be stored: at a tick of this number.
    Store(Io, u32),
}

thread_local! {
    static TIMERS: Timers = Timers::default();
}

#[derive(Default)]
struct Timers {
    heap: RefCell<BinaryHeap<Timer>>,
    /// Clients that have to be in a namespace, and by when, in the order of that. Those in front that are there are forgotten as others
    /// come: nearly all of them soon are.
    connects: RefCell<VecDeque<(Instant, ConnectionKey)>>,
    earlier: Rc<Notify>,
    is_running: std::cell::Cell<bool>,
}

struct Timer {
    at: Instant,
    due: Due,
}

/// Has something done on this thread, which is a worker's.
pub(crate) fn at(at: Instant, due: Due) {
    TIMERS.with(|timers| {
        let next = timers.next();
        timers.heap.borrow_mut().push(Timer { at, due });
        timers.note(at, next);
    });
}

/// Has a client's connection closed at that time if it is in no namespace by then.
pub(crate) fn connect_by(at: Instant, key: ConnectionKey) {
    TIMERS.with(|timers| {
        let next = timers.next();
        {
            let mut connects = timers.connects.borrow_mut();
            while connects.pop_front_if(|(_, key)| !home::is_awaited(*key)).is_some() {}
            // At the end, unless several servers of the process have different times.
            let place = connects.partition_point(|(other, _)| *other <= at);
            connects.insert(place, (at, key));
        }
        timers.note(at, next);
    });
}

impl Timers {
    fn next(&self) -> Option<Instant> {
        let connect = self.connects.borrow().front().map(|(at, _)| *at);
        let other = self.heap.borrow().peek().map(|timer| timer.at);
        connect.into_iter().chain(other).min()
    }

    /// Something is due at that time that was not when `next` was the next.
    fn note(&self, at: Instant, next: Option<Instant>) {
        if !self.is_running.replace(true) {
            tokio::task::spawn_local(run(Rc::clone(&self.earlier)));
        } else if next.is_none_or(|next| at < next) {
            self.earlier.notify_one();
        }
    }
}

async fn run(earlier: Rc<Notify>) {
    loop {
        let now = Instant::now();
        while let Some(due) = take(now) {
            handle(due);
        }
        while let Some(key) = take_connect(now) {
            if let Whereabouts::Here(connection) = home::find(key) {
                connection.handle_connect_timeout();
            }
        }
        match next() {
            None => earlier.notified().await,
            Some(at) => {
                tokio::select! {
                    () = tokio::time::sleep_until(at) => {}
                    () = earlier.notified() => {}
                }
            }
        }
    }
}

fn take(now: Instant) -> Option<Due> {
    TIMERS.with(|timers| {
        let mut heap = timers.heap.borrow_mut();
        if heap.peek()?.at > now { None } else { heap.pop().map(|timer| timer.due) }
    })
}

fn take_connect(now: Instant) -> Option<ConnectionKey> {
    TIMERS.with(|timers| timers.connects.borrow_mut().pop_front_if(|(at, _)| *at <= now).map(|(_, key)| key))
}

fn next() -> Option<Instant> {
    TIMERS.with(Timers::next)
}

fn handle(due: Due) {
    match due {
        Due::Acks(socket) => {
            if let Some(socket) = socket.upgrade() {
                acks::handle_timeout(&socket, Instant::now());
            }
        }
        Due::Store(io, tick) => stored::handle_tick(&io, tick),
        Due::Recovery(io) => {
            if let Some(recovery) = io.recovery() {
                recovery.handle_timeout(&io, Instant::now());
            }
        }
    }
}

/// The earliest is the greatest, as the heap has it.
impl Ord for Timer {
    fn cmp(&self, other: &Timer) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Timer) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Timer {
    fn eq(&self, other: &Timer) -> bool {
        self.at == other.at
    }
}

impl Eq for Timer {}
