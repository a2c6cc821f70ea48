//! What a socket's handlers have to do, one after the other, in the order in which it came.
//!
//! A handler that is done at once costs no task, and nothing waits. One that is not goes on as a task of the worker's,
//! and what comes meanwhile waits here.

mod run;

use std::collections::VecDeque;
use std::rc::Rc;

use crate::connection::Connection;
use crate::handler::Event;
use crate::{DisconnectReason, Outcome, Socket, SocketIoSettings};

/// What handlers are called for.
pub(crate) enum Item {
    Connected,
    Event(Event),
    Disconnected(DisconnectReason),
}

/// Whether a handler of a socket is at work, and what waits for it. A pointer until something does.
#[derive(Default)]
pub(crate) struct Queue {
    is_busy: bool,
    waiting: Option<Box<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    items: VecDeque<Item>,
    bytes: usize,
}

/// More waits than may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct QueueFull;

impl Queue {
    /// Takes an item in turn. None if it has to wait.
    fn admit(&mut self, item: Item, settings: &SocketIoSettings) -> Result<Option<Item>, QueueFull> {
        if !self.is_busy {
            self.is_busy = true;
            return Ok(Some(item));
        }
        let waiting = self.waiting.get_or_insert_default();
        if let Item::Event(event) = &item {
            let bytes = waiting.bytes + event.arguments.bytes();
            let has_room = waiting.items.is_empty() || bytes <= settings.handler_queue_bytes_max;
            if waiting.items.len() >= settings.handler_queue_max || !has_room {
                return Err(QueueFull);
            }
            waiting.bytes = bytes;
        }
        waiting.items.push_back(item);
        Ok(None)
    }

    /// What is to be done next. None if nothing waits: whatever comes is done at once.
    fn next(&mut self) -> Option<Item> {
        let next = self.waiting.as_mut().and_then(|waiting| {
            let item = waiting.items.pop_front()?;
            if let Item::Event(event) = &item {
                waiting.bytes -= event.arguments.bytes();
            }
            Some(item)
        });
        if next.is_none() {
            self.is_busy = false;
            self.waiting = None;
        }
        next
    }
}

/// A socket is connected: its namespace's handlers are told, and its events wait for them.
pub(crate) fn handle_connected(socket: &Socket, connection: &Rc<Connection>) {
    submit(socket, connection, Item::Connected);
}

/// An event came.
pub(crate) fn handle_event(socket: &Socket, connection: &Rc<Connection>, event: Event) {
    submit(socket, connection, Item::Event(event));
}

/// A socket is disconnected: after what came before, its handlers are told.
pub(crate) fn handle_disconnected(socket: &Socket, connection: &Rc<Connection>, reason: DisconnectReason) {
    submit(socket, connection, Item::Disconnected(reason));
}

fn submit(socket: &Socket, connection: &Rc<Connection>, item: Item) {
    let admitted = socket.queue().lock().admit(item, socket.io().settings());
    match admitted {
        Ok(Some(item)) => work(socket, item),
        Ok(None) => {}
        Err(QueueFull) => connection.fail(DisconnectReason::HandlerQueueFull),
    }
}

/// Works until nothing waits, or a handler is not done at once.
fn work(socket: &Socket, item: Item) {
    let mut next = Some(item);
    while let Some(item) = next {
        if let Outcome::Pending(rest) = run::run(socket, item).poll_once() {
            let socket = socket.clone();
            tokio::task::spawn_local(async move {
                rest.await;
                work_on(&socket).await;
            });
            return;
        }
        next = socket.queue().lock().next();
    }
}

async fn work_on(socket: &Socket) {
    loop {
        let next = socket.queue().lock().next();
        let Some(item) = next else { return };
        run::run(socket, item).wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(number: u32) -> Item {
        // Any item will do that has no event in it, which would need a socket.
        Item::Disconnected(if number == 0 {
            DisconnectReason::PingTimeout
        } else {
            DisconnectReason::ForcedClose
        })
    }

    #[test]
    fn one_works_and_the_others_wait_in_order() {
        let settings = SocketIoSettings::default();
        let mut queue = Queue::default();
        assert!(matches!(queue.admit(item(1), &settings), Ok(Some(_))));
        assert!(matches!(queue.admit(item(0), &settings), Ok(None)));
        assert!(matches!(queue.admit(item(1), &settings), Ok(None)));
        assert!(matches!(queue.next(), Some(Item::Disconnected(DisconnectReason::PingTimeout))));
        assert!(matches!(queue.next(), Some(Item::Disconnected(DisconnectReason::ForcedClose))));
        assert!(queue.next().is_none());
        assert!(queue.waiting.is_none());
        assert!(matches!(queue.admit(item(1), &settings), Ok(Some(_))));
    }
}
