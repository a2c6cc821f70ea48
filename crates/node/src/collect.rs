use std::sync::Arc;
use std::time::Duration;

use antiphon_access::Caller;
use antiphon_hub::{Collect, Reply, ReplyEvent};
use antiphon_model::{Draft, Position};
use tokio::sync::{mpsc, oneshot};

use crate::{Completion, Node, PublishError, Receipt};

/// What became of a broadcast.
#[derive(Clone, Debug)]
pub struct Collected {
    /// Where it stands.
    pub position: Position,
    /// The replies, in the order in which they came.
    pub replies: Vec<Reply>,
    /// Whether as many came as were wanted.
    pub complete: bool,
    /// Whether it is in the store.
    pub stored: bool,
}

impl Node {
    /// Broadcasts, and waits until the time is up, `until` replies are there, and the store has it if it is to be stored. Replies are
    /// collected for as long as this is waited for; how many, and how many bytes of them, the hub bounds.
    ///
    /// # Errors
    /// As [`Node::broadcast`]; that it could not be stored is none.
    pub async fn broadcast_and_collect(
        self: &Arc<Self>,
        caller: &Caller,
        draft: Draft,
        timeout: Duration,
        until: Option<usize>,
    ) -> Result<Collected, PublishError> {
        let (replies, mut collected) = mpsc::unbounded_channel();
        let sink = Box::new(move |event| _ = replies.send(event));
        let (sender, receiver) = oneshot::channel();
        let done = move || -> Completion { Box::new(move |result| _ = sender.send(result)) };
        let (position, receipt) = self.broadcast(caller, draft, Collect { timeout, until, sink }, done)?;
        let open = Collection { node: self, caller, position };
        let (mut replies, mut is_complete) = (Vec::new(), false);
        while let Some(event) = collected.recv().await {
            match event {
                ReplyEvent::Reply(reply) => replies.push(reply),
                ReplyEvent::End { complete } => {
                    is_complete = complete;
                    break;
                }
            }
        }
        drop(open);
        let receipt = match receipt {
            Some(receipt) => Ok(receipt),
            None => receiver.await.unwrap_or(Err(PublishError::Closing)),
        };
        Ok(Collected { position, replies, complete: is_complete, stored: stored(receipt)? })
    }
}

/// Ends the collection when whoever asked is gone, or has it all.
struct Collection<'a> {
    node: &'a Node,
    caller: &'a Caller,
    position: Position,
}

impl Drop for Collection<'_> {
    fn drop(&mut self) {
        self.node.end_replies(self.caller, self.position);
    }
}

/// What was heard and answered is an answer, whether or not it was stored.
fn stored(receipt: Result<Receipt, PublishError>) -> Result<bool, PublishError> {
    match receipt {
        Ok(receipt) => Ok(receipt.stored),
        Err(PublishError::NotStored { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
