//! What a session wants done, done.

use std::rc::Rc;

use antiphon_model::Compress;
use antiphon_net::Close;
use bytes::Bytes;

use super::{Entry, Outlet, outgoing};
use crate::encode::{self, Encoding, PollForm};
use crate::endpoint::portion::Portion;
use crate::endpoint::slots::Answered;
use crate::endpoint::{Conversation, Link};
use crate::packet::Packet;
use crate::session::{Answer, CloseReason, Output, SocketClose, SocketId, Then};

impl Entry {
    /// Does all that the session wants done. Within itself it does nothing: the outer one goes on.
    pub(super) fn drive(self: &Rc<Self>) {
        if self.drives.replace(true) {
            return;
        }
        self.perform_all();
        self.drives.set(false);
        self.schedule();
    }

    pub(super) fn perform_all(self: &Rc<Self>) {
        loop {
            let output = self.state.borrow_mut().session.poll_output();
            match output {
                Some(output) => self.perform(output),
                None => return,
            }
        }
    }

    fn perform(self: &Rc<Self>, output: Output) {
        match output {
            Output::Answer { request, answer } => {
                self.said_farewell.set(matches!(answer, Answer::Packet(_)));
                self.state.borrow_mut().slots.answer(request, Answered::Alone(answer));
            }
            Output::Release { request, then } => {
                // Nobody polls for what would be left at the end.
                let portion = if then == Then::Close { Portion::All } else { self.portion };
                let form = self.codec().poll_form();
                let state = &mut *self.state.borrow_mut();
                let queued = state.outlet.take_queued(portion, form);
                state.slots.answer(request, Answered::Queued(queued, then));
            }
            Output::Packet(packet) => self.put_packet(&packet),
            Output::Probe { socket, packet } => self.put_probe(socket, &packet),
            Output::CloseSocket { socket, code } => self.close_socket(socket, code),
            Output::Message(data) => {
                self.converse(|conversation, link| conversation.handle_message(data, link));
            }
            Output::Upgraded(socket) => {
                if self.switch(socket) {
                    self.converse(|conversation, link| conversation.handle_upgraded(link));
                }
            }
            Output::Closed(reason) => self.end(reason),
        }
    }

    /// Packets of the protocol itself are neither left out nor refused.
    fn put_packet(&self, packet: &Packet) {
        self.table.with_scratch(|out| {
            let kind = encode::packet_into(self.encoding(), packet, out);
            self.client.send_with(outgoing(kind, out), Compress::AsConfigured);
        });
    }

    fn put_probe(&self, socket: SocketId, packet: &Packet) {
        let state = self.state.borrow();
        let Some(probe) = state.probe.as_ref().filter(|probe| probe.socket == socket) else { return };
        let (client, binary) = (probe.client.clone(), probe.binary);
        drop(state);
        let encoding = Encoding::WebSocket(self.codec().revision, binary);
        self.table.with_scratch(|out| {
            let kind = encode::packet_into(encoding, packet, out);
            client.send_with(outgoing(kind, out), Compress::AsConfigured);
        });
    }

    fn close_socket(&self, socket: SocketId, code: SocketClose) {
        let close = Close { code: code.code(), reason: "".into(), reconnect: true };
        let state = &mut *self.state.borrow_mut();
        match &mut state.outlet {
            Outlet::WebSocket(own) if *own == socket => self.client.close(close),
            _ => {
                if let Some(probe) = state.probe.take_if(|probe| probe.socket == socket) {
                    probe.client.close(close);
                }
            }
        }
    }

    fn converse(self: &Rc<Self>, work: impl FnOnce(&mut dyn Conversation, &Link)) {
        // Taken out while it runs: it may do anything by the link.
        let taken = self.conversation.borrow_mut().take();
        if let Some(mut conversation) = taken {
            work(&mut *conversation, &Link(Rc::clone(self)));
            *self.conversation.borrow_mut() = Some(conversation);
        }
    }

    fn end(self: &Rc<Self>, reason: CloseReason) {
        let conversation = self.conversation.borrow_mut().take();
        if let Some(mut conversation) = conversation {
            conversation.handle_closed(reason, &Link(Rc::clone(self)));
        }
        let outlet = std::mem::replace(&mut self.state.borrow_mut().outlet, Outlet::Gone);
        self.table.remove(&self.handshake.sid);
        match (outlet, reason) {
            // Nobody leaves a polling session but by his own word.
            (Outlet::Polling(stream), CloseReason::TransportClose) => {
                if !self.said_farewell.get() {
                    self.table.departed.add(self.handshake.sid, self.codec(), self.now());
                }
                stream.depart();
            }
            (outlet, _) => drop(outlet),
        }
    }

    fn schedule(&self) {
        let due = self.state.borrow().session.poll_timeout();
        if let Some(due) = due {
            self.table.timers.add(due, self.handshake.sid, &self.place);
        }
    }
}

impl Outlet {
    fn take_queued(&mut self, portion: Portion, form: PollForm) -> Vec<Bytes> {
        match self {
            Outlet::Polling(stream) => portion.take(form, stream),
            Outlet::WebSocket(_) | Outlet::Gone => Vec::new(),
        }
    }
}
