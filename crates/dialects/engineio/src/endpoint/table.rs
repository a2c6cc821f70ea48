use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use antiphon_net::Worker;

use super::departed::Departed;
use super::entry::Entry;
use super::timers::Timers;
use crate::handshake::Sid;

/// The sessions of one worker, of all engines that it has.
pub(super) struct Table {
    entries: RefCell<HashMap<Sid, Rc<Entry>, foldhash::fast::RandomState>>,
    pub(super) timers: Timers,
    pub(super) departed: Departed,
    scratch: RefCell<Vec<u8>>,
}

/// One huge message is no reason to keep a huge buffer.
const SCRATCH_BYTES_KEPT: usize = 64 << 10;

impl Table {
    /// The worker's own.
    pub(super) fn of(worker: &Worker) -> Rc<Table> {
        if let Some(table) = worker.extension::<Table>() {
            return table;
        }
        let entries = RefCell::new(HashMap::default());
        let (timers, departed) = (Timers::default(), Departed::default());
        let table = Rc::new(Table { entries, timers, departed, scratch: RefCell::default() });
        worker.set_extension(Rc::clone(&table));
        table
    }

    pub(super) fn insert(&self, entry: &Rc<Entry>) {
        self.entries.borrow_mut().insert(entry.handshake().sid, Rc::clone(entry));
    }

    pub(super) fn remove(&self, sid: &Sid) {
        let removed = self.entries.borrow_mut().remove(sid);
        // What it holds is dropped when nothing is borrowed.
        drop(removed);
    }

    pub(super) fn find(&self, sid: &Sid) -> Option<Rc<Entry>> {
        self.entries.borrow().get(sid).cloned()
    }

    /// All, as they are at this moment.
    pub(super) fn all(&self) -> Vec<Rc<Entry>> {
        self.entries.borrow().values().cloned().collect()
    }

    /// Lends a buffer, empty at the beginning.
    pub(super) fn with_scratch<R>(&self, work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let mut buffer = std::mem::take(&mut *self.scratch.borrow_mut());
        buffer.clear();
        let result = work(&mut buffer);
        buffer.shrink_to(SCRATCH_BYTES_KEPT);
        *self.scratch.borrow_mut() = buffer;
        result
    }
}
