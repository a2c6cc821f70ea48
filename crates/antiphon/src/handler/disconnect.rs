use std::future::Future;
use std::sync::Arc;

use antiphon_socketio as core;
use antiphon_socketio::{DisconnectReason, HandlerResult, Outcome};

use super::arity::for_each_arity;
use super::{Deferred, Immediate, IntoResult};
use crate::shared::Shared;
use crate::{Context, FromDisconnect};

/// A function that is told of each socket that is disconnected: up to eight extractors for arguments, async or not.
///
/// See [`FromDisconnect`] for what it may ask for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot handle a disconnection",
    label = "not a handler",
    note = "a handler is a function of at most eight extractors: `|socket: Socket, reason: DisconnectReason|`",
    note = "every argument needs its type written out, and has to implement `FromDisconnect`",
    note = "it gives back `()`, a `Result<(), _>` whose error implements `Display`, or a future of one"
)]
pub trait DisconnectHandler<Marker>: Send + Sync + 'static {
    /// Handles a disconnection.
    fn call(&self, context: Context<'_>, reason: DisconnectReason) -> Outcome<HandlerResult>;
}

/// A handler as the core has it.
pub(crate) fn disconnect_handler<M, H: DisconnectHandler<M>>(
    handler: H,
    shared: &Arc<Shared>,
) -> core::DisconnectHandler {
    let shared = Arc::clone(shared);
    Arc::new(move |socket, reason| handler.call(Context::new(&socket, &shared), reason))
}

macro_rules! implement {
    ($($argument:ident),*) => {
        #[allow(non_snake_case, unused_variables)]
        impl<Function, Given, $($argument),*> DisconnectHandler<(Immediate, $($argument,)*)> for Function
        where
            Function: Fn($($argument),*) -> Given + Send + Sync + 'static,
            Given: IntoResult,
            $($argument: FromDisconnect,)*
        {
            fn call(&self, context: Context<'_>, reason: DisconnectReason) -> Outcome<HandlerResult> {
                $(let $argument = match $argument::from_disconnect(&context, reason) {
                    Ok(value) => value,
                    Err(error) => return Outcome::Ready(Err(error.into())),
                };)*
                Outcome::Ready(self($($argument),*).into_result())
            }
        }

        #[allow(non_snake_case, unused_variables)]
        impl<Function, Awaited, $($argument),*> DisconnectHandler<(Deferred, $($argument,)*)> for Function
        where
            Function: Fn($($argument),*) -> Awaited + Send + Sync + 'static,
            Awaited: Future<Output: IntoResult> + 'static,
            $($argument: FromDisconnect,)*
        {
            fn call(&self, context: Context<'_>, reason: DisconnectReason) -> Outcome<HandlerResult> {
                $(let $argument = match $argument::from_disconnect(&context, reason) {
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
