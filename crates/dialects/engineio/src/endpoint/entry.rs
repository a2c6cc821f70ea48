//! One session on its worker: the state machine, what carries its bytes, and what speaks on it.

mod perform;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use antiphon_model::{Compress, Monotonic};
use antiphon_net::{Client, Close, MessageKind, Outgoing, Stream, Worker};

use super::engine::Shared;
use super::portion::Portion;
use super::slots::{Answered, Slots};
use super::table::Table;
use super::timers::{self, Place};
use super::{Conversation, Handshake, Link, SendError, SendOptions, Sent};
use crate::encode::Encoding;
use crate::handshake::Transport;
use crate::packet::BinarySupport;
use crate::payload::Codec;
use crate::session::{CloseMode, RequestId, Session, SocketClose, SocketId, TransportFault};
use crate::settings::WhenFull;

/// A session and its driver.
pub(super) struct Entry {
    shared: Rc<Shared>,
    table: Rc<Table>,
    handshake: Arc<Handshake>,
    client: Client,
    state: RefCell<State>,
    conversation: RefCell<Option<Box<dyn Conversation>>>,
    encoding: Cell<Encoding>,
    portion: Portion,
    /// Whether outputs are being done: what is put in meanwhile is done by whoever does them.
    drives: Cell<bool>,
    place: Place,
    /// How many bytes of what waits for a poll are not to be compressed.
    uncompressed: Cell<u32>,
    /// The last number of a WebSocket.
    sockets: Cell<u32>,
    /// Whether the last answer was to a poll, and a packet alone: as a session ends, one that waited has been told.
    said_farewell: Cell<bool>,
}

pub(super) struct State {
    pub(super) session: Session,
    pub(super) slots: Slots,
    pub(super) outlet: Outlet,
    pub(super) probe: Option<Box<Probe>>,
}

/// What carries the session's bytes.
pub(super) enum Outlet {
    /// A stream whose bytes polls take.
    Polling(Box<Stream>),
    /// The connection of the session's client.
    WebSocket(SocketId),
    /// Nothing more.
    Gone,
}

/// A WebSocket that may become the session's.
pub(super) struct Probe {
    pub(super) socket: SocketId,
    pub(super) client: Client,
    pub(super) binary: BinarySupport,
}

/// What a session begins with.
pub(super) struct Beginning {
    pub(super) handshake: Arc<Handshake>,
    pub(super) client: Client,
    pub(super) session: Session,
    pub(super) slots: Slots,
    pub(super) outlet: Outlet,
}

impl Entry {
    /// Begins a session: sends the open packet, and tells the application.
    pub(super) fn open(shared: Rc<Shared>, beginning: Beginning) -> Rc<Entry> {
        let Beginning { handshake, client, session, slots, outlet } = beginning;
        let codec = session.codec();
        let encoding = match outlet {
            Outlet::WebSocket(_) => Encoding::WebSocket(codec.revision, codec.binary),
            _ => Encoding::Polling(codec.poll_form()),
        };
        let portion = Portion::of(&handshake.headers);
        let table = Table::of(client.worker());
        timers::watch(&table, client.worker());
        let entry = Rc::new(Entry {
            shared,
            handshake,
            client,
            state: RefCell::new(State { session, slots, outlet, probe: None }),
            conversation: RefCell::new(None),
            encoding: Cell::new(encoding),
            portion,
            drives: Cell::new(true),
            place: Place::default(),
            uncompressed: Cell::new(0),
            sockets: Cell::new(0),
            said_farewell: Cell::new(false),
            table,
        });
        entry.table.insert(&entry);
        // The open packet comes before all that the application sends.
        entry.perform_all();
        let conversation = entry.shared.application.open(&Link(Rc::clone(&entry)));
        *entry.conversation.borrow_mut() = Some(conversation);
        entry.drives.set(false);
        entry.drive();
        entry
    }

    pub(super) fn shared(&self) -> &Rc<Shared> {
        &self.shared
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn handshake(&self) -> &Arc<Handshake> {
        &self.handshake
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn worker(&self) -> &Worker {
        self.client.worker()
    }

    pub(super) fn codec(&self) -> Codec {
        *self.state.borrow().session.codec()
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding.get()
    }

    pub(super) fn transport(&self) -> Option<Transport> {
        self.state.borrow().session.transport()
    }

    pub(super) fn is_open(&self) -> bool {
        self.state.borrow().session.is_open() && self.client.is_open()
    }

    fn now(&self) -> Monotonic {
        self.worker().now().monotonic
    }

    /// Gives the session an input, and does what it wants done.
    pub(super) fn input<R>(self: &Rc<Self>, input: impl FnOnce(&mut State, Monotonic) -> R) -> R {
        let now = self.now();
        let result = input(&mut self.state.borrow_mut(), now);
        self.drive();
        result
    }

    /// Begins a request, and gives it to the session.
    pub(super) fn request(
        self: &Rc<Self>,
        input: impl FnOnce(&mut Session, RequestId, Monotonic),
    ) -> RequestId {
        self.input(|state, now| {
            let request = state.slots.begin();
            input(&mut state.session, request, now);
            request
        })
    }

    /// Waits for the answer of a request.
    pub(super) fn poll_answer(&self, request: RequestId, cx: &mut Context<'_>) -> Poll<Answered> {
        self.state.borrow_mut().slots.poll_answer(request, cx)
    }

    /// Waits for the answer of a poll, and for something to answer it with.
    pub(super) fn poll_answer_or_queued(
        self: &Rc<Self>,
        request: RequestId,
        cx: &mut Context<'_>,
    ) -> Poll<Answered> {
        let answer = self.poll_answer(request, cx);
        if answer.is_ready() || !self.poll_queued(cx) {
            return answer;
        }
        self.poll_answer(request, cx)
    }

    /// Releases the poll that waits if something is queued, or the stream is over. Says whether it did.
    fn poll_queued(self: &Rc<Self>, cx: &mut Context<'_>) -> bool {
        let ready = match &mut self.state.borrow_mut().outlet {
            Outlet::Polling(stream) => stream.poll_ready(cx).is_ready(),
            _ => false,
        };
        if ready && !self.end_if_over() {
            self.input(|state, now| state.session.handle_queued(now));
        }
        ready
    }

    /// Ends the session if its stream has been closed from below. Says whether it has.
    pub(super) fn end_if_over(self: &Rc<Self>) -> bool {
        let is_over = matches!(self.state.borrow().outlet, Outlet::Polling(_)) && !self.client.is_open();
        if is_over {
            let now = self.worker().now();
            let expired = self.client.caller().is_some_and(|caller| caller.has_expired(now.wall));
            let stops = self.worker().is_draining();
            self.input(|state, now| match (stops, expired) {
                (true, _) => state.session.handle_close(CloseMode::ShutDown, now),
                (false, true) => state.session.handle_close(CloseMode::Discard, now),
                (false, false) => state.session.handle_overflow(),
            });
        }
        is_over
    }

    /// A time has come at which the session stands in the heap.
    pub(super) fn handle_timer(self: &Rc<Self>, at: Monotonic, now: Monotonic) {
        if !self.place.has_come(at) {
            return;
        }
        if !self.end_if_over() {
            self.state.borrow_mut().session.handle_timeout(now);
        }
        self.drive();
    }

    /// The server stops.
    pub(super) fn shut_down(self: &Rc<Self>) {
        if matches!(self.state.borrow().outlet, Outlet::Polling(_)) {
            self.close(CloseMode::ShutDown);
        }
    }

    pub(super) fn close(self: &Rc<Self>, mode: CloseMode) {
        self.input(|state, now| state.session.handle_close(mode, now));
    }

    /// Puts an encoded message into the outbox.
    pub(super) fn put(
        self: &Rc<Self>,
        kind: MessageKind,
        bytes: &[u8],
        options: SendOptions,
    ) -> Result<Sent, SendError> {
        self.check_room(bytes.len())?;
        let SendOptions { volatile, compress } = options;
        let message = outgoing(kind, bytes);
        if !volatile {
            self.client.send_with(message, compress);
        } else if !self.client.send_volatile(message, compress) {
            return Ok(Sent::Dropped);
        }
        self.note_put(bytes.len(), compress);
        Ok(Sent::Queued)
    }

    /// Puts encoded messages into the outbox that stay together.
    pub(super) fn put_all(
        self: &Rc<Self>,
        messages: &[(MessageKind, &[u8])],
        options: SendOptions,
    ) -> Result<Sent, SendError> {
        let bytes = messages.iter().map(|(_, bytes)| bytes.len()).sum();
        self.check_room(bytes)?;
        let SendOptions { volatile, compress } = options;
        if !volatile {
            self.client.send_all(messages, compress);
        } else if !self.client.send_all_volatile(messages, compress) {
            return Ok(Sent::Dropped);
        }
        self.note_put(bytes, compress);
        Ok(Sent::Queued)
    }

    fn check_room(self: &Rc<Self>, bytes: usize) -> Result<(), SendError> {
        let settings = &self.shared.settings.engine;
        let waiting = self.client.buffered_bytes();
        if waiting == 0 || waiting.saturating_add(bytes) <= settings.send_buffer_bytes_max {
            return Ok(());
        }
        if settings.when_full == WhenFull::Close {
            self.input(|state, _| state.session.handle_overflow());
        }
        Err(SendError::Full)
    }

    fn note_put(&self, bytes: usize, compress: Compress) {
        if compress == Compress::Never {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            self.uncompressed.set(self.uncompressed.get().saturating_add(bytes));
        }
    }

    /// Says whether an answer of so many bytes may be compressed, and counts anew.
    pub(super) fn may_compress(&self, bytes: usize) -> bool {
        (self.uncompressed.replace(0) as usize) < bytes
    }

    pub(super) fn set_encoding(&self, encoding: Encoding) {
        self.encoding.set(encoding);
    }

    pub(super) fn with_state<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        work(&mut self.state.borrow_mut())
    }

    /// A number for a WebSocket; the first has zero.
    pub(super) fn next_socket(&self) -> SocketId {
        let next = self.sockets.get().wrapping_add(1);
        self.sockets.set(next);
        SocketId(next)
    }

    /// A WebSocket names this session.
    pub(super) fn offer(self: &Rc<Self>, probe: Probe) {
        self.input(|state, now| {
            let socket = probe.socket;
            if state.session.takes_websocket() {
                state.probe = Some(Box::new(probe));
                state.session.handle_websocket(socket, now);
            } else {
                // It was asked before the session was offered another, or ended.
                let code = SocketClose::Policy.code();
                probe.client.close(Close { code, reason: "".into(), reconnect: true });
            }
        });
    }

    /// A WebSocket is gone.
    pub(super) fn lose(self: &Rc<Self>, socket: SocketId) {
        if let Some(close) = self.client.closing() {
            // It was to be closed, and the client did not read on until it was.
            self.handle_closing(socket, &close);
        }
        self.input(|state, _| {
            state.session.handle_socket_lost(socket);
            state.probe.take_if(|probe| probe.socket == socket);
        });
    }

    /// A connection below says that it is about to be closed.
    pub(super) fn handle_closing(self: &Rc<Self>, socket: SocketId, close: &Close) {
        let stops = self.worker().is_draining();
        self.input(|state, now| {
            let State { session, outlet, .. } = state;
            if !matches!(outlet, Outlet::WebSocket(own) if *own == socket) || session.transport().is_none() {
                return;
            }
            match close.code {
                1002 | 1007 => session.handle_socket_fault(socket, TransportFault::SocketViolation),
                1009 => session.handle_socket_fault(socket, TransportFault::TooLarge),
                1013 => session.handle_socket_fault(socket, TransportFault::SendBufferFull),
                // The peer's own close.
                1000 => session.handle_socket_lost(socket),
                _ if stops => session.handle_close(CloseMode::ShutDown, now),
                _ => session.handle_close(CloseMode::Discard, now),
            }
        });
    }
}

pub(super) fn outgoing(kind: MessageKind, bytes: &[u8]) -> Outgoing<'_> {
    match kind {
        MessageKind::Text => Outgoing::Text(bytes),
        MessageKind::Binary => Outgoing::Binary(bytes),
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    /// What there is for each session: whoever needs more finds a place for it that only those pay who use it.
    #[test]
    fn a_session_at_rest_is_small() {
        for (what, size, most) in
            [("session", size_of::<Entry>(), 288), ("handshake", size_of::<Handshake>(), 168)]
        {
            assert!(size <= most, "{what}: {size} bytes");
        }
    }
}
