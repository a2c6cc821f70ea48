use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use antiphon_model::{Compress, Draft};
use serde::Serialize;

use crate::connect::Handshake;
use crate::emit::{BroadcastAcks, Emission, EmitError, Flags, Route, Targets};
use crate::rooms::{JoinError, Rooms};
use crate::{Disconnect, Io, Namespace, Socket, SocketId};

/// Sends events to several sockets of a namespace, and changes them together: to everyone, or to who is in one of some rooms.
///
/// Each call narrows down or widens whom it means and gives back the operator, to be called once more: rooms of [`to`] add up,
/// rooms of [`except`] are left out, whatever else was said. Nobody gets an event twice.
///
/// [`to`]: BroadcastOperator::to
/// [`except`]: BroadcastOperator::except
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `emit` or another command is called"]
pub struct BroadcastOperator {
    namespace: Namespace,
    targets: Targets,
    flags: Flags,
}

/// A socket as [`BroadcastOperator::fetch_sockets`] found it.
#[derive(Clone, Debug)]
pub struct RemoteSocket {
    /// Its id.
    pub id: SocketId,
    /// What its client said when it connected.
    pub handshake: Arc<Handshake>,
    /// The rooms that it was in, its own included.
    pub rooms: Vec<Arc<str>>,
    /// What the application kept with it, a JSON object.
    pub data: String,
    namespace: Namespace,
}

impl BroadcastOperator {
    pub(crate) fn new(namespace: &Namespace) -> BroadcastOperator {
        BroadcastOperator {
            namespace: namespace.clone(),
            targets: Targets::default(),
            flags: Flags::default(),
        }
    }

    /// Everyone but a socket.
    pub(crate) fn but(socket: &Socket) -> BroadcastOperator {
        let operator = BroadcastOperator::new(socket.namespace());
        BroadcastOperator { targets: Targets::but(socket.clone()), ..operator }
    }

    pub(crate) fn with_flags(self, flags: Flags) -> BroadcastOperator {
        BroadcastOperator { flags, ..self }
    }

    /// Means who is in one of these rooms, and in those of earlier calls. Without a room, everyone in the namespace is meant.
    pub fn to(mut self, rooms: impl Rooms) -> BroadcastOperator {
        self.targets.to(rooms.into_rooms());
        self
    }

    /// As [`BroadcastOperator::to`].
    pub fn in_(self, rooms: impl Rooms) -> BroadcastOperator {
        self.to(rooms)
    }

    /// Leaves out who is in one of these rooms.
    pub fn except(mut self, rooms: impl Rooms) -> BroadcastOperator {
        self.targets.except(rooms.into_rooms());
        self
    }

    /// Means sockets of this process only, which are all that there are as long as processes are not joined to a cluster.
    pub fn local(mut self) -> BroadcastOperator {
        self.flags.local = true;
        self
    }

    /// The event is dropped for clients that do not take it at once.
    pub fn volatile(mut self) -> BroadcastOperator {
        self.flags.volatile = true;
        self
    }

    /// Whether the event may be compressed.
    pub fn compress(mut self, compress: Compress) -> BroadcastOperator {
        self.flags.compress = compress;
        self
    }

    /// How long acknowledgements are awaited.
    pub fn timeout(mut self, timeout: Duration) -> BroadcastOperator {
        self.flags.timeout = Some(timeout);
        self
    }

    /// Sends an event. A tuple is several arguments, `()` none, everything else is one.
    ///
    /// # Errors
    /// The name is reserved, the arguments have no form on the wire, a room's name is invalid, or it cannot be published.
    pub fn emit(&self, event: &str, arguments: impl Serialize) -> Result<(), EmitError> {
        let emission = Emission::new(event, arguments, self.flags)?;
        let io = self.io()?;
        match Route::of(&emission, &self.targets, &self.namespace)? {
            Route::Nowhere => Ok(()),
            Route::Direct(socket) => emission.send_to(&socket).or_else(allow_gone),
            Route::Each(sockets) => {
                let mut each = sockets.iter();
                each.try_for_each(|socket| emission.clone().send_to(socket).or_else(allow_gone))
            }
            Route::Publish(drafts) => {
                self.show(&emission);
                publish(io, drafts)
            }
        }
    }

    /// Sends an event, and collects the acknowledgements of all sockets that get it. They are awaited for as long as
    /// [`BroadcastOperator::timeout`] or the settings say.
    ///
    /// # Errors
    /// As [`BroadcastOperator::emit`].
    pub fn emit_with_ack(&self, event: &str, arguments: impl Serialize) -> Result<BroadcastAcks, EmitError> {
        let emission = Emission::new(event, arguments, self.flags)?;
        let io = self.io()?;
        match Route::of(&emission, &self.targets, &self.namespace)? {
            Route::Nowhere => Ok(BroadcastAcks::of_nobody()),
            Route::Direct(socket) => match emission.call(&socket) {
                Ok(reply) => Ok(BroadcastAcks::of_one(&socket, reply)),
                Err(error) => allow_gone(error).map(|()| BroadcastAcks::of_nobody()),
            },
            Route::Each(sockets) => {
                let called = sockets.iter().filter_map(|socket| match emission.clone().call(socket) {
                    Ok(reply) => Some(Ok((socket.id().clone(), reply))),
                    Err(error) => allow_gone(error).err().map(Err),
                });
                Ok(BroadcastAcks::of_each(called.collect::<Result<_, EmitError>>()?))
            }
            Route::Publish(drafts) => {
                self.show(&emission);
                let awaited: HashSet<SocketId> =
                    self.sockets().iter().map(|socket| socket.id().clone()).collect();
                let timeout = self.flags.timeout.unwrap_or_else(|| io.settings().ack_timeout());
                Ok(BroadcastAcks::publish(io, drafts, awaited, timeout)?)
            }
        }
    }

    /// The sockets of this process that are meant at this moment.
    pub fn sockets(&self) -> Vec<Socket> {
        self.targets.select(&self.namespace)
    }

    /// How many sockets of this process are meant at this moment.
    pub fn count(&self) -> usize {
        self.sockets().len()
    }

    /// The sockets that are meant at this moment, with what is known of them.
    pub async fn fetch_sockets(&self) -> Vec<RemoteSocket> {
        self.sockets().iter().map(RemoteSocket::of).collect()
    }

    /// Has all sockets that are meant join rooms. They get what is sent there by whoever sends after this call.
    ///
    /// # Errors
    /// A room's name is invalid, or a socket is in as many rooms as it may be; the others join all the same. The first error is
    /// told.
    pub fn sockets_join(&self, rooms: impl Rooms) -> Result<(), JoinError> {
        let rooms = rooms.into_rooms();
        let joined = self.sockets().into_iter().map(|socket| match socket.join(&rooms[..]) {
            // Whoever is gone meanwhile is in no rooms.
            Err(JoinError::Disconnected) => Ok(()),
            joined => joined,
        });
        // All of them, whatever becomes of the first.
        joined.fold(Ok(()), Result::and)
    }

    /// Has all sockets that are meant leave rooms.
    pub fn sockets_leave(&self, rooms: impl Rooms) {
        let rooms = rooms.into_rooms();
        self.sockets().iter().for_each(|socket| socket.leave(&rooms[..]));
    }

    /// Disconnects all sockets that are meant.
    pub fn disconnect_sockets(&self, what: Disconnect) {
        self.sockets().iter().for_each(|socket| socket.disconnect(what));
    }

    fn io(&self) -> Result<&Io, EmitError> {
        Some(self.namespace.io()).filter(|io| io.is_installed()).ok_or(EmitError::NotInstalled)
    }

    /// Shows the event to whoever wants to see what goes out to a socket.
    fn show(&self, emission: &Emission) {
        if self.namespace.behaviour().may_see_outgoing() {
            let emission = Arc::new(emission.clone());
            for socket in self.sockets().into_iter().filter(Socket::has_outgoing_handlers) {
                let emission = Arc::clone(&emission);
                socket.on_home(move |socket, _| emission.show(socket));
            }
        }
    }
}

/// A socket that has gone meanwhile is nobody.
fn allow_gone(error: EmitError) -> Result<(), EmitError> {
    if matches!(error, EmitError::Disconnected) { Ok(()) } else { Err(error) }
}

fn publish(io: &Io, mut drafts: Vec<Draft>) -> Result<(), EmitError> {
    let (node, server) = (io.node(), io.server());
    // Whether the store takes it is not waited for.
    if drafts.len() > 1 {
        node.publish_all(server, drafts, || Box::new(|_| {}))?;
    } else if let Some(draft) = drafts.pop() {
        node.publish(server, draft, || Box::new(|_| {}))?;
    }
    Ok(())
}

impl RemoteSocket {
    fn of(socket: &Socket) -> RemoteSocket {
        RemoteSocket {
            id: socket.id().clone(),
            handshake: Arc::clone(socket.handshake()),
            rooms: socket.rooms(),
            data: socket.data().to_json(),
            namespace: socket.namespace().clone(),
        }
    }

    /// Sends an event to it.
    ///
    /// # Errors
    /// As [`BroadcastOperator::emit`].
    pub fn emit(&self, event: &str, arguments: impl Serialize) -> Result<(), EmitError> {
        self.operator().emit(event, arguments)
    }

    /// Has it join rooms.
    ///
    /// # Errors
    /// As [`BroadcastOperator::sockets_join`].
    pub fn join(&self, rooms: impl Rooms) -> Result<(), JoinError> {
        self.operator().sockets_join(rooms)
    }

    /// Has it leave rooms.
    pub fn leave(&self, rooms: impl Rooms) {
        self.operator().sockets_leave(rooms);
    }

    /// Disconnects it.
    pub fn disconnect(&self, what: Disconnect) {
        self.operator().disconnect_sockets(what);
    }

    /// Means it, wherever it is.
    pub fn operator(&self) -> BroadcastOperator {
        BroadcastOperator::new(&self.namespace).to(&self.id)
    }
}

impl Namespace {
    /// Sends an event to everyone.
    ///
    /// # Errors
    /// As [`BroadcastOperator::emit`].
    pub fn emit(&self, event: &str, arguments: impl Serialize) -> Result<(), EmitError> {
        self.everyone().emit(event, arguments)
    }

    /// Sends an event to everyone, and collects the acknowledgements.
    ///
    /// # Errors
    /// As [`BroadcastOperator::emit`].
    pub fn emit_with_ack(&self, event: &str, arguments: impl Serialize) -> Result<BroadcastAcks, EmitError> {
        self.everyone().emit_with_ack(event, arguments)
    }

    /// Means everyone.
    pub fn everyone(&self) -> BroadcastOperator {
        BroadcastOperator::new(self)
    }

    /// Means who is in one of these rooms.
    pub fn to(&self, rooms: impl Rooms) -> BroadcastOperator {
        self.everyone().to(rooms)
    }

    /// As [`Namespace::to`].
    pub fn in_(&self, rooms: impl Rooms) -> BroadcastOperator {
        self.to(rooms)
    }

    /// Means everyone but who is in one of these rooms.
    pub fn except(&self, rooms: impl Rooms) -> BroadcastOperator {
        self.everyone().except(rooms)
    }

    /// Means everyone in this process.
    pub fn local(&self) -> BroadcastOperator {
        self.everyone().local()
    }

    /// Means everyone; what is sent is dropped for clients that do not take it at once.
    pub fn volatile(&self) -> BroadcastOperator {
        self.everyone().volatile()
    }

    /// Means everyone, and says whether what is sent may be compressed.
    pub fn compress(&self, compress: Compress) -> BroadcastOperator {
        self.everyone().compress(compress)
    }

    /// Means everyone, and says how long acknowledgements are awaited.
    pub fn timeout(&self, timeout: Duration) -> BroadcastOperator {
        self.everyone().timeout(timeout)
    }

    /// Everyone, with what is known of them.
    pub async fn fetch_sockets(&self) -> Vec<RemoteSocket> {
        self.everyone().fetch_sockets().await
    }

    /// Has everyone join rooms.
    ///
    /// # Errors
    /// As [`BroadcastOperator::sockets_join`].
    pub fn sockets_join(&self, rooms: impl Rooms) -> Result<(), JoinError> {
        self.everyone().sockets_join(rooms)
    }

    /// Has everyone leave rooms.
    pub fn sockets_leave(&self, rooms: impl Rooms) {
        self.everyone().sockets_leave(rooms);
    }

    /// Disconnects everyone.
    pub fn disconnect_sockets(&self, what: Disconnect) {
        self.everyone().disconnect_sockets(what);
    }

    /// The rooms that somebody is in, and how many sockets of this process are; but for sockets' own.
    pub fn rooms(&self) -> std::collections::HashMap<Arc<str>, usize> {
        self.room_index().rooms()
    }
}

impl Io {
    /// Sends an event to everyone in the namespace `/`.
    ///
    /// # Errors
    /// As [`BroadcastOperator::emit`].
    pub fn emit(&self, event: &str, arguments: impl Serialize) -> Result<(), EmitError> {
        self.root().emit(event, arguments)
    }

    /// Means who is in one of these rooms of the namespace `/`.
    pub fn to(&self, rooms: impl Rooms) -> BroadcastOperator {
        self.root().to(rooms)
    }

    /// As [`Io::to`].
    pub fn in_(&self, rooms: impl Rooms) -> BroadcastOperator {
        self.to(rooms)
    }

    /// Means everyone in the namespace `/` but who is in one of these rooms.
    pub fn except(&self, rooms: impl Rooms) -> BroadcastOperator {
        self.root().except(rooms)
    }
}
