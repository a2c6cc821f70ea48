//! Actions on messages: reactions, edits, whatever people say about one message.

use std::sync::Arc;

use antiphon_model::{ChannelId, OrgId, Position, Timestamp};
use futures_util::future::BoxFuture;

use crate::change::{Operation, Step};
use crate::memory::State;
use crate::question::Inquiry;
use crate::sqlite::{self, Failed, Reading, Writing};
use crate::store::ChannelKey;
use crate::{Done, Store, StoreError};

/// An action on a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Where the message stands.
    pub message: Position,
    /// Where the action itself stands: unique on its message.
    pub position: Position,
    /// What sort of action.
    pub kind: Box<str>,
    /// What it says.
    pub value: Box<str>,
    /// Who acts.
    pub publisher: Box<str>,
}

/// What became of an action that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It was added.
    New,
    /// The publisher has done the same on the message before: nothing was added.
    Exists,
}

/// What became of an action that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It was removed.
    Yes,
    /// There is none.
    NoSuch,
    /// It is of another publisher: nothing was removed.
    OtherPublisher,
}

/// Which actions to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionQuery {
    /// Which of the channel's.
    pub by: ActionRange,
    /// How many at most; a page may be shorter (`page_entries_max`, `page_bytes_max`) and says so by `more`.
    pub limit: usize,
}

/// Which actions of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionRange {
    /// The first `limit` on messages after one position and not after another: by message, then by their own position.
    ByMessages {
        /// Exclusive.
        after: Position,
        /// Inclusive.
        until: Position,
    },
    /// The newest `limit` that stand themselves before one position and not before another, oldest first.
    ByActions {
        /// The newer bound, exclusive; `Position(u64::MAX)` for none.
        start: Position,
        /// The older bound, inclusive; [`Position::ZERO`] for none.
        end: Position,
    },
}

/// An answer to an [`ActionQuery`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionPage {
    /// In the order of the range.
    pub actions: Vec<Action>,
    /// Whether the range has more: behind the last by messages, before the first by actions.
    pub more: bool,
}

impl dyn Store {
    /// Adds an action to a message, stored or not. One on a message that is stored goes when the message does, another after
    /// `actions_without_message_secs`.
    ///
    /// `done` is told [`StoreError::LimitReached`] if the message has as many as `actions_per_message_max` allows, and
    /// [`StoreError::PositionTaken`] if another action on the message has the position.
    pub fn add_action(&self, org: &OrgId, channel: &Arc<ChannelId>, action: Action, done: Done<Added>) {
        let channel = ChannelKey { org: org.clone(), channel: Arc::clone(channel) };
        self.operate(AddAction { channel, action }, done);
    }

    /// Removes the action at a position of its own from a message, if it is of `publisher`.
    pub fn remove_action(
        &self,
        org: &OrgId,
        channel: &Arc<ChannelId>,
        message: Position,
        position: Position,
        publisher: &str,
        done: Done<Removed>,
    ) {
        let channel = ChannelKey { org: org.clone(), channel: Arc::clone(channel) };
        self.operate(RemoveAction { channel, message, position, publisher: publisher.into() }, done);
    }

    /// Reads actions of a channel. The future may be dropped.
    ///
    /// # Errors
    /// Too many reads wait, the store is closed, or the disk fails.
    pub fn actions(
        &self,
        org: &OrgId,
        channel: &Arc<ChannelId>,
        query: ActionQuery,
    ) -> BoxFuture<'static, Result<ActionPage, StoreError>> {
        let channel = ChannelKey { org: org.clone(), channel: Arc::clone(channel) };
        self.inquire(Actions { channel, query })
    }
}

impl Action {
    pub(crate) fn bytes(&self) -> usize {
        self.kind.len() + self.value.len() + self.publisher.len()
    }
}

struct AddAction {
    channel: ChannelKey,
    action: Action,
}

impl Operation for AddAction {
    type Outcome = Added;

    fn bytes(&self) -> usize {
        self.channel.channel.name().len() + self.action.bytes()
    }

    fn in_memory(&mut self, state: &mut State, now: Timestamp) -> Result<Step<Added>, StoreError> {
        state.add_action(&self.channel, &self.action, now).map(Step::Done)
    }

    fn in_sqlite(&mut self, writing: &mut Writing<'_>) -> Result<Step<Added>, Failed> {
        sqlite::add_action(writing, &self.channel, &self.action).map(Step::Done)
    }
}

struct RemoveAction {
    channel: ChannelKey,
    message: Position,
    position: Position,
    publisher: Box<str>,
}

impl Operation for RemoveAction {
    type Outcome = Removed;

    fn bytes(&self) -> usize {
        self.channel.channel.name().len() + self.publisher.len()
    }

    fn in_memory(&mut self, state: &mut State, now: Timestamp) -> Result<Step<Removed>, StoreError> {
        let removed = state.remove_action(&self.channel, (self.message, self.position), &self.publisher, now);
        Ok(Step::Done(removed))
    }

    fn in_sqlite(&mut self, writing: &mut Writing<'_>) -> Result<Step<Removed>, Failed> {
        let place = (self.message, self.position);
        sqlite::remove_action(writing, &self.channel, place, &self.publisher).map(Step::Done)
    }
}

struct Actions {
    channel: ChannelKey,
    query: ActionQuery,
}

impl Inquiry for Actions {
    type Answer = ActionPage;

    fn in_memory(&self, state: &State, now: Timestamp) -> Result<ActionPage, StoreError> {
        Ok(state.actions(&self.channel, &self.query, now))
    }

    fn in_sqlite(&self, reading: &Reading<'_>) -> Result<ActionPage, StoreError> {
        sqlite::actions(reading, &self.channel, &self.query)
    }
}
