//! Events about what has changed: told once the store has it, in the order in which it was changed.

use std::sync::Arc;

use antiphon_access::Caller;
use antiphon_model::{Draft, Kind, Payload, Storing};
use antiphon_node::{Node, StoreError};
use antiphon_store::Done;
use tokio::sync::oneshot;

use crate::request::Request;
use crate::wire::names;

/// Tells subscribers what somebody has changed.
#[derive(Clone)]
pub(super) struct Teller {
    node: Arc<Node>,
    caller: Arc<Caller>,
}

impl Teller {
    pub(super) fn new(request: &Request) -> Teller {
        Teller { node: Arc::clone(request.node()), caller: Arc::clone(&request.caller) }
    }

    /// Publishes an event, which is not stored. What has changed stays so if nobody can be told: the publisher is over his rate, or the
    /// org has too many channels in use.
    pub(super) fn tell(&self, channel: &str, kind: Kind, payload: Payload) {
        let Ok(channel) = names::channel(channel) else { return };
        let draft = Draft { kind, storing: Storing::Never, ..Draft::new(channel, payload) };
        if let Err(error) = self.node.publish(&self.caller, draft, || Box::new(|_| {})) {
            tracing::debug!(org = %self.caller.org, kind = kind.as_str(), %error, "an event is not told");
        }
    }
}

/// Has the store change something and waits until it is committed; `then` is called at that moment, though nobody should wait any more.
///
/// # Errors
/// What the store says.
pub(super) async fn change<T: Send + 'static>(
    begin: impl FnOnce(Done<T>),
    then: impl FnOnce(&T) + Send + 'static,
) -> Result<T, StoreError> {
    let (sender, receiver) = oneshot::channel();
    begin(Box::new(move |outcome: Result<T, StoreError>| {
        if let Ok(outcome) = &outcome {
            then(outcome);
        }
        // Whoever asked may have gone.
        let _ = sender.send(outcome);
    }));
    receiver.await.unwrap_or(Err(StoreError::Closed))
}
