use std::any::{Any, TypeId};
use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::plan::Plan;
use crate::serve::Running;

/// What all handles of a server share beside the core.
pub(crate) struct Shared {
    states: States,
    pub(crate) plan: Plan,
    pub(crate) running: Mutex<Running>,
    /// Turns true when it has stopped.
    pub(crate) stopped: watch::Sender<bool>,
}

/// What a program shares with its handlers: one value of each type.
#[derive(Default)]
pub(crate) struct States(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl States {
    pub(crate) fn insert<T: Clone + Send + Sync + 'static>(&mut self, state: T) {
        self.0.insert(TypeId::of::<T>(), Box::new(state));
    }

    fn find<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref().cloned()
    }
}

impl Shared {
    pub(crate) fn new(states: States, plan: Plan) -> Shared {
        Shared { states, plan, running: Mutex::default(), stopped: watch::Sender::new(false) }
    }

    pub(crate) fn state<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.states.find()
    }
}
