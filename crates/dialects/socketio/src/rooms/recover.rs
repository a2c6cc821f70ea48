use std::rc::Rc;
use std::sync::Arc;

use antiphon_hub::Since;
use antiphon_model::{ChannelId, Position};
use antiphon_net::{Listening, Want};
use serde::{Deserialize, Serialize};

use super::{Own, implied_channels, tell_joined};
use crate::Socket;
use crate::channels::channel_of;
use crate::connection::Connection;

/// A room that a socket was in, for when it comes back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct RoomRecord {
    pub(crate) name: Arc<str>,
    /// What was sent there up to here is nothing to the socket: it was not in the room yet.
    pub(crate) since: Position,
}

/// What a socket missed in its rooms, at hand.
pub(crate) struct Missed(Listening);

/// The rooms that a socket is in, but for its own.
pub(crate) fn snapshot(socket: &Socket) -> Vec<RoomRecord> {
    let set = socket.room_set().lock();
    set.each().map(|(name, _, since)| RoomRecord { name: Arc::clone(name), since }).collect()
}

/// Puts a socket into rooms that it was in before, together with everyone's channel and its own, at one point of the org's order, and
/// gathers what it missed there after `since`.
///
/// None if not all of that is to be had; then it listens to nothing. What comes live stands behind what was missed if that is
/// sent without waiting in between.
pub(crate) async fn restore(
    socket: &Socket,
    connection: &Rc<Connection>,
    rooms: Vec<RoomRecord>,
    since: Position,
) -> Option<Missed> {
    let wants = wants(socket, &rooms, since);
    let channels: Vec<_> = wants.iter().map(|want| Arc::clone(&want.channel)).collect();
    let client = connection.client();
    let listening = match client.attach_all(wants).await {
        Ok(listening) => listening,
        Err(error) => {
            tracing::debug!(%error, "a socket cannot be recovered");
            return None;
        }
    };
    if listening.channels.iter().any(|on| on.gap.is_some()) {
        for channel in &channels {
            client.unlisten(channel);
        }
        return None;
    }
    let mut set = socket.room_set().lock();
    set.enter(Own::Channel);
    let rooms = set.names();
    rooms.iter().for_each(|room| socket.namespace().room_index().add(socket, room));
    drop(set);
    rooms.iter().for_each(|room| tell_joined(socket, room));
    Some(Missed(listening))
}

fn wants(socket: &Socket, rooms: &[RoomRecord], since: Position) -> Vec<Want> {
    let mut set = socket.room_set().lock();
    set.own = Own::Channel;
    for RoomRecord { name, since } in rooms {
        // It was in them before, so that they have names, and it may be in so many.
        if let Ok(channel) = channel_of(socket.namespace().wire_name(), Some(name)) {
            let _ = set.add(name, &channel, *since, usize::MAX);
        }
    }
    let want = |channel: &Arc<ChannelId>, since| Want {
        channel: Arc::clone(channel),
        since: Since::After(since),
        format: socket.format(),
        filter: None,
        presence: false,
    };
    let implied = implied_channels(socket, &set);
    let implied = implied.iter().map(|channel| want(channel, since));
    implied.chain(set.each().map(|(_, channel, joined)| want(channel, since.max(joined)))).collect()
}

impl Missed {
    /// Sends it, behind what is in the outbox.
    pub(crate) fn send(self, connection: &Rc<Connection>) {
        connection.client().send_publications(&self.0);
    }
}
