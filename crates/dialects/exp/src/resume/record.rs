//! What the store has of a connection: the ids as a JSON array of strings.

use std::sync::Arc;

use antiphon_access::ConnectionId;
use antiphon_model::{OrgId, Timestamp};
use antiphon_node::Node;

use super::Ids;

/// Keeps a connection's ids in the store until then.
pub(crate) fn store(node: &Node, org: &OrgId, id: &ConnectionId, ids: &[Arc<str>], until: Timestamp) {
    let Ok(record) = serde_json::to_vec(ids) else { return };
    node.store().put_record(org, &key(id), record.into(), until);
}

/// Reads a connection's ids from the store; none if it has none, or does not answer.
pub(crate) fn read(node: &Node, org: &OrgId, id: &ConnectionId) -> impl Future<Output = Ids> + use<> {
    let read = node.store().read_record(org, &key(id));
    async move {
        match read.await {
            Ok(record) => record.and_then(|record| serde_json::from_slice(&record).ok()).unwrap_or_default(),
            Err(error) => {
                tracing::warn!(%error, "the subscriptions of an earlier connection cannot be read");
                Ids::new()
            }
        }
    }
}

fn key(id: &ConnectionId) -> String {
    format!("exp/{}", id.as_str())
}
