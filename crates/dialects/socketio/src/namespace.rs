use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::handler::{
    AnyHandler, Behaviour, ConnectionHandler, DisconnectHandler, ErrorHandler, Handler, Middleware,
    OutgoingHandler, PacketMiddleware, Times,
};
use crate::registry::Registry;
use crate::rooms::RoomIndex;
use crate::server_side::ServerSide;
use crate::{Io, NamespaceName, Socket};

/// A namespace: its handlers, and the sockets that are connected to it. Cheap to clone, and used from any thread.
///
/// Handlers that are added while sockets are connected apply to them as well.
#[derive(Clone)]
pub struct Namespace(Arc<Inner>);

struct Inner {
    name: NamespaceName,
    io: Io,
    origin: Origin,
    behaviour: Arc<Behaviour>,
    sockets: Registry,
    rooms: RoomIndex,
    server_side: ServerSide,
    reach: OnceLock<Reach>,
}

/// How that which is sent to sockets of a namespace finds them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    /// By channels: everyone's, those of rooms, and each socket's own where it is needed. What is sent is a publication, which
    /// other dialects have a part in.
    #[default]
    Channels,
    /// One socket after the other, whatever orgs they are in. What they listen to is what their clients ask for.
    Sockets,
    /// One socket after the other. They are in no org and listen to nothing: who may connect is for the namespace's middlewares
    /// alone to say.
    Apart,
}

/// How a namespace came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The application named it.
    Static,
    /// A client asked for it, and a parent took it.
    Dynamic,
    /// It has no sockets of its own, but children.
    Parent,
}

impl Namespace {
    pub(crate) fn new(io: Io, name: NamespaceName, origin: Origin, behaviour: Arc<Behaviour>) -> Namespace {
        Namespace(Arc::new(Inner {
            name,
            io,
            origin,
            behaviour,
            sockets: Registry::default(),
            rooms: RoomIndex::default(),
            server_side: ServerSide::default(),
            reach: OnceLock::new(),
        }))
    }

    /// Its name, with the `/` that it begins with.
    pub fn name(&self) -> &str {
        self.0.name.as_str()
    }

    /// Its name, as packets have it.
    pub fn wire_name(&self) -> &NamespaceName {
        &self.0.name
    }

    /// The server that it is part of.
    pub fn io(&self) -> &Io {
        &self.0.io
    }

    /// Adds a handler of an event.
    pub fn on(&self, event: &str, handler: Handler) {
        self.0.behaviour.change(|handlers| handlers.add(event, handler, Times::Every));
    }

    /// Removes the handlers of an event.
    pub fn off(&self, event: &str) {
        self.0.behaviour.change(|handlers| handlers.remove(event));
    }

    /// Handles the events that have no handler of their own, in place of who did so before.
    pub fn on_fallback(&self, handler: Handler) {
        self.0.behaviour.change(|handlers| handlers.fallback = Some(handler));
    }

    /// Adds who is told of each socket that is connected. Its events wait until the handler is done.
    pub fn on_connection(&self, handler: ConnectionHandler) {
        self.0.behaviour.add_connection(handler);
    }

    /// Adds who is told of each socket that is disconnected, while its rooms can be seen still.
    pub fn on_disconnecting(&self, handler: DisconnectHandler) {
        self.0.behaviour.change(|handlers| handlers.disconnecting.push(handler));
    }

    /// Adds who is told of each socket that is disconnected.
    pub fn on_disconnect(&self, handler: DisconnectHandler) {
        self.0.behaviour.change(|handlers| handlers.disconnect.push(handler));
    }

    /// Adds who sees every event that comes, before packet middlewares and handlers.
    pub fn on_any(&self, handler: AnyHandler) {
        self.0.behaviour.change(|handlers| handlers.any.push(handler));
    }

    /// Adds who sees every event that goes out.
    pub fn on_any_outgoing(&self, handler: OutgoingHandler) {
        self.0.behaviour.change(|handlers| handlers.outgoing.push(handler));
    }

    /// Adds who is told of failures of handlers and packet middlewares.
    pub fn on_error(&self, handler: ErrorHandler) {
        self.0.behaviour.change(|handlers| handlers.errors.push(handler));
    }

    /// Adds a middleware: who may connect. They are asked in the order in which they were added, until one refuses.
    pub fn use_(&self, middleware: Middleware) {
        self.0.behaviour.add_middleware(middleware);
    }

    /// Adds a middleware that each event passes before its handlers.
    pub fn use_packet(&self, middleware: PacketMiddleware) {
        self.0.behaviour.change(|handlers| handlers.packets.push(middleware));
    }

    /// A socket of this process by its id.
    pub fn socket(&self, id: &str) -> Option<Socket> {
        self.0.sockets.find(id)
    }

    /// The sockets of this process that are connected.
    pub fn sockets(&self) -> Vec<Socket> {
        self.0.sockets.all()
    }

    /// How many sockets of this process are connected.
    pub fn socket_count(&self) -> usize {
        self.0.sockets.len()
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.sockets
    }

    pub(crate) fn server_side(&self) -> &ServerSide {
        &self.0.server_side
    }

    pub(crate) fn room_index(&self) -> &RoomIndex {
        &self.0.rooms
    }

    pub(crate) fn behaviour(&self) -> &Arc<Behaviour> {
        &self.0.behaviour
    }

    pub(crate) fn origin(&self) -> Origin {
        self.0.origin
    }

    /// How its sockets are reached from here on. To be said before there are any; the first word counts.
    pub(crate) fn set_reach(&self, reach: Reach) {
        let _ = self.0.reach.set(reach);
    }

    pub(crate) fn reach(&self) -> Reach {
        self.0.reach.get().copied().unwrap_or_default()
    }
}

impl PartialEq for Namespace {
    fn eq(&self, other: &Namespace) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Namespace {}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namespace({})", self.name())
    }
}
