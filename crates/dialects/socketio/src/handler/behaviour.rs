use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use smallvec::SmallVec;

use super::{
    AnyHandler, ConnectionHandler, DisconnectHandler, ErrorHandler, Handler, Middleware, OutgoingHandler,
    PacketMiddleware,
};

/// What applies to the sockets of a namespace. A dynamic namespace shares its parent's.
#[derive(Default)]
pub(crate) struct Behaviour {
    handlers: RwLock<Handlers>,
    gate: RwLock<Gate>,
    sees_outgoing: AtomicBool,
    /// Whether some socket sees what goes out to it, or once did.
    sockets_see_outgoing: AtomicBool,
}

/// What stands before a socket is connected, and at that moment.
#[derive(Clone, Default)]
struct Gate {
    middlewares: Vec<Middleware>,
    connection: Vec<ConnectionHandler>,
}

impl Behaviour {
    pub(crate) fn add_middleware(&self, middleware: Middleware) {
        self.gate.write().middlewares.push(middleware);
    }

    pub(crate) fn add_connection(&self, handler: ConnectionHandler) {
        self.gate.write().connection.push(handler);
    }

    pub(crate) fn middlewares(&self) -> Vec<Middleware> {
        self.gate.read().middlewares.clone()
    }

    pub(crate) fn connection(&self) -> Vec<ConnectionHandler> {
        self.gate.read().connection.clone()
    }

    pub(crate) fn read<R>(&self, read: impl FnOnce(&Handlers) -> R) -> R {
        read(&self.handlers.read())
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Handlers)) {
        let mut handlers = self.handlers.write();
        change(&mut handlers);
        self.sees_outgoing.store(!handlers.outgoing.is_empty(), Ordering::Relaxed);
    }

    /// A socket begins to see what goes out to it.
    pub(crate) fn note_socket_sees_outgoing(&self) {
        self.sockets_see_outgoing.store(true, Ordering::Relaxed);
    }

    /// Whether anybody may see what goes out to several sockets.
    pub(crate) fn may_see_outgoing(&self) -> bool {
        self.sees_outgoing() || self.sockets_see_outgoing.load(Ordering::Relaxed)
    }

    pub(crate) fn sees_outgoing(&self) -> bool {
        self.sees_outgoing.load(Ordering::Relaxed)
    }
}

/// What applies to one socket besides. A pointer until something does.
#[derive(Default)]
pub(crate) struct SocketHandlers(Mutex<Option<Box<Handlers>>>);

impl SocketHandlers {
    /// Nothing if there are none.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&mut Handlers) -> R) -> Option<R> {
        self.0.lock().as_mut().map(|handlers| read(handlers))
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Handlers)) {
        change(self.0.lock().get_or_insert_default());
    }

    /// Drops all of them.
    pub(crate) fn clear(&self) {
        let handlers = self.0.lock().take();
        drop(handlers);
    }
}

/// Functions by what they are for, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Handlers {
    /// Looked up with each event, by names that the application has chosen.
    events: HashMap<Box<str>, SmallVec<[Entry; 1]>, foldhash::fast::RandomState>,
    pub(crate) fallback: Option<Handler>,
    pub(crate) any: Vec<AnyHandler>,
    pub(crate) outgoing: Vec<OutgoingHandler>,
    pub(crate) packets: Vec<PacketMiddleware>,
    pub(crate) disconnecting: Vec<DisconnectHandler>,
    pub(crate) disconnect: Vec<DisconnectHandler>,
    pub(crate) errors: Vec<ErrorHandler>,
}

struct Entry {
    handler: Handler,
    times: Times,
}

/// How often a handler is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    Every,
    Once,
}

/// What handles one event. Mostly one.
pub(crate) type Selected = SmallVec<[Handler; 2]>;

impl Handlers {
    pub(crate) fn add(&mut self, name: &str, handler: Handler, times: Times) {
        self.events.entry(name.into()).or_default().push(Entry { handler, times });
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.events.remove(name);
    }

    /// Adds the handlers of an event.
    pub(crate) fn select(&self, name: &str, selected: &mut Selected) {
        if let Some(entries) = self.events.get(name) {
            selected.extend(entries.iter().map(|entry| entry.handler.clone()));
        }
    }

    /// As [`Handlers::select`]; those that are called once are gone.
    pub(crate) fn take(&mut self, name: &str, selected: &mut Selected) {
        self.select(name, selected);
        if let Some(entries) = self.events.get_mut(name) {
            entries.retain(|entry| entry.times == Times::Every);
            if entries.is_empty() {
                self.events.remove(name);
            }
        }
    }
}
