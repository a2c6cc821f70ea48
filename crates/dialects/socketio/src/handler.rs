//! What applications hand in: functions for events, connections and refusals, without types of arguments.

mod behaviour;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use antiphon_model::RawJson;
use antiphon_net::problem::Problem;
use bytes::Bytes;

use crate::acks::Ack;
use crate::arguments::EventArguments;
use crate::{DisconnectReason, EventData, Outcome, Socket};

pub(crate) use behaviour::{Behaviour, Handlers, Selected, SocketHandlers, Times};

/// Handles one event. Runs on the socket's home worker; later events of the socket wait until it is done.
pub type Handler = Arc<dyn Fn(Event) -> Outcome<HandlerResult> + Send + Sync>;

/// Is told of a socket that is connected, before any of its events.
pub type ConnectionHandler = Arc<dyn Fn(Socket) -> Outcome<HandlerResult> + Send + Sync>;

/// Is told of a socket that is disconnected, after the handlers of the events that came before.
pub type DisconnectHandler = Arc<dyn Fn(Socket, DisconnectReason) -> Outcome<HandlerResult> + Send + Sync>;

/// Lets a socket into a namespace, or refuses it.
pub type Middleware = Arc<dyn Fn(Socket) -> Outcome<Result<(), ConnectRefused>> + Send + Sync>;

/// Lets an event through to its handlers. With an error it is not handled, and the error goes to the error handlers.
pub type PacketMiddleware = Arc<dyn Fn(&Event) -> Outcome<HandlerResult> + Send + Sync>;

/// Sees every event that comes.
pub type AnyHandler = Arc<dyn Fn(&Event) + Send + Sync>;

/// Sees every event that is sent to a socket directly.
pub type OutgoingHandler = Arc<dyn Fn(&Socket, &OutgoingEvent<'_>) + Send + Sync>;

/// Is told what went wrong in a handler or packet middleware. Without one it is logged.
pub type ErrorHandler = Arc<dyn Fn(&Socket, &HandlerError) + Send + Sync>;

/// What a handler of an event comes to.
pub type HandlerResult = Result<(), HandlerError>;

/// An event from a client.
#[derive(Debug)]
pub struct Event {
    /// Who sent it.
    pub socket: Socket,
    /// Its name.
    pub name: EventName,
    /// What came with it.
    pub arguments: EventArguments,
    /// To answer it with, if the client awaits that.
    pub ack: Option<Ack>,
}

impl Event {
    /// The event once more, for a further handler. The first answer of either counts.
    pub(crate) fn share(&mut self) -> Event {
        Event {
            socket: self.socket.clone(),
            name: self.name.clone(),
            arguments: self.arguments.clone(),
            ack: self.ack.as_mut().map(Ack::share),
        }
    }
}

/// An event that is sent to a socket.
#[derive(Debug)]
pub struct OutgoingEvent<'a> {
    /// Its name.
    pub name: &'a str,
    /// What goes with it.
    pub arguments: &'a EventArguments,
}

/// An event's name. Clones share it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventName(Bytes);

impl EventName {
    /// The name.
    pub fn as_str(&self) -> &str {
        // Checked on construction. An empty name would break its readers less than a panic.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl EventName {
    /// The name of an event that came.
    pub(crate) fn of(data: EventData) -> EventName {
        EventName(data.into_name())
    }
}

impl From<Box<str>> for EventName {
    fn from(name: Box<str>) -> EventName {
        EventName(Bytes::from(name.into_boxed_bytes()))
    }
}

impl From<&str> for EventName {
    fn from(name: &str) -> EventName {
        EventName(Bytes::copy_from_slice(name.as_bytes()))
    }
}

impl Deref for EventName {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// A handler failed. What it says is for the operator; the client is not told.
#[derive(Debug)]
pub struct HandlerError(Box<dyn std::error::Error + Send + Sync>);

impl HandlerError {
    /// An error out of anything that says what it is.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> HandlerError {
        HandlerError(error.into())
    }

    /// What went wrong.
    pub fn error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        &*self.0
    }

    /// The error itself.
    pub fn into_inner(self) -> Box<dyn std::error::Error + Send + Sync> {
        self.0
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for HandlerError {
    fn from(error: E) -> HandlerError {
        HandlerError(Box::new(error))
    }
}

// Not an `Error` itself: then it could not be made of every error.
impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A client may not connect to a namespace. It is told so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConnectRefused {
    /// What the client finds in its error's `message`.
    pub message: String,
    /// What it finds in its error's `data`. Clients of protocol version 4 get this alone if it is a string or an object.
    pub data: Option<RawJson>,
}

impl ConnectRefused {
    /// A refusal with a message.
    pub fn new(message: impl Into<String>) -> ConnectRefused {
        ConnectRefused { message: message.into(), data: None }
    }

    /// A refusal that says what HTTP answers: the problem's document as `data`, its detail as `message`.
    pub fn of(problem: &Problem) -> ConnectRefused {
        let document: serde_json::Value = serde_json::from_slice(&problem.to_json()).unwrap_or_default();
        let message = document["detail"].as_str().unwrap_or_default().to_owned();
        ConnectRefused::new(message).with_data(&document)
    }

    /// Adds what the client finds in its error's `data`. What is no JSON is left out.
    #[must_use]
    pub fn with_data(mut self, data: &impl serde::Serialize) -> ConnectRefused {
        self.data = serde_json::to_vec(data).ok().map(RawJson::from_serializer);
        self
    }
}
