//! One publisher, many subscribers: deliveries a second, and how long each took.

use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll};

use crate::args::FanoutArgs;
use crate::connect::{open, poll_events};
use crate::connection::{Connection, Frame, ReadBuffer};
use crate::error::Error;
use crate::framing::MaskKeys;
use crate::message::Shape;
use crate::meter::{Meter, Phase};
use crate::pace::Pace;
use crate::report::Report;
use crate::target::{Part, Target};
use crate::wire::Wire;

/// Connections being opened at the same time.
const OPENING: usize = 256;

/// Bytes that a server may have to say besides a message: where it is from, by whom.
pub(crate) const BYTES_BESIDES: usize = 4 << 10;

/// Bytes of frames that the publisher puts in one write.
const WRITE_BYTES: usize = 256 << 10;

pub(crate) fn measure(args: &FanoutArgs) -> Result<Report, Error> {
    let target = Target::new(&args.target, args.protocol)?;
    let subscribers = args.subscribers.get();
    let pace = Pace::new(args.rate, args.in_flight.get() as u64);
    let mut fanout = Fanout::open(&target, subscribers, args.size, pace)?;
    fanout.meter = Meter::start(args.span, subscribers as u64, args.target.pid);
    fanout.run()?;
    let pace = match args.rate {
        Some(rate) => format!("{rate} messages/s"),
        None => format!("{} in flight", args.in_flight),
    };
    let load = format!("{subscribers} subscribers, {pace}, {} bytes", args.size);
    Ok(fanout.meter.finish("fanout", "deliveries", load))
}

/// One who publishes, and those who get it.
pub(crate) struct Fanout {
    poll: Poll,
    events: Events,
    subscribers: Vec<Connection>,
    publisher: Publisher,
    deliveries: Deliveries,
    buffer: ReadBuffer,
    /// Times what arrives.
    pub(crate) meter: Meter,
}

impl Fanout {
    /// Opens all connections. Nothing counts until there is another meter.
    ///
    /// # Errors
    /// One of them cannot be opened.
    pub(crate) fn open(target: &Target, subscribers: usize, size: usize, pace: Pace) -> Result<Self, Error> {
        let mut poll = Poll::new().map_err(Error::Poll)?;
        let mut opened = open(&mut poll, target, subscribers + 1, OPENING, |number| {
            if number < subscribers { Part::Subscriber } else { Part::Publisher }
        })?;
        let publisher = opened.connections.pop().expect("the publisher was opened last");
        let topic = target.topic(Part::Subscriber, 0);
        let delivery = target.wire.delivery(&topic, size);
        let origin = Instant::now();
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            subscribers: opened.connections,
            publisher: Publisher::new(
                publisher,
                target.wire,
                target.wire.publish(&topic, size),
                pace,
                origin,
            ),
            buffer: ReadBuffer::new(delivery.bytes_max() + BYTES_BESIDES),
            deliveries: Deliveries::new(subscribers, delivery, pace, origin),
            meter: Meter::idle(),
        })
    }

    fn run(&mut self) -> Result<(), Error> {
        while !self.turn(Duration::MAX)? {}
        Ok(())
    }

    /// Publishes what is due and reads what has come, for which it waits for so long at most. True when the meter has it that
    /// nothing more is to be published, and all has arrived.
    ///
    /// # Errors
    /// A connection ended, or something was lost, doubled or out of order.
    pub(crate) fn turn(&mut self, wait_max: Duration) -> Result<bool, Error> {
        let outstanding = self.deliveries.outstanding(self.publisher.sent);
        match self.meter.tick(Instant::now(), outstanding)? {
            Phase::Draining if outstanding == 0 => return Ok(true),
            Phase::Draining => {}
            Phase::WarmUp | Phase::Measuring => self.publisher.publish(&mut self.deliveries)?,
        }
        let timeout = self.publisher.pace.poll_timeout(self.publisher.sent, self.publisher.origin.elapsed());
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        poll_events(&mut self.poll, &mut events, Some(timeout.min(wait_max)))?;
        for event in &events {
            self.handle_event(event)?;
        }
        self.events = events;
        Ok(false)
    }

    fn handle_event(&mut self, event: &Event) -> Result<(), Error> {
        let number = event.token().0;
        let (deliveries, meter) = (&mut self.deliveries, &mut self.meter);
        match self.subscribers.get_mut(number) {
            Some(subscriber) => {
                subscriber
                    .handle_event(event, &mut self.buffer, |frame| deliveries.take(number, frame, meter))?;
                deliveries.record_run(meter);
                Ok(())
            }
            None => self.publisher.handle_event(number, event, &mut self.buffer),
        }
    }
}

struct Publisher {
    connection: Connection,
    wire: &'static dyn Wire,
    pace: Pace,
    origin: Instant,
    sent: u64,
    shape: Shape,
    frames: Vec<u8>,
    keys: MaskKeys,
}

impl Publisher {
    fn new(
        connection: Connection,
        wire: &'static dyn Wire,
        shape: Shape,
        pace: Pace,
        origin: Instant,
    ) -> Self {
        Self { connection, wire, pace, origin, sent: 0, shape, frames: Vec::new(), keys: MaskKeys::new() }
    }

    /// Some servers send a publisher its own messages, or say how many got them; they are no deliveries.
    fn handle_event(&mut self, number: usize, event: &Event, buffer: &mut ReadBuffer) -> Result<(), Error> {
        let wire = self.wire;
        self.connection.handle_event(event, buffer, |frame| match wire.is_refusal(frame) {
            true => Err(frame.refused(number)),
            false => Ok(()),
        })
    }

    /// Publishes what may be published, unless the server has yet to read what was before.
    fn publish(&mut self, deliveries: &mut Deliveries) -> Result<(), Error> {
        while self.connection.is_flushed() {
            let since_origin = self.origin.elapsed();
            let allowed = self.pace.allowed(deliveries.complete, since_origin);
            self.frames.clear();
            while self.sent < allowed && self.frames.len() < WRITE_BYTES {
                let stamp = self.pace.stamp(self.sent, since_origin);
                self.shape.push(self.sent, self.keys.next_key(), &mut self.frames);
                deliveries.expect(self.sent, stamp);
                self.sent += 1;
            }
            if self.frames.is_empty() {
                break;
            }
            self.connection.send(&self.frames)?;
        }
        Ok(())
    }
}

/// Who has received what: each subscriber must get every message, once and in order.
struct Deliveries {
    shape: Shape,
    origin: Instant,
    /// The sequence number each subscriber is due to receive.
    next: Vec<u64>,
    /// The messages under way, by their sequence numbers.
    under_way: Box<[UnderWay]>,
    /// Messages that every subscriber has received.
    complete: u64,
    total: u64,
    run: Run,
}

/// A message that was published.
#[derive(Clone, Copy, Default)]
struct UnderWay {
    /// When it was due, from the origin in nanoseconds.
    stamp: u64,
    /// How many subscribers are still to receive it.
    waiting: u32,
}

/// Deliveries with the same latency, counted together because timing each would cost more than receiving it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Run {
    stamp: u64,
    read_at: Instant,
    deliveries: u64,
}

impl Deliveries {
    fn new(subscribers: usize, shape: Shape, pace: Pace, origin: Instant) -> Self {
        let slots = (pace.in_flight_max() as usize).next_power_of_two();
        Self {
            shape,
            origin,
            next: vec![0; subscribers],
            under_way: vec![UnderWay::default(); slots].into(),
            complete: 0,
            total: 0,
            run: Run { stamp: 0, read_at: origin, deliveries: 0 },
        }
    }

    fn outstanding(&self, sent: u64) -> u64 {
        sent * self.next.len() as u64 - self.total
    }

    fn slot(&self, sequence: u64) -> usize {
        sequence as usize & (self.under_way.len() - 1)
    }

    fn expect(&mut self, sequence: u64, stamp: u64) {
        let slot = self.slot(sequence);
        self.under_way[slot] = UnderWay { stamp, waiting: self.next.len() as u32 };
    }

    #[inline]
    fn take(&mut self, subscriber: usize, frame: Frame<'_>, meter: &mut Meter) -> Result<(), Error> {
        let sequence = self.shape.number(frame).ok_or_else(|| frame.unexpected(subscriber))?;
        let expected = self.next[subscriber];
        let slot = self.slot(sequence);
        let under_way = &mut self.under_way[slot];
        if sequence != expected || under_way.waiting == 0 {
            return Err(Error::OutOfOrder { connection: subscriber, expected, found: sequence });
        }
        let stamp = under_way.stamp;
        self.next[subscriber] += 1;
        self.total += 1;
        under_way.waiting -= 1;
        if under_way.waiting == 0 {
            // Every subscriber receives in order, so messages become complete in order.
            self.complete += 1;
        }
        if stamp != self.run.stamp || frame.read_at != self.run.read_at {
            self.record_run(meter);
            self.run = Run { stamp, read_at: frame.read_at, deliveries: 0 };
        }
        self.run.deliveries += 1;
        Ok(())
    }

    fn record_run(&mut self, meter: &mut Meter) {
        let Run { stamp, read_at, deliveries } = self.run;
        if deliveries > 0 {
            let received = read_at.saturating_duration_since(self.origin);
            meter.record(received.saturating_sub(Duration::from_nanos(stamp)), deliveries);
            self.run.deliveries = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Span;
    use crate::framing::BINARY;

    fn meter() -> Meter {
        let span = Span { duration: Duration::from_secs(3600), warm_up: Duration::ZERO, messages: None };
        let mut meter = Meter::start(span, 1, None);
        meter.tick(Instant::now(), 0).unwrap();
        meter
    }

    fn deliveries(subscribers: usize, in_flight: u64) -> Deliveries {
        let shape = Shape::binary(16);
        Deliveries::new(subscribers, shape, Pace::Window(in_flight), Instant::now())
    }

    fn message(sequence: u64) -> [u8; 16] {
        let mut message = [0; 16];
        message[..8].copy_from_slice(&sequence.to_le_bytes());
        message
    }

    fn frame(payload: &[u8]) -> Frame<'_> {
        Frame { opcode: BINARY, payload, read_at: Instant::now() }
    }

    #[test]
    fn a_message_is_complete_when_the_slowest_has_it() {
        let (mut meter, mut all) = (meter(), deliveries(2, 3));
        (0..3).for_each(|sequence| all.expect(sequence, 0));
        for sequence in 0..3 {
            all.take(0, frame(&message(sequence)), &mut meter).unwrap();
        }
        assert_eq!((all.complete, all.outstanding(3)), (0, 3));
        all.take(1, frame(&message(0)), &mut meter).unwrap();
        assert_eq!((all.complete, all.outstanding(3)), (1, 2));
    }

    #[test]
    fn loss_doubling_and_strangers_end_the_run() {
        let (mut meter, mut all) = (meter(), deliveries(1, 4));
        (0..4).for_each(|sequence| all.expect(sequence, 0));
        let lost = all.take(0, frame(&message(1)), &mut meter);
        assert!(matches!(lost, Err(Error::OutOfOrder { expected: 0, found: 1, .. })));
        all.take(0, frame(&message(0)), &mut meter).unwrap();
        let doubled = all.take(0, frame(&message(0)), &mut meter);
        assert!(matches!(doubled, Err(Error::OutOfOrder { expected: 1, found: 0, .. })));
        for stranger in [&[0; 15][..], &[0; 17], b""] {
            assert!(matches!(all.take(0, frame(stranger), &mut meter), Err(Error::Unexpected { .. })));
        }
        (1..4).for_each(|sequence| all.take(0, frame(&message(sequence)), &mut meter).unwrap());
        let never_sent = all.take(0, frame(&message(4)), &mut meter);
        assert!(matches!(never_sent, Err(Error::OutOfOrder { .. })));
    }
}
