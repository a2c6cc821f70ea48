use std::any::type_name;
use std::ops::Deref;
use std::sync::Arc;

use antiphon_engineio::Transport;
use antiphon_socketio::{Handshake, SocketId};
use serde::de::DeserializeOwned;

use crate::{Context, ExtractError, FromSocket, Io, Namespace, Socket};

/// What the client sent as `auth` when it connected. Where it sent nothing, that is `None`, or an object without members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Auth<T>(pub T);

/// What was given to [`Builder::state`](crate::Builder::state), as a clone: share what is large in an [`Arc`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State<T>(pub T);

/// What was inserted into the socket's [`extensions`](crate::Extensions), by a middleware for instance. Where it may not be
/// there, ask for `Option<Extension<T>>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extension<T>(pub Arc<T>);

/// The rooms that the socket is in, its own included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rooms(pub Vec<Arc<str>>);

impl FromSocket for Socket {
    fn from_socket(context: &Context<'_>) -> Result<Socket, ExtractError> {
        Ok(context.socket())
    }
}

impl FromSocket for Namespace {
    fn from_socket(context: &Context<'_>) -> Result<Namespace, ExtractError> {
        Ok(context.socket().namespace())
    }
}

impl FromSocket for Io {
    fn from_socket(context: &Context<'_>) -> Result<Io, ExtractError> {
        Ok(context.socket().io())
    }
}

impl FromSocket for SocketId {
    fn from_socket(context: &Context<'_>) -> Result<SocketId, ExtractError> {
        Ok(context.peek().id().clone())
    }
}

impl FromSocket for Transport {
    fn from_socket(context: &Context<'_>) -> Result<Transport, ExtractError> {
        Ok(context.peek().transport())
    }
}

impl FromSocket for Arc<Handshake> {
    fn from_socket(context: &Context<'_>) -> Result<Arc<Handshake>, ExtractError> {
        Ok(Arc::clone(context.peek().handshake()))
    }
}

impl<T: DeserializeOwned> FromSocket for Auth<T> {
    fn from_socket(context: &Context<'_>) -> Result<Auth<T>, ExtractError> {
        let value = match context.peek().handshake().auth() {
            Some(auth) => serde_json::from_str(auth.as_str()),
            // For whoever can do without, nothing; for others, what an empty object lacks.
            None => serde_json::from_str("null").or_else(|_| serde_json::from_str("{}")),
        };
        value.map(Auth).map_err(ExtractError::Auth)
    }
}

impl<T: Clone + Send + Sync + 'static> FromSocket for State<T> {
    fn from_socket(context: &Context<'_>) -> Result<State<T>, ExtractError> {
        context.state().map(State)
    }
}

impl<T: Send + Sync + 'static> FromSocket for Extension<T> {
    fn from_socket(context: &Context<'_>) -> Result<Extension<T>, ExtractError> {
        let found = context.peek().extensions().get();
        found.map(Extension).ok_or(ExtractError::Extension(type_name::<T>()))
    }
}

impl<T: Send + Sync + 'static> FromSocket for Option<Extension<T>> {
    fn from_socket(context: &Context<'_>) -> Result<Option<Extension<T>>, ExtractError> {
        Ok(context.peek().extensions().get().map(Extension))
    }
}

impl FromSocket for Rooms {
    fn from_socket(context: &Context<'_>) -> Result<Rooms, ExtractError> {
        Ok(Rooms(context.peek().rooms()))
    }
}

impl<T> Deref for Auth<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Deref for Extension<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
