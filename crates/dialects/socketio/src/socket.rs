mod data;

use std::fmt;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Weak};

use antiphon_access::Caller;
use antiphon_engineio::Transport;
use antiphon_hub::WorkerId;
use antiphon_net::{ClientAddress, Format};
use parking_lot::Mutex;

pub use self::data::{Extensions, SocketData};

use crate::acks::Acks;
use crate::arguments::EventArguments;
use crate::connect::Handshake;
use crate::connection::Connection;
use crate::handler::{
    AnyHandler, DisconnectHandler, ErrorHandler, Handler, OutgoingEvent, OutgoingHandler, PacketMiddleware,
    SocketHandlers, Times,
};
use crate::home::{self, ConnectionKey, Whereabouts};
use crate::queue::Queue;
use crate::recovery::Pid;
use crate::rooms::RoomSet;
use crate::{Disconnect, Io, Namespace, Parser, Version};

/// A client's connection to a namespace. Cheap to clone, and used from any thread.
///
/// It lives on its home worker: what is done there is done at once, from elsewhere it is sent there. Harmless once it is
/// disconnected: nothing happens then.
#[derive(Clone)]
pub struct Socket(Arc<Inner>);

/// A socket for whoever is not to keep it: it may be long until he looks at it.
pub(crate) struct WeakSocket(Weak<Inner>);

impl WeakSocket {
    /// The socket, if anybody has it still.
    pub(crate) fn upgrade(&self) -> Option<Socket> {
        self.0.upgrade().map(Socket)
    }
}

struct Inner {
    id: SocketId,
    namespace: Namespace,
    connection: ConnectionKey,
    version: Version,
    parser: Parser,
    phase: AtomicU8,
    recovered: Recovered,
    handshake: Arc<Handshake>,
    caller: Arc<Caller>,
    address: ClientAddress,
    format: &'static Format,
    /// With connection state recovery only.
    pid: Option<Pid>,
    /// Whether what it could recover is another than what was stored.
    is_changed: AtomicBool,
    rooms: Mutex<RoomSet>,
    queue: Mutex<Queue>,
    acks: Mutex<Acks>,
    handlers: SocketHandlers,
    data: SocketData,
    extensions: Extensions,
}

/// A socket's id: 20 characters, or for clients of protocol version 4 what their library expects.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(Arc<str>);

/// Whether a socket goes on where an earlier one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recovered {
    Yes,
    No,
}

/// What a socket begins with.
pub(crate) struct SocketParts {
    pub(crate) id: SocketId,
    pub(crate) namespace: Namespace,
    pub(crate) connection: ConnectionKey,
    pub(crate) version: Version,
    pub(crate) parser: Parser,
    pub(crate) recovered: Recovered,
    pub(crate) handshake: Arc<Handshake>,
    pub(crate) caller: Arc<Caller>,
    pub(crate) address: ClientAddress,
    pub(crate) format: &'static Format,
    pub(crate) pid: Option<Pid>,
}

/// How far a socket has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    Connecting = 0,
    Connected = 1,
    Disconnected = 2,
}

impl Socket {
    pub(crate) fn downgrade(&self) -> WeakSocket {
        WeakSocket(Arc::downgrade(&self.0))
    }

    pub(crate) fn new(parts: SocketParts) -> Socket {
        Socket(Arc::new(Inner {
            id: parts.id,
            namespace: parts.namespace,
            connection: parts.connection,
            version: parts.version,
            parser: parts.parser,
            phase: AtomicU8::new(Phase::Connecting as u8),
            recovered: parts.recovered,
            handshake: parts.handshake,
            caller: parts.caller,
            address: parts.address,
            format: parts.format,
            pid: parts.pid,
            is_changed: AtomicBool::new(true),
            rooms: Mutex::default(),
            queue: Mutex::default(),
            acks: Mutex::default(),
            handlers: SocketHandlers::default(),
            data: SocketData::default(),
            extensions: Extensions::default(),
        }))
    }

    /// Its id, another in each namespace.
    pub fn id(&self) -> &SocketId {
        &self.0.id
    }

    /// The namespace that it is connected to.
    pub fn namespace(&self) -> &Namespace {
        &self.0.namespace
    }

    /// The server that it is part of.
    pub fn io(&self) -> &Io {
        self.0.namespace.io()
    }

    /// What the client said when it connected.
    pub fn handshake(&self) -> &Arc<Handshake> {
        &self.0.handshake
    }

    /// Who it is, as far as permissions on channels go.
    pub fn caller(&self) -> &Arc<Caller> {
        &self.0.caller
    }

    /// The id of its connection, which its client's other namespaces share.
    pub fn client_id(&self) -> &str {
        self.0.handshake.engine().sid.as_str()
    }

    /// Whether events reach it, and come from it.
    pub fn is_connected(&self) -> bool {
        self.phase() == Phase::Connected
    }

    /// Whether it goes on where an earlier one ended: its id, rooms and data are that one's, and what was missed was sent.
    pub fn recovered(&self) -> bool {
        self.0.recovered == Recovered::Yes
    }

    /// The version of the protocol that its client speaks.
    pub fn version(&self) -> Version {
        self.0.version
    }

    /// The parser that its client uses.
    pub fn parser(&self) -> Parser {
        self.0.parser
    }

    /// The transport that it is reached by at present. Known on its home worker; elsewhere it is the first.
    pub fn transport(&self) -> Transport {
        self.at_home().map_or(self.0.handshake.engine().transport, |connection| connection.transport())
    }

    /// What the application keeps with it as JSON.
    pub fn data(&self) -> &SocketData {
        &self.0.data
    }

    /// What the application keeps with it as values of its own types.
    pub fn extensions(&self) -> &Extensions {
        &self.0.extensions
    }

    /// Adds a handler of an event, besides those of the namespace, which come first.
    pub fn on(&self, event: &str, handler: Handler) {
        self.0.handlers.change(|handlers| handlers.add(event, handler, Times::Every));
    }

    /// Adds a handler that is called for the next such event alone.
    pub fn once(&self, event: &str, handler: Handler) {
        self.0.handlers.change(|handlers| handlers.add(event, handler, Times::Once));
    }

    /// Removes the handlers of an event that were added to this socket.
    pub fn off(&self, event: &str) {
        self.0.handlers.change(|handlers| handlers.remove(event));
    }

    /// Adds who sees every event that comes.
    pub fn on_any(&self, handler: AnyHandler) {
        self.0.handlers.change(|handlers| handlers.any.push(handler));
    }

    /// Adds who sees every event that goes out.
    pub fn on_any_outgoing(&self, handler: OutgoingHandler) {
        self.0.handlers.change(|handlers| handlers.outgoing.push(handler));
        self.0.namespace.behaviour().note_socket_sees_outgoing();
    }

    /// Adds a middleware that each event passes before its handlers.
    pub fn use_(&self, middleware: PacketMiddleware) {
        self.0.handlers.change(|handlers| handlers.packets.push(middleware));
    }

    /// Adds who is told when it is disconnected, while its rooms can be seen still.
    pub fn on_disconnecting(&self, handler: DisconnectHandler) {
        self.0.handlers.change(|handlers| handlers.disconnecting.push(handler));
    }

    /// Adds who is told when it is disconnected.
    pub fn on_disconnect(&self, handler: DisconnectHandler) {
        self.0.handlers.change(|handlers| handlers.disconnect.push(handler));
    }

    /// Adds who is told of failures of handlers and packet middlewares.
    pub fn on_error(&self, handler: ErrorHandler) {
        self.0.handlers.change(|handlers| handlers.errors.push(handler));
    }

    /// Disconnects it.
    pub fn disconnect(&self, what: Disconnect) {
        self.on_home(move |socket, connection| match what {
            Disconnect::Namespace => connection.disconnect(socket),
            Disconnect::Connection => connection.close(),
        });
    }

    /// The worker that it lives on.
    pub fn worker(&self) -> WorkerId {
        self.0.connection.worker()
    }

    /// Its connection, if this is its home worker's thread and the connection lives.
    pub(crate) fn at_home(&self) -> Option<Rc<Connection>> {
        match home::find(self.0.connection) {
            Whereabouts::Here(connection) => Some(connection),
            Whereabouts::Gone | Whereabouts::Elsewhere => None,
        }
    }

    /// Works on its connection: at once at home, later from elsewhere. Does nothing once the connection is gone.
    pub(crate) fn on_home(&self, work: impl FnOnce(&Socket, &Rc<Connection>) + Send + 'static) {
        match home::find(self.0.connection) {
            Whereabouts::Here(connection) => work(self, &connection),
            Whereabouts::Gone => {}
            Whereabouts::Elsewhere => {
                let socket = self.clone();
                self.io().workers().run(self.worker(), move |_| {
                    if let Some(connection) = socket.at_home() {
                        work(&socket, &connection);
                    }
                });
            }
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::Acquire) {
            0 => Phase::Connecting,
            1 => Phase::Connected,
            _ => Phase::Disconnected,
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.0.phase.store(phase as u8, Ordering::Release);
    }

    pub(crate) fn room_set(&self) -> &Mutex<RoomSet> {
        &self.0.rooms
    }

    /// Its connection's session, for any thread.
    pub(crate) fn address(&self) -> ClientAddress {
        self.0.address
    }

    /// How its subscriptions are written; a connection that has changed its transport translates it.
    pub(crate) fn format(&self) -> &'static Format {
        self.0.format
    }

    pub(crate) fn queue(&self) -> &Mutex<Queue> {
        &self.0.queue
    }

    pub(crate) fn acks(&self) -> &Mutex<Acks> {
        &self.0.acks
    }

    pub(crate) fn handlers(&self) -> &SocketHandlers {
        &self.0.handlers
    }

    /// What it could recover is another from here on.
    pub(crate) fn note_changed(&self) {
        self.0.is_changed.store(true, Ordering::Relaxed);
    }

    /// Says whether what it could recover has changed since this was last called.
    pub(crate) fn take_change(&self) -> bool {
        self.0.is_changed.swap(false, Ordering::Relaxed) | self.0.data.take_change()
    }

    pub(crate) fn pid(&self) -> Option<&Pid> {
        self.0.pid.as_ref()
    }

    /// Whether somebody wants to see what goes out to it.
    pub(crate) fn has_outgoing_handlers(&self) -> bool {
        self.0.namespace.behaviour().sees_outgoing()
            || self.0.handlers.read(|handlers| !handlers.outgoing.is_empty()).unwrap_or(false)
    }

    /// Shows an event that goes out to whoever wants to see it.
    pub(crate) fn notify_outgoing(&self, name: &str, arguments: &EventArguments) {
        let mut seers = self.0.namespace.behaviour().read(|handlers| handlers.outgoing.clone());
        seers.extend(self.0.handlers.read(|handlers| handlers.outgoing.clone()).unwrap_or_default());
        for seer in seers {
            seer(self, &OutgoingEvent { name, arguments });
        }
    }
}

impl PartialEq for Socket {
    fn eq(&self, other: &Socket) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Socket {}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Socket({:?} in {})", self.0.id, self.0.namespace.name())
    }
}

impl SocketId {
    pub(crate) fn new(id: &str) -> SocketId {
        SocketId(id.into())
    }

    /// The id as the client has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id, shared.
    pub fn to_shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl Deref for SocketId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    /// What there is for each client: whoever needs more finds a place for it that only those pay who use it.
    #[test]
    fn a_socket_at_rest_is_small() {
        for (what, size, most) in
            [("socket", size_of::<Inner>(), 224), ("connection", size_of::<Connection>(), 112)]
        {
            assert!(size <= most, "{what}: {size} bytes");
        }
    }
}
