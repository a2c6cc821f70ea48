mod authenticate;

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use antiphon_access::{Caller, Permission};
use antiphon_hub::{Filter, ReplyEvent, Since};
use antiphon_model::{ChannelId, Compress, Position, Publication, SessionId};
use antiphon_net::{Client, Close, ListenError, Listening, MessageKind, Outgoing, Want, WebSocketSession};
use antiphon_node::{History, Node, PublishError, Receipt, Window};

use super::envelope::{Bounds, Join, Ordered, Subscription, answer};
use super::format::MESSAGE;
use super::session::{Command, Done, Session};
use crate::HttpSettings;
use crate::routes::poll::wants;
use crate::routes::presence::MEMBERS_MAX;
use crate::wire::listen::Listen;
use antiphon_net::problem::Problem;

/// A connection that speaks `antiphon.v1`: does what its [`Session`] says.
pub(crate) struct V1 {
    shared: Rc<Shared>,
    /// What the URL asked for, until the connection is open.
    subscriptions: Vec<Subscription>,
}

/// What requests that wait for the store come back to. They hold it weakly: with the connection it ends.
struct Shared {
    session: RefCell<Session>,
    node: Arc<Node>,
    /// Whose connection it is, by the credential that counts at the moment.
    caller: RefCell<Arc<Caller>>,
    history_bytes_max: usize,
}

impl V1 {
    /// A connection of this caller, that listens to the channels of its URL from the start, if there are any.
    pub(crate) fn new(node: Arc<Node>, caller: Arc<Caller>, settings: &HttpSettings, listen: Listen) -> V1 {
        let bounds = Bounds {
            limits: Arc::clone(&caller.limits),
            history_limit_max: settings.history_limit_max,
            broadcast_timeout_max: settings.broadcast_timeout_max(),
        };
        let session = RefCell::new(Session::new(bounds));
        let history_bytes_max = settings.poll_bytes_max;
        let caller = RefCell::new(caller);
        let shared = Rc::new(Shared { session, node, caller, history_bytes_max });
        V1 { shared, subscriptions: subscriptions(listen) }
    }
}

fn subscriptions(listen: Listen) -> Vec<Subscription> {
    let join = if listen.join { Join::Yes(listen.state) } else { Join::No };
    let subscription = |channel| Subscription {
        channel,
        since: listen.since,
        events: listen.events.clone(),
        presence: listen.presence,
        join: join.clone(),
    };
    listen.channels.into_iter().map(subscription).collect()
}

/// What a client is told that its session is called. Sessions are counted over all orgs, so by the number itself it could tell how many there
/// have been.
fn name(session: SessionId) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEY.hash_one(session.0)
}

impl WebSocketSession for V1 {
    fn handle_open(&mut self, client: &Client) {
        let shared = &self.shared;
        let subscriptions = std::mem::take(&mut self.subscriptions);
        let caller = shared.caller();
        let position = shared.node.position(&caller);
        let mut out = Vec::new();
        let command = shared.session.borrow_mut().handle_open(
            client.session(),
            name(client.session()),
            &caller.identity.id,
            position,
            subscriptions,
            &mut out,
        );
        send(&out, client);
        shared.run(command, client);
    }

    fn handle_message(&mut self, kind: MessageKind, data: &[u8], client: &Client) {
        let mut out = Vec::new();
        let command = match kind {
            MessageKind::Text => self.shared.session.borrow_mut().handle_text(data, &mut out),
            MessageKind::Binary => self.shared.session.borrow_mut().handle_binary(),
        };
        send(&out, client);
        self.shared.run(command, client);
    }

    fn handle_published(&mut self, ticket: u64, result: Result<Receipt, PublishError>, client: &Client) {
        self.shared.published(ticket, result, client);
    }

    fn handle_reply(&mut self, ticket: u64, event: ReplyEvent, client: &Client) {
        let mut out = Vec::new();
        self.shared.session.borrow_mut().handle_reply(ticket, &event, &mut out);
        send(&out, client);
    }

    fn handle_closing(&mut self, close: &Close, client: &Client) {
        let mut out = Vec::new();
        answer::close(&close.reason, close.reconnect, &mut out);
        send(&out, client);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for position in self.session.get_mut().collecting() {
            self.node.end_replies(self.caller.get_mut(), position);
        }
    }
}

impl Shared {
    fn caller(&self) -> Arc<Caller> {
        Arc::clone(&self.caller.borrow())
    }

    /// Does a command and what follows from it.
    fn run(self: &Rc<Self>, command: Option<Command>, client: &Client) {
        let mut next = command;
        while let Some(command) = next {
            next = self.execute(command, client);
        }
    }

    fn execute(self: &Rc<Self>, command: Command, client: &Client) -> Option<Command> {
        match command {
            Command::Publish { draft, ticket } => {
                if let Some(result) = client.publish(draft, ticket).transpose() {
                    self.published(ticket, result, client);
                }
            }
            Command::Broadcast { draft, timeout, until, ticket } => {
                let result = client.broadcast(draft, timeout, until, ticket).map_err(Problem::from);
                let mut out = Vec::new();
                self.session.borrow_mut().handle_broadcast(ticket, result, &mut out);
                send(&out, client);
            }
            Command::Reply { id, channel, to, payload } => {
                let result = self.node.reply(&self.caller(), to, &channel, payload).map_err(Problem::from);
                let mut out = Vec::new();
                self.session.borrow().handle_replied(id.as_ref(), result, &mut out);
                send(&out, client);
            }
            Command::Ordered(ordered) => return self.execute_ordered(ordered, client),
            Command::Close(misbehaved) => {
                let reason = misbehaved.to_string().into();
                client.close(Close { code: misbehaved.code(), reason, reconnect: false });
            }
        }
        None
    }

    fn published(&self, ticket: u64, result: Result<Receipt, PublishError>, client: &Client) {
        let mut out = Vec::new();
        self.session.borrow_mut().handle_published(ticket, result.map_err(Problem::from), &mut out);
        send(&out, client);
    }

    fn execute_ordered(self: &Rc<Self>, ordered: Ordered, client: &Client) -> Option<Command> {
        match ordered {
            Ordered::Subscribe(subscriptions) => self.subscribe(subscriptions, client),
            Ordered::Unsubscribe(channels) => {
                for channel in &channels {
                    client.unlisten(channel);
                    client.leave(channel);
                }
                self.ordered(Ok(Done::Unsubscribed), client)
            }
            Ordered::Presence(channel) => {
                let members = self.node.members(&self.caller(), &channel, MEMBERS_MAX);
                let done = members
                    .as_ref()
                    .map(|(occupancy, members)| Done::Presence { occupancy: *occupancy, members });
                self.ordered(done.map_err(|refused| refused.clone().into()), client)
            }
            Ordered::State { channel, state } => {
                let result = self.node.set_state(&self.caller(), &channel, state);
                let about = |error| Problem::from(error).with_channel(&channel);
                self.ordered(result.map(|()| Done::StateSet).map_err(about), client)
            }
            Ordered::History { channel, since, limit } => {
                self.history(channel, since, limit, client);
                None
            }
            Ordered::Authenticate(token) => {
                let caller = self.authenticate(&token, client);
                let done = caller.as_ref().map(|caller| Done::Authenticated {
                    identity: &caller.identity.id,
                    expires: caller.expires,
                });
                self.ordered(done.map_err(Problem::clone), client)
            }
        }
    }

    fn ordered(&self, result: Result<Done<'_>, Problem>, client: &Client) -> Option<Command> {
        let mut out = Vec::new();
        let next = self.session.borrow_mut().handle_ordered(result, &mut out);
        send(&out, client);
        next
    }

    fn subscribe(self: &Rc<Self>, subscriptions: Vec<Subscription>, client: &Client) -> Option<Command> {
        if let Err(problem) = self.may_join(&subscriptions) {
            return self.ordered(Err(problem), client);
        }
        let wants: Vec<Want> = subscriptions.iter().map(want).collect();
        if let Some(result) = client.try_listen(&wants) {
            return self.subscribed(result, subscriptions, client);
        }
        let (shared, waiting) = (Rc::downgrade(self), client.clone());
        client.spawn(async move {
            let result = waiting.listen(wants).await;
            if let Some(shared) = shared.upgrade() {
                let next = shared.subscribed(result, subscriptions, &waiting);
                shared.run(next, &waiting);
            }
        });
        None
    }

    /// Refuses before anybody is told of a join that has to be taken back.
    fn may_join(&self, subscriptions: &[Subscription]) -> Result<(), Problem> {
        let caller = self.caller();
        for subscription in subscriptions {
            if subscription.join != Join::No {
                caller.may(Permission::Presence, &subscription.channel)?;
            }
        }
        Ok(())
    }

    /// Answers, then sends what was missed: nothing is awaited in between, so that live comes after both.
    fn subscribed(
        &self,
        result: Result<Listening, ListenError>,
        subscriptions: Vec<Subscription>,
        client: &Client,
    ) -> Option<Command> {
        let listening = match result {
            Ok(listening) => listening,
            Err(error) => return self.ordered(Err(error.into()), client),
        };
        if let Err(problem) = join(subscriptions, client) {
            return self.ordered(Err(problem), client);
        }
        let next = self.ordered(Ok(Done::Subscribed(&listening.channels)), client);
        for on in &listening.channels {
            if let Some(gap) = on.gap {
                let mut out = Vec::new();
                answer::gap(on, gap, &mut out);
                send(&out, client);
            }
        }
        client.send_publications(&listening);
        next
    }

    fn history(
        self: &Rc<Self>,
        channel: Arc<ChannelId>,
        since: Option<Position>,
        limit: usize,
        client: &Client,
    ) {
        let window = since.map_or(Window::Newest, Window::After);
        let (shared, waiting) = (Rc::downgrade(self), client.clone());
        let (node, caller) = (Arc::clone(&self.node), self.caller());
        client.spawn(async move {
            let result = node.history(&caller, &channel, window, limit).await;
            let Some(shared) = shared.upgrade() else { return };
            // More than one answer has to fit in an outbox, and what is written is longer than what is in memory.
            let bytes_max = shared.history_bytes_max.min(waiting.worker().settings().outbox_bytes_max / 4);
            let result = result.map(|history| cut(history, window, bytes_max));
            let done = result.as_ref().map(|history| Done::History {
                messages: &history.publications,
                position: history.position,
                gap: history.gap,
            });
            let next = shared.ordered(done.map_err(|error| error.clone().into()), &waiting);
            shared.run(next, &waiting);
        });
    }
}

/// Counts the client as present where it wants to be; on an error it neither is nor listens anywhere.
fn join(subscriptions: Vec<Subscription>, client: &Client) -> Result<(), Problem> {
    let mut begun = Vec::with_capacity(subscriptions.len());
    let mut failed = None;
    for Subscription { channel, join, .. } in subscriptions {
        if let (Join::Yes(state), None) = (join, &failed) {
            failed =
                client.join(&channel, state).err().map(|error| Problem::from(error).with_channel(&channel));
        }
        begun.push(channel);
    }
    let Some(problem) = failed else { return Ok(()) };
    for channel in &begun {
        client.leave(channel);
        client.unlisten(channel);
    }
    Err(problem)
}

fn want(subscription: &Subscription) -> Want {
    Want {
        channel: Arc::clone(&subscription.channel),
        since: subscription.since.map_or(Since::Now, Since::After),
        format: &MESSAGE,
        filter: filter(&subscription.events),
        presence: subscription.presence,
        label: None,
    }
}

fn filter(events: &[Box<str>]) -> Option<Filter> {
    if events.is_empty() {
        return None;
    }
    let events = events.to_vec();
    Some(Rc::new(move |publication: &Publication| wants(&events, publication)))
}

/// As much of a history as fits, one publication in any case: the oldest after a position, or else the newest.
fn cut(mut history: History, window: Window, bytes_max: usize) -> History {
    let mut bytes = 0;
    let mut fits = |publication: &Arc<Publication>| {
        bytes += publication.memory_bytes();
        bytes <= bytes_max
    };
    let publications = &mut history.publications;
    match window {
        Window::After(_) => {
            let fitting = publications.iter().take_while(|one| fits(one)).count().max(1);
            if fitting < publications.len() {
                publications.truncate(fitting);
                history.position = publications[fitting - 1].position;
            }
        }
        Window::Newest => {
            let fitting = publications.iter().rev().take_while(|one| fits(one)).count().max(1);
            let excess = publications.len().saturating_sub(fitting);
            publications.drain(..excess);
        }
    }
    history
}

/// Answers have no order among publications, except that the one to a subscribe stands before what comes of it.
fn send(message: &[u8], client: &Client) {
    if !message.is_empty() {
        client.send_at_once(Outgoing::Text(message), Compress::AsConfigured);
    }
}

#[cfg(test)]
mod tests;
