//! Changes of what is kept beside publications, on their way to the backend.
//!
//! Each is an [`Operation`] that knows what it does on either backend; what it comes to is told when that is committed.

use std::fmt;

use antiphon_model::Timestamp;

use crate::memory::State;
use crate::sqlite::{Failed, Writing};
use crate::store::Done;
use crate::{Store, StoreError};

/// Bytes of a change at most, its names included.
pub(crate) const CHANGE_BYTES_MAX: usize = 1 << 20;

/// A change that is queued, with who is told what became of it.
pub struct Change(Box<dyn Pending>);

/// How far a change got in one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<T> {
    /// It is made.
    Done(T),
    /// A part of it is; it has to be gone on with.
    More,
}

/// What a change does.
pub(crate) trait Operation: Send + 'static {
    type Outcome: Send + 'static;

    /// Bytes of what it carries.
    fn bytes(&self) -> usize;

    /// Makes it, or the next step of it. An error means that nothing was done.
    fn in_memory(&mut self, state: &mut State, now: Timestamp) -> Result<Step<Self::Outcome>, StoreError>;

    /// Makes it, or the next step of it, within a transaction that the caller began and will end. One that is refused did nothing.
    fn in_sqlite(&mut self, writing: &mut Writing<'_>) -> Result<Step<Self::Outcome>, Failed>;
}

impl dyn Store {
    /// Queues an operation, if it is not too large for any queue.
    pub(crate) fn operate<O: Operation>(&self, operation: O, done: Done<O::Outcome>) {
        if operation.bytes() > CHANGE_BYTES_MAX {
            let bound = format!("it has more than {CHANGE_BYTES_MAX} bytes");
            return done(Err(StoreError::Unstorable(bound.into())));
        }
        self.change(Change(Box::new(Asked { operation, outcome: Ok(Step::More), done })));
    }
}

impl Change {
    /// Says that nothing of it was done, and why.
    pub fn refuse(self, error: StoreError) {
        self.0.finish(Err(error));
    }

    /// Says what it came to, once that is committed.
    pub(crate) fn committed(self) {
        self.0.finish(Ok(()));
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }

    /// Whether there is more to do after this step.
    pub(crate) fn in_memory(&mut self, state: &mut State, now: Timestamp) -> Step<()> {
        self.0.in_memory(state, now)
    }

    /// Whether there is more to do after this step. An error is one that leaves the transaction useless.
    pub(crate) fn in_sqlite(&mut self, writing: &mut Writing<'_>) -> rusqlite::Result<Step<()>> {
        self.0.in_sqlite(writing)
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change").finish_non_exhaustive()
    }
}

/// An operation of any sort.
trait Pending: Send {
    fn memory_bytes(&self) -> usize;
    fn in_memory(&mut self, state: &mut State, now: Timestamp) -> Step<()>;
    fn in_sqlite(&mut self, writing: &mut Writing<'_>) -> rusqlite::Result<Step<()>>;
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Asked<O: Operation> {
    operation: O,
    outcome: Result<Step<O::Outcome>, StoreError>,
    done: Done<O::Outcome>,
}

impl<O: Operation> Asked<O> {
    fn came_to(&mut self, outcome: Result<Step<O::Outcome>, StoreError>) -> Step<()> {
        self.outcome = outcome;
        if let Ok(Step::More) = self.outcome { Step::More } else { Step::Done(()) }
    }
}

impl<O: Operation> Pending for Asked<O> {
    fn memory_bytes(&self) -> usize {
        size_of::<Asked<O>>() + self.operation.bytes()
    }

    fn in_memory(&mut self, state: &mut State, now: Timestamp) -> Step<()> {
        let outcome = self.operation.in_memory(state, now);
        self.came_to(outcome)
    }

    fn in_sqlite(&mut self, writing: &mut Writing<'_>) -> rusqlite::Result<Step<()>> {
        let outcome = match self.operation.in_sqlite(writing) {
            Ok(step) => Ok(step),
            Err(Failed::Refused(error)) => Err(error),
            Err(Failed::Sqlite(error)) => return Err(error),
        };
        Ok(self.came_to(outcome))
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let outcome = committed.and(self.outcome).and_then(|step| match step {
            Step::Done(outcome) => Ok(outcome),
            Step::More => Err(StoreError::Internal("a change was told of before it was made".into())),
        });
        (self.done)(outcome);
    }
}
