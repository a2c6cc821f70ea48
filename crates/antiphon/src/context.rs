use std::any::type_name;
use std::sync::Arc;

use antiphon_socketio as core;

use crate::shared::Shared;
use crate::{ExtractError, Socket};

/// The socket that something happens to, and what the program shares with all its handlers: where extractors that
/// implement [`FromSocket`](crate::FromSocket) take their values from.
pub struct Context<'a> {
    socket: &'a core::Socket,
    shared: &'a Arc<Shared>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(socket: &'a core::Socket, shared: &'a Arc<Shared>) -> Context<'a> {
        Context { socket, shared }
    }

    /// The socket.
    pub fn socket(&self) -> Socket {
        Socket::new(self.socket.clone(), Arc::clone(self.shared))
    }

    /// The socket, for a look at it.
    pub fn peek(&self) -> &'a core::Socket {
        self.socket
    }

    /// What was given to [`Builder::state`](crate::Builder::state).
    ///
    /// # Errors
    /// Nothing of this type was.
    pub fn state<T: Clone + Send + Sync + 'static>(&self) -> Result<T, ExtractError> {
        self.shared.state().ok_or(ExtractError::State(type_name::<T>()))
    }
}
