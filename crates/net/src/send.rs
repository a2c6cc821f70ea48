//! What a session is sent, and how it is closed.

use antiphon_hub::Inbox;
use antiphon_model::Compress;
use bytes::Bytes;

use crate::chunk;
use crate::format::{Framing, Wire};
use crate::listen::Missed;
use crate::session::{Closing, Session, SessionKey, mapped};
use crate::task::{Task, Waiting};
use crate::websocket::{self, MessageKind};
use crate::worker::State;
use crate::{Client, Close, Listening, Outgoing};

impl Client {
    /// Puts a message of the dialect's own into the outbox, behind what this thread has published before. A session that does
    /// not read is closed by it.
    pub fn send(&self, message: Outgoing<'_>) {
        self.send_with(message, Compress::AsConfigured);
    }

    /// As [`Client::send`], and says whether the message may be compressed.
    pub fn send_with(&self, message: Outgoing<'_>, compress: Compress) {
        if self.is_in_turn() {
            return self.send_at_once(message, compress);
        }
        if self.is_open() {
            let waiting = match message {
                Outgoing::Text(bytes) => {
                    Waiting::Message(MessageKind::Text, Bytes::copy_from_slice(bytes), compress)
                }
                Outgoing::Binary(bytes) => {
                    Waiting::Message(MessageKind::Binary, Bytes::copy_from_slice(bytes), compress)
                }
                Outgoing::Raw(bytes) => Waiting::Raw(bytes),
            };
            self.wait(waiting);
        }
    }

    /// As [`Client::send_with`], for several messages that stay together: nothing comes in between.
    pub fn send_all(&self, messages: &[(MessageKind, &[u8])], compress: Compress) {
        let framing = self.worker.with_session(self.key, self.id, |session, _| session.framing());
        let Some(framing) = framing else { return };
        let mut frames = Vec::with_capacity(messages.iter().map(|(_, bytes)| bytes.len() + 10).sum());
        for (kind, bytes) in messages {
            self.worker.0.state.borrow_mut().encoder.frame(framing, compress, *kind, bytes, &mut frames);
        }
        if self.is_in_turn() {
            self.push(frames.into());
        } else if self.is_open() {
            self.wait(Waiting::Raw(frames.into()));
        }
    }

    /// As [`Client::send_with`], if the peer takes what it is sent at this time; else the message is dropped. Says whether
    /// it was sent.
    ///
    /// A socket that did not take all it was given takes nothing until it has; a stream takes nothing from when its bytes are
    /// taken until the next are awaited.
    pub fn send_volatile(&self, message: Outgoing<'_>, compress: Compress) -> bool {
        let takes = self.takes_volatile();
        if takes {
            self.send_with(message, compress);
        }
        takes
    }

    /// As [`Client::send_all`], if the peer takes what it is sent at this time, as [`Client::send_volatile`] says.
    pub fn send_all_volatile(&self, messages: &[(MessageKind, &[u8])], compress: Compress) -> bool {
        let takes = self.takes_volatile();
        if takes {
            self.send_all(messages, compress);
        }
        takes
    }

    /// Whether what is volatile is sent. If not, that is noted.
    fn takes_volatile(&self) -> bool {
        let blocked = self.worker.with_session(self.key, self.id, |session, _| session.is_blocked());
        if blocked == Some(true) {
            self.worker.note_drop("volatile");
        }
        blocked == Some(false)
    }

    /// As [`Client::send_with`], but right behind what is in the outbox, before what this thread has published and nobody has
    /// been given yet: for what belongs before a channel's first live publication, and for answers whose place among
    /// publications says nothing.
    pub fn send_at_once(&self, message: Outgoing<'_>, compress: Compress) {
        let (kind, bytes) = match message {
            Outgoing::Text(bytes) => (MessageKind::Text, bytes),
            Outgoing::Binary(bytes) => (MessageKind::Binary, bytes),
            Outgoing::Raw(bytes) => return self.push(bytes),
        };
        let framing = self.worker.with_session(self.key, self.id, |session, _| session.framing());
        let Some(framing) = framing else { return };
        if matches!(framing, Framing::None | Framing::Chunked) {
            return self.push(Bytes::copy_from_slice(bytes));
        }
        // As it is to be, so that it becomes what an outbox has without another allocation.
        let mut frame = Vec::with_capacity(websocket::frame_bytes(bytes.len()));
        self.worker.0.state.borrow_mut().encoder.frame(framing, compress, kind, bytes, &mut frame);
        self.push(frame.into());
    }

    /// Whether what is put into the outbox at this moment comes behind what this thread has published.
    fn is_in_turn(&self) -> bool {
        if self.worker.has_nothing_under_way() {
            return true;
        }
        let pushed = Inbox::pushed_by_this_thread();
        // What waits was sent before it began to listen, and comes before what it is sent next.
        let begun = self
            .worker
            .with_session(self.key, self.id, |session, _| session.begun == pushed && session.waiting == 0);
        begun.unwrap_or(true) || self.worker.is_caught_up()
    }

    /// Has a message wait for its turn.
    fn wait(&self, message: Waiting) {
        self.worker.with_session(self.key, self.id, |session, _| session.waiting += 1);
        self.worker.0.mailbox.push(Task::Send(self.address(), message));
    }

    /// Sends what had to wait for its turn.
    pub(crate) fn send_waiting(&self, waiting: &Waiting) {
        self.worker.with_session(self.key, self.id, |session, _| {
            session.waiting = session.waiting.saturating_sub(1);
        });
        match waiting {
            Waiting::Message(MessageKind::Text, bytes, compress) => {
                self.send_at_once(Outgoing::Text(bytes), *compress);
            }
            Waiting::Message(MessageKind::Binary, bytes, compress) => {
                self.send_at_once(Outgoing::Binary(bytes), *compress);
            }
            Waiting::Raw(bytes) => self.push(bytes.clone()),
        }
    }

    /// How many bytes wait to be written to the peer.
    pub fn buffered_bytes(&self) -> usize {
        self.worker.with_session(self.key, self.id, |session, _| session.outbox.bytes()).unwrap_or(0)
    }

    /// Puts bytes into the outbox as they are, or as a chunk where all are.
    pub(crate) fn push(&self, bytes: Bytes) {
        let max = self.worker.settings().outbox_bytes_max;
        let room = self.worker.with_session(self.key, self.id, |session, dirty| {
            if session.is_closing() {
                return true;
            }
            let bytes = if session.framing() == Framing::Chunked { chunk::of(&bytes) } else { bytes };
            let len = bytes.len();
            let room = session.outbox.has_room(len, max);
            if room {
                session.outbox.push(bytes);
                self.queued(len, session, dirty);
            }
            room
        });
        if room == Some(false) {
            self.worker.note_drop("outbox full");
            self.close_at_once(Close::too_slow());
        }
    }

    /// Puts in what comes before all else, whatever the session is about to do.
    pub(crate) fn send_head(&self, bytes: Bytes) {
        self.worker.with_session(self.key, self.id, |session, dirty| {
            let len = bytes.len();
            session.outbox.push_head(bytes);
            self.queued(len, session, dirty);
        });
    }

    /// Puts in a close frame. It is small and there is only one, so it needs no room.
    pub(crate) fn send_last(&self, frame: Vec<u8>) {
        self.worker.with_session(self.key, self.id, |session, dirty| {
            let len = frame.len();
            session.outbox.push_asked(frame.into());
            self.queued(len, session, dirty);
        });
    }

    fn queued(&self, len: usize, session: &mut Session, dirty: &mut Vec<SessionKey>) {
        self.worker.node().metrics().outbox_bytes.inc_by(len as i64);
        self.mark(session, dirty);
    }

    /// Has the session flushed at the end of the turn, or at the end of one that begins for it.
    pub(crate) fn mark(&self, session: &mut Session, dirty: &mut Vec<SessionKey>) {
        if dirty.is_empty() {
            // Within a turn nobody is registered and this does nothing.
            self.worker.0.mailbox.waker.wake();
        }
        if !session.dirty {
            session.dirty = true;
            dirty.push(self.key);
        }
    }

    /// Puts what was missed into the outbox, each in the format it was wanted in. Not counted against the outbox's limit; a
    /// session that asks for more, and more again, while it does not read is closed.
    ///
    /// At once, as [`Client::send_at_once`]: what comes live stands behind it.
    pub fn send_publications(&self, listening: &Listening) {
        if listening.missed.is_empty() {
            return;
        }
        // Asked for again here: the session may have gone over to another connection since it began to listen.
        let wiring = self
            .worker
            .with_session(self.key, self.id, |session, _| (session.formats.clone(), session.framing()));
        let Some((formats, framing)) = wiring else { return };
        let wire = |missed: &Missed| Wire {
            format: mapped(formats.as_ref(), missed.format),
            framing,
            label: missed.label.clone(),
        };
        let bytes = {
            let mut state = self.worker.0.state.borrow_mut();
            let State { encoder, recovered, .. } = &mut *state;
            match listening.missed.split_first() {
                Some((first, rest)) if rest.iter().all(|one| one.is_wanted_as(first)) => {
                    let missed = listening.missed.iter().map(|one| &one.publication);
                    recovered.encode(encoder, &wire(first), missed)
                }
                _ => {
                    let mut bytes = Vec::new();
                    for one in &listening.missed {
                        encoder.encode(&wire(one), &one.publication, &mut bytes);
                    }
                    bytes.into()
                }
            }
        };
        if bytes.is_empty() {
            return;
        }
        let bytes = if framing == Framing::Chunked { chunk::of(&bytes) } else { bytes };
        let (len, settings) = (bytes.len(), self.worker.settings());
        let max = settings.outbox_bytes_max.saturating_add(settings.recovery_bytes_max);
        let room = self.worker.with_session(self.key, self.id, |session, dirty| {
            if session.is_closing() {
                return true;
            }
            let room = session.outbox.has_room_for_asked(len, max);
            if room {
                session.outbox.push_asked(bytes);
                self.queued(len, session, dirty);
            }
            room
        });
        if room == Some(false) {
            self.worker.note_drop("outbox full");
            self.close_at_once(Close::too_slow());
        }
    }

    /// Ends the session, once what this thread has published before is in its outbox and the outbox is written.
    pub fn close(&self, close: Close) {
        if self.worker.is_caught_up() {
            return self.close_at_once(close);
        }
        let leaves = self.worker.with_session(self.key, self.id, |session, _| {
            !session.is_closing() && !std::mem::replace(&mut session.leaving, true)
        });
        if leaves == Some(true) {
            self.worker.0.mailbox.push(Task::Close(self.address(), close));
        }
    }

    /// Ends the session, once what is in its outbox is written.
    pub(crate) fn close_at_once(&self, close: Close) {
        let since = self.worker.0.now.get().monotonic;
        self.worker.with_session(self.key, self.id, |session, dirty| {
            if session.closing.is_none() {
                session.closing = Some(Box::new(Closing { close, since }));
                self.mark(session, dirty);
            }
        });
    }
}
