//! Rooms: the channels that sockets listen to because the application says so.
//!
//! What a socket is in stands in its [`RoomSet`], which any thread may change; the subscription on its home worker follows. Who
//! is in a room stands in the namespace's [`RoomIndex`]. Everyone in a namespace is a channel of its own without being a room.
//! A socket's own room, which has its id for a name, is a channel only with connection state recovery, or once somebody needs
//! it to be one; until then the namespace's registry says who that is.
//!
//! Where sockets are reached one by one, neither everyone nor a socket's own room is a channel.

mod asked;
mod index;
mod names;
mod pending;
mod recover;
mod set;

use std::rc::Rc;
use std::sync::Arc;

use antiphon_hub::Since;
use antiphon_model::{ChannelId, Position};
use antiphon_net::{Format, ListenError};

pub(crate) use asked::Asked;
use asked::CatchUp;
pub(crate) use index::RoomIndex;
pub use names::Rooms;
use pending::Place;
pub(crate) use recover::{Begun, Missed, RoomRecord, restore, snapshot};
pub(crate) use set::RoomSet;
use set::{Added, Own, Room, Stage};

use crate::channels::{InvalidRoom, channel_of, room_of};
use crate::connection::Connection;
use crate::formats::{self, Offsets};
use crate::namespace::Reach;
use crate::{Socket, Version};

/// Before the names of channels that are no rooms. No room's name has a control character in it.
const NO_ROOM: char = '\u{1f}';

/// A socket does not join a room.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JoinError {
    /// No room can have this name.
    #[error(transparent)]
    Invalid(#[from] InvalidRoom),
    /// It is in as many rooms as it may be.
    #[error("a socket is in at most {max} rooms")]
    TooManyRooms {
        /// How many that is.
        max: usize,
    },
    /// It is disconnected.
    #[error("the socket is disconnected")]
    Disconnected,
    /// The room's channel cannot be listened to.
    #[error(transparent)]
    Unavailable(#[from] ListenError),
}

impl Socket {
    /// Joins a room, or several. It gets what is sent there by whoever sends after this call.
    ///
    /// Done before the socket is connected, in a middleware, it counts from when it is.
    ///
    /// # Errors
    /// A room's name is invalid, a limit is reached, or the socket is disconnected. Rooms before that one are joined.
    pub fn join(&self, rooms: impl Rooms) -> Result<(), JoinError> {
        rooms.into_rooms().into_iter().try_for_each(|room| self.join_one(&room))
    }

    fn join_one(&self, room: &Arc<str>) -> Result<(), JoinError> {
        if **room == **self.id() {
            return Ok(());
        }
        let namespace = self.namespace();
        let channel = channel_of(namespace.wire_name(), Some(room))?;
        if let Some(owner) = namespace.socket(room).filter(|_| namespace.reach() == Reach::Channels) {
            open_own(&owner)?;
        }
        let (max, since) = (self.io().settings().rooms_per_socket_max, since(self));
        // Held until the subscription is under way, so that those of two threads are in the order of their words.
        let mut set = self.room_set().lock();
        match set.add(room, Room::joined(&channel, since), max)? {
            Added::Nothing | Added::BeforeEntry => return Ok(()),
            Added::Subscription => {}
        }
        namespace.room_index().add(self, room);
        if let Err(error) = listen(self, &channel) {
            set.remove(room);
            namespace.room_index().remove(self, room);
            return Err(error.into());
        }
        follow(self, &mut set, room, &channel, Place::In);
        drop(set);
        tell_joined(self, room);
        Ok(())
    }

    /// Leaves a room, or several. What was sent there before still comes.
    pub fn leave(&self, rooms: impl Rooms) {
        for room in rooms.into_rooms() {
            let mut set = self.room_set().lock();
            let Some(channel) = set.remove(&room) else { continue };
            self.namespace().room_index().remove(self, &room);
            if set.stage() != Stage::Inside {
                continue;
            }
            follow(self, &mut set, &room, &channel, Place::Out);
            drop(set);
            tell_left(self, &room);
        }
    }

    /// Leaves all rooms but its own.
    pub fn leave_all(&self) {
        let rooms = self.room_set().lock().names();
        self.leave(rooms);
    }

    /// The rooms that it is in: first its own, which has its id for a name.
    pub fn rooms(&self) -> Vec<Arc<str>> {
        let mut rooms = vec![self.id().to_shared()];
        rooms.extend(self.room_set().lock().names());
        rooms
    }

    /// Whether it is in a room.
    pub fn is_in(&self, room: &str) -> bool {
        *room == **self.id() || self.room_set().lock().contains(room)
    }
}

/// Has a socket listen that takes part from here on: to everyone's channel, and to the rooms that it joined before.
pub(crate) fn enter(socket: &Socket, connection: &Rc<Connection>) {
    let mut set = socket.room_set().lock();
    set.enter(own(socket));
    let client = connection.client();
    let channels = implied_channels(socket, &set);
    let listens = socket.namespace().reach() != Reach::Apart;
    let failed = channels
        .iter()
        .chain(set.channels().filter(|_| listens))
        .find_map(|channel| client.attach(channel, Since::Now, socket.format()).err());
    let rooms = set.names();
    rooms.iter().for_each(|room| socket.namespace().room_index().add(socket, room));
    drop(set);
    rooms.iter().for_each(|room| tell_joined(socket, room));
    if let Some(error) = failed {
        tracing::warn!(%error, "a socket cannot listen to what it has to");
        connection.disconnect(socket);
    }
}

/// Ends all subscriptions of a socket that is disconnected. Its rooms can be seen still; it joins none any more.
pub(crate) fn unlisten_all(socket: &Socket, connection: &Rc<Connection>) {
    let mut set = socket.room_set().lock();
    set.leave();
    let client = connection.client();
    for channel in implied_channels(socket, &set).iter().chain(set.channels()) {
        client.unlisten(channel);
        client.leave(channel);
    }
    let rooms = set.names();
    rooms.iter().for_each(|room| socket.namespace().room_index().remove(socket, room));
    drop(set);
    rooms.iter().for_each(|room| tell_left(socket, room));
}

/// A disconnected socket's rooms are seen no more.
pub(crate) fn forget(socket: &Socket) {
    socket.room_set().lock().forget();
}

/// A socket begins to listen by a request of its client's, to several channels at once: with what was asked for, where the client is
/// live, and from where on it gets what was before, if it wanted that.
pub(crate) fn note_listening(socket: &Socket, begun: Vec<(Asked, Position, Option<Position>)>) {
    let mut set = socket.room_set().lock();
    let turn = set.next_turn();
    let mut joined = Vec::new();
    for (asked, live, since) in begun {
        let name = name_of(socket, &asked.channel);
        let catch_up = since.map(|_| CatchUp { turn, until: live });
        let channel = Arc::clone(&asked.channel);
        let room = Room { channel, since: since.unwrap_or(live), asked: Some(Box::new(asked)), catch_up };
        // How many there may be was asked when it began to listen.
        let added = set.add(&name, room, usize::MAX);
        set.pending.outdo(&name, Place::In);
        if let Ok(Added::Subscription) = added {
            joined.push(name);
        }
    }
    drop(set);
    for room in joined {
        socket.namespace().room_index().add(socket, &room);
        tell_joined(socket, &room);
    }
}

/// A socket listens to a channel no more by a request of its client's.
pub(crate) fn note_unlistened(socket: &Socket, channel: &ChannelId) {
    let room = name_of(socket, channel);
    let mut set = socket.room_set().lock();
    let removed = set.remove(&room);
    set.pending.outdo(&room, Place::Out);
    drop(set);
    if removed.is_some() {
        socket.namespace().room_index().remove(socket, &room);
        tell_left(socket, &room);
    }
}

fn tell_joined(socket: &Socket, room: &str) {
    socket.note_changed();
    socket.io().observe(|observer| observer.joined(socket.namespace(), room, socket.id()));
}

fn tell_left(socket: &Socket, room: &str) {
    socket.note_changed();
    socket.io().observe(|observer| observer.left(socket.namespace(), room, socket.id()));
}

/// What a channel is called among a socket's rooms: a room is called what it is, and any other channel what no room can be.
fn name_of(socket: &Socket, channel: &ChannelId) -> Arc<str> {
    let namespace = socket.namespace().wire_name();
    let room = room_of(channel)
        .filter(|room| channel_of(namespace, Some(room)).is_ok_and(|of_room| *of_room == *channel));
    room.map_or_else(|| format!("{NO_ROOM}{channel}").into(), Arc::from)
}

/// Makes a socket's own room a channel, if it is not: then others can be in it, and it can be one of several rooms.
pub(crate) fn open_own(socket: &Socket) -> Result<(), JoinError> {
    let channel = own_channel(socket)?;
    let mut set = socket.room_set().lock();
    if set.own == Own::Channel || set.stage() == Stage::Left {
        return Ok(());
    }
    set.own = Own::Channel;
    if set.stage() == Stage::Inside {
        listen(socket, &channel)?;
        follow(socket, &mut set, &socket.id().to_shared(), &channel, Place::In);
    }
    Ok(())
}

/// Whether a socket's own room is a channel.
pub(crate) fn is_own_open(socket: &Socket) -> bool {
    socket.room_set().lock().own == Own::Channel
}

/// The channel that a socket's own room is, or would be.
pub(crate) fn own_channel(socket: &Socket) -> Result<Arc<ChannelId>, InvalidRoom> {
    channel_of(socket.namespace().wire_name(), Some(socket.id()))
}

fn implied_channels(socket: &Socket, set: &RoomSet) -> Vec<Arc<ChannelId>> {
    if socket.namespace().reach() != Reach::Channels {
        return Vec::new();
    }
    // Names of namespaces and ids are shorter than channels may be.
    let mut channels = Vec::from_iter(channel_of(socket.namespace().wire_name(), None));
    if set.own == Own::Channel {
        channels.extend(own_channel(socket));
    }
    channels
}

/// With connection state recovery, what is sent to a socket alone is kept for it on its own channel.
fn own(socket: &Socket) -> Own {
    if keeps_own(socket) { Own::Channel } else { Own::Socket }
}

/// Whether what is sent to a socket alone is a publication, which it gets also when it comes back.
pub(crate) fn keeps_own(socket: &Socket) -> bool {
    socket.pid().is_some() && socket.namespace().reach() == Reach::Channels
}

/// From where on a room that is joined here is recovered.
fn since(socket: &Socket) -> Position {
    match socket.pid() {
        Some(_) => socket.io().node().position(socket.caller()),
        None => Position::ZERO,
    }
}

impl Connection {
    /// How its subscriptions are written at present.
    pub(crate) fn format(&self) -> &'static Format {
        let is_recovering = self.io().recovery().is_some() && self.version() == Version::V5;
        let offsets = if is_recovering { Offsets::Written } else { Offsets::LeftOut };
        formats::format(self.link().encoding(), self.parser(), offsets)
    }
}

fn listen(socket: &Socket, channel: &Arc<ChannelId>) -> Result<(), ListenError> {
    if socket.namespace().reach() == Reach::Apart {
        return Ok(());
    }
    let io = socket.io();
    io.workers().attach(socket.caller(), socket.address(), channel, socket.format())
}

/// Has the subscription follow what was said about a room: at once at home. From elsewhere it is done in its place among what that
/// thread publishes, unless the home worker says otherwise meanwhile.
fn follow(socket: &Socket, set: &mut RoomSet, room: &Arc<str>, channel: &Arc<ChannelId>, place: Place) {
    if let Some(connection) = socket.at_home() {
        set.pending.outdo(room, place);
        if place == Place::Out {
            unlisten(&connection, channel);
        }
        return;
    }
    let (word, room, channel) = (set.pending.say(room), Arc::clone(room), Arc::clone(channel));
    socket.on_home(move |socket, connection| {
        let mut set = socket.room_set().lock();
        let outdone = set.pending.arrive(&room, word);
        let left = (set.stage() == Stage::Left).then_some(Place::Out);
        match left.or(outdone).unwrap_or(place) {
            Place::Out => unlisten(connection, &channel),
            // It has begun to listen already, or never ceased to.
            Place::In => {}
        }
    });
}

/// Ends a subscription, with what a client may have asked for besides.
fn unlisten(connection: &Connection, channel: &Arc<ChannelId>) {
    let client = connection.client();
    client.unlisten(channel);
    client.leave(channel);
}
