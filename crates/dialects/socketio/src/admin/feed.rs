//! What happens, as it happens.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::seen::{SeenSocket, iso};
use super::settings::AdminMode;
use super::stats::Counts;
use crate::observer::Observer;
use crate::{DisconnectReason, EventArguments, Namespace, Outcome};

/// Tells the dashboard.
#[derive(Clone)]
pub(super) struct Feed {
    admin: Namespace,
    counts: Arc<Counts>,
    mode: AdminMode,
}

impl Feed {
    pub(super) fn new(admin: Namespace, counts: Arc<Counts>, mode: AdminMode) -> Feed {
        Feed { admin, counts, mode }
    }

    /// Tells of every socket of a namespace, and of its events. Of the dashboard's own it tells that they are there: their
    /// events are these.
    pub(super) fn watch(&self, namespace: &Namespace) {
        let feed = self.clone();
        namespace.on_connection(Arc::new(move |socket| {
            feed.tell("socket_connected", &(SeenSocket::of(&socket), feed.time()));
            Outcome::Ready(Ok(()))
        }));
        let feed = self.clone();
        namespace.on_disconnect(Arc::new(move |socket, reason| {
            let (namespace, id) = (socket.namespace().name(), socket.id().as_str());
            feed.tell("socket_disconnected", &(namespace, id, reason.as_str(), feed.time()));
            Outcome::Ready(Ok(()))
        }));
        if *namespace == self.admin {
            return;
        }
        let feed = self.clone();
        namespace.on_any(Arc::new(move |event| {
            feed.tell_event(
                "event_received",
                event.socket.id(),
                event.socket.namespace(),
                &event.name,
                &event.arguments,
            );
        }));
        let feed = self.clone();
        namespace.on_any_outgoing(Arc::new(move |socket, event| {
            feed.tell_event("event_sent", socket.id(), socket.namespace(), event.name, event.arguments);
        }));
    }

    fn tell_event(
        &self,
        what: &str,
        id: &str,
        namespace: &Namespace,
        name: &str,
        arguments: &EventArguments,
    ) {
        let arguments: Vec<Value> =
            arguments.iter().filter_map(|json| serde_json::from_str(json).ok()).collect();
        let named: Vec<Value> = std::iter::once(Value::from(name)).chain(arguments).collect();
        self.tell(what, &(namespace.name(), id, named, self.time()));
    }

    fn tell(&self, event: &str, arguments: &impl Serialize) {
        if self.admin.socket_count() > 0
            && let Err(error) = self.admin.emit(event, arguments)
        {
            tracing::debug!(%error, event, "the dashboard was not told");
        }
    }

    pub(super) fn mode(&self) -> AdminMode {
        self.mode
    }

    /// The time, as the dashboard reads it.
    pub(super) fn time(&self) -> String {
        iso(self.admin.io().node().now().wall)
    }
}

impl Observer for Feed {
    fn connection_opened(&self) {
        self.counts.add(self.admin.io(), [("rawConnection", None, 1)]);
    }

    fn connection_closed(&self, reason: DisconnectReason) {
        self.counts.add(self.admin.io(), [("rawDisconnection", Some(reason.as_str()), 1)]);
    }

    fn upgraded(&self, namespace: &Namespace, id: &str) {
        if self.mode == AdminMode::Development {
            let update = serde_json::json!({ "id": id, "nsp": namespace.name(), "transport": "websocket" });
            self.tell("socket_updated", &update);
        }
    }

    fn received(&self, bytes: usize) {
        self.counts.add(self.admin.io(), [("packetsIn", None, 1), ("bytesIn", None, bytes as u64)]);
    }

    fn joined(&self, namespace: &Namespace, room: &str, id: &str) {
        if self.mode == AdminMode::Development {
            self.tell("room_joined", &(namespace.name(), room, id, self.time()));
        }
    }

    fn left(&self, namespace: &Namespace, room: &str, id: &str) {
        if self.mode == AdminMode::Development {
            self.tell("room_left", &(namespace.name(), room, id, self.time()));
        }
    }
}
