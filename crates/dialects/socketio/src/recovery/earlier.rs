use std::sync::Arc;
use std::time::Duration;

use antiphon_access::{Caller, Naming};
use antiphon_model::{Identity, IdentityKind, OrgId};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Pid;
use crate::rooms::{self, Begun, RoomRecord};
use crate::socket::{Extensions, SocketData};
use crate::{Io, Namespace, Socket, SocketId};

/// What a socket left behind.
pub(crate) struct Earlier {
    pub(crate) id: SocketId,
    pub(crate) pid: Pid,
    pub(crate) namespace: String,
    pub(crate) rooms: Vec<RoomRecord>,
    pub(crate) begun: Begun,
    pub(super) org: OrgId,
    /// None if it is another at each connection.
    identity: Option<Arc<Identity>>,
    data: SocketData,
    extensions: Extensions,
}

/// What of it is in the store.
#[derive(Deserialize, Serialize)]
struct Record {
    id: String,
    namespace: String,
    rooms: Vec<RoomRecord>,
    begun: Begun,
    identity: Option<(IdentityKind, Arc<str>)>,
    data: String,
}

impl Earlier {
    /// What a socket leaves behind.
    pub(super) fn of(socket: &Socket, begun: Begun) -> Earlier {
        let pid = socket.pid().cloned().unwrap_or_else(Pid::random);
        let (data, extensions) = (SocketData::default(), Extensions::default());
        data.copy_from(socket.data());
        extensions.copy_from(socket.extensions());
        Earlier {
            id: socket.id().clone(),
            pid,
            namespace: socket.namespace().name().to_owned(),
            rooms: rooms::snapshot(socket),
            begun,
            org: socket.caller().org.clone(),
            identity: identity(socket.caller()),
            data,
            extensions,
        }
    }

    /// Whether somebody may go on with it in a namespace, as far as who he is goes.
    pub(super) fn is_of(&self, namespace: &Namespace, caller: &Caller) -> bool {
        self.namespace == namespace.name() && self.org == caller.org && self.identity == identity(caller)
    }

    /// What the application kept with the earlier socket goes to the one that goes on.
    pub(crate) fn give_to(&self, socket: &Socket) {
        socket.data().copy_from(&self.data);
        socket.extensions().copy_from(&self.extensions);
    }

    /// Puts it into the store for so long, for a server that is started anew. What the application keeps as values of its own
    /// types cannot be stored.
    pub(super) fn store(&self, io: &Io, lasts: Duration) {
        let record = Record {
            id: self.id.to_string(),
            namespace: self.namespace.clone(),
            rooms: self.rooms.clone(),
            begun: self.begun,
            identity: self.identity.as_ref().map(|identity| (identity.kind, Arc::clone(&identity.id))),
            data: self.data.to_json(),
        };
        let Ok(record) = serde_json::to_vec(&record) else { return };
        let node = io.node();
        let expires = node.now().wall.later_by(lasts);
        node.store().put_record(&self.org, &key(&self.pid), record.into(), expires);
    }

    /// Reads what the store has of an org's.
    pub(super) async fn load(io: &Io, org: &OrgId, pid: &Pid) -> Option<Earlier> {
        let read = io.node().store().read_record(org, &key(pid)).await;
        let bytes: Bytes = match read {
            Ok(bytes) => bytes?,
            Err(error) => {
                tracing::warn!(%error, "a session that could be recovered cannot be read");
                return None;
            }
        };
        Earlier::read(&bytes, org, pid)
    }

    /// Reads a record; none if it is none of ours.
    pub(crate) fn read(bytes: &[u8], org: &OrgId, pid: &Pid) -> Option<Earlier> {
        let record: Record = serde_json::from_slice(bytes).ok()?;
        let data = SocketData::default();
        data.replace(&record.data);
        Some(Earlier {
            id: SocketId::new(&record.id),
            pid: pid.clone(),
            namespace: record.namespace,
            rooms: record.rooms,
            begun: record.begun,
            org: org.clone(),
            identity: record.identity.map(|(kind, id)| Arc::new(Identity { kind, id })),
            data,
            extensions: Extensions::default(),
        })
    }

    pub(super) fn remove(io: &Io, org: &OrgId, pid: &Pid) {
        io.node().store().remove_record(org, &key(pid));
    }
}

/// Whether a socket, given its namespace and who it is, is one that somebody may go on with.
pub(super) fn is_of(before: &str, of: &Caller, namespace: &Namespace, caller: &Caller) -> bool {
    before == namespace.name() && of.org == caller.org && identity(of) == identity(caller)
}

fn key(pid: &Pid) -> String {
    format!("socketio/{pid}")
}

fn identity(caller: &Caller) -> Option<Arc<Identity>> {
    (caller.naming == Naming::Named).then(|| Arc::clone(&caller.identity))
}
