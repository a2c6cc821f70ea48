//! Acknowledgements, both ways: the answers that clients give to events of ours, and ours to theirs.

mod packet;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::time::Instant;

use self::packet::{AckPacket, Values};

use crate::arguments::{self, EventArguments, UnserializableArguments};
use crate::connection::Connection;
use crate::timers::{self, Due};
use crate::{AckData, AckId, Socket};

/// Ids of events for one socket are below; above are those of broadcasts, which are positions.
pub(crate) const DIRECT_ACK_IDS: u64 = 1 << 40;

/// Late answers are noticed no more often.
const GRANULARITY: Duration = Duration::from_millis(5);

/// An event was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AckError {
    /// Not in time.
    #[error("the acknowledgement did not come in time")]
    TimedOut,
    /// The socket is disconnected.
    #[error("the socket was disconnected before it acknowledged")]
    Disconnected,
    /// As many acknowledgements of the socket are awaited as may be. The event was not sent.
    #[error("too many acknowledgements of this socket are awaited")]
    TooMany,
}

/// The answer to an event, when it comes.
#[derive(Debug)]
pub struct AckReply(oneshot::Receiver<Answer>);

type Answer = Result<EventArguments, AckError>;

impl Future for AckReply {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        // Nobody drops what is awaited without an answer but a worker that stops.
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(AckError::Disconnected)))
    }
}

/// What a socket's client has yet to answer. A pointer until there is something.
#[derive(Default)]
pub(crate) struct Acks(Option<Box<Awaited>>);

#[derive(Default)]
struct Awaited {
    last: u64,
    waiting: HashMap<u64, Waiting>,
    /// When a timer is due that looks for late ones.
    timer: Option<Instant>,
}

struct Waiting {
    answer: oneshot::Sender<Answer>,
    deadline: Option<Instant>,
}

impl Acks {
    /// A new id, and whether a timer has to be set. None if there are as many as may be.
    fn begin(&mut self, waiting: Waiting, max: usize) -> Result<(AckId, Option<Instant>), Waiting> {
        let awaited = self.0.get_or_insert_default();
        if awaited.waiting.len() >= max {
            return Err(waiting);
        }
        let id = awaited.last;
        awaited.last = (id + 1) % DIRECT_ACK_IDS;
        let timer = waiting.deadline.filter(|deadline| awaited.timer.is_none_or(|timer| *deadline < timer));
        awaited.timer = timer.or(awaited.timer);
        awaited.waiting.insert(id, waiting);
        Ok((AckId::new(id).expect("direct ids are small"), timer))
    }

    fn take(&mut self, id: u64) -> Option<Waiting> {
        self.0.as_mut()?.waiting.remove(&id)
    }

    /// Takes those that are late, and says when to look again.
    fn late(&mut self, now: Instant) -> (Vec<Waiting>, Option<Instant>) {
        let Some(awaited) = &mut self.0 else { return (Vec::new(), None) };
        // An earlier timer may have been set after this one.
        if awaited.timer.is_some_and(|timer| timer > now) {
            return (Vec::new(), None);
        }
        let is_late = |waiting: &Waiting| waiting.deadline.is_some_and(|deadline| deadline <= now);
        let late = awaited.waiting.extract_if(|_, waiting| is_late(waiting));
        let late = late.map(|(_, waiting)| waiting).collect();
        let next = awaited.waiting.values().filter_map(|waiting| waiting.deadline).min();
        awaited.timer = next.map(|next| next.max(now + GRANULARITY));
        (late, awaited.timer)
    }
}

impl Socket {
    /// Sends an event that is to be acknowledged: `send` is given its id, on the socket's home worker.
    pub(crate) fn call(
        &self,
        timeout: Option<Duration>,
        send: impl FnOnce(&Socket, &Rc<Connection>, AckId) + Send + 'static,
    ) -> AckReply {
        let (answer, reply) = oneshot::channel();
        // Dropped without being run, the sender says that the socket is gone.
        self.on_home(move |socket, connection| {
            if !socket.is_connected() {
                let _ = answer.send(Err(AckError::Disconnected));
                return;
            }
            // One that is too late to be told is none.
            let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            let max = socket.io().settings().acks_max;
            let begun = socket.acks().lock().begin(Waiting { answer, deadline }, max);
            match begun {
                Ok((id, timer)) => {
                    if let Some(at) = timer {
                        timers::at(at, Due::Acks(socket.downgrade()));
                    }
                    send(socket, connection, id);
                }
                Err(refused) => {
                    let _ = refused.answer.send(Err(AckError::TooMany));
                }
            }
        });
        AckReply(reply)
    }
}

/// An answer came. One that nobody awaits any more is dropped.
pub(crate) fn handle_ack(socket: &Socket, id: AckId, data: &AckData, attachments: Vec<Bytes>) {
    let waiting = socket.acks().lock().take(id.value());
    if let Some(waiting) = waiting {
        let _ = waiting.answer.send(Ok(EventArguments::from_ack(data, attachments)));
    }
}

/// Tells those who wait for too long.
pub(crate) fn handle_timeout(socket: &Socket, now: Instant) {
    let (late, next) = socket.acks().lock().late(now);
    for waiting in late {
        let _ = waiting.answer.send(Err(AckError::TimedOut));
    }
    if let Some(next) = next {
        timers::at(next, Due::Acks(socket.downgrade()));
    }
}

/// Tells everybody who waits that nothing will come.
pub(crate) fn handle_disconnected(socket: &Socket) {
    let awaited = socket.acks().lock().0.take();
    for waiting in awaited.into_iter().flat_map(|awaited| awaited.waiting.into_values()) {
        let _ = waiting.answer.send(Err(AckError::Disconnected));
    }
}

/// The client awaits an answer to its event: this gives it. Dropped, none is given.
pub struct Ack {
    socket: Socket,
    id: AckId,
    /// Whether another handler of the event answered already. None if there is no other.
    answered: Option<Arc<AtomicBool>>,
}

impl Ack {
    pub(crate) fn new(socket: Socket, id: AckId) -> Ack {
        Ack { socket, id, answered: None }
    }

    /// Whose event it answers.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Answers with arguments: a tuple is several, `()` none, everything else is one. Nothing happens if the socket is
    /// disconnected, or another handler answered first.
    ///
    /// # Errors
    /// The value has no form in JSON.
    pub fn send(self, arguments: impl Serialize) -> Result<(), UnserializableArguments> {
        let payload = arguments::to_payload(&arguments)?;
        self.answer(Values::Payload(payload));
        Ok(())
    }

    /// Answers with arguments that came, as they came.
    pub fn send_arguments(self, arguments: EventArguments) {
        self.answer(Values::Arguments(arguments));
    }

    fn answer(self, values: Values) {
        if self.answered.is_some_and(|answered| answered.swap(true, Ordering::Relaxed)) {
            return;
        }
        let id = self.id;
        self.socket.on_home(move |socket, connection| {
            if socket.is_connected() {
                let namespace = socket.namespace().wire_name();
                AckPacket { namespace, id, values: &values }.send(connection);
            }
        });
    }

    /// The same for a further handler: the first of them to answer counts.
    pub fn share(&mut self) -> Ack {
        let answered = self.answered.get_or_insert_default();
        Ack { socket: self.socket.clone(), id: self.id, answered: Some(Arc::clone(answered)) }
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ack({} of {:?})", self.id, self.socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(deadline: Option<Instant>) -> (Waiting, oneshot::Receiver<Answer>) {
        let (answer, reply) = oneshot::channel();
        (Waiting { answer, deadline }, reply)
    }

    #[test]
    fn ids_count_up_and_there_is_a_limit() {
        let mut acks = Acks::default();
        let begin = |acks: &mut Acks| acks.begin(waiting(None).0, 2).map(|(id, _)| id.value()).ok();
        assert_eq!((begin(&mut acks), begin(&mut acks), begin(&mut acks)), (Some(0), Some(1), None));
        assert!(acks.take(0).is_some());
        assert!(acks.take(0).is_none());
        assert_eq!(begin(&mut acks), Some(2));
    }

    #[test]
    fn a_timer_is_set_for_the_earliest_alone() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let mut acks = Acks::default();
        let mut begin = |deadline| {
            let (waiting, reply) = waiting(deadline);
            (acks.begin(waiting, 10).ok().unwrap().1, reply)
        };
        let (never, _never) = begin(None);
        let (ten, mut late) = begin(Some(at(10)));
        let (twenty, _twenty) = begin(Some(at(20)));
        let (five, mut earliest) = begin(Some(at(5)));
        assert_eq!((never, ten, twenty, five), (None, Some(at(10)), None, Some(at(5))));
        let (gone, next) = acks.late(at(5));
        assert_eq!((gone.len(), next), (1, Some(at(10))));
        gone.into_iter().for_each(|waiting| waiting.answer.send(Err(AckError::TimedOut)).unwrap());
        assert!(matches!(earliest.try_recv(), Ok(Err(AckError::TimedOut))));
        assert!(late.try_recv().is_err());
        // The timer that was set first finds that another took its place.
        let (gone, next) = acks.late(at(9));
        assert!(gone.is_empty() && next.is_none());
        assert_eq!(acks.late(at(30)).0.len(), 2);
        assert_eq!(acks.late(at(40)).1, None);
    }
}
