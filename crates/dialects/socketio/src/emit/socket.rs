use std::rc::Rc;
use std::time::Duration;

use antiphon_engineio::SendOptions;
use antiphon_model::{Compress, Payload};
use serde::Serialize;

use super::{Emission, EmitError, Flags};
use crate::acks::AckReply;
use crate::arguments::EventArguments;
use crate::connection::Connection;
use crate::formats::{EventPacket, Tail};
use crate::rooms::{Rooms, keeps_own, own_channel};
use crate::wire::packet::AckId;
use crate::{BroadcastOperator, Socket};

/// Sends events to one socket, in a way that was chosen before.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `emit` is called"]
pub struct SocketOperator {
    socket: Socket,
    flags: Flags,
}

impl Socket {
    /// Sends an event to the client. A tuple is several arguments, `()` none, everything else is one.
    ///
    /// # Errors
    /// The name is reserved, the arguments have no form on the wire, or the socket is disconnected.
    pub fn emit(&self, event: &str, arguments: impl Serialize) -> Result<(), EmitError> {
        self.with(Flags::default()).emit(event, arguments)
    }

    /// Sends an event and awaits the client's acknowledgement, for as long as the settings say.
    ///
    /// # Errors
    /// As [`Socket::emit`].
    pub fn emit_with_ack(&self, event: &str, arguments: impl Serialize) -> Result<AckReply, EmitError> {
        self.with(Flags::default()).emit_with_ack(event, arguments)
    }

    /// What is sent next is dropped if the client does not take it at once.
    pub fn volatile(&self) -> SocketOperator {
        self.with(Flags::default()).volatile()
    }

    /// Whether what is sent next may be compressed.
    pub fn compress(&self, compress: Compress) -> SocketOperator {
        self.with(Flags::default()).compress(compress)
    }

    /// How long an acknowledgement of what is sent next is awaited.
    pub fn timeout(&self, timeout: Duration) -> SocketOperator {
        self.with(Flags::default()).timeout(timeout)
    }

    /// What is sent next goes to everyone in the namespace but this socket.
    pub fn broadcast(&self) -> BroadcastOperator {
        BroadcastOperator::but(self)
    }

    /// What is sent next goes to rooms, but not to this socket.
    pub fn to(&self, rooms: impl Rooms) -> BroadcastOperator {
        self.broadcast().to(rooms)
    }

    /// As [`Socket::to`].
    pub fn in_(&self, rooms: impl Rooms) -> BroadcastOperator {
        self.to(rooms)
    }

    /// What is sent next goes to everyone in the namespace but this socket and those who are in these rooms.
    pub fn except(&self, rooms: impl Rooms) -> BroadcastOperator {
        self.broadcast().except(rooms)
    }

    /// What is sent next goes to everyone in the namespace but this socket, in this process only.
    pub fn local(&self) -> BroadcastOperator {
        self.broadcast().local()
    }

    fn with(&self, flags: Flags) -> SocketOperator {
        SocketOperator { socket: self.clone(), flags }
    }
}

impl SocketOperator {
    /// The event is dropped if the client does not take it at once.
    pub fn volatile(mut self) -> SocketOperator {
        self.flags.volatile = true;
        self
    }

    /// Whether the event may be compressed.
    pub fn compress(mut self, compress: Compress) -> SocketOperator {
        self.flags.compress = compress;
        self
    }

    /// How long an acknowledgement is awaited.
    pub fn timeout(mut self, timeout: Duration) -> SocketOperator {
        self.flags.timeout = Some(timeout);
        self
    }

    /// Sends an event.
    ///
    /// # Errors
    /// As [`Socket::emit`].
    pub fn emit(&self, event: &str, arguments: impl Serialize) -> Result<(), EmitError> {
        let emission = Emission::new(event, arguments, self.flags)?;
        emission.send_to(&self.socket)
    }

    /// Sends an event and awaits its acknowledgement.
    ///
    /// # Errors
    /// As [`Socket::emit`]. What becomes of the event after that is told by the reply.
    pub fn emit_with_ack(&self, event: &str, arguments: impl Serialize) -> Result<AckReply, EmitError> {
        let emission = Emission::new(event, arguments, self.flags)?;
        emission.call(&self.socket)
    }

    /// What is sent goes to everyone in the namespace but this socket.
    pub fn broadcast(self) -> BroadcastOperator {
        BroadcastOperator::but(&self.socket).with_flags(self.flags)
    }

    /// What is sent goes to rooms, but not to this socket.
    pub fn to(self, rooms: impl Rooms) -> BroadcastOperator {
        self.broadcast().to(rooms)
    }
}

impl Emission {
    /// Sends it to one socket.
    pub(crate) fn send_to(self, socket: &Socket) -> Result<(), EmitError> {
        if !socket.is_connected() {
            return Err(EmitError::Disconnected);
        }
        self.show(socket);
        // With connection state recovery, a client that comes back gets what was sent to it meanwhile.
        if keeps_own(socket) && !self.flags.volatile {
            let draft = self.draft(own_channel(socket)?);
            socket.io().node().publish(socket.io().server(), draft, || Box::new(|_| {}))?;
            return Ok(());
        }
        socket.on_home(move |socket, connection| self.write(socket, connection, None));
        Ok(())
    }

    /// Sends it to one socket, which is to acknowledge it.
    pub(crate) fn call(self, socket: &Socket) -> Result<AckReply, EmitError> {
        if !socket.is_connected() {
            return Err(EmitError::Disconnected);
        }
        self.show(socket);
        let timeout = self.flags.timeout.unwrap_or_else(|| socket.io().settings().ack_timeout());
        Ok(socket.call(Some(timeout), move |socket, connection, id| self.write(socket, connection, Some(id))))
    }

    fn write(&self, socket: &Socket, connection: &Rc<Connection>, ack: Option<AckId>) {
        if !socket.is_connected() {
            return;
        }
        let Flags { volatile, compress, .. } = self.flags;
        let recovers = socket.pid().is_some() && ack.is_none();
        let packet = EventPacket {
            namespace: socket.namespace().name(),
            ack,
            names: &[&self.name],
            payload: &self.payload,
            tail: if recovers { Tail::behind(&self.payload) } else { Tail::Nothing },
        };
        packet.send(connection.link(), connection.parser(), SendOptions { volatile, compress });
    }

    /// Shows it to whoever wants to see what goes out to a socket.
    pub(crate) fn show(&self, socket: &Socket) {
        if socket.has_outgoing_handlers() {
            show(socket, &self.name, &self.payload);
        }
    }
}

fn show(socket: &Socket, name: &str, payload: &Payload) {
    socket.notify_outgoing(name, &EventArguments::of_payload(payload));
}
