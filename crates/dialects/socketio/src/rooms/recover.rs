use std::rc::Rc;
use std::sync::Arc;

use antiphon_access::Caller;
use antiphon_hub::Since;
use antiphon_model::{ChannelId, Expects, Kind, Position};
use antiphon_net::{Listening, Want};
use antiphon_node::{Node, ReadError, Window};
use serde::{Deserialize, Serialize};

use super::asked::{Asked, AskedRecord, CatchUp};
use super::{Room, implied_channels, own, tell_joined};
use crate::Socket;
use crate::channels::channel_of;
use crate::connection::Connection;

/// A room that a socket was in, for when it comes back.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct RoomRecord {
    name: Arc<str>,
    /// What was sent there up to here is nothing to the socket: it was not in the room yet.
    since: Position,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<AskedRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    catch_up: Option<CatchUp>,
}

/// How a socket began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Begun {
    /// What was sent up to here is nothing to it.
    pub(crate) since: Position,
    /// The last event that its client had by then, if it came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) offset: Option<Position>,
}

/// What a socket missed in its rooms, at hand.
pub(crate) struct Missed {
    listening: Listening,
    pub(crate) begun: Begun,
}

/// The rooms that a socket is in, but for its own.
pub(crate) fn snapshot(socket: &Socket) -> Vec<RoomRecord> {
    let set = socket.room_set().lock();
    let record = |(name, room): (&Arc<str>, &Room)| RoomRecord {
        name: Arc::clone(name),
        since: room.since,
        asked: room.asked.as_deref().map(Asked::to_record),
        catch_up: room.catch_up,
    };
    set.each().map(record).collect()
}

/// Puts a socket into rooms that it was in before, together with everyone's channel and its own, at one point of the org's order, and
/// gathers what it missed there. `offset` is the last event that the client got, as it says.
///
/// None if not all of that is to be had, or its client may not have it any more; then it listens to nothing. What comes live stands
/// behind what was missed if that is sent without waiting in between.
pub(crate) async fn restore(
    socket: &Socket,
    connection: &Rc<Connection>,
    rooms: Vec<RoomRecord>,
    begun: Begun,
    offset: Option<Position>,
) -> Option<Missed> {
    let (node, client) = (socket.io().node(), connection.client());
    let rooms = earlier_rooms(socket, rooms)?;
    let implied = {
        let mut set = socket.room_set().lock();
        set.own = own(socket);
        implied_channels(socket, &set)
    };
    let got = match got(node, socket.caller(), &rooms, &implied, begun, offset).await {
        Ok(Some(got)) => got,
        Ok(None) => {
            tracing::debug!("what a client has got is not kept any more");
            return None;
        }
        Err(error) => {
            tracing::debug!(%error, "it is not known what a client has got");
            return None;
        }
    };
    let begun = Begun { since: got.in_implied(begun.since), offset };
    let wants = enter_rooms(socket, rooms, &implied, &got, begun.since);
    let channels: Vec<_> = wants.iter().map(|want| Arc::clone(&want.channel)).collect();
    let mut listening = match client.attach_all(wants).await {
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
    // What is written without an offset: it is for those who are there, and nobody could tell whether a client has got it.
    listening.retain_missed(|missed| missed.kind != Kind::Signal && missed.expects == Expects::Nothing);
    let mut set = socket.room_set().lock();
    set.enter(own(socket));
    let rooms = set.names();
    let asked = set.each().filter_map(|(_, room)| room.asked.as_deref());
    let present: Vec<_> =
        asked.filter_map(|asked| Some((Arc::clone(&asked.channel), asked.join.clone()?))).collect();
    rooms.iter().for_each(|room| socket.namespace().room_index().add(socket, room));
    drop(set);
    rooms.iter().for_each(|room| tell_joined(socket, room));
    for (channel, state) in present {
        if let Err(error) = client.join(&channel, state) {
            tracing::debug!(%error, "a client that came back is not counted as present");
        }
    }
    Some(Missed { listening, begun })
}

/// A room of an earlier socket.
struct EarlierRoom {
    name: Arc<str>,
    room: Room,
}

/// The rooms of records. None if the client may not have one of them any more that it asked for.
fn earlier_rooms(socket: &Socket, records: Vec<RoomRecord>) -> Option<Vec<EarlierRoom>> {
    let (namespace, node) = (socket.namespace().wire_name(), socket.io().node());
    let mut rooms = Vec::with_capacity(records.len());
    for RoomRecord { name, since, asked, catch_up } in records {
        let asked = match asked {
            Some(record) => Some(Box::new(Asked::of_record(record)?)),
            None => None,
        };
        let channel = match &asked {
            Some(asked) => {
                if let Err(error) = asked.check(node, socket.caller()) {
                    tracing::debug!(%error, "a client that comes back may not listen as it did");
                    return None;
                }
                Arc::clone(&asked.channel)
            }
            // It was in it before, so that it has a name.
            None => channel_of(namespace, Some(&name)).ok()?,
        };
        rooms.push(EarlierRoom { name, room: Room { channel, since, asked, catch_up } });
    }
    Some(rooms)
}

/// What of the events that were sent to it a client has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Got {
    /// None since its socket began.
    Nothing,
    /// All up to this one, of what was live or was missed when its socket began.
    Live(Position),
    /// All that was live before a catch-up, and that up to an event of it.
    CatchUp { last: Position, catch_up: CatchUp },
}

/// Finds out what a client has got whose last event is the one at `offset`.
///
/// Positions rise in what it was sent, but for where it began to listen to a channel from an earlier one on: what came of that stands
/// behind what was live before. Whether the last event is of the one or the other is what its channel says.
///
/// None if none of the channels has that event any more: what was deleted or has expired may have been of the one or the other, and a
/// guess would lose messages or send them twice.
async fn got(
    node: &Arc<Node>,
    caller: &Caller,
    rooms: &[EarlierRoom],
    implied: &[Arc<ChannelId>],
    begun: Begun,
    offset: Option<Position>,
) -> Result<Option<Got>, ReadError> {
    let Some(offset) = offset.filter(|offset| begun.offset != Some(*offset)) else {
        return Ok(Some(Got::Nothing));
    };
    let server = Caller::server(caller.org.clone(), Arc::clone(&caller.limits));
    let (mut caught_up, mut live) = (Vec::new(), Vec::from_iter(implied.iter().cloned()));
    for EarlierRoom { room, .. } in rooms {
        match room.catch_up.filter(|one| room.since < offset && offset <= one.until) {
            Some(catch_up) => caught_up.extend(room.channels().map(|channel| (channel, catch_up))),
            None => live.extend(room.channels()),
        }
    }
    if caught_up.is_empty() {
        return Ok(Some(Got::Live(offset)));
    }
    for (channel, catch_up) in caught_up {
        if is_on(node, &server, &channel, offset).await? {
            return Ok(Some(Got::CatchUp { last: offset, catch_up }));
        }
    }
    for channel in live {
        if is_on(node, &server, &channel, offset).await? {
            return Ok(Some(Got::Live(offset)));
        }
    }
    Ok(None)
}

/// Whether a channel has an event at a position.
async fn is_on(
    node: &Arc<Node>,
    server: &Caller,
    channel: &Arc<ChannelId>,
    position: Position,
) -> Result<bool, ReadError> {
    let before = Window::After(Position(position.0.saturating_sub(1)));
    let found = node.history(server, channel, before, 1).await?;
    Ok(found.publications.first().is_some_and(|first| first.position == position))
}

impl Got {
    /// From where on a channel is to be had that the socket listened to from its beginning.
    fn in_implied(&self, since: Position) -> Position {
        match self {
            Got::Nothing => since,
            Got::Live(last) => since.max(*last),
            Got::CatchUp { catch_up, .. } => since.max(catch_up.until),
        }
    }

    /// From where on a room is to be had.
    fn in_room(&self, since: Position, caught_up: Option<CatchUp>) -> Position {
        match (self, caught_up) {
            (Got::Live(last), Some(its)) if *last <= its.until => since,
            (Got::CatchUp { last, catch_up }, Some(its)) if its.turn == catch_up.turn => since.max(*last),
            (Got::CatchUp { catch_up, .. }, Some(its)) if its.turn > catch_up.turn => since,
            _ => self.in_implied(since),
        }
    }
}

/// Puts the rooms into the socket's set, and says what it wants of their channels and of those that it listens to in any case.
fn enter_rooms(
    socket: &Socket,
    rooms: Vec<EarlierRoom>,
    implied: &[Arc<ChannelId>],
    got: &Got,
    implied_since: Position,
) -> Vec<Want> {
    let mut set = socket.room_set().lock();
    let plain = |channel: &Arc<ChannelId>, since| {
        Asked::plain(Arc::clone(channel)).want(Since::After(since), socket.format())
    };
    let mut wants: Vec<Want> = implied.iter().map(|channel| plain(channel, implied_since)).collect();
    for EarlierRoom { name, mut room } in rooms {
        room.since = got.in_room(room.since, room.catch_up.take());
        wants.push(match &room.asked {
            Some(asked) => asked.want(Since::After(room.since), socket.format()),
            None => plain(&room.channel, room.since),
        });
        // It was in so many before.
        let _ = set.add(&name, room, usize::MAX);
    }
    wants
}

impl Missed {
    /// Sends it, behind what is in the outbox.
    pub(crate) fn send(&self, connection: &Rc<Connection>) {
        connection.client().send_publications(&self.listening);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_go_on_from_what_the_client_has_got() {
        let at = Position;
        let catch_up = |turn, until| Some(CatchUp { turn, until: at(until) });
        let (nothing, live) = (Got::Nothing, |last| Got::Live(at(last)));
        let within = |last, turn, until| {
            let catch_up = CatchUp { turn, until: at(until) };
            Got::CatchUp { last: at(last), catch_up }
        };
        for (got, since, its, expected) in [
            (nothing, 50, None, 50),
            (nothing, 50, catch_up(1, 100), 50),
            (live(90), 50, None, 90),
            (live(40), 50, None, 50),
            // What was missed there came later than that.
            (live(90), 50, catch_up(1, 100), 50),
            (live(120), 50, catch_up(1, 100), 120),
            // What was live elsewhere came before it.
            (within(70, 1, 100), 20, None, 100),
            (within(70, 1, 100), 50, catch_up(1, 100), 70),
            (within(70, 2, 110), 50, catch_up(1, 100), 110),
            (within(70, 1, 100), 50, catch_up(2, 110), 50),
        ] {
            assert_eq!(got.in_room(at(since), its), at(expected), "{got:?} {since} {its:?}");
        }
        assert_eq!(within(70, 1, 100).in_implied(at(20)), at(100));
        assert_eq!(live(70).in_implied(at(90)), at(90));
    }

    #[test]
    fn records_are_small_and_read_again() {
        let plain = RoomRecord { name: "a".into(), since: at(7), asked: None, catch_up: None };
        let json = serde_json::to_string(&plain).unwrap();
        assert_eq!(json, r#"{"name":"a","since":"7"}"#);
        let read: RoomRecord = serde_json::from_str(&json).unwrap();
        assert_eq!((&*read.name, read.since), ("a", at(7)));
    }

    fn at(position: u64) -> Position {
        Position(position)
    }
}
