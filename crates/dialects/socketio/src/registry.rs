use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use parking_lot::Mutex;

use crate::Socket;

/// How many locks the sockets of a namespace are divided among. A power of two.
const SHARDS: usize = 16;

/// The sockets of a namespace that are connected in this process, by id.
#[derive(Default)]
pub(crate) struct Registry {
    hasher: RandomState,
    shards: [Mutex<HashSet<ById>>; SHARDS],
}

/// A socket that is found by its id, which it has in itself: the table keeps no copy.
struct ById(Socket);

impl Borrow<str> for ById {
    fn borrow(&self) -> &str {
        self.0.id()
    }
}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Hash::hash::<H>(&**self.0.id(), state);
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &ById) -> bool {
        **self.0.id() == **other.0.id()
    }
}

impl Eq for ById {}

impl Registry {
    /// Adds a socket, in place of one that has its id.
    pub(crate) fn insert(&self, socket: Socket) -> Option<Socket> {
        self.shard(socket.id()).lock().replace(ById(socket)).map(|ById(before)| before)
    }

    /// Removes a socket, unless its id is another's by now.
    pub(crate) fn remove(&self, socket: &Socket) {
        let mut shard = self.shard(socket.id()).lock();
        if shard.get(&**socket.id()).is_some_and(|ById(found)| found == socket) {
            shard.remove(&**socket.id());
        }
    }

    pub(crate) fn find(&self, id: &str) -> Option<Socket> {
        self.shard(id).lock().get(id).map(|ById(socket)| socket.clone())
    }

    pub(crate) fn all(&self) -> Vec<Socket> {
        let sockets = |shard: &Mutex<HashSet<ById>>| -> Vec<Socket> {
            shard.lock().iter().map(|ById(socket)| socket.clone()).collect()
        };
        self.shards.iter().flat_map(sockets).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    fn shard(&self, id: &str) -> &Mutex<HashSet<ById>> {
        &self.shards[self.hasher.hash_one(id) as usize % SHARDS]
    }
}
