//! Where connections live: a table on each worker's thread.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use antiphon_hub::WorkerId;
use slab::Slab;

use crate::connection::Connection;

thread_local! {
    static HOME: Home = Home {
        number: HOMES.fetch_add(1, Ordering::Relaxed),
        table: RefCell::default(),
    };
}

static HOMES: AtomicU32 = AtomicU32::new(0);

struct Home {
    number: u32,
    table: RefCell<Table>,
}

#[derive(Default)]
struct Table {
    connections: Slab<Rc<Connection>>,
    last: u32,
}

/// Where to find a connection, from any thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionKey {
    /// The thread: several servers of a process have workers of the same ids.
    home: u32,
    index: u32,
    /// Tells a connection from others that had its index.
    number: u32,
    worker: WorkerId,
}

impl ConnectionKey {
    pub(crate) fn index(self) -> u32 {
        self.index
    }

    pub(crate) fn worker(self) -> WorkerId {
        self.worker
    }
}

/// What is known of a connection on this thread.
pub(crate) enum Whereabouts {
    /// It lives here.
    Here(Rc<Connection>),
    /// It lived here.
    Gone,
    /// It belongs to another thread.
    Elsewhere,
}

/// Adds a connection of this thread's worker.
pub(crate) fn insert(worker: WorkerId, make: impl FnOnce(ConnectionKey) -> Rc<Connection>) -> Rc<Connection> {
    HOME.with(|home| {
        let mut table = home.table.borrow_mut();
        table.last = table.last.wrapping_add(1);
        let number = table.last;
        let entry = table.connections.vacant_entry();
        let index = u32::try_from(entry.key()).expect("a worker has fewer connections than a u32 counts");
        let connection = make(ConnectionKey { home: home.number, index, number, worker });
        entry.insert(Rc::clone(&connection));
        connection
    })
}

pub(crate) fn find(key: ConnectionKey) -> Whereabouts {
    HOME.with(|home| {
        if home.number != key.home {
            return Whereabouts::Elsewhere;
        }
        let table = home.table.borrow();
        match table.connections.get(key.index as usize).filter(|found| found.key() == key) {
            Some(connection) => Whereabouts::Here(Rc::clone(connection)),
            None => Whereabouts::Gone,
        }
    })
}

/// Whether a connection lives on this thread whose client has yet to be in a namespace.
pub(crate) fn is_awaited(key: ConnectionKey) -> bool {
    match find(key) {
        Whereabouts::Here(connection) => connection.is_awaited(),
        Whereabouts::Gone | Whereabouts::Elsewhere => false,
    }
}

/// Forgets a connection of this thread.
pub(crate) fn remove(key: ConnectionKey) {
    HOME.with(|home| {
        let removed = {
            let mut table = home.table.borrow_mut();
            let is_it = table.connections.get(key.index as usize).is_some_and(|found| found.key() == key);
            (home.number == key.home && is_it).then(|| table.connections.remove(key.index as usize))
        };
        // Outside of the borrow: it may be the last to hold what an application keeps with it.
        drop(removed);
    });
}

/// Looks at each connection of this thread. None may be added or removed meanwhile.
pub(crate) fn each(mut look: impl FnMut(&Rc<Connection>)) {
    HOME.with(|home| home.table.borrow().connections.iter().for_each(|(_, connection)| look(connection)));
}

/// The connections of this thread.
pub(crate) fn all() -> Vec<Rc<Connection>> {
    HOME.with(|home| {
        home.table.borrow().connections.iter().map(|(_, connection)| Rc::clone(connection)).collect()
    })
}
