//! What is to be done for a client, in which order, and what it is answered. No IO, no clock.
//!
//! Publications, broadcasts, replies and pings are done as they come. The rest is done one after the other, because some
//! of it waits for the store: an `unsubscribe` must not overtake the `subscribe` that it ends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use antiphon_hub::{Member, ReplyEvent};
use antiphon_model::{ChannelId, Draft, Payload, Position, Publication, SessionId, Timestamp};
use antiphon_net::ListeningOn;
use antiphon_node::Receipt;
use slab::Slab;

use super::envelope::{Bounds, Decoder, Echo, Id, Malformed, Ordered, Request, Subscription, answer};
use antiphon_net::problem::{Problem, ProblemKind};

/// How many publications of a client may wait for the store.
const UNANSWERED_MAX: usize = 10_000;
/// How many broadcasts of a client may collect replies at once.
const BROADCASTS_MAX: usize = 100;
/// How many requests may wait for those before them, and how many bytes of them.
const WAITING_MAX: usize = 1000;
const WAITING_BYTES_MAX: usize = 1 << 20;
/// After so many malformed messages in a row a client is taken for one that speaks another protocol.
const MALFORMED_MAX: usize = 100;

/// Tickets of broadcasts have this bit, those of publications have not.
const BROADCAST_TICKET: u64 = 1 << 63;

/// What is to be done for the client.
#[derive(Debug)]
pub(crate) enum Command {
    /// Answered by [`Session::handle_published`].
    Publish { draft: Draft, ticket: u64 },
    /// Answered by [`Session::handle_broadcast`].
    Broadcast { draft: Draft, timeout: Duration, until: Option<usize>, ticket: u64 },
    /// Answered by [`Session::handle_replied`].
    Reply { id: Option<Id>, channel: Arc<ChannelId>, to: Position, payload: Payload },
    /// Answered by [`Session::handle_ordered`].
    Ordered(Ordered),
    /// Nothing follows.
    Close(Misbehaved),
}

/// Why the connection of a client cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misbehaved {
    /// Messages of this subprotocol are text.
    #[error("antiphon.v1 takes text messages only")]
    Binary,
    /// As many as are borne.
    #[error("100 malformed messages in a row")]
    Malformed,
}

impl Misbehaved {
    /// The WebSocket close code.
    pub(crate) fn code(self) -> u16 {
        match self {
            Misbehaved::Binary => 1003,
            Misbehaved::Malformed => 1008,
        }
    }
}

/// What came of an [`Ordered`] request.
#[derive(Debug)]
pub(crate) enum Done<'a> {
    Unsubscribed,
    StateSet,
    Subscribed(&'a [ListeningOn]),
    Presence { occupancy: usize, members: &'a [Member] },
    History { messages: &'a [Arc<Publication>], position: Position, gap: bool },
    Authenticated { identity: &'a str, expires: Option<Timestamp> },
}

/// One client's side of the subprotocol. Whatever is handled writes at most one message to `out`.
#[derive(Debug)]
pub(crate) struct Session {
    decoder: Decoder,
    /// Known once the connection is open.
    session: Option<SessionId>,
    /// The ids of publications that have no answer yet; a ticket is a place here.
    unanswered: Slab<Option<Id>>,
    broadcasts: Vec<Broadcast>,
    last_broadcast: u64,
    /// The id of the ordered request that is being done.
    doing: Option<Option<Id>>,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    malformed: usize,
    closed: bool,
}

#[derive(Debug)]
struct Broadcast {
    ticket: u64,
    id: Id,
    /// Where it stands, once it is published.
    position: Option<Position>,
    /// What is still to come of it.
    replies: Awaited,
    storing: Awaited,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Yes,
    No,
}

#[derive(Debug)]
struct Waiting {
    id: Option<Id>,
    ordered: Ordered,
    bytes: usize,
}

impl Session {
    pub(crate) fn new(bounds: Bounds) -> Session {
        Session {
            decoder: Decoder::new(bounds),
            session: None,
            unanswered: Slab::new(),
            broadcasts: Vec::new(),
            last_broadcast: 0,
            doing: None,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            malformed: 0,
            closed: false,
        }
    }

    /// The connection is open, with these channels named in its URL. `name` is what its client is told that the session is called.
    pub(crate) fn handle_open(
        &mut self,
        session: SessionId,
        name: u64,
        identity: &str,
        position: Position,
        subscriptions: Vec<Subscription>,
        out: &mut Vec<u8>,
    ) -> Option<Command> {
        self.session = Some(session);
        answer::open(name, identity, position, out);
        if subscriptions.is_empty() {
            return None;
        }
        self.doing = Some(None);
        Some(Command::Ordered(Ordered::Subscribe(subscriptions)))
    }

    /// A text message came.
    pub(crate) fn handle_text(&mut self, text: &[u8], out: &mut Vec<u8>) -> Option<Command> {
        if self.closed {
            return None;
        }
        let envelope = match self.decoder.decode(text) {
            Ok(envelope) => envelope,
            Err(malformed) => return self.handle_malformed(&malformed, out),
        };
        self.malformed = 0;
        let id = envelope.id;
        match envelope.request {
            Request::Publish { draft, echo } => self.publish(id, draft, echo, out),
            Request::Broadcast { id, draft, echo, timeout, until } => {
                let draft = self.echoing(draft, echo);
                let ticket = self.broadcast(id, out)?;
                Some(Command::Broadcast { draft, timeout, until, ticket })
            }
            Request::Reply { channel, to, payload } => Some(Command::Reply { id, channel, to, payload }),
            Request::Ping => {
                answer::pong(id.as_ref(), out);
                None
            }
            Request::Ordered(ordered) => self.enqueue(Waiting { id, ordered, bytes: text.len() }, out),
        }
    }

    /// A binary message came.
    pub(crate) fn handle_binary(&mut self) -> Option<Command> {
        if std::mem::replace(&mut self.closed, true) {
            return None;
        }
        Some(Command::Close(Misbehaved::Binary))
    }

    fn handle_malformed(&mut self, malformed: &Malformed, out: &mut Vec<u8>) -> Option<Command> {
        answer::error(malformed.id(), &malformed.into(), out);
        self.malformed += 1;
        if self.malformed < MALFORMED_MAX {
            return None;
        }
        self.closed = true;
        Some(Command::Close(Misbehaved::Malformed))
    }

    fn publish(&mut self, id: Option<Id>, draft: Draft, echo: Echo, out: &mut Vec<u8>) -> Option<Command> {
        if self.unanswered.len() >= UNANSWERED_MAX {
            let detail = format!("{UNANSWERED_MAX} publications wait for the store: wait for answers");
            answer::error(id.as_ref(), &Problem::new(ProblemKind::Overloaded, detail), out);
            return None;
        }
        let draft = self.echoing(draft, echo);
        let ticket = self.unanswered.insert(id) as u64;
        Some(Command::Publish { draft, ticket })
    }

    fn echoing(&self, draft: Draft, echo: Echo) -> Draft {
        let except = match echo {
            Echo::Yes => None,
            Echo::No => self.session,
        };
        Draft { except, ..draft }
    }

    /// It is known what became of a publication, or of storing a broadcast.
    pub(crate) fn handle_published(
        &mut self,
        ticket: u64,
        result: Result<Receipt, Problem>,
        out: &mut Vec<u8>,
    ) {
        if ticket & BROADCAST_TICKET != 0 {
            return self.handle_broadcast_stored(ticket, result, out);
        }
        let Some(id) = self.unanswered.try_remove(ticket as usize) else { return };
        if self.unanswered.is_empty() && self.unanswered.capacity() > 64 {
            self.unanswered = Slab::new();
        }
        match (result, id) {
            (Ok(receipt), Some(id)) => answer::published(&id, receipt, out),
            (Ok(_), None) => {}
            (Err(problem), id) => answer::error(id.as_ref(), &problem, out),
        }
    }

    fn broadcast(&mut self, id: Id, out: &mut Vec<u8>) -> Option<u64> {
        if self.broadcasts.len() >= BROADCASTS_MAX {
            let detail = format!("{BROADCASTS_MAX} broadcasts collect replies: wait for one to end");
            answer::error(Some(&id), &Problem::new(ProblemKind::Overloaded, detail), out);
            return None;
        }
        // Never used again, so that what is late for one broadcast is not taken for another's.
        self.last_broadcast += 1;
        let ticket = self.last_broadcast | BROADCAST_TICKET;
        let (replies, storing) = (Awaited::Yes, Awaited::Yes);
        self.broadcasts.push(Broadcast { ticket, id, position: None, replies, storing });
        Some(ticket)
    }

    /// A broadcast is out, or is not. Without a receipt [`Session::handle_published`] follows.
    pub(crate) fn handle_broadcast(
        &mut self,
        ticket: u64,
        result: Result<(Position, Option<Receipt>), Problem>,
        out: &mut Vec<u8>,
    ) {
        let Some(at) = self.broadcasts.iter().position(|one| one.ticket == ticket) else { return };
        match result {
            Ok((position, receipt)) => {
                let broadcast = &mut self.broadcasts[at];
                broadcast.position = Some(position);
                if receipt.is_some() {
                    broadcast.storing = Awaited::No;
                }
                answer::broadcast(&broadcast.id, position, out);
            }
            Err(problem) => {
                let broadcast = self.broadcasts.swap_remove(at);
                answer::error(Some(&broadcast.id), &problem, out);
            }
        }
    }

    fn handle_broadcast_stored(&mut self, ticket: u64, result: Result<Receipt, Problem>, out: &mut Vec<u8>) {
        let Some(at) = self.broadcasts.iter().position(|one| one.ticket == ticket) else { return };
        self.broadcasts[at].storing = Awaited::No;
        if let Err(problem) = result {
            answer::error(Some(&self.broadcasts[at].id), &problem, out);
        }
        self.forget_if_over(at);
    }

    /// A reply to a broadcast came, or its time is up.
    pub(crate) fn handle_reply(&mut self, ticket: u64, event: &ReplyEvent, out: &mut Vec<u8>) {
        let Some(at) = self.broadcasts.iter().position(|one| one.ticket == ticket) else { return };
        let broadcast = &mut self.broadcasts[at];
        match event {
            ReplyEvent::Reply(reply) => answer::reply(&broadcast.id, reply, out),
            ReplyEvent::End { complete } => {
                broadcast.replies = Awaited::No;
                answer::replies_end(&broadcast.id, *complete, out);
                self.forget_if_over(at);
            }
        }
    }

    fn forget_if_over(&mut self, at: usize) {
        let broadcast = &self.broadcasts[at];
        if (broadcast.replies, broadcast.storing) == (Awaited::No, Awaited::No) {
            self.broadcasts.swap_remove(at);
        }
    }

    /// The broadcasts that collect replies.
    pub(crate) fn collecting(&self) -> impl Iterator<Item = Position> {
        let open = self.broadcasts.iter().filter(|one| one.replies == Awaited::Yes);
        open.filter_map(|broadcast| broadcast.position)
    }

    /// A reply was taken, or was not.
    pub(crate) fn handle_replied(&self, id: Option<&Id>, result: Result<(), Problem>, out: &mut Vec<u8>) {
        match (result, id) {
            (Ok(()), Some(id)) => answer::ok(id, out),
            (Ok(()), None) => {}
            (Err(problem), id) => answer::error(id, &problem, out),
        }
    }

    fn enqueue(&mut self, waiting: Waiting, out: &mut Vec<u8>) -> Option<Command> {
        if self.doing.is_none() {
            self.doing = Some(waiting.id);
            return Some(Command::Ordered(waiting.ordered));
        }
        let bytes = self.waiting_bytes + waiting.bytes;
        if self.waiting.len() >= WAITING_MAX || bytes > WAITING_BYTES_MAX {
            let detail = "too many requests wait for one that reads the store: wait for answers";
            answer::error(waiting.id.as_ref(), &Problem::new(ProblemKind::Overloaded, detail), out);
            return None;
        }
        self.waiting_bytes = bytes;
        self.waiting.push_back(waiting);
        None
    }

    /// The ordered request in hand is done, or failed: the next one.
    pub(crate) fn handle_ordered(
        &mut self,
        result: Result<Done<'_>, Problem>,
        out: &mut Vec<u8>,
    ) -> Option<Command> {
        match (result, self.doing.take()?) {
            (Ok(done), Some(id)) => done.answer(&id, out),
            (Ok(_), None) => {}
            (Err(problem), id) => answer::error(id.as_ref(), &problem, out),
        }
        if self.closed {
            self.waiting.clear();
        }
        let Waiting { id, ordered, bytes } = self.waiting.pop_front()?;
        self.waiting_bytes -= bytes;
        self.doing = Some(id);
        Some(Command::Ordered(ordered))
    }
}

impl Done<'_> {
    fn answer(&self, id: &Id, out: &mut Vec<u8>) {
        match self {
            Done::Unsubscribed | Done::StateSet => answer::ok(id, out),
            Done::Subscribed(channels) => answer::subscribed(id, channels, out),
            Done::Presence { occupancy, members } => answer::presence(id, *occupancy, members, out),
            Done::History { messages, position, gap } => answer::history(id, messages, *position, *gap, out),
            Done::Authenticated { identity, expires } => answer::authenticated(id, identity, *expires, out),
        }
    }
}

#[cfg(test)]
mod tests;
