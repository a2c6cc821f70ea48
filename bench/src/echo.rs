//! Connections that each get back what they send: requests a second, and how long each took.

use std::collections::VecDeque;
use std::time::Instant;

use mio::event::Event;
use mio::{Events, Poll};

use crate::args::EchoArgs;
use crate::connect::{open, poll_events};
use crate::connection::{Connection, ReadBuffer};
use crate::error::Error;
use crate::framing::MaskKeys;
use crate::message::Shape;
use crate::meter::{Meter, Phase};
use crate::report::Report;
use crate::target::{Part, Target};

/// Connections being opened at the same time.
const OPENING: usize = 256;

pub(crate) fn measure(args: &EchoArgs) -> Result<Report, Error> {
    let target = Target::new(&args.target, args.protocol)?;
    let (connections, in_flight) = (args.connections.get(), args.in_flight.get());
    let mut poll = Poll::new().map_err(Error::Poll)?;
    let opened = open(&mut poll, &target, connections, OPENING, |_| Part::Echo)?;
    let shape = Shape::request(args.protocol, args.size);
    let answer = Shape::answer(args.protocol, args.size);
    let mut echo = Echo {
        clients: opened.connections.into_iter().map(Client::new).collect(),
        requests: Requests { shape, frames: Vec::new(), keys: MaskKeys::new() },
        answer,
        buffer: ReadBuffer::new(answer.bytes_max()),
        meter: Meter::start(args.span, 1, args.target.pid),
        outstanding: 0,
        phase: Phase::WarmUp,
    };
    echo.run(&mut poll, in_flight)?;
    let load = format!("{connections} connections, {in_flight} in flight each, {} bytes", args.size);
    Ok(echo.meter.finish("echo", "requests", load))
}

struct Echo {
    clients: Vec<Client>,
    requests: Requests,
    answer: Shape,
    buffer: ReadBuffer,
    meter: Meter,
    outstanding: u64,
    phase: Phase,
}

impl Echo {
    fn run(&mut self, poll: &mut Poll, in_flight: usize) -> Result<(), Error> {
        for client in &mut self.clients {
            self.requests.send(client, in_flight)?;
            self.outstanding += in_flight as u64;
        }
        let mut events = Events::with_capacity(1024);
        while self.outstanding > 0 {
            poll_events(poll, &mut events, Some(std::time::Duration::from_millis(100)))?;
            for event in &events {
                self.handle_event(event)?;
            }
            self.phase = self.meter.tick(Instant::now(), self.outstanding)?;
        }
        Ok(())
    }

    fn handle_event(&mut self, event: &Event) -> Result<(), Error> {
        let number = event.token().0;
        let client = &mut self.clients[number];
        let (sent, meter) = (&mut client.sent, &mut self.meter);
        let mut answered = 0;
        client.connection.handle_event(event, &mut self.buffer, |frame| {
            let found = self.answer.number(frame).ok_or_else(|| frame.unexpected(number))?;
            let (expected, sent_at) = sent.pop_front().ok_or_else(|| frame.unexpected(number))?;
            if found != expected {
                return Err(Error::OutOfOrder { connection: number, expected, found });
            }
            answered += 1;
            meter.record(frame.read_at.saturating_duration_since(sent_at), 1);
            Ok(())
        })?;
        match self.phase {
            Phase::Draining => self.outstanding -= answered as u64,
            Phase::WarmUp | Phase::Measuring => self.requests.send(client, answered)?,
        }
        Ok(())
    }
}

struct Client {
    connection: Connection,
    next: u64,
    /// What was sent and has not come back, oldest first.
    sent: VecDeque<(u64, Instant)>,
}

impl Client {
    fn new(connection: Connection) -> Self {
        Self { connection, next: 0, sent: VecDeque::new() }
    }
}

struct Requests {
    shape: Shape,
    frames: Vec<u8>,
    keys: MaskKeys,
}

impl Requests {
    fn send(&mut self, client: &mut Client, count: usize) -> Result<(), Error> {
        if count == 0 {
            return Ok(());
        }
        let now = Instant::now();
        self.frames.clear();
        for _ in 0..count {
            self.shape.push(client.next, self.keys.next_key(), &mut self.frames);
            client.sent.push_back((client.next, now));
            client.next += 1;
        }
        client.connection.send(&self.frames)
    }
}
