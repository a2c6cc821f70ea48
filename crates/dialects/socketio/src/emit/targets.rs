use std::collections::HashSet;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::{Namespace, Socket, SocketId};

/// Who is meant: everyone, or who is in one of some rooms; but for some rooms, and but for one socket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Targets {
    rooms: SmallVec<[Arc<str>; 2]>,
    except: SmallVec<[Arc<str>; 1]>,
    sender: Option<Socket>,
}

impl Targets {
    /// Everyone but a socket.
    pub(crate) fn but(sender: Socket) -> Targets {
        Targets { sender: Some(sender), ..Targets::default() }
    }

    pub(crate) fn to(&mut self, rooms: impl IntoIterator<Item = Arc<str>>) {
        add(&mut self.rooms, rooms);
    }

    pub(crate) fn except(&mut self, rooms: impl IntoIterator<Item = Arc<str>>) {
        add(&mut self.except, rooms);
    }

    /// No room is everyone.
    pub(crate) fn rooms(&self) -> &[Arc<str>] {
        &self.rooms
    }

    pub(crate) fn excepted(&self) -> &[Arc<str>] {
        &self.except
    }

    pub(crate) fn sender(&self) -> Option<&Socket> {
        self.sender.as_ref()
    }

    /// The sockets of this process that are meant at this moment.
    pub(crate) fn select(&self, namespace: &Namespace) -> Vec<Socket> {
        let mut selected = self.candidates(namespace);
        selected.retain(|socket| self.takes(socket));
        selected
    }

    fn candidates(&self, namespace: &Namespace) -> Vec<Socket> {
        if self.rooms.is_empty() {
            return namespace.sockets();
        }
        let in_room = |room: &Arc<str>| {
            let mut members = namespace.room_index().members(room);
            members.extend(namespace.socket(room));
            members
        };
        let mut candidates: Vec<Socket> = self.rooms.iter().flat_map(in_room).collect();
        if self.rooms.len() > 1 {
            let mut seen: HashSet<SocketId> = HashSet::with_capacity(candidates.len());
            candidates.retain(|socket| seen.insert(socket.id().clone()));
        }
        candidates
    }

    /// Whether a socket that is in one of the rooms is meant.
    pub(crate) fn takes(&self, socket: &Socket) -> bool {
        self.sender.as_ref() != Some(socket) && !self.except.iter().any(|room| socket.is_in(room))
    }
}

fn add<A: smallvec::Array<Item = Arc<str>>>(
    rooms: &mut SmallVec<A>,
    more: impl IntoIterator<Item = Arc<str>>,
) {
    for room in more {
        if !rooms.contains(&room) {
            rooms.push(room);
        }
    }
}
