//! The events that a standalone server has in the namespace `/`: what `antiphon.v1` offers, as events with acknowledgements.
//!
//! Each answers with one object: `{"status":"ok",…}`, or `{"status":"error","error":{…}}` with the problem document that HTTP
//! answers. Without an acknowledgement an error is the event `antiphon.error`.

mod answer;
mod invalid;
mod request;

use std::rc::Rc;
use std::sync::Arc;

use antiphon_access::{Caller, Permission};
use antiphon_hub::{Collect, Filter, Member, Reply, ReplyEvent, Since};
use antiphon_model::{ChannelId, Draft, Kind, Position, Publication};
use antiphon_net::problem::{Problem, ProblemKind};
use antiphon_net::{Client, Want};
use antiphon_node::{Completion, Node, PublishError, Receipt, Window};
use tokio::sync::mpsc;

use self::answer::Answer;
use self::request::{Broadcast, Past, Publish, Subscription};
use crate::connection::Connection;
use crate::formats::{self, Offsets};
use crate::{Event, HandlerResult, Io, Outcome, Socket, rooms};

/// How many members a `presence` shows.
const MEMBERS_MAX: usize = 1000;

/// Adds the events to the namespace `/`, and an error for every other.
pub fn install(io: &Io) {
    let root = io.root();
    root.on("subscribe", Arc::new(|event| later(event, subscribe)));
    root.on("unsubscribe", Arc::new(|event| at_once(event, unsubscribe)));
    root.on("publish", Arc::new(publish));
    root.on("broadcast", Arc::new(broadcast));
    root.on("history", Arc::new(|event| later(event, history)));
    root.on("presence", Arc::new(|event| at_once(event, presence)));
    root.on_fallback(Arc::new(|event| at_once(event, unknown)));
}

/// An event in hand, on the thread of its socket's connection.
struct Request {
    event: Event,
    connection: Rc<Connection>,
    client: Client,
    caller: Arc<Caller>,
}

impl Request {
    /// Nothing if the connection is gone meanwhile.
    fn new(event: Event) -> Option<Request> {
        let connection = event.socket.at_home()?;
        let (client, caller) = (connection.client(), Arc::clone(event.socket.caller()));
        Some(Request { event, connection, client, caller })
    }

    fn node(&self) -> &Arc<Node> {
        self.event.socket.io().node()
    }

    fn answer(mut self, answer: Result<Answer, Problem>) {
        let ack = self.event.ack.take();
        answer::send(&self.event.socket, ack, answer);
    }
}

fn at_once(event: Event, work: fn(&Request) -> Result<Answer, Problem>) -> Outcome<HandlerResult> {
    if let Some(request) = Request::new(event) {
        let answer = work(&request);
        request.answer(answer);
    }
    Outcome::Ready(Ok(()))
}

/// What may have to wait for the store. Later events of the socket wait for it: an `unsubscribe` must not overtake the
/// `subscribe` that it ends.
fn later(
    event: Event,
    work: impl AsyncFn(&Request) -> Result<Answer, Problem> + 'static,
) -> Outcome<HandlerResult> {
    let Some(request) = Request::new(event) else { return Outcome::Ready(Ok(())) };
    Outcome::pending(async move {
        let answer = work(&request).await;
        request.answer(answer);
        Ok(())
    })
}

async fn subscribe(request: &Request) -> Result<Answer, Problem> {
    let subscriptions = request::subscriptions(&request.event.arguments)?;
    for subscription in &subscriptions {
        if subscription.join.is_some() {
            request.caller.may(Permission::Presence, &subscription.channel)?;
        }
    }
    let wants = subscriptions.iter().map(|subscription| want(subscription, &request.connection)).collect();
    let listening = request.client.listen(wants).await?;
    // Before the answer, and before anything comes live.
    request.client.send_publications(&listening);
    join(subscriptions, &request.client)?;
    for on in &listening.channels {
        rooms::note_listening(&request.event.socket, &on.channel);
    }
    Ok(Answer::subscribed(&listening.channels))
}

fn want(subscription: &Subscription, connection: &Connection) -> Want {
    let offsets = if connection.io().recovery().is_some() { Offsets::Written } else { Offsets::LeftOut };
    Want {
        channel: Arc::clone(&subscription.channel),
        since: subscription.since.map_or(Since::Now, Since::After),
        format: formats::format(connection.link().encoding(), connection.parser(), offsets),
        filter: filter(&subscription.events),
        presence: subscription.presence,
    }
}

fn filter(events: &[Box<str>]) -> Option<Filter> {
    if events.is_empty() {
        return None;
    }
    let events = events.to_vec();
    Some(Rc::new(move |publication: &Publication| {
        publication.kind == Kind::Presence
            || events.iter().any(|name| **name == *publication.name_or_default())
    }))
}

/// Counts the client as present where it wants to be; on an error it neither is nor listens anywhere.
fn join(subscriptions: Vec<Subscription>, client: &Client) -> Result<(), Problem> {
    for (at, subscription) in subscriptions.iter().enumerate() {
        let Some(state) = &subscription.join else { continue };
        if let Err(error) = client.join(&subscription.channel, state.clone()) {
            let problem = Problem::from(error).with_channel(&subscription.channel);
            subscriptions[..at].iter().for_each(|begun| client.leave(&begun.channel));
            for begun in &subscriptions {
                client.unlisten(&begun.channel);
            }
            return Err(problem);
        }
    }
    Ok(())
}

fn unsubscribe(request: &Request) -> Result<Answer, Problem> {
    for channel in request::channels(&request.event.arguments)? {
        request.client.unlisten(&channel);
        request.client.leave(&channel);
        rooms::note_unlistened(&request.event.socket, &channel);
    }
    Ok(Answer::Done {})
}

/// Publishes in the order of the events. The answer waits for the store, the events that follow do not.
fn publish(event: Event) -> Outcome<HandlerResult> {
    let Some(mut request) = Request::new(event) else { return Outcome::Ready(Ok(())) };
    let (socket, ack) = (request.event.socket.clone(), request.event.ack.take());
    let read = request::publish(&request.event.arguments, &request.caller.limits);
    let admitted = read.map_err(Problem::from).and_then(|publish| admitted(&request, publish));
    // One of the two takes it: what publishing comes to is known at once, or by the completion later.
    let ack = Arc::new(parking_lot::Mutex::new(Some(ack)));
    let done = {
        let (socket, ack) = (socket.clone(), Arc::clone(&ack));
        move || -> Completion {
            Box::new(move |result| published(&socket, &ack, result.map_err(Problem::from)))
        }
    };
    match admitted.and_then(|draft| Ok(request.node().publish(&request.caller, draft, done)?)) {
        Ok(None) => {}
        Ok(Some(receipt)) => published(&socket, &ack, Ok(receipt)),
        Err(problem) => published(&socket, &ack, Err(problem)),
    }
    Outcome::Ready(Ok(()))
}

type SharedAck = Arc<parking_lot::Mutex<Option<Option<crate::Ack>>>>;

fn published(socket: &Socket, ack: &SharedAck, result: Result<Receipt, Problem>) {
    let Some(ack) = ack.lock().take() else { return };
    answer::send(socket, ack, result.map(Answer::published));
}

/// Publishes, and answers when the replies are there. The events that follow do not wait.
fn broadcast(event: Event) -> Outcome<HandlerResult> {
    let Some(request) = Request::new(event) else { return Outcome::Ready(Ok(())) };
    match Collection::begin(&request) {
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
    position: Position,
    replies: mpsc::UnboundedReceiver<ReplyEvent>,
    stored: mpsc::UnboundedReceiver<Result<Receipt, PublishError>>,
}

impl Collection {
    fn begin(request: &Request) -> Result<Collection, Problem> {
        let caller = Arc::clone(&request.caller);
        let broadcast = request::broadcast(&request.event.arguments, &caller.limits)?;
        let Broadcast { publish, timeout, until } = broadcast;
        let draft = admitted(request, publish)?;
        // As long as the hub lets them be: its limits on replies bound what waits here.
        let (reply, replies) = mpsc::unbounded_channel();
        let (receipt, stored) = mpsc::unbounded_channel();
        let sink = Box::new(move |event| drop(reply.send(event)));
        let late = receipt.clone();
        let done = || -> Completion { Box::new(move |result| drop(late.send(result))) };
        let node = Arc::clone(request.node());
        let (position, known) = node.broadcast(&caller, draft, Collect { timeout, until, sink }, done)?;
        if let Some(known) = known {
            drop(receipt.send(Ok(known)));
        }
        Ok(Collection { node, caller, position, replies, stored })
    }

    async fn finish(mut self) -> Result<Answer, Problem> {
        let (mut replies, mut complete) = (Vec::<Reply>::new(), false);
        while let Some(event) = self.replies.recv().await {
            match event {
                ReplyEvent::Reply(reply) => replies.push(reply),
                ReplyEvent::End { complete: met } => {
                    complete = met;
                    break;
                }
            }
        }
        let stored = match self.stored.recv().await {
            Some(Ok(receipt)) => receipt.stored,
            // It was delivered, and what came of it is worth more than the error.
            Some(Err(_)) | None => false,
        };
        Ok(Answer::replies(self.position, replies, complete, stored))
    }
}

impl Drop for Collection {
    fn drop(&mut self) {
        self.node.end_replies(&self.caller, self.position);
    }
}

/// A draft that the connection may publish, as far as its rate goes. Permissions are the socket's, which came by credentials of
/// its own.
fn admitted(request: &Request, Publish { draft, echo }: Publish) -> Result<Draft, Problem> {
    request.client.admit(&draft)?;
    Ok(Draft { except: (!echo).then(|| request.client.session()), ..draft })
}

async fn history(request: &Request) -> Result<Answer, Problem> {
    let Past { channel, since, limit } = request::past(&request.event.arguments)?;
    let window = since.map_or(Window::Newest, Window::After);
    let history = request.node().history(&request.caller, &channel, window, limit).await?;
    // More than one answer has to fit in what may wait for the client.
    let bytes_max = request.client.worker().settings().outbox_bytes_max / 4;
    Ok(Answer::history(history, window, bytes_max))
}

fn presence(request: &Request) -> Result<Answer, Problem> {
    let channel: Arc<ChannelId> = request::channel(&request.event.arguments)?;
    let (occupancy, members): (usize, Vec<Member>) =
        request.node().members(&request.caller, &channel, MEMBERS_MAX)?;
    Ok(Answer::presence(occupancy, members))
}

fn unknown(request: &Request) -> Result<Answer, Problem> {
    let detail = format!(
        "there is no event {:?}: there are subscribe, unsubscribe, publish, broadcast, history and presence",
        &*request.event.name
    );
    Err(Problem::new(ProblemKind::NotFound, detail))
}
