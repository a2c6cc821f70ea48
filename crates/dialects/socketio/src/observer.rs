use std::sync::Arc;

use crate::{DisconnectReason, Io, Namespace};

/// Sees what happens below events: connections, bytes, rooms. Called on whatever thread it happens; it only notes.
pub(crate) trait Observer: Send + Sync {
    /// A client opened a connection.
    fn connection_opened(&self);
    /// A connection is over.
    fn connection_closed(&self, reason: DisconnectReason);
    /// A connection went over to WebSocket: these sockets are on it.
    fn upgraded(&self, namespace: &Namespace, id: &str);
    /// A message of a client's came.
    fn received(&self, bytes: usize);
    /// A socket joined a room.
    fn joined(&self, namespace: &Namespace, room: &str, id: &str);
    /// A socket left a room.
    fn left(&self, namespace: &Namespace, room: &str, id: &str);
}

impl Io {
    /// Tells the observer, if there is one.
    pub(crate) fn observe(&self, tell: impl FnOnce(&Arc<dyn Observer>)) {
        if let Some(observer) = self.observer() {
            tell(observer);
        }
    }
}
