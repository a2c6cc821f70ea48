use std::sync::Arc;

use antiphon_socketio as core;
use antiphon_socketio::{EventArguments, EventName};

use crate::shared::Shared;
use crate::{Ack, Context, Reply};

/// An event on its way to a handler: where extractors that implement [`FromEvent`](crate::FromEvent) take their values
/// from.
pub struct Call<'a> {
    socket: &'a core::Socket,
    name: &'a EventName,
    arguments: &'a EventArguments,
    /// How many arguments have been taken.
    taken: usize,
    ack: Option<core::Ack>,
    shared: &'a Arc<Shared>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(event: &'a core::Event, ack: Option<core::Ack>, shared: &'a Arc<Shared>) -> Call<'a> {
        let core::Event { socket, name, arguments, .. } = event;
        Call { socket, name, arguments, taken: 0, ack, shared }
    }

    /// The socket and what the program shares.
    pub fn context(&self) -> Context<'a> {
        Context::new(self.socket, self.shared)
    }

    /// The event's name.
    pub fn name(&self) -> &'a EventName {
        self.name
    }

    /// All arguments, whether or not some have been taken.
    pub fn arguments(&self) -> &'a EventArguments {
        self.arguments
    }

    /// The index of the next argument. It counts as taken.
    pub fn take_argument(&mut self) -> usize {
        self.taken += 1;
        self.taken - 1
    }

    /// What answers the client. The first answer counts, be it by this or by what the handler gives back.
    pub fn take_ack(&mut self) -> Ack {
        Ack::new(self.ack.as_mut().map(core::Ack::share))
    }

    /// How the handler's answer reaches the client.
    pub(crate) fn into_reply(self) -> Reply {
        Reply::new(self.ack)
    }
}
