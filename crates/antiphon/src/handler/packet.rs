use std::future::Future;
use std::sync::Arc;

use antiphon_socketio as core;
use antiphon_socketio::{HandlerResult, Outcome};

use super::arity::for_each_arity;
use super::{Deferred, Immediate, IntoResult};
use crate::shared::Shared;
use crate::{Call, FromEvent};

/// A function that every event passes before its handlers: up to eight extractors for arguments, async or not.
///
/// It gives back `()` or `Ok(())` to let the event through. With an error the event is not handled, and `on_error` is told. There
/// is nothing to acknowledge with here: an [`Ack`](crate::Ack) that it asks for leads nowhere.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a middleware of events",
    label = "not a middleware",
    note = "a middleware is a function of at most eight extractors: `|socket: Socket, name: EventName|`",
    note = "it gives back `()`, a `Result<(), _>` whose error implements `Display`, or a future of one"
)]
pub trait PacketMiddleware<Marker>: Send + Sync + 'static {
    /// Looks at an event.
    fn call(&self, call: Call<'_>) -> Outcome<HandlerResult>;
}

/// A middleware as the core has it.
pub(crate) fn packet_middleware<M, H: PacketMiddleware<M>>(
    middleware: H,
    shared: &Arc<Shared>,
) -> core::PacketMiddleware {
    let shared = Arc::clone(shared);
    Arc::new(move |event| middleware.call(Call::new(event, None, &shared)))
}

macro_rules! implement {
    ($($argument:ident),*) => {
        #[allow(non_snake_case, unused_mut, unused_variables)]
        impl<Function, Given, $($argument),*> PacketMiddleware<(Immediate, $($argument,)*)> for Function
        where
            Function: Fn($($argument),*) -> Given + Send + Sync + 'static,
            Given: IntoResult,
            $($argument: FromEvent,)*
        {
            fn call(&self, mut call: Call<'_>) -> Outcome<HandlerResult> {
                $(let $argument = match $argument::from_event(&mut call) {
                    Ok(value) => value,
                    Err(error) => return Outcome::Ready(Err(error.into())),
                };)*
                Outcome::Ready(self($($argument),*).into_result())
            }
        }

        #[allow(non_snake_case, unused_mut, unused_variables)]
        impl<Function, Awaited, $($argument),*> PacketMiddleware<(Deferred, $($argument,)*)> for Function
        where
            Function: Fn($($argument),*) -> Awaited + Send + Sync + 'static,
            Awaited: Future<Output: IntoResult> + 'static,
            $($argument: FromEvent,)*
        {
            fn call(&self, mut call: Call<'_>) -> Outcome<HandlerResult> {
                $(let $argument = match $argument::from_event(&mut call) {
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
