//! Functions with typed arguments as handlers: for each kind of handler a trait that all such functions implement.

mod admission;
mod arity;
mod connection;
mod disconnect;
mod event;
mod observer;
mod packet;

use std::fmt::Display;

use antiphon_socketio::{HandlerError, HandlerResult};

pub use admission::{IntoAdmission, Middleware};
pub use connection::ConnectionHandler;
pub use disconnect::DisconnectHandler;
pub use event::EventHandler;
pub use observer::Observer;
pub use packet::PacketMiddleware;

pub(crate) use admission::middleware;
pub(crate) use connection::connection_handler;
pub(crate) use disconnect::disconnect_handler;
pub(crate) use event::event_handler;
pub(crate) use observer::observer;
pub(crate) use packet::packet_middleware;

/// Marks functions that give back what they come to.
pub struct Immediate;

/// Marks functions that give back a future of it.
pub struct Deferred;

/// What a handler that nobody awaits may give back: nothing, or an error that is handed to `on_error`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is nothing that this handler can give back",
    label = "neither `()` nor a `Result<(), _>`",
    note = "the error of the `Result` has to implement `Display`"
)]
pub trait IntoResult {
    /// The result as the core has it.
    ///
    /// # Errors
    /// The handler failed.
    fn into_result(self) -> HandlerResult;
}

impl IntoResult for () {
    fn into_result(self) -> HandlerResult {
        Ok(())
    }
}

impl<E: Display> IntoResult for Result<(), E> {
    fn into_result(self) -> HandlerResult {
        self.map_err(|error| HandlerError::new(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_what_they_display() {
        assert!(().into_result().is_ok() && Ok::<(), &str>(()).into_result().is_ok());
        assert_eq!(Err::<(), _>(7).into_result().unwrap_err().to_string(), "7");
    }
}
