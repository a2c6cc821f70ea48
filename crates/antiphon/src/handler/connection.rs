use std::future::Future;
use std::sync::Arc;

use antiphon_socketio as core;
use antiphon_socketio::{HandlerResult, Outcome};

use super::arity::for_each_arity;
use super::{Deferred, Immediate, IntoResult};
use crate::shared::Shared;
use crate::{Context, FromSocket};

/// A function that is told of each socket that is connected: up to eight extractors for arguments, async or not.
///
/// See [`FromSocket`] for what it may ask for. The socket's events wait until it is done, so that handlers which it adds miss
/// none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot handle a connection",
    label = "not a handler",
    note = "a handler is a function of at most eight extractors: `|socket: Socket, Auth(auth): Auth<Login>|`",
    note = "every argument needs its type written out, and has to be an extractor that implements `FromSocket`: there is no `Data` \
            and no `Ack` here",
    note = "it gives back `()`, a `Result<(), _>` whose error implements `Display`, or a future of one"
)]
pub trait ConnectionHandler<Marker>: Send + Sync + 'static {
    /// Handles a connection.
    fn call(&self, context: Context<'_>) -> Outcome<HandlerResult>;
}

/// A handler as the core has it.
pub(crate) fn connection_handler<M, H: ConnectionHandler<M>>(
    handler: H,
    shared: &Arc<Shared>,
) -> core::ConnectionHandler {
    let shared = Arc::clone(shared);
    Arc::new(move |socket| handler.call(Context::new(&socket, &shared)))
}

macro_rules! implement {
    ($($argument:ident),*) => {
        #[allow(non_snake_case, unused_variables)]
        impl<Function, Given, $($argument),*> ConnectionHandler<(Immediate, $($argument,)*)> for Function
        where
            Function: Fn($($argument),*) -> Given + Send + Sync + 'static,
            Given: IntoResult,
            $($argument: FromSocket,)*
        {
            fn call(&self, context: Context<'_>) -> Outcome<HandlerResult> {
                $(let $argument = match $argument::from_socket(&context) {
                    Ok(value) => value,
                    Err(error) => return Outcome::Ready(Err(error.into())),
                };)*
                Outcome::Ready(self($($argument),*).into_result())
            }
        }

        #[allow(non_snake_case, unused_variables)]
        impl<Function, Awaited, $($argument),*> ConnectionHandler<(Deferred, $($argument,)*)> for Function
        where
            Function: Fn($($argument),*) -> Awaited + Send + Sync + 'static,
            Awaited: Future<Output: IntoResult> + 'static,
            $($argument: FromSocket,)*
        {
            fn call(&self, context: Context<'_>) -> Outcome<HandlerResult> {
                $(let $argument = match $argument::from_socket(&context) {
                    Ok(value) => value,
                    Err(error) => return Outcome::Ready(Err(error.into())),
                };)*
                let future = self($($argument),*);
                Outcome::pending(async move { future.await.into_result() })
            }
        }
    };
}

for_each_arity!(implement);
