use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use antiphon_net::Worker;

use super::departed::Departed;
use super::entry::Entry;
use super::timers::Timers;
use crate::handshake::Sid;

/// The sessions of one worker, of all engines that it has.
pub(super) struct Table {
    entries: RefCell<HashSet<BySid, foldhash::fast::RandomState>>,
    pub(super) timers: Timers,
    pub(super) departed: Departed,
    scratch: RefCell<Vec<u8>>,
}

/// A session that is found by its id, which it has in itself: the table keeps no copy.
struct BySid(Rc<Entry>);

impl Borrow<Sid> for BySid {
    fn borrow(&self) -> &Sid {
        &self.0.handshake().sid
    }
}

impl Hash for BySid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.handshake().sid.hash(state);
    }
}

impl PartialEq for BySid {
    fn eq(&self, other: &BySid) -> bool {
        self.0.handshake().sid == other.0.handshake().sid
    }
}

impl Eq for BySid {}

/// One huge message is no reason to keep a huge buffer.
const SCRATCH_BYTES_KEPT: usize = 64 << 10;

impl Table {
    /// The worker's own.
    pub(super) fn of(worker: &Worker) -> Rc<Table> {
        if let Some(table) = worker.extension::<Table>() {
            return table;
        }
        let entries = RefCell::new(HashSet::default());
        let (timers, departed) = (Timers::default(), Departed::default());
        let table = Rc::new(Table { entries, timers, departed, scratch: RefCell::default() });
        worker.set_extension(Rc::clone(&table));
        table
    }

    pub(super) fn insert(&self, entry: &Rc<Entry>) {
        self.entries.borrow_mut().replace(BySid(Rc::clone(entry)));
    }

    pub(super) fn remove(&self, sid: &Sid) {
        let removed = self.entries.borrow_mut().take(sid);
        // What it holds is dropped when nothing is borrowed.
        drop(removed);
    }

    pub(super) fn find(&self, sid: &Sid) -> Option<Rc<Entry>> {
        self.entries.borrow().get(sid).map(|BySid(entry)| Rc::clone(entry))
    }

    /// All, as they are at this moment.
    pub(super) fn all(&self) -> Vec<Rc<Entry>> {
        self.entries.borrow().iter().map(|BySid(entry)| Rc::clone(entry)).collect()
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
