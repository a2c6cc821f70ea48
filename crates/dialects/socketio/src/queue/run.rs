use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;
use smallvec::SmallVec;

use super::Item;
use crate::handler::{
    AnyHandler, ConnectionHandler, DisconnectHandler, Event, Handler, HandlerError, HandlerResult, Handlers,
    PacketMiddleware, Selected,
};
use crate::{DisconnectReason, Outcome, Socket, rooms};

/// Calls the handlers of one item. They fail for themselves: the next are called all the same.
pub(super) fn run(socket: &Socket, item: Item) -> Outcome<()> {
    match item {
        Item::Event(event) => run_event(socket, event),
        Item::Connected => {
            let handlers = socket.namespace().behaviour().connection();
            let calls = handlers.into_iter().map(|handler| Call::Connected(handler, socket.clone()));
            run_each(socket, calls.collect())
        }
        Item::Disconnected(reason) => run_disconnected(socket, reason),
    }
}

/// A handler, and what it is called with.
enum Call {
    Connected(ConnectionHandler, Socket),
    Event(Handler, Event),
    Disconnected(DisconnectHandler, Socket, DisconnectReason),
}

impl Call {
    fn make(self) -> Outcome<HandlerResult> {
        guard(|| match self {
            Call::Connected(handler, socket) => handler(socket),
            Call::Event(handler, event) => handler(event),
            Call::Disconnected(handler, socket, reason) => handler(socket, reason),
        })
    }
}

fn run_event(socket: &Socket, mut event: Event) -> Outcome<()> {
    let mut plan = Plan::default();
    socket.namespace().behaviour().read(|handlers| plan.add(handlers, &event.name));
    socket.handlers().read(|handlers| plan.take(handlers, &event.name));
    for seer in &plan.any {
        if catch_unwind(AssertUnwindSafe(|| seer(&event))).is_err() {
            report(socket, &panicked());
        }
    }
    if !plan.packets.is_empty() {
        return Outcome::pending(run_guarded(socket.clone(), event, plan));
    }
    let mut handlers = plan.into_handlers();
    match (handlers.pop(), handlers.is_empty()) {
        (None, _) => Outcome::Ready(()),
        (Some(only), true) => settle(socket, Call::Event(only, event).make()),
        (Some(last), false) => {
            let shared = handlers.into_iter().map(|handler| Call::Event(handler, event.share()));
            let mut calls: Vec<Call> = shared.collect();
            calls.push(Call::Event(last, event));
            run_each(socket, calls)
        }
    }
}

/// Who is to be called for one event.
#[derive(Default)]
struct Plan {
    any: Vec<AnyHandler>,
    packets: Vec<PacketMiddleware>,
    handlers: Selected,
    fallback: Option<Handler>,
}

impl Plan {
    fn add(&mut self, handlers: &Handlers, name: &str) {
        handlers.select(name, &mut self.handlers);
        self.add_others(handlers);
    }

    /// As [`Plan::add`]; handlers that are called once are gone.
    fn take(&mut self, handlers: &mut Handlers, name: &str) {
        handlers.take(name, &mut self.handlers);
        self.add_others(handlers);
    }

    fn add_others(&mut self, handlers: &Handlers) {
        self.any.extend_from_slice(&handlers.any);
        self.packets.extend_from_slice(&handlers.packets);
        if self.fallback.is_none() {
            self.fallback.clone_from(&handlers.fallback);
        }
    }

    fn into_handlers(self) -> Selected {
        match self.fallback {
            Some(fallback) if self.handlers.is_empty() => SmallVec::from_iter([fallback]),
            _ => self.handlers,
        }
    }
}

/// Calls the packet middlewares, and the handlers if all of them let the event through.
async fn run_guarded(socket: Socket, mut event: Event, mut plan: Plan) {
    for middleware in std::mem::take(&mut plan.packets) {
        if let Err(error) = finish(guard(|| middleware(&event))).await {
            report(&socket, &error);
            return;
        }
    }
    for handler in plan.into_handlers() {
        let call = Call::Event(handler, event.share());
        settle(&socket, call.make()).wait().await;
    }
}

fn run_disconnected(socket: &Socket, reason: DisconnectReason) -> Outcome<()> {
    let socket = socket.clone();
    Outcome::pending(async move {
        let disconnecting = disconnect_calls(&socket, reason, |handlers| &handlers.disconnecting);
        run_each(&socket, disconnecting).wait().await;
        rooms::forget(&socket);
        let disconnect = disconnect_calls(&socket, reason, |handlers| &handlers.disconnect);
        run_each(&socket, disconnect).wait().await;
        // They often hold the socket that they belong to.
        socket.handlers().clear();
    })
}

fn disconnect_calls(
    socket: &Socket,
    reason: DisconnectReason,
    of: impl Fn(&Handlers) -> &Vec<DisconnectHandler>,
) -> Vec<Call> {
    let mut handlers = socket.namespace().behaviour().read(|handlers| of(handlers).clone());
    handlers.extend(socket.handlers().read(|handlers| of(handlers).clone()).unwrap_or_default());
    handlers.into_iter().map(|handler| Call::Disconnected(handler, socket.clone(), reason)).collect()
}

/// Makes one call after the other, at once as long as they are done at once.
fn run_each(socket: &Socket, calls: Vec<Call>) -> Outcome<()> {
    let mut calls = calls.into_iter();
    while let Some(call) = calls.next() {
        if let Outcome::Pending(rest) = settle(socket, call.make()) {
            let socket = socket.clone();
            return Outcome::pending(async move {
                rest.await;
                for call in calls {
                    settle(&socket, call.make()).wait().await;
                }
            });
        }
    }
    Outcome::Ready(())
}

/// Reports a failure, now or when it comes to it.
fn settle(socket: &Socket, outcome: Outcome<HandlerResult>) -> Outcome<()> {
    match outcome.poll_once_caught() {
        Outcome::Ready(Ok(())) => Outcome::Ready(()),
        Outcome::Ready(Err(error)) => {
            report(socket, &error);
            Outcome::Ready(())
        }
        pending => {
            let socket = socket.clone();
            Outcome::pending(async move {
                if let Err(error) = finish(pending).await {
                    report(&socket, &error);
                }
            })
        }
    }
}

impl Outcome<HandlerResult> {
    /// As [`Outcome::poll_once`]; a panic is a failure.
    fn poll_once_caught(self) -> Outcome<HandlerResult> {
        match self {
            Outcome::Ready(_) => self,
            // What panicked is dropped, and so is seen no more in whatever state it was left.
            Outcome::Pending(_) => catch_unwind(AssertUnwindSafe(|| self.poll_once()))
                .unwrap_or_else(|_| Outcome::Ready(Err(panicked()))),
        }
    }
}

/// Calls a handler. A panic is a failure of that handler alone, not of the worker.
fn guard(handler: impl FnOnce() -> Outcome<HandlerResult>) -> Outcome<HandlerResult> {
    catch_unwind(AssertUnwindSafe(handler)).unwrap_or_else(|_| Outcome::Ready(Err(panicked())))
}

async fn finish(outcome: Outcome<HandlerResult>) -> HandlerResult {
    match outcome {
        Outcome::Ready(result) => result,
        Outcome::Pending(future) => {
            AssertUnwindSafe(future).catch_unwind().await.unwrap_or_else(|_| Err(panicked()))
        }
    }
}

fn panicked() -> HandlerError {
    HandlerError::new("a handler panicked")
}

/// Tells the error handlers, or the log if there are none.
fn report(socket: &Socket, error: &HandlerError) {
    let mut told = socket.namespace().behaviour().read(|handlers| handlers.errors.clone());
    told.extend(socket.handlers().read(|handlers| handlers.errors.clone()).unwrap_or_default());
    if told.is_empty() {
        tracing::warn!(socket = %socket.id(), namespace = socket.namespace().name(), %error, "a handler failed");
    }
    for handler in told {
        if catch_unwind(AssertUnwindSafe(|| handler(socket, error))).is_err() {
            tracing::warn!(socket = %socket.id(), "an error handler panicked");
        }
    }
}
