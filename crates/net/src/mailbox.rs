use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use antiphon_hub::{Delivery, Inbox, OwnLine, ReplyEvent};
use antiphon_model::SessionId;
use antiphon_node::{PublishError, Receipt};
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use crate::Close;
use crate::arrival::Arrival;
use crate::session::SessionKey;
use crate::task::Task;

/// What other threads send to a worker.
pub(crate) struct Mailbox {
    pub(crate) inbox: Arc<Inbox>,
    mail: OwnLine<Mutex<Vec<Mail>>>,
    posted: AtomicBool,
    /// The worker has stopped: nothing that comes is looked at.
    ended: AtomicBool,
    /// On lines of its own: every publisher whose publication finds the inbox empty writes it.
    pub(crate) waker: Arc<OwnLine<AtomicWaker>>,
}

pub(crate) enum Mail {
    /// A connection that came by another thread.
    Arrival(Arrival),
    /// A session's publication is through.
    Published(SessionKey, SessionId, u64, Result<Receipt, PublishError>),
    /// A session's broadcast got a reply.
    Reply(SessionKey, SessionId, u64, ReplyEvent),
    /// Close everything, in good order.
    Drain(Close),
}

impl Mailbox {
    pub(crate) fn new() -> Mailbox {
        let waker = Arc::new(OwnLine(AtomicWaker::new()));
        let signal = Arc::clone(&waker);
        Mailbox {
            inbox: Arc::new(Inbox::new(Box::new(move || signal.wake()))),
            mail: OwnLine::default(),
            posted: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            waker,
        }
    }

    pub(crate) fn post(&self, mail: Mail) {
        self.mail.lock().push(mail);
        if !self.posted.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
        self.clear_if_ended();
    }

    pub(crate) fn take(&self) -> Vec<Mail> {
        if !self.posted.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.posted.store(false, Ordering::Release);
        std::mem::take(&mut *self.mail.lock())
    }

    /// Gives the worker something to do, in its place among publications.
    pub(crate) fn push(&self, task: Task) {
        self.inbox.push(Delivery::Task(Box::new(task)));
        self.clear_if_ended();
    }

    pub(crate) fn has_any(&self) -> bool {
        self.posted.load(Ordering::Acquire) || !self.inbox.is_empty()
    }

    /// The worker looks at nothing more: what waits, and what still comes, is dropped at once, so that whoever waits for it knows.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.clear_if_ended();
    }

    fn clear_if_ended(&self) {
        // After the push and, in `end`, after the store: one of the two sees the other.
        if self.ended.load(Ordering::SeqCst) {
            let mut dropped = Vec::new();
            self.inbox.drain(&mut dropped);
            drop(std::mem::take(&mut *self.mail.lock()));
        }
    }
}
