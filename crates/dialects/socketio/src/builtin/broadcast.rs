use std::sync::Arc;

use antiphon_access::Caller;
use antiphon_hub::{Collect, Reply, ReplyEvent};
use antiphon_model::Position;
use antiphon_net::problem::Problem;
use antiphon_node::{Completion, Node, PublishError, Receipt};
use tokio::sync::mpsc;

use super::Request;
use super::answer::Answer;
use super::request::{self, Bounds, Broadcast};
use super::under_way::UnderWay;
use crate::{Event, HandlerResult, Outcome};

/// Publishes, and answers when the replies are there. The events that follow do not wait.
pub(super) fn broadcast(event: Event, bounds: &Bounds) -> Outcome<HandlerResult> {
    let Some(request) = Request::new(event) else { return Outcome::Ready(Ok(())) };
    match Collection::begin(&request, bounds) {
        Ok(collection) => drop(tokio::task::spawn_local(async move {
            let answer = collection.finish().await;
            request.answer(answer);
        })),
        Err(problem) => request.answer(Err(problem)),
    }
    Outcome::Ready(Ok(()))
}

/// A broadcast whose replies are to come.
struct Collection {
    node: Arc<Node>,
    caller: Arc<Caller>,
    under_way: Arc<UnderWay>,
    position: Position,
    replies: mpsc::UnboundedReceiver<ReplyEvent>,
    stored: mpsc::UnboundedReceiver<Result<Receipt, PublishError>>,
    bytes_left: usize,
}

impl Collection {
    fn begin(request: &Request, bounds: &Bounds) -> Result<Collection, Problem> {
        let (node, caller) = (Arc::clone(request.node()), Arc::clone(&request.caller));
        let Broadcast { publish, timeout, until } =
            request::broadcast(&request.event.arguments, &caller.limits, bounds)?;
        let under_way = UnderWay::of(&request.event.socket);
        under_way.check_broadcasts()?;
        let draft = request.admitted(publish)?;
        // As long as the hub lets them be: its limits on replies bound what waits here.
        let (reply, replies) = mpsc::unbounded_channel();
        let (receipt, stored) = mpsc::unbounded_channel();
        let sink = Box::new(move |event| _ = reply.send(event));
        let late = receipt.clone();
        let done = || -> Completion { Box::new(move |result| _ = late.send(result)) };
        let (position, known) = node.broadcast(&caller, draft, Collect { timeout, until, sink }, done)?;
        if let Some(known) = known {
            let _ = receipt.send(Ok(known));
        }
        under_way.begin_broadcast(position);
        let bytes_left = request.answer_bytes_max();
        Ok(Collection { node, caller, under_way, position, replies, stored, bytes_left })
    }

    async fn finish(mut self) -> Result<Answer, Problem> {
        let (replies, complete) = self.collect().await;
        // Nobody is to reply for nothing while the store is waited for.
        self.node.end_replies(&self.caller, self.position);
        let stored = match self.stored.recv().await {
            Some(Ok(receipt)) => receipt.stored,
            // It was delivered, and what came of it is worth more than the error.
            Some(Err(_)) | None => false,
        };
        Ok(Answer::replies(self.position, replies, complete, stored))
    }

    /// What comes, until it is complete, or more would not fit into an answer.
    async fn collect(&mut self) -> (Vec<Reply>, bool) {
        let mut replies = Vec::new();
        loop {
            match self.replies.recv().await {
                Some(ReplyEvent::Reply(reply)) => {
                    let bytes = reply.payload.len() + size_of::<Reply>();
                    match self.bytes_left.checked_sub(bytes) {
                        Some(left) => self.bytes_left = left,
                        None if replies.is_empty() => self.bytes_left = 0,
                        None => return (replies, false),
                    }
                    replies.push(reply);
                }
                Some(ReplyEvent::End { complete }) => return (replies, complete),
                None => return (replies, false),
            }
        }
    }
}

impl Drop for Collection {
    fn drop(&mut self) {
        self.under_way.end_broadcast(self.position);
        self.node.end_replies(&self.caller, self.position);
    }
}
