use std::sync::Arc;

use antiphon_net::problem::Problem;
use antiphon_node::{Completion, Receipt};
use parking_lot::Mutex;

use super::Request;
use super::answer::{self, Answer};
use super::request;
use super::under_way::{Unanswered, UnderWay};
use crate::{Ack, Event, EventName, HandlerResult, Outcome, Socket};

/// Publishes in the order of the events. The answer waits for the store, the events that follow do not.
pub(super) fn publish(event: Event) -> Outcome<HandlerResult> {
    let Some(mut request) = Request::new(event) else { return Outcome::Ready(Ok(())) };
    let socket = request.event.socket.clone();
    let waiting =
        Waiting { name: request.event.name.clone(), ack: request.event.ack.take(), unanswered: None };
    // One of the two takes it: what publishing comes to is known at once, or by the completion later.
    let waiting = Arc::new(Mutex::new(Some(waiting)));
    let done = {
        let (socket, waiting) = (socket.clone(), Arc::clone(&waiting));
        move || -> Completion {
            Box::new(move |result| answer(&socket, &waiting, result.map_err(Problem::from)))
        }
    };
    let published = request::publish(&request.event.arguments, &request.caller.limits)
        .map_err(Problem::from)
        .and_then(|publish| {
            let unanswered = UnderWay::of(&socket).begin()?;
            if let Some(waiting) = waiting.lock().as_mut() {
                waiting.unanswered = Some(unanswered);
            }
            request.admitted(publish)
        })
        .and_then(|draft| Ok(request.node().publish(&request.caller, draft, done)?));
    match published {
        Ok(None) => {}
        Ok(Some(receipt)) => answer(&socket, &waiting, Ok(receipt)),
        Err(problem) => answer(&socket, &waiting, Err(problem)),
    }
    Outcome::Ready(Ok(()))
}

/// A client that is to be answered.
struct Waiting {
    name: EventName,
    ack: Option<Ack>,
    /// Held until it is.
    unanswered: Option<Unanswered>,
}

fn answer(socket: &Socket, waiting: &Mutex<Option<Waiting>>, result: Result<Receipt, Problem>) {
    let Some(Waiting { name, ack, unanswered }) = waiting.lock().take() else { return };
    drop(unanswered);
    answer::send(socket, &name, ack, result.map(Answer::published));
}
