use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::{Socket, SocketId};

/// How many parts an index has. A power of two; workers beyond share.
const PARTS: usize = 16;

/// Who is in the rooms of a namespace, but for sockets' own rooms. A part for each worker, which others rarely ask for; nothing
/// until somebody joins.
#[derive(Default)]
pub(crate) struct RoomIndex(OnceLock<Box<[Part; PARTS]>>);

type Part = Mutex<HashMap<Arc<str>, HashMap<SocketId, Socket>>>;

impl RoomIndex {
    pub(super) fn add(&self, socket: &Socket, room: &Arc<str>) {
        let mut part = self.part(socket).lock();
        part.entry(Arc::clone(room)).or_default().insert(socket.id().clone(), socket.clone());
    }

    pub(super) fn remove(&self, socket: &Socket, room: &str) {
        let mut part = self.part(socket).lock();
        let Some(members) = part.get_mut(room) else { return };
        // Its id may be another's by now: one that recovered it.
        if members.get(socket.id()).is_some_and(|member| member == socket) {
            members.remove(socket.id());
        }
        if members.is_empty() {
            part.remove(room);
        }
    }

    /// Who is in a room.
    pub(crate) fn members(&self, room: &str) -> Vec<Socket> {
        let parts = self.0.get().into_iter().flat_map(|parts| parts.iter());
        let members = |part: &Part| -> Vec<Socket> {
            part.lock().get(room).map(|members| members.values().cloned().collect()).unwrap_or_default()
        };
        parts.flat_map(members).collect()
    }

    /// The rooms that somebody is in, and how many are.
    pub(crate) fn rooms(&self) -> HashMap<Arc<str>, usize> {
        let mut rooms = HashMap::new();
        for part in self.0.get().into_iter().flat_map(|parts| parts.iter()) {
            for (room, members) in &*part.lock() {
                *rooms.entry(Arc::clone(room)).or_default() += members.len();
            }
        }
        rooms
    }

    fn part(&self, socket: &Socket) -> &Part {
        &self.0.get_or_init(Box::default)[usize::from(socket.worker().0) % PARTS]
    }
}
