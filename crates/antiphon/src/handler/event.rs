use std::future::Future;
use std::sync::Arc;

use antiphon_socketio as core;
use antiphon_socketio::{HandlerResult, Outcome};

use super::arity::for_each_arity;
use super::{Deferred, Immediate};
use crate::shared::Shared;
use crate::{Call, ExtractError, FromEvent, IntoReply};

/// A function that handles an event: up to eight extractors for arguments, async or not.
///
/// See [`FromEvent`] for what it may ask for, and [`IntoReply`] for what it may give back. It runs on the worker thread that the
/// socket lives on, and so does its future, which needs not be `Send`. What takes long in it without awaiting holds up
/// everybody else on that thread: leave that to `tokio::task::spawn_blocking`. The events of one socket are handled one after
/// another, in the order in which they came.
///
/// What is no extractor is refused by the compiler:
///
/// ```compile_fail
/// # let io = antiphon::Io::new();
/// io.root().on("say", |text: String| println!("{text}"));
/// ```
///
/// It has to be `Data<String>`:
///
/// ```
/// # use antiphon::Data;
/// # let io = antiphon::Io::new();
/// io.root().on("say", |Data(text): Data<String>| println!("{text}"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot handle an event",
    label = "not a handler",
    note = "a handler is a function of at most eight extractors: `|socket: Socket, Data(text): Data<String>, ack: Ack|`",
    note = "every argument needs its type written out: one of the extractors, or `Data<T>` where `T` implements `Deserialize`",
    note = "it gives back `()`, a value (one of your own types as `Data(value)`, where it implements `Serialize`), a `Result` of these \
            whose error implements `Display`, or a future of one"
)]
pub trait EventHandler<Marker>: Send + Sync + 'static {
    /// Handles an event.
    fn call(&self, call: Call<'_>) -> Outcome<HandlerResult>;
}

/// A handler as the core has it.
pub(crate) fn event_handler<M, H: EventHandler<M>>(handler: H, shared: &Arc<Shared>) -> core::Handler {
    let shared = Arc::clone(shared);
    Arc::new(move |mut event| {
        let ack = event.ack.take();
        handler.call(Call::new(&event, ack, &shared))
    })
}

fn refuse(call: Call<'_>, error: ExtractError) -> Outcome<HandlerResult> {
    call.into_reply().fail(&error.public());
    Outcome::Ready(Err(error.into()))
}

macro_rules! implement {
    ($($argument:ident),*) => {
        #[allow(non_snake_case, unused_mut)]
        impl<Function, Given, $($argument),*> EventHandler<(Immediate, $($argument,)*)> for Function
        where
            Function: Fn($($argument),*) -> Given + Send + Sync + 'static,
            Given: IntoReply,
            $($argument: FromEvent,)*
        {
            fn call(&self, mut call: Call<'_>) -> Outcome<HandlerResult> {
                $(let $argument = match $argument::from_event(&mut call) {
                    Ok(value) => value,
                    Err(error) => return refuse(call, error),
                };)*
                let reply = call.into_reply();
                Outcome::Ready(self($($argument),*).reply(reply))
            }
        }

        #[allow(non_snake_case, unused_mut)]
        impl<Function, Awaited, $($argument),*> EventHandler<(Deferred, $($argument,)*)> for Function
        where
            Function: Fn($($argument),*) -> Awaited + Send + Sync + 'static,
            Awaited: Future<Output: IntoReply> + 'static,
            $($argument: FromEvent,)*
        {
            fn call(&self, mut call: Call<'_>) -> Outcome<HandlerResult> {
                $(let $argument = match $argument::from_event(&mut call) {
                    Ok(value) => value,
                    Err(error) => return refuse(call, error),
                };)*
                let reply = call.into_reply();
                let future = self($($argument),*);
                Outcome::pending(async move { future.await.reply(reply) })
            }
        }
    };
}

for_each_arity!(implement);
