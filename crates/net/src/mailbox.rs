use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use antiphon_hub::{Inbox, ReplyEvent};
use antiphon_model::SessionId;
use antiphon_node::{PublishError, Receipt};
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use crate::session::SessionKey;
use crate::{Close, Peer};

/// What other threads send to a worker.
pub(crate) struct Mailbox {
    pub(crate) inbox: Arc<Inbox>,
    mail: Mutex<Vec<Mail>>,
    posted: AtomicBool,
    pub(crate) waker: Arc<AtomicWaker>,
}

pub(crate) enum Mail {
    /// A connection that another worker accepted.
    Connection(std::net::TcpStream, Peer),
    /// A session's publication is through.
    Published(SessionKey, SessionId, u64, Result<Receipt, PublishError>),
    /// A session's broadcast got a reply.
    Reply(SessionKey, SessionId, u64, ReplyEvent),
    /// Close everything, in good order.
    Drain(Close),
}

impl Mailbox {
    pub(crate) fn new() -> Mailbox {
        let waker = Arc::new(AtomicWaker::new());
        let signal = Arc::clone(&waker);
        Mailbox {
            inbox: Arc::new(Inbox::new(Box::new(move || signal.wake()))),
            mail: Mutex::default(),
            posted: AtomicBool::new(false),
            waker,
        }
    }

    pub(crate) fn post(&self, mail: Mail) {
        self.mail.lock().push(mail);
        if !self.posted.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    pub(crate) fn take(&self) -> Vec<Mail> {
        if !self.posted.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.posted.store(false, Ordering::Release);
        std::mem::take(&mut *self.mail.lock())
    }

    pub(crate) fn has_any(&self) -> bool {
        self.posted.load(Ordering::Acquire) || !self.inbox.is_empty()
    }
}
