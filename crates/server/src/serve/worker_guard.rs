//! Notices the end of a worker's thread, by whatever way it ends.

use std::cell::RefCell;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

thread_local! {
    static GUARD: RefCell<Option<Guard>> = const { RefCell::new(None) };
}

/// Gives out the guards of threads.
pub(super) struct WorkerGuards(UnboundedSender<()>);

/// Dropped with its thread's locals, also when the thread panics.
struct Guard(UnboundedSender<()>);

impl Drop for Guard {
    fn drop(&mut self) {
        // Nobody listens any more once the server stops.
        let _ = self.0.send(());
    }
}

impl WorkerGuards {
    /// The guards, and what is told of each thread that ends.
    pub(super) fn new() -> (WorkerGuards, UnboundedReceiver<()>) {
        let (sender, receiver) = unbounded_channel();
        (WorkerGuards(sender), receiver)
    }

    /// From here on the end of this thread is told.
    pub(super) fn watch_this_thread(&self) {
        GUARD.set(Some(Guard(self.0.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_thread_that_panics_is_told_of() {
        let (guards, mut ended) = WorkerGuards::new();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            guards.watch_this_thread();
            wait.recv().expect("the test says when");
            panic!("on purpose");
        });
        assert!(ended.try_recv().is_err());
        go.send(()).unwrap();
        assert_eq!(ended.recv().await, Some(()));
        assert!(thread.join().is_err());
    }
}
