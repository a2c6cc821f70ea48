use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use antiphon_hub::WorkerId;
use antiphon_node::Node;

use crate::Worker;
use crate::mailbox::Mailbox;
use crate::task::Task;
use crate::worker::Load;

/// All workers of a server, as any thread may speak to them. Cheap to clone.
#[derive(Clone)]
pub struct Workers(Arc<Shared>);

struct Shared {
    mailboxes: Box<[Arc<Mailbox>]>,
    load: Arc<Load>,
    /// Not kept alive by who may speak to the workers.
    node: OnceLock<Weak<Node>>,
}

impl Workers {
    pub(crate) fn new(count: usize) -> Workers {
        let mailboxes = (0..count).map(|_| Arc::new(Mailbox::new())).collect();
        let load = Arc::new(Load::new(count));
        Workers(Arc::new(Shared { mailboxes, load, node: OnceLock::new() }))
    }

    /// How many there are.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.0.mailboxes.len()
    }

    /// Each of them.
    pub fn ids(&self) -> impl Iterator<Item = WorkerId> + use<> {
        (0..self.len() as u16).map(WorkerId)
    }

    /// Runs something on a worker's thread.
    ///
    /// It keeps its place among publications and what was given to run before: what the calling thread published before is in the
    /// outboxes when it runs, and what the thread publishes after is not. It runs between two pieces of the dialects' code, never
    /// within one. Dropped without being run if the worker has stopped, or there is none of that id.
    pub fn run(&self, worker: WorkerId, work: impl FnOnce(&Worker) + Send + 'static) {
        if let Some(mailbox) = self.mailbox(worker) {
            mailbox.push(Task::Run(Box::new(work)));
        }
    }

    pub(crate) fn mailbox(&self, worker: WorkerId) -> Option<&Arc<Mailbox>> {
        self.0.mailboxes.get(usize::from(worker.0))
    }

    pub(crate) fn mailboxes(&self) -> &[Arc<Mailbox>] {
        &self.0.mailboxes
    }

    pub(crate) fn load(&self) -> &Arc<Load> {
        &self.0.load
    }

    pub(crate) fn node(&self) -> Option<Arc<Node>> {
        self.0.node.get()?.upgrade()
    }

    pub(crate) fn set_node(&self, node: &Arc<Node>) {
        // Set once, by the server that made them.
        let _ = self.0.node.set(Arc::downgrade(node));
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("len", &self.len()).finish_non_exhaustive()
    }
}
