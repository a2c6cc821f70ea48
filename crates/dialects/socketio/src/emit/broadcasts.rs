//! Events that every receiver is to acknowledge: whose answers are due, and who waits for them.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon_hub::{Collect, ReplyEvent};
use antiphon_model::{Draft, Expects, Position};
use antiphon_node::PublishError;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::broadcast_position;
use crate::acks::AckReply;
use crate::arguments::EventArguments;
use crate::connection::Connection;
use crate::wire::packet::AckId;
use crate::{Io, Socket, SocketId};

/// Broadcasts of a server that wait for answers of its sockets, by position.
#[derive(Default)]
pub(crate) struct Broadcasts(Mutex<HashMap<Position, Arc<Collection>>>);

/// The answers to an event that went to several receivers. Ready when every socket that it went to has answered, or is gone, or the
/// time is up. Dropped, the answers are collected no more.
#[must_use = "the answers are collected as long as this is kept"]
pub struct BroadcastAcks(Awaited);

enum Awaited {
    /// Nobody was meant.
    Nobody,
    /// One socket was.
    One(SocketId, AckReply),
    /// Each was sent the event by itself.
    Each(BoxFuture<'static, Answers>),
    Several(Several),
}

/// One answer to an event that went to several receivers.
#[derive(Clone, Debug)]
pub struct BroadcastResponse {
    /// Who answered; none if it was no socket of this server's but a listener of another dialect.
    pub socket: Option<SocketId>,
    /// What it answered.
    pub arguments: EventArguments,
}

/// Not every socket answered in time.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{missing} of the sockets did not acknowledge the event in time")]
pub struct BroadcastAckError {
    /// How many sockets did not answer.
    pub missing: usize,
    /// The answers that came.
    pub responses: Vec<BroadcastResponse>,
}

type Answers = Result<Vec<BroadcastResponse>, BroadcastAckError>;

impl BroadcastAcks {
    pub(crate) fn of_nobody() -> BroadcastAcks {
        BroadcastAcks(Awaited::Nobody)
    }

    pub(crate) fn of_one(socket: &Socket, reply: AckReply) -> BroadcastAcks {
        BroadcastAcks(Awaited::One(socket.id().clone(), reply))
    }

    pub(crate) fn of_each(replies: Vec<(SocketId, AckReply)>) -> BroadcastAcks {
        BroadcastAcks(Awaited::Each(Box::pin(async {
            let (mut responses, mut missing) = (Vec::new(), 0);
            for (socket, reply) in replies {
                match reply.await {
                    Ok(arguments) => responses.push(BroadcastResponse { socket: Some(socket), arguments }),
                    Err(_) => missing += 1,
                }
            }
            if missing == 0 { Ok(responses) } else { Err(BroadcastAckError { missing, responses }) }
        })))
    }

    /// Publishes drafts, which together are one event, for sockets that are to acknowledge it.
    pub(crate) fn publish(
        io: &Io,
        drafts: Vec<Draft>,
        awaited: HashSet<SocketId>,
        timeout: Duration,
    ) -> Result<BroadcastAcks, PublishError> {
        let (told, answers) = oneshot::channel();
        let collection = Arc::new(Collection(Mutex::new(State {
            awaited,
            missing: 0,
            responses: Vec::new(),
            bytes_left: io.settings().broadcast_ack_bytes_max,
            open: drafts.len(),
            told: Some(told),
        })));
        let mut several = Several { io: io.clone(), positions: Vec::with_capacity(drafts.len()), answers };
        for draft in drafts {
            several.positions.push(collection.publish(io, draft, timeout)?);
        }
        collection.change(|_| {});
        Ok(BroadcastAcks(Awaited::Several(several)))
    }
}

impl Future for BroadcastAcks {
    type Output = Answers;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answers> {
        match &mut self.0 {
            Awaited::Nobody => Poll::Ready(Ok(Vec::new())),
            Awaited::One(socket, reply) => Pin::new(reply).poll(context).map(|answer| match answer {
                Ok(arguments) => Ok(vec![BroadcastResponse { socket: Some(socket.clone()), arguments }]),
                Err(_) => Err(BroadcastAckError { missing: 1, responses: Vec::new() }),
            }),
            Awaited::Each(answers) => answers.as_mut().poll(context),
            Awaited::Several(several) => Pin::new(&mut several.answers).poll(context).map(|answers| {
                // Only a server that stops lets go of it without a word.
                answers.unwrap_or(Err(BroadcastAckError { missing: 0, responses: Vec::new() }))
            }),
        }
    }
}

impl fmt::Debug for BroadcastAcks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastAcks").finish_non_exhaustive()
    }
}

/// An event that was published, once or for each of several rooms.
struct Several {
    io: Io,
    positions: Vec<Position>,
    answers: oneshot::Receiver<Answers>,
}

impl Drop for Several {
    fn drop(&mut self) {
        let mut broadcasts = self.io.broadcasts().0.lock();
        for position in &self.positions {
            broadcasts.remove(position);
        }
        drop(broadcasts);
        for position in &self.positions {
            self.io.node().end_replies(self.io.server(), *position);
        }
    }
}

/// The answers to one event, which may be several broadcasts.
struct Collection(Mutex<State>);

struct State {
    awaited: HashSet<SocketId>,
    missing: usize,
    responses: Vec<BroadcastResponse>,
    bytes_left: usize,
    /// Broadcasts whose time is not up.
    open: usize,
    told: Option<oneshot::Sender<Answers>>,
}

impl Collection {
    fn publish(
        self: &Arc<Self>,
        io: &Io,
        mut draft: Draft,
        timeout: Duration,
    ) -> Result<Position, PublishError> {
        draft.expects = Expects::Replies;
        let collection = Arc::clone(self);
        // Called with a lock of the hub's held, so that it touches nothing but the collection.
        let sink = Box::new(move |event| match event {
            ReplyEvent::Reply(reply) => {
                collection.change(|state| state.add(None, EventArguments::of_payload(&reply.payload)));
            }
            ReplyEvent::End { .. } => collection.change(|state| state.open = state.open.saturating_sub(1)),
        });
        let collect = Collect { timeout, until: None, sink };
        // Held so that no answer is looked at before the position is known.
        let mut broadcasts = io.broadcasts().0.lock();
        let (position, _) = io.node().broadcast(io.server(), draft, collect, || Box::new(|_| {}))?;
        broadcasts.insert(position, Arc::clone(self));
        Ok(position)
    }

    /// Takes something in, and tells who waits if that was all.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.lock();
        change(&mut state);
        if !state.awaited.is_empty() && state.open > 0 {
            return;
        }
        let Some(told) = state.told.take() else { return };
        let responses = std::mem::take(&mut state.responses);
        let missing = state.missing + state.awaited.len();
        drop(state);
        let answers =
            if missing == 0 { Ok(responses) } else { Err(BroadcastAckError { missing, responses }) };
        // Who waited may have gone.
        let _ = told.send(answers);
    }
}

impl State {
    /// Adds an answer, if there is room for it.
    fn add(&mut self, socket: Option<SocketId>, arguments: EventArguments) {
        if self.told.is_none() {
            return;
        }
        match self.bytes_left.checked_sub(arguments.bytes()) {
            Some(left) => {
                self.bytes_left = left;
                self.responses.push(BroadcastResponse { socket, arguments });
            }
            None => self.missing += usize::from(socket.is_some()),
        }
    }
}

/// A socket acknowledges a broadcast: ours, or one of another dialect's.
pub(crate) fn handle_broadcast_ack(
    socket: &Socket,
    connection: &Rc<Connection>,
    id: AckId,
    arguments: EventArguments,
) {
    let Some(position) = broadcast_position(id) else { return };
    let (io, org) = (socket.io(), &socket.caller().org);
    // Of another org, the same position is another publication.
    let is_ours = *org == io.server().org;
    let collection = io.broadcasts().0.lock().get(&position).filter(|_| is_ours).cloned();
    if let Some(collection) = collection {
        // Once, and only who was meant: whoever came later was not waited for.
        return collection.change(|state| {
            if state.awaited.remove(socket.id()) {
                state.add(Some(socket.id().clone()), arguments);
            }
        });
    }
    let client = connection.client();
    let is_its_org = client.caller().is_some_and(|caller| caller.org == *org);
    let listens = |channel: &_| is_its_org && client.listens_to(channel);
    let replied = io.node().reply_to(socket.caller(), position, listens, arguments.to_payload());
    if let Err(error) = replied {
        tracing::debug!(%error, socket = %socket.id(), "an acknowledgement of a broadcast is not taken");
    }
}

/// A socket is gone: nobody waits for its answer any more.
pub(crate) fn handle_disconnected(socket: &Socket) {
    let open: Vec<_> = socket.io().broadcasts().0.lock().values().cloned().collect();
    for collection in open {
        collection.change(|state| state.missing += usize::from(state.awaited.remove(socket.id())));
    }
}
