use antiphon_hub::{Delivery, Inbox};

use crate::Worker;
use crate::client::ClientAddress;
use crate::task::{Task, Waiting};

/// What was taken from the inbox and is not delivered yet.
#[derive(Default)]
pub(crate) struct Batch {
    deliveries: Vec<Delivery>,
    /// How many of them are done.
    done: usize,
    /// How much this thread had pushed into inboxes when they were taken.
    pushed: u64,
}

/// Up to where a batch is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UpTo {
    /// To its end.
    End,
    /// To where code of the dialects' is to run: it must not run within other code of theirs.
    Code,
}

/// Where delivering has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    End,
    Code,
}

/// A batch that was huge is not a reason to keep a huge buffer.
const DELIVERIES_KEPT: usize = 64 << 10;

impl Worker {
    /// Spreads what is in the inbox over the outboxes, and does the tasks between.
    pub(crate) fn deliver(&self) {
        // What was begun within the dialects' code, and what has come since.
        self.deliver_batch(UpTo::End);
        self.take_batch();
        self.deliver_batch(UpTo::End);
    }

    /// Delivers what the calling code has published, and what came before it, so that what it does next comes after it.
    ///
    /// For code that goes on after it waited for something: it finds delivered what other threads published before it was woken. Not
    /// to be called where a task of [`crate::Workers::run`] must not run; within one it does nothing that the task has to wait for.
    pub fn catch_up(&self) {
        if self.0.running.get() {
            self.is_caught_up();
        } else {
            self.deliver();
        }
    }

    /// Whether this thread has published nothing since it delivered last, or since the task began that runs.
    pub(crate) fn has_nothing_under_way(&self) -> bool {
        self.0.delivered.get() == Inbox::pushed_by_this_thread() || self.0.last_words.get()
    }

    /// Delivers what this thread has published, in its place. False if it cannot be delivered yet: before it lies code that
    /// must not run within the code that runs at this moment. What is to come behind it then becomes a task.
    pub(crate) fn is_caught_up(&self) -> bool {
        if self.has_nothing_under_way() {
            return true;
        }
        if self.deliver_batch(UpTo::Code) == At::Code {
            return false;
        }
        self.take_batch();
        self.deliver_batch(UpTo::Code) == At::End
    }

    /// Takes what is in the inbox. The batch before has to be done.
    fn take_batch(&self) {
        let mut batch = self.0.batch.borrow_mut();
        debug_assert!(batch.deliveries.is_empty());
        // Before the inbox is emptied: this thread is the one that counts.
        batch.pushed = Inbox::pushed_by_this_thread();
        self.0.mailbox.inbox.drain(&mut batch.deliveries);
    }

    fn deliver_batch(&self, up_to: UpTo) -> At {
        loop {
            // Taken out, so that nothing is borrowed while a task runs: it may deliver what is left itself.
            let mut batch = self.0.batch.take();
            let rest = &batch.deliveries[batch.done..];
            if rest.is_empty() {
                self.0.delivered.set(batch.pushed);
                batch.clear();
                self.0.batch.replace(batch);
                return At::End;
            }
            let publications = rest.iter().position(is_task).unwrap_or(rest.len());
            if publications > 0 {
                self.spread(&rest[..publications]);
                batch.done += publications;
                self.0.batch.replace(batch);
                continue;
            }
            if up_to == UpTo::Code && is_code(&rest[0]) {
                self.0.batch.replace(batch);
                return At::Code;
            }
            let task = batch.take_task();
            self.0.batch.replace(batch);
            if let Some(task) = task {
                self.perform(task);
            }
        }
    }

    fn perform(&self, task: Task) {
        match task {
            Task::Run(work) => {
                let before = self.0.running.replace(true);
                // What it sends takes its own place: before what this thread has published that lies behind it.
                self.0.delivered.set(Inbox::pushed_by_this_thread());
                work(self);
                self.0.running.set(before);
            }
            Task::Attach(attach) => self.take_in_attached(attach),
            Task::Unlisten(address, channel) => {
                if let Some(client) = self.client(address) {
                    client.unlisten_at_once(&channel, |_| true);
                }
            }
            Task::EndListening(address, channel) => {
                if let Some(client) = self.client(address) {
                    client.unlisten_at_once(&channel, |one| one.ending);
                }
            }
            Task::Send(address, waiting) => {
                if let Some(client) = self.client(address) {
                    client.send_waiting(&waiting);
                }
            }
            Task::Close(address, close) => {
                if let Some(client) = self.client(address) {
                    client.close_at_once(close);
                }
            }
        }
    }
}

impl Batch {
    /// Takes out the task that comes next; none if it is not one of ours.
    fn take_task(&mut self) -> Option<Task> {
        let next = self.deliveries.get_mut(self.done)?;
        self.done += 1;
        match std::mem::replace(next, Delivery::Task(Box::new(()))) {
            Delivery::Task(task) => task.downcast::<Task>().ok().map(|task| *task),
            Delivery::Publication { .. } => None,
        }
    }

    fn clear(&mut self) {
        self.done = 0;
        self.deliveries.clear();
        if self.deliveries.capacity() > DELIVERIES_KEPT {
            self.deliveries = Vec::new();
        }
    }

    /// Adds what is in the inbox.
    pub(crate) fn append(&mut self, inbox: &Inbox) {
        let mut more = Vec::new();
        inbox.drain(&mut more);
        self.pushed = Inbox::pushed_by_this_thread();
        self.deliveries.append(&mut more);
    }

    /// The messages that wait for their turn here, and for whom.
    pub(crate) fn waiting(&mut self) -> impl Iterator<Item = (&mut ClientAddress, &mut Waiting)> {
        let tasks = self.deliveries[self.done..].iter_mut().filter_map(|delivery| match delivery {
            Delivery::Task(task) => task.downcast_mut::<Task>(),
            Delivery::Publication { .. } => None,
        });
        tasks.filter_map(|task| match task {
            Task::Send(address, waiting) => Some((address, waiting)),
            _ => None,
        })
    }
}

fn is_task(delivery: &Delivery) -> bool {
    matches!(delivery, Delivery::Task(_))
}

/// Whether a delivery is code of the dialects'.
fn is_code(delivery: &Delivery) -> bool {
    let Delivery::Task(task) = delivery else { return false };
    matches!(task.downcast_ref::<Task>(), Some(Task::Run(_)))
}
