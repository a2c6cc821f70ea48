//! One client of the transport below, with its sockets in the namespaces that it asked for.

mod route;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use antiphon_engineio::{CloseMode, Data, Link, SendOptions, Text, Transport};
use antiphon_net::Client;
use bytes::Bytes;
use smallvec::SmallVec;

pub(crate) use self::route::Talk;

use crate::home::{self, ConnectionKey};
use crate::io::Seat;
use crate::namespace::Reach;
use crate::socket::Phase;
use crate::timers;
use crate::{
    Body, DisconnectReason, Io, Message, NamespaceName, Packet, Parser, Socket, Version, acks, ascii, emit,
    msgpack, queue, rooms,
};

/// A client's connection, on its home worker's thread. Nothing of it is borrowed while an application's code runs.
pub(crate) struct Connection {
    key: ConnectionKey,
    io: Io,
    link: Link,
    version: Version,
    /// What it is reached by, also when it is gone.
    transport: Cell<Transport>,
    has_ended: Cell<bool>,
    members: RefCell<SmallVec<[Member; 1]>>,
    /// Namespaces that the client is on its way into, or was put out of.
    others: RefCell<Vec<(NamespaceName, Standing)>>,
}

/// A socket, and its place in the namespace.
struct Member {
    socket: Socket,
    _seat: Seat,
}

/// How a client stands to a namespace that it is not connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It asked for it.
    Connecting,
    /// The server disconnected it. What the client sent before it knew is dropped.
    PutOut,
}

impl Connection {
    /// Begins a connection on this thread, which is its home from here on.
    pub(crate) fn open(io: Io, link: Link, version: Version) -> Rc<Connection> {
        let transport = link.handshake().transport;
        io.count_in(transport);
        io.observe(|observer| observer.connection_opened());
        let timeout = io.settings().connect_timeout();
        let connection = home::insert(link.worker().id(), |key| {
            Rc::new(Connection {
                key,
                io,
                link,
                version,
                transport: Cell::new(transport),
                has_ended: Cell::new(false),
                members: RefCell::default(),
                others: RefCell::default(),
            })
        });
        timers::connect_by(tokio::time::Instant::now() + timeout, connection.key);
        connection
    }

    pub(crate) fn key(&self) -> ConnectionKey {
        self.key
    }

    pub(crate) fn io(&self) -> &Io {
        &self.io
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    pub(crate) fn client(&self) -> Client {
        self.link.client()
    }

    pub(crate) fn transport(&self) -> Transport {
        self.transport.get()
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn parser(&self) -> Parser {
        self.io.settings().parser
    }

    /// Whether nothing is taken from the client any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.get()
    }

    /// Whether a socket of its is somebody: else the client may be whoever it says next.
    pub(crate) fn has_caller(&self) -> bool {
        self.members.borrow().iter().any(|member| member.socket.namespace().reach() != Reach::Apart)
    }

    /// Sends a packet with its attachments, behind what was sent before.
    pub(crate) fn send_packet(&self, packet: &Packet, attachments: &[Bytes]) {
        let options = SendOptions::default();
        // What a client that is gone or does not read is not sent is the transport's business.
        let _ = match self.parser() {
            Parser::Default if attachments.is_empty() => {
                self.link.send_text(options, |out| self.text(packet, out))
            }
            Parser::Default => {
                let mut text = Vec::new();
                self.text(packet, &mut text);
                let text = Text::from_utf8(text.into()).unwrap_or_default();
                let attachments = attachments.iter().cloned().map(Data::Binary);
                let messages: Vec<_> = std::iter::once(Data::Text(text)).chain(attachments).collect();
                self.link.send_all(&messages, options)
            }
            Parser::Msgpack => {
                let message = Message { packet: packet.clone(), attachments: attachments.to_vec() };
                match msgpack::encode(&message) {
                    Ok(bytes) => self.link.send_binary(&bytes, options),
                    Err(error) => return tracing::warn!(%error, "a packet has no form in MessagePack"),
                }
            }
        };
    }

    /// A packet as the default parser reads it.
    fn text(&self, packet: &Packet, out: &mut Vec<u8>) {
        let json = packet.encode_into(self.version, out);
        ascii::escape(self.link.encoding(), out, json);
    }

    /// Lets a socket in.
    pub(crate) fn add(&self, socket: Socket, seat: Seat) {
        self.members.borrow_mut().push(Member { socket, _seat: seat });
    }

    pub(crate) fn note_connecting(&self, name: NamespaceName) {
        let mut others = self.others.borrow_mut();
        others.retain(|(other, _)| *other != name);
        others.push((name, Standing::Connecting));
    }

    pub(crate) fn note_not_connecting(&self, name: &NamespaceName) {
        let mut others = self.others.borrow_mut();
        others.retain(|(other, standing)| other != name || *standing != Standing::Connecting);
        if others.is_empty() {
            others.shrink_to_fit();
        }
    }

    fn socket(&self, name: &NamespaceName) -> Option<Socket> {
        let members = self.members.borrow();
        let found = members.iter().find(|member| member.socket.namespace().wire_name() == name);
        found.map(|member| member.socket.clone())
    }

    /// Its sockets that are connected.
    pub(crate) fn sockets(&self) -> SmallVec<[Socket; 4]> {
        self.members.borrow().iter().map(|member| member.socket.clone()).collect()
    }

    /// Disconnects one socket. The client is told.
    pub(crate) fn disconnect(self: &Rc<Self>, socket: &Socket) {
        if !socket.is_connected() {
            return;
        }
        self.tell_disconnected(socket);
        let mut others = self.others.borrow_mut();
        if others.len() < self.io.settings().namespaces_per_connection_max {
            others.push((socket.namespace().wire_name().clone(), Standing::PutOut));
        }
        drop(others);
        self.end(socket, DisconnectReason::ServerNamespaceDisconnect);
    }

    fn tell_disconnected(&self, socket: &Socket) {
        let namespace = socket.namespace().wire_name().clone();
        self.send_packet(&Packet { namespace, body: Body::Disconnect }, &[]);
    }

    /// Disconnects every socket, and closes the connection. The client is told.
    pub(crate) fn close(self: &Rc<Self>) {
        for socket in self.sockets() {
            self.tell_disconnected(&socket);
        }
        self.fail(DisconnectReason::ServerNamespaceDisconnect);
    }

    /// Ends it because the server is about to stop. Clients are not told, so that they come back by themselves.
    pub(crate) fn shut_down(self: &Rc<Self>) {
        self.end_with(DisconnectReason::ServerShuttingDown, CloseMode::ShutDown);
    }

    /// Ends every socket for this reason, and closes the connection.
    pub(crate) fn fail(self: &Rc<Self>, reason: DisconnectReason) {
        self.end_with(reason, CloseMode::Orderly);
    }

    fn end_with(self: &Rc<Self>, reason: DisconnectReason, mode: CloseMode) {
        if self.has_ended.replace(true) {
            return;
        }
        self.end_all(reason);
        self.link.close(mode);
    }

    /// The connection is gone.
    pub(crate) fn handle_closed(self: &Rc<Self>, reason: DisconnectReason) {
        self.has_ended.set(true);
        self.end_all(reason);
        home::remove(self.key);
        self.io.count_out(self.transport.get());
        self.io.observe(|observer| observer.connection_closed(reason));
    }

    /// The connection has gone over to WebSocket.
    pub(crate) fn handle_upgraded(&self) {
        if self.transport.replace(Transport::WebSocket) == Transport::Polling {
            self.io.count_upgraded();
        }
        for socket in self.sockets() {
            self.io.observe(|observer| observer.upgraded(socket.namespace(), socket.id()));
        }
    }

    /// Whether its client has yet to ask for a namespace, or to be let in.
    pub(crate) fn is_awaited(&self) -> bool {
        self.members.borrow().is_empty() && !self.has_ended.get()
    }

    /// The client had its time to ask for a namespace.
    pub(crate) fn handle_connect_timeout(self: &Rc<Self>) {
        if self.members.borrow().is_empty() {
            self.fail(DisconnectReason::ForcedServerClose);
        }
    }

    fn end_all(self: &Rc<Self>, reason: DisconnectReason) {
        for socket in self.sockets() {
            self.end(&socket, reason);
        }
    }

    /// Ends one socket: nothing comes from it any more, and nothing is sent to it.
    pub(crate) fn end(self: &Rc<Self>, socket: &Socket, reason: DisconnectReason) {
        if socket.phase() != Phase::Connected {
            return;
        }
        socket.enter(Phase::Disconnected);
        let removed = {
            let mut members = self.members.borrow_mut();
            let at = members.iter().position(|member| member.socket == *socket);
            at.map(|at| members.remove(at))
        };
        socket.namespace().registry().remove(socket);
        match self.io.recovery() {
            Some(recovery) if reason.is_recoverable() => recovery.keep(socket),
            Some(recovery) => recovery.forget(socket),
            None => {}
        }
        rooms::unlisten_all(socket, self);
        drop(removed);
        acks::handle_disconnected(socket);
        emit::handle_disconnected(socket);
        queue::handle_disconnected(socket, self, reason);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({:?})", self.key)
    }
}
