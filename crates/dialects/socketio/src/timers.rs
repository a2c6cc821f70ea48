//! What is due later on a worker's thread: one heap, and one task that sleeps until the first of it.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::home::{self, ConnectionKey, Whereabouts};
use crate::recovery::stored;
use crate::socket::WeakSocket;
use crate::{Io, acks};

/// What is to be done.
pub(crate) enum Due {
    /// A client has to be in a namespace.
    Connect(ConnectionKey),
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
        let is_first = {
            let mut heap = timers.heap.borrow_mut();
            let is_first = heap.peek().is_none_or(|first| at < first.at);
            heap.push(Timer { at, due });
            is_first
        };
        if !timers.is_running.replace(true) {
            tokio::task::spawn_local(run(Rc::clone(&timers.earlier)));
        } else if is_first {
            timers.earlier.notify_one();
        }
    });
}

async fn run(earlier: Rc<Notify>) {
    loop {
        while let Some(due) = take(Instant::now()) {
            handle(due);
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

fn next() -> Option<Instant> {
    TIMERS.with(|timers| timers.heap.borrow().peek().map(|timer| timer.at))
}

fn handle(due: Due) {
    match due {
        Due::Connect(key) => {
            if let Whereabouts::Here(connection) = home::find(key) {
                connection.handle_connect_timeout();
            }
        }
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
