//! What a handler gives back, and how it reaches the client.

use std::fmt::Display;

use antiphon_socketio as core;
use antiphon_socketio::{EventArguments, HandlerError, HandlerResult};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::Data;

/// The way back to the client who awaits an acknowledgement; a way to nowhere if he awaits none.
///
/// Where a handler panics, the client gets `{"error": "internal error"}`.
pub struct Reply(Option<core::Ack>);

impl Reply {
    pub(crate) fn new(ack: Option<core::Ack>) -> Reply {
        Reply(ack)
    }

    /// Whether the client awaits an answer.
    pub fn is_awaited(&self) -> bool {
        self.0.is_some()
    }

    /// Acknowledges with these arguments: a tuple is several.
    ///
    /// # Errors
    /// They have no form in JSON. Nothing happens if the socket is disconnected.
    pub fn send(mut self, arguments: impl Serialize) -> HandlerResult {
        match self.0.take() {
            Some(ack) => Ok(ack.send(&arguments)?),
            None => Ok(()),
        }
    }

    /// Acknowledges with `{"error": message}`.
    pub fn fail(mut self, message: &str) {
        self.tell_failure(message);
    }

    fn tell_failure(&mut self, message: &str) {
        #[derive(Serialize)]
        struct Failure<'a> {
            error: &'a str,
        }
        if let Some(ack) = self.0.take() {
            // A string is JSON; nothing else can fail here.
            let _ = ack.send(&Failure { error: message });
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell_failure("internal error");
        }
    }
}

/// What a handler of an event may give back.
///
/// | handler gives back | the client who awaits an acknowledgement gets |
/// |---|---|
/// | `()` | nothing; the handler may answer through [`Ack`](crate::Ack) |
/// | text, a number, `bool`, [`serde_json::Value`] | that as the only argument |
/// | [`Bytes`] | a binary argument |
/// | [`Data`]`(value)` | anything that serializes: a tuple is several arguments, everything else one |
/// | [`EventArguments`] | arguments as they came |
/// | `Ok(one of these)` | the same as for that one |
/// | `Err(error)` | `{"error": "what the error displays"}` |
///
/// An error is also handed to the `on_error` handlers of the socket and its namespace, or logged where there are none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is nothing that a handler can give back",
    label = "not a reply",
    note = "wrap what serializes: `Data(value)` acknowledges with one argument, `Data((one, two))` with several",
    note = "a handler may also give back `()`, or a `Result` whose error implements `Display`"
)]
pub trait IntoReply {
    /// Sends it, if anybody awaits it.
    ///
    /// # Errors
    /// The handler failed, or what it gave back cannot be sent.
    fn reply(self, to: Reply) -> HandlerResult;
}

impl IntoReply for () {
    fn reply(self, _: Reply) -> HandlerResult {
        Ok(())
    }
}

impl<R: IntoReply, E: Display> IntoReply for Result<R, E> {
    fn reply(self, to: Reply) -> HandlerResult {
        match self {
            Ok(value) => value.reply(to),
            Err(error) => {
                let message = error.to_string();
                to.fail(&message);
                Err(HandlerError::new(message))
            }
        }
    }
}

impl<T: Serialize> IntoReply for Data<T> {
    fn reply(self, to: Reply) -> HandlerResult {
        to.send(&self.0)
    }
}

impl IntoReply for EventArguments {
    fn reply(self, to: Reply) -> HandlerResult {
        to.send(&self)
    }
}

impl IntoReply for Bytes {
    fn reply(self, to: Reply) -> HandlerResult {
        to.send(core::Binary(self))
    }
}

macro_rules! one_argument {
    ($($kind:ty),*) => {
        $(impl IntoReply for $kind {
            fn reply(self, to: Reply) -> HandlerResult {
                to.send(&self)
            }
        })*
    };
}

one_argument!(
    bool,
    char,
    i8,
    i16,
    i32,
    i64,
    isize,
    u8,
    u16,
    u32,
    u64,
    usize,
    f32,
    f64,
    String,
    &'static str,
    Value,
    Box<RawValue>
);
