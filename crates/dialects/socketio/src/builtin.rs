//! The events that a standalone server has in the namespace `/`: what `antiphon.v1` offers, as events with acknowledgements.
//!
//! Each answers with one object: `{"status":"ok",…}`, or `{"status":"error","error":{…}}` with the problem document that HTTP
//! answers. Without an acknowledgement an error is the event `antiphon.error`.
//!
//! Clients may be of several orgs: what they do is done as their callers, in their own org. Nothing is sent to all of them, and so
//! no channel is listened to that a client did not ask for.

mod answer;
mod broadcast;
pub(crate) mod fuzzing;
mod invalid;
mod publish;
mod request;
mod subscribe;
mod under_way;

use std::rc::Rc;
use std::sync::Arc;

use antiphon_access::Caller;
use antiphon_model::Draft;
use antiphon_net::Client;
use antiphon_net::problem::{Problem, ProblemKind};
use antiphon_node::{Node, Window};

use self::answer::Answer;
pub use self::request::Bounds;
use self::request::{Past, Publish};
use self::under_way::UnderWay;
use crate::connection::Connection;
use crate::namespace::Reach;
use crate::{Event, HandlerResult, Io, Outcome};

/// How many members a `presence` shows.
const MEMBERS_MAX: usize = 1000;

/// Adds the events to the namespace `/`, and an error for every other. To be called before clients come.
pub fn install(io: &Io, bounds: Bounds) {
    let root = io.root();
    root.set_reach(Reach::Sockets);
    root.on("subscribe", Arc::new(|event| later(event, subscribe::subscribe)));
    root.on("unsubscribe", Arc::new(|event| at_once(event, subscribe::unsubscribe)));
    root.on("publish", Arc::new(publish::publish));
    root.on("broadcast", Arc::new(move |event| broadcast::broadcast(event, &bounds)));
    root.on(
        "history",
        Arc::new(move |event| later(event, async move |request| history(request, bounds).await)),
    );
    root.on("presence", Arc::new(|event| at_once(event, presence)));
    root.on_fallback(Arc::new(|event| at_once(event, unknown)));
    root.on_disconnect(Arc::new(|socket, _| {
        UnderWay::end_all(&socket);
        Outcome::Ready(Ok(()))
    }));
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
        let connection = event.socket.at_home().filter(|_| event.socket.is_connected())?;
        let (client, caller) = (connection.client(), Arc::clone(event.socket.caller()));
        Some(Request { event, connection, client, caller })
    }

    fn node(&self) -> &Arc<Node> {
        self.event.socket.io().node()
    }

    fn answer(mut self, answer: Result<Answer, Problem>) {
        let ack = self.event.ack.take();
        answer::send(&self.event.socket, &self.event.name, ack, answer);
    }

    /// How many bytes an answer may have, about: more than one has to fit in what may wait for the client.
    fn answer_bytes_max(&self) -> usize {
        let outbox = self.client.worker().settings().outbox_bytes_max;
        outbox.min(self.connection.io().settings().engine.engine.send_buffer_bytes_max) / 4
    }

    /// A draft that the connection may publish, as far as its rate goes. Permissions are the socket's, which came by credentials
    /// of its own.
    fn admitted(&self, Publish { draft, echo }: Publish) -> Result<Draft, Problem> {
        self.client.admit(&draft)?;
        Ok(Draft { except: (!echo).then(|| self.client.session()), ..draft })
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

async fn history(request: &Request, bounds: Bounds) -> Result<Answer, Problem> {
    let Past { channel, since, limit } = request::past(&request.event.arguments, &bounds)?;
    let window = since.map_or(Window::Newest, Window::After);
    let history = request.node().history(&request.caller, &channel, window, limit).await?;
    Ok(Answer::history(history, window, request.answer_bytes_max()))
}

fn presence(request: &Request) -> Result<Answer, Problem> {
    let channel = request::channel(&request.event.arguments)?;
    let (occupancy, members) = request.node().members(&request.caller, &channel, MEMBERS_MAX)?;
    Ok(Answer::presence(occupancy, members, request.answer_bytes_max()))
}

fn unknown(request: &Request) -> Result<Answer, Problem> {
    // Names of events may be long.
    let name: String = request.event.name.chars().take(100).collect();
    let detail = format!(
        "there is no event {name:?}: there are subscribe, unsubscribe, publish, broadcast, history and presence"
    );
    Err(Problem::new(ProblemKind::NotFound, detail))
}
