use std::collections::HashMap;
use std::sync::Arc;

use antiphon_model::{ChannelId, Position};

use super::JoinError;
use super::asked::{Asked, CatchUp};
use super::pending::Pending;

/// The rooms of one socket. A pointer until it joins one.
#[derive(Debug, Default)]
pub(crate) struct RoomSet {
    rooms: Option<Box<Named>>,
    stage: Stage,
    pub(super) own: Own,
    pub(super) pending: Pending,
    /// The last [`CatchUp`].
    turn: u32,
}

#[derive(Debug, Default)]
struct Named(HashMap<Arc<str>, Room>);

/// A room that a socket is in.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) channel: Arc<ChannelId>,
    /// What was sent there up to here is nothing to the socket.
    pub(super) since: Position,
    /// What its client asked for, if that is why.
    pub(super) asked: Option<Box<Asked>>,
    pub(super) catch_up: Option<CatchUp>,
}

impl Room {
    /// One that the application has it in, from here on.
    pub(super) fn joined(channel: &Arc<ChannelId>, since: Position) -> Room {
        Room { channel: Arc::clone(channel), since, asked: None, catch_up: None }
    }

    /// Where what is sent to it comes from.
    pub(super) fn channels(&self) -> impl Iterator<Item = Arc<ChannelId>> {
        let presence = self.asked.as_ref().filter(|asked| asked.presence);
        let presence = presence.map(|asked| Arc::new(asked.channel.presence()));
        std::iter::once(Arc::clone(&self.channel)).chain(presence)
    }
}

/// Whether being in a room means to listen to its channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not yet: the socket is not connected.
    #[default]
    Before,
    Inside,
    /// Not any more.
    Left,
}

/// What a socket's own room is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Own {
    /// Nothing but the socket, which is found by its id.
    #[default]
    Socket,
    /// A channel that the socket listens to.
    Channel,
}

/// What a new room asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// It was there.
    Nothing,
    /// It is kept for when the socket is connected.
    BeforeEntry,
    /// It is to be listened to.
    Subscription,
}

impl RoomSet {
    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    pub(super) fn add(&mut self, name: &Arc<str>, room: Room, max: usize) -> Result<Added, JoinError> {
        if self.stage == Stage::Left {
            return Err(JoinError::Disconnected);
        }
        if self.contains(name) {
            return Ok(Added::Nothing);
        }
        let Named(rooms) = &mut **self.rooms.get_or_insert_default();
        if rooms.len() >= max {
            return Err(JoinError::TooManyRooms { max });
        }
        rooms.insert(Arc::clone(name), room);
        Ok(if self.stage == Stage::Inside { Added::Subscription } else { Added::BeforeEntry })
    }

    pub(super) fn remove(&mut self, room: &str) -> Option<Arc<ChannelId>> {
        let Named(rooms) = &mut **self.rooms.as_mut()?;
        let removed = rooms.remove(room)?;
        if rooms.is_empty() {
            self.rooms = None;
        }
        Some(removed.channel)
    }

    pub(crate) fn contains(&self, room: &str) -> bool {
        self.rooms.as_ref().is_some_and(|rooms| rooms.0.contains_key(room))
    }

    /// The rooms but its own.
    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        self.rooms.iter().flat_map(|rooms| rooms.0.keys().cloned()).collect()
    }

    pub(super) fn channels(&self) -> impl Iterator<Item = &Arc<ChannelId>> {
        self.rooms.iter().flat_map(|rooms| rooms.0.values().map(|room| &room.channel))
    }

    /// Each room by its name.
    pub(super) fn each(&self) -> impl Iterator<Item = (&Arc<str>, &Room)> {
        self.rooms.iter().flat_map(|rooms| rooms.0.iter())
    }

    /// A number for a [`CatchUp`].
    pub(super) fn next_turn(&mut self) -> u32 {
        self.turn = self.turn.saturating_add(1);
        self.turn
    }

    pub(super) fn enter(&mut self, own: Own) {
        self.stage = Stage::Inside;
        if own == Own::Channel {
            self.own = own;
        }
    }

    pub(super) fn leave(&mut self) {
        self.stage = Stage::Left;
    }

    pub(super) fn forget(&mut self) {
        self.rooms = None;
    }
}

#[cfg(test)]
mod tests {
    use antiphon_model::ChannelFlags;

    use super::*;

    #[test]
    fn rooms_are_kept_once_and_up_to_a_limit() {
        let channel = Arc::new(ChannelId::new("c", ChannelFlags::NONE).unwrap());
        let mut set = RoomSet::default();
        let room = || Room::joined(&channel, Position::ZERO);
        let add = |set: &mut RoomSet, name: &str| set.add(&Arc::from(name), room(), 2);
        assert_eq!(add(&mut set, "a").unwrap(), Added::BeforeEntry);
        set.enter(Own::Socket);
        assert_eq!(add(&mut set, "a").unwrap(), Added::Nothing);
        assert_eq!(add(&mut set, "b").unwrap(), Added::Subscription);
        assert!(matches!(add(&mut set, "c"), Err(JoinError::TooManyRooms { max: 2 })));
        assert!(set.remove("a").is_some() && set.remove("a").is_none());
        assert!(set.contains("b") && !set.contains("a"));
        set.leave();
        assert!(matches!(add(&mut set, "a"), Err(JoinError::Disconnected)));
        assert!(set.contains("b"), "seen until it is forgotten");
        set.forget();
        assert!(set.rooms.is_none());
    }
}
