use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::session::{Answer, RequestId, Then};

/// The requests of a session that are being answered: at most a poll and a POST, and those that are refused at once.
#[derive(Debug, Default)]
pub(super) struct Slots {
    open: Vec<Slot>,
    last: u32,
}

#[derive(Debug)]
struct Slot {
    request: RequestId,
    answered: Option<Answered>,
    waker: Option<Waker>,
}

/// What a request is to be answered with.
#[derive(Debug)]
pub(super) enum Answered {
    /// This.
    Alone(Answer),
    /// What lay in the outbox, and what follows it.
    Queued(Vec<Bytes>, Then),
}

impl Slots {
    pub(super) fn begin(&mut self) -> RequestId {
        // Told apart are those that are under way at one time.
        self.last = self.last.wrapping_add(1);
        let request = RequestId(self.last);
        self.open.push(Slot { request, answered: None, waker: None });
        request
    }

    /// Answers a request; whoever waits for it is woken. One that was lost is not there any more.
    pub(super) fn answer(&mut self, request: RequestId, answered: Answered) {
        if let Some(slot) = self.open.iter_mut().find(|slot| slot.request == request) {
            slot.answered = Some(answered);
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        }
    }

    /// Takes the answer, and with it the slot.
    pub(super) fn poll_answer(&mut self, request: RequestId, cx: &mut Context<'_>) -> Poll<Answered> {
        let Some(at) = self.open.iter().position(|slot| slot.request == request) else {
            return Poll::Pending;
        };
        if self.open[at].answered.is_some()
            && let Some(answered) = self.open.swap_remove(at).answered
        {
            return Poll::Ready(answered);
        }
        self.open[at].waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Forgets a request; says whether it was still open.
    pub(super) fn forget(&mut self, request: RequestId) -> bool {
        let at = self.open.iter().position(|slot| slot.request == request);
        at.map(|at| self.open.swap_remove(at)).is_some()
    }
}
