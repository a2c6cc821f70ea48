use std::sync::Arc;

use antiphon_socketio as core;

use super::arity::for_each_arity;
use crate::shared::Shared;
use crate::{Call, FromEvent};

/// A function that sees every event that comes: up to eight extractors for arguments, not async.
///
/// It is not called for events whose arguments are not what it asks for; [`EventArguments`](crate::EventArguments) takes all.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot watch events",
    label = "not an observer",
    note = "an observer is a function of at most eight extractors that gives nothing back and is not async: \
            `|name: EventName, arguments: EventArguments|`"
)]
pub trait Observer<Marker>: Send + Sync + 'static {
    /// Sees an event.
    fn call(&self, call: Call<'_>);
}

/// An observer as the core has it.
pub(crate) fn observer<M, H: Observer<M>>(observer: H, shared: &Arc<Shared>) -> core::AnyHandler {
    let shared = Arc::clone(shared);
    Arc::new(move |event| observer.call(Call::new(event, None, &shared)))
}

macro_rules! implement {
    ($($argument:ident),*) => {
        #[allow(non_snake_case, unused_mut, unused_variables)]
        impl<Function, $($argument),*> Observer<($($argument,)*)> for Function
        where
            Function: Fn($($argument),*) + Send + Sync + 'static,
            $($argument: FromEvent,)*
        {
            fn call(&self, mut call: Call<'_>) {
                $(let Ok($argument) = $argument::from_event(&mut call) else { return };)*
                self($($argument),*);
            }
        }
    };
}

for_each_arity!(implement);
