use std::cell::RefCell;
use std::collections::HashMap;

use antiphon_model::Position;
use antiphon_net::Label;
use bytes::Bytes;

use crate::formats;
use crate::pace::Pace;

/// What one worker keeps.
#[derive(Default)]
pub(crate) struct Local {
    /// The labels of subscriptions to channels themselves, by subscribe key.
    labels: RefCell<HashMap<Box<str>, Label, foldhash::fast::RandomState>>,
    /// How fast polls are answered.
    pub(crate) pace: RefCell<Pace>,
    /// The last answer to a subscribe.
    answer: RefCell<Option<Answered>>,
}

/// An answer, and what it was made of.
struct Answered {
    /// Kept, so that no other bytes can come to lie where these do.
    piece: Bytes,
    position: Position,
    answer: Bytes,
}

impl Local {
    /// The label of a subscription to a channel itself. There are as many as there are keysets.
    pub(crate) fn label(&self, subscribe_key: &str) -> Label {
        if let Some(label) = self.labels.borrow().get(subscribe_key) {
            return Label::clone(label);
        }
        let label = formats::label(subscribe_key, None);
        self.labels.borrow_mut().insert(subscribe_key.into(), Label::clone(&label));
        label
    }

    /// The answer that these bytes become, written once for all who are given the very same.
    pub(crate) fn shared_answer(
        &self,
        piece: &Bytes,
        position: Position,
        write: impl FnOnce() -> Bytes,
    ) -> Bytes {
        if let Some(last) = &*self.answer.borrow()
            && std::ptr::eq(last.piece.as_ptr(), piece.as_ptr())
            && last.piece.len() == piece.len()
            && last.position == position
        {
            return last.answer.clone();
        }
        let answer = write();
        let (piece, kept) = (piece.clone(), answer.clone());
        *self.answer.borrow_mut() = Some(Answered { piece, position, answer: kept });
        answer
    }
}
