//! Those who are cut off and come back.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Events, Poll};

use super::Live;
use crate::args::StormArgs;
use crate::connect::{Opener, poll_events};
use crate::connection::Frame;
use crate::error::Error;
use crate::fanout::BYTES_BESIDES;
use crate::message::Shape;
use crate::meter::{LATENCY_MAX, STALL};
use crate::progress::Progress;
use crate::target::{Part, Protocol, Target};

/// Connections begun in a turn: all come back at once, but those who stayed are to be read meanwhile.
const BEGUN_PER_TURN: usize = 64;

/// Events handled in a turn, for the same reason.
const EVENTS_PER_TURN: usize = 128;

/// How long a turn waits for events once all have begun.
const WAIT: Duration = Duration::from_millis(1);

pub(super) struct Clients<'a> {
    poll: Poll,
    events: Events,
    opener: Opener<'a>,
    received: Received,
}

/// What has come of messages.
struct Received {
    shape: Shape,
    /// The number that each client is to get next.
    next: Vec<u64>,
    /// Messages up to this number are waited for.
    until: u64,
    /// Clients that have all of those.
    done: usize,
    began: Instant,
    /// When each was done.
    caught_up: Histogram<u64>,
    arrived: Instant,
}

/// How long it took, from the beginning.
pub(super) struct Outcome {
    /// Until all were connected.
    pub(super) connected: Duration,
    /// Until each had all messages.
    pub(super) caught_up: Histogram<u64>,
}

impl<'a> Clients<'a> {
    /// Connects all of them. The first message that each gets is to have this number.
    ///
    /// # Errors
    /// One cannot connect.
    pub(super) fn open(
        target: &'a Target,
        args: &StormArgs,
        first: u64,
        live: &mut Live,
    ) -> Result<Self, Error> {
        let mut clients = Self::begin(target, args, first)?;
        clients.read_until(first, live)?;
        Ok(clients)
    }

    /// Begins with no connection made. The time counts from here.
    ///
    /// # Errors
    /// There is no poll.
    pub(super) fn begin(target: &'a Target, args: &StormArgs, first: u64) -> Result<Self, Error> {
        let topic = target.topic(Part::Subscriber, 0);
        let shape = match target.protocol {
            // What is published is text, of which a raw WebSocket makes a frame.
            Protocol::WebSocket => Shape::text("", args.size, ""),
            _ => target.wire.delivery(&topic, args.size),
        };
        let count = args.clients.get();
        let (now, bytes_max) = (Instant::now(), shape.bytes_max() + BYTES_BESIDES);
        let caught_up = Histogram::new_with_bounds(1, LATENCY_MAX.as_nanos() as u64, 3)
            .expect("the bounds and digits are ones that the histogram takes");
        Ok(Self {
            poll: Poll::new().map_err(Error::Poll)?,
            events: Events::with_capacity(EVENTS_PER_TURN),
            opener: Opener::new(target, count, bytes_max),
            received: Received {
                shape,
                next: vec![first; count],
                until: first,
                done: 0,
                began: now,
                caught_up,
                arrived: now,
            },
        })
    }

    /// Connects those who are not, and reads until each has every message up to `until`, without it.
    ///
    /// # Errors
    /// A connection ends, or something was lost, doubled or out of order.
    pub(super) fn read_until(&mut self, until: u64, live: &mut Live) -> Result<Outcome, Error> {
        let count = self.received.next.len();
        self.received.expect(until);
        let mut connected = Duration::ZERO;
        let mut progress = Progress::new();
        while self.opener.open < count || self.received.done < count {
            let begun = self.opener.begun();
            for _ in begun..count.min(begun + BEGUN_PER_TURN) {
                self.opener.begin(&self.poll, Part::Subscriber)?;
            }
            live.fanout.turn(Duration::ZERO)?;
            let wait = if self.opener.begun() < count { Duration::ZERO } else { WAIT };
            poll_events(&mut self.poll, &mut self.events, Some(wait))?;
            let (open, done) = (self.opener.open, self.received.done);
            for event in &self.events {
                self.opener.handle_event(event, &mut |number, frame, _| self.received.take(number, frame))?;
            }
            let now = Instant::now();
            if self.opener.open == count && open < count {
                connected = now - self.received.began;
            }
            if self.opener.open > open {
                self.received.arrived = now;
            }
            if now.saturating_duration_since(self.received.arrived) > STALL {
                let outstanding = (count - done.min(open)) as u64;
                return Err(Error::Stalled { seconds: STALL.as_secs(), outstanding });
            }
            progress.show(now, || format!("{open} of {count} clients connected, {done} have all messages"));
        }
        progress.clear();
        let caught_up = self.received.caught_up.clone();
        Ok(Outcome { connected, caught_up })
    }
}

impl Received {
    /// Waits from here on for the messages up to `until`.
    fn expect(&mut self, until: u64) {
        self.until = until;
        self.done = self.next.iter().filter(|next| **next >= until).count();
        self.caught_up.reset();
        self.arrived = Instant::now();
    }

    fn take(&mut self, number: usize, frame: Frame<'_>) -> Result<(), Error> {
        let found = self.shape.number(frame).ok_or_else(|| frame.unexpected(number))?;
        let next = &mut self.next[number];
        if found != *next || found >= self.until {
            return Err(Error::OutOfOrder { connection: number, expected: *next, found });
        }
        *next += 1;
        self.arrived = frame.read_at;
        if *next == self.until {
            self.done += 1;
            let took = frame.read_at.saturating_duration_since(self.began);
            self.caught_up.saturating_record(took.as_nanos() as u64);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::TEXT;
    use crate::message::text;

    #[test]
    fn every_client_gets_every_message_once_and_in_order() {
        let now = Instant::now();
        let mut received = Received {
            shape: Shape::text("", 16, ""),
            next: vec![1, 1],
            until: 1,
            done: 0,
            began: now,
            caught_up: Histogram::new_with_bounds(1, 1000, 3).unwrap(),
            arrived: now,
        };
        let take = |received: &mut Received, client, number| {
            let message = text(number, 16);
            received.take(client, Frame { opcode: TEXT, payload: message.as_bytes(), read_at: now })
        };
        received.expect(3);
        assert_eq!(received.done, 0);
        take(&mut received, 0, 1).unwrap();
        for wrong in [1, 3] {
            let error = take(&mut received, 0, wrong).unwrap_err();
            assert!(matches!(error, Error::OutOfOrder { expected: 2, .. }), "{error}");
        }
        take(&mut received, 0, 2).unwrap();
        assert_eq!(received.done, 1);
        // The last that is waited for has come: what comes on top was not published.
        assert!(take(&mut received, 0, 3).is_err());
        received.expect(1);
        assert_eq!(received.done, 2);
    }
}
