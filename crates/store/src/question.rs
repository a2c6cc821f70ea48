//! Questions about what is kept, on their way to where they are answered.

use std::fmt;
use std::sync::mpsc;

use antiphon_model::Timestamp;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use crate::memory::State;
use crate::sqlite::Reading;
use crate::{Store, StoreError};

/// A question, with who waits for its answer.
pub struct Question(Box<dyn Waiting>);

/// What is asked.
pub(crate) trait Inquiry: Send + 'static {
    type Answer: Send + 'static;

    fn in_memory(&self, state: &State, now: Timestamp) -> Result<Self::Answer, StoreError>;

    fn in_sqlite(&self, reading: &Reading<'_>) -> Result<Self::Answer, StoreError>;
}

impl dyn Store {
    /// Asks. The future may be dropped.
    pub(crate) fn inquire<I: Inquiry>(
        &self,
        inquiry: I,
    ) -> BoxFuture<'static, Result<I::Answer, StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.ask(Question(Box::new(Asked { inquiry, answer: Answer::Awaited(answer) })));
        async move { answered.await.unwrap_or(Err(StoreError::Closed)) }.boxed()
    }

    /// Asks and waits for the answer.
    pub(crate) fn inquire_blocking<I: Inquiry>(&self, inquiry: I) -> Result<I::Answer, StoreError> {
        let (answer, answered) = mpsc::channel();
        self.ask(Question(Box::new(Asked { inquiry, answer: Answer::Blocked(answer) })));
        answered.recv().unwrap_or(Err(StoreError::Closed))
    }
}

impl Question {
    /// Says that there is no answer, and why.
    pub fn refuse(self, error: StoreError) {
        self.0.refuse(error);
    }

    pub(crate) fn in_memory(self, state: &State, now: Timestamp) {
        self.0.in_memory(state, now);
    }

    pub(crate) fn in_sqlite(self, reading: &Reading<'_>) {
        self.0.in_sqlite(reading);
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").finish_non_exhaustive()
    }
}

/// An inquiry of any sort.
trait Waiting: Send {
    fn in_memory(self: Box<Self>, state: &State, now: Timestamp);
    fn in_sqlite(self: Box<Self>, reading: &Reading<'_>);
    fn refuse(self: Box<Self>, error: StoreError);
}

struct Asked<I: Inquiry> {
    inquiry: I,
    answer: Answer<I::Answer>,
}

enum Answer<T> {
    Awaited(oneshot::Sender<Result<T, StoreError>>),
    Blocked(mpsc::Sender<Result<T, StoreError>>),
}

impl<T> Answer<T> {
    /// Nobody may wait for it any more.
    fn is_unwanted(&self) -> bool {
        matches!(self, Answer::Awaited(answer) if answer.is_closed())
    }

    fn give(self, answer: Result<T, StoreError>) {
        match self {
            Answer::Awaited(to) => drop(to.send(answer)),
            Answer::Blocked(to) => drop(to.send(answer)),
        }
    }
}

impl<I: Inquiry> Waiting for Asked<I> {
    fn in_memory(self: Box<Self>, state: &State, now: Timestamp) {
        let answer = self.inquiry.in_memory(state, now);
        self.answer.give(answer);
    }

    fn in_sqlite(self: Box<Self>, reading: &Reading<'_>) {
        if !self.answer.is_unwanted() {
            let answer = self.inquiry.in_sqlite(reading);
            self.answer.give(answer);
        }
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        self.answer.give(Err(error));
    }
}
