//! Extractors: what handlers ask for by the types of their arguments.

mod arguments;
mod connection;

use antiphon_socketio::{ArgumentsError, DisconnectReason};

use crate::{Call, Context};

pub use arguments::{Data, TryData};
pub use connection::{Auth, Extension, Rooms, State};

/// What a handler of an event may ask for.
///
/// | extractor | is |
/// |---|---|
/// | [`Data`]`<T>` | the next argument as `T`, or with a tuple several |
/// | [`TryData`]`<T>` | the same; what is no `T` is an error for the handler to see |
/// | [`EventArguments`](crate::EventArguments) | all arguments as they came |
/// | [`Ack`](crate::Ack) | what answers the client |
/// | [`EventName`](crate::EventName) | the name of the event |
/// | whatever implements [`FromSocket`] | the socket, the handshake, state and so on |
///
/// Arguments are taken in order: the second `Data` of a handler is the event's second argument. Where an extractor fails the
/// handler is not called; that counts as if it had failed with the extractor's error.
#[diagnostic::on_unimplemented(
    message = "a handler of an event cannot ask for `{Self}`",
    label = "not an extractor",
    note = "what the client sent is asked for as `Data<T>`, where `T` implements `serde::Deserialize`",
    note = "what the program shares is asked for as `State<T>`, what it keeps with a socket as `Extension<T>`"
)]
pub trait FromEvent: Sized {
    /// Takes it from the event.
    ///
    /// # Errors
    /// It is not there.
    fn from_event(call: &mut Call<'_>) -> Result<Self, ExtractError>;
}

/// What every handler and middleware may ask for.
///
/// | extractor | is |
/// |---|---|
/// | [`Socket`](crate::Socket) | the socket |
/// | [`Namespace`](crate::Namespace), [`Io`](crate::Io) | where it is connected |
/// | [`Auth`]`<T>` | what the client sent as `auth` when it connected |
/// | [`Arc`](std::sync::Arc)`<`[`Handshake`](crate::Handshake)`>` | the request that it connected with |
/// | [`State`]`<T>` | what was given to [`Builder::state`](crate::Builder::state) |
/// | [`Extension`]`<T>` | what was kept in the socket's [`extensions`](crate::Extensions) |
/// | [`Rooms`] | the rooms that it is in |
/// | [`SocketId`](crate::SocketId), [`Transport`](crate::Transport) | what they say |
#[diagnostic::on_unimplemented(
    message = "a handler cannot ask for `{Self}` here",
    label = "not an extractor of this place",
    note = "only handlers of events have `Data<T>`, `TryData<T>`, `Ack` and `EventName`; only handlers of a disconnection have \
            `DisconnectReason`",
    note = "what the client sent when it connected is asked for as `Auth<T>`"
)]
pub trait FromSocket: Sized {
    /// Takes it from the socket.
    ///
    /// # Errors
    /// It is not there.
    fn from_socket(context: &Context<'_>) -> Result<Self, ExtractError>;
}

/// What a handler of a disconnection may ask for: the [`DisconnectReason`], and whatever implements [`FromSocket`].
#[diagnostic::on_unimplemented(
    message = "a handler of a disconnection cannot ask for `{Self}`",
    label = "not an extractor of this place"
)]
pub trait FromDisconnect: Sized {
    /// Takes it from the socket or the reason.
    ///
    /// # Errors
    /// It is not there.
    fn from_disconnect(context: &Context<'_>, reason: DisconnectReason) -> Result<Self, ExtractError>;
}

impl<T: FromSocket> FromEvent for T {
    fn from_event(call: &mut Call<'_>) -> Result<T, ExtractError> {
        T::from_socket(&call.context())
    }
}

impl<T: FromSocket> FromDisconnect for T {
    fn from_disconnect(context: &Context<'_>, _: DisconnectReason) -> Result<T, ExtractError> {
        T::from_socket(context)
    }
}

impl FromDisconnect for DisconnectReason {
    fn from_disconnect(_: &Context<'_>, reason: DisconnectReason) -> Result<DisconnectReason, ExtractError> {
        Ok(reason)
    }
}

/// What a handler asked for is not there.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// The client sent something else.
    #[error("{0}")]
    Arguments(#[from] ArgumentsError),
    /// What the client sent as `auth` is something else.
    #[error("auth: {0}")]
    Auth(#[source] serde_json::Error),
    /// The program shares nothing of this type.
    #[error("there is no state of type {0}: give it to the builder")]
    State(&'static str),
    /// Nothing of this type was kept with the socket.
    #[error("nothing of type {0} was inserted into the socket's extensions")]
    Extension(&'static str),
    /// An extractor of the program's own failed. The client may be told.
    #[error("{0}")]
    Refused(String),
}

impl ExtractError {
    /// What the client is told: everything that is about what it sent.
    pub(crate) fn public(&self) -> String {
        match self {
            ExtractError::Arguments(_) | ExtractError::Auth(_) | ExtractError::Refused(_) => self.to_string(),
            ExtractError::State(_) | ExtractError::Extension(_) => "internal error".to_owned(),
        }
    }
}
