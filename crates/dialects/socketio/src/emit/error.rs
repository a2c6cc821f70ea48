use antiphon_node::PublishError;

use crate::arguments::UnserializableArguments;
use crate::channels::InvalidRoom;
use crate::rooms::JoinError;

/// An event is not sent.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// The event's name is reserved: clients would take it for a message of their library.
    #[error("the event's name is reserved")]
    ReservedEvent,
    /// The arguments have no form on the wire.
    #[error(transparent)]
    Arguments(#[from] UnserializableArguments),
    /// No room can have this name.
    #[error(transparent)]
    Room(#[from] InvalidRoom),
    /// A socket cannot be named among several rooms.
    #[error("a socket's own room cannot be opened: {0}")]
    OwnRoom(#[from] JoinError),
    /// It is not published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The socket is disconnected.
    #[error("the socket is disconnected")]
    Disconnected,
    /// The server has not been installed anywhere yet.
    #[error("the server does not run yet")]
    NotInstalled,
}
