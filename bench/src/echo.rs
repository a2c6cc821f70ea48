//! Connections that each get back what they send: requests a second, and how long each took.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll};

use crate::args::EchoArgs;
use crate::connect::{open, poll_events};
use crate::connection::{Connection, ReadBuffer};
use crate::error::Error;
use crate::fanout::BYTES_BESIDES;
use crate::framing::MaskKeys;
use crate::message::Shape;
use crate::meter::{Meter, Phase};
use crate::pace::Pace;
use crate::report::Report;
use crate::target::{Part, Protocol, Target};

/// Connections being opened at the same time.
const OPENING: usize = 256;

pub(crate) fn measure(args: &EchoArgs) -> Result<Report, Error> {
    if args.protocol == Protocol::Sse {
        return Err(Error::Unsuited("server-sent events go one way, so there is no echo over them"));
    }
    let target = Target::new(&args.target, args.protocol)?;
    let (connections, in_flight) = (args.connections.get(), args.in_flight.get());
    let mut poll = Poll::new().map_err(Error::Poll)?;
    let opened = open(&mut poll, &target, connections, OPENING, |_| Part::Echo)?;
    let answer_bytes = target.wire.answer("", args.size).bytes_max();
    let clients = opened.connections.into_iter().enumerate();
    let mut echo = Echo {
        clients: clients.map(|(number, client)| Client::new(client, &target, number, args.size)).collect(),
        requests: Requests { frames: Vec::new(), keys: MaskKeys::new() },
        buffer: ReadBuffer::new(answer_bytes + BYTES_BESIDES),
        meter: Meter::start(args.span, 1, args.target.pid),
        pace: Pace::new(args.rate, in_flight as u64),
        origin: Instant::now(),
        sent: 0,
        outstanding: 0,
        phase: Phase::WarmUp,
    };
    echo.run(&mut poll)?;
    let pace = match args.rate {
        Some(rate) => format!("{rate} requests/s"),
        None => format!("{in_flight} in flight each"),
    };
    let load = format!("{connections} connections, {pace}, {} bytes", args.size);
    Ok(echo.meter.finish("echo", "requests", load))
}

struct Echo {
    clients: Vec<Client>,
    requests: Requests,
    buffer: ReadBuffer,
    meter: Meter,
    pace: Pace,
    origin: Instant,
    /// Requests that were sent by the clock.
    sent: u64,
    outstanding: u64,
    phase: Phase,
}

impl Echo {
    fn run(&mut self, poll: &mut Poll) -> Result<(), Error> {
        if let Pace::Window(in_flight) = self.pace {
            let now = Instant::now();
            for client in &mut self.clients {
                self.requests.send(client, in_flight as usize, now)?;
                self.outstanding += in_flight;
            }
        }
        let mut events = Events::with_capacity(1024);
        loop {
            self.phase = self.meter.tick(Instant::now(), self.outstanding)?;
            match (self.phase, self.pace) {
                (Phase::Draining, _) if self.outstanding == 0 => return Ok(()),
                (Phase::WarmUp | Phase::Measuring, Pace::Rate { .. }) => self.send_due()?,
                _ => {}
            }
            let timeout = self.pace.poll_timeout(self.sent, self.origin.elapsed());
            poll_events(poll, &mut events, Some(timeout))?;
            for event in &events {
                self.handle_event(event)?;
            }
        }
    }

    /// Sends what is due by the clock, each on the connection whose turn it is, whether or not that was answered before.
    fn send_due(&mut self) -> Result<(), Error> {
        let since_origin = self.origin.elapsed();
        let allowed = self.pace.allowed(self.sent - self.outstanding, since_origin);
        while self.sent < allowed {
            let at = (self.sent % self.clients.len() as u64) as usize;
            let due = self.origin + Duration::from_nanos(self.pace.stamp(self.sent, since_origin));
            self.requests.send(&mut self.clients[at], 1, due)?;
            self.sent += 1;
            self.outstanding += 1;
        }
        Ok(())
    }

    fn handle_event(&mut self, event: &Event) -> Result<(), Error> {
        let number = event.token().0;
        let client = &mut self.clients[number];
        let (sent, meter) = (&mut client.sent, &mut self.meter);
        let mut answered = 0;
        client.connection.handle_event(event, &mut self.buffer, |frame| {
            let found = client.answer.number(frame).ok_or_else(|| frame.unexpected(number))?;
            let (expected, sent_at) = sent.pop_front().ok_or_else(|| frame.unexpected(number))?;
            if found != expected {
                return Err(Error::OutOfOrder { connection: number, expected, found });
            }
            answered += 1;
            meter.record(frame.read_at.saturating_duration_since(sent_at), 1);
            Ok(())
        })?;
        match (self.phase, self.pace) {
            (Phase::WarmUp | Phase::Measuring, Pace::Window(_)) => {
                self.requests.send(client, answered, Instant::now())
            }
            _ => {
                self.outstanding -= answered as u64;
                Ok(())
            }
        }
    }
}

struct Client {
    connection: Connection,
    request: Shape,
    answer: Shape,
    next: u64,
    /// What was sent and has not come back, oldest first, and when it was due.
    sent: VecDeque<(u64, Instant)>,
}

impl Client {
    fn new(connection: Connection, target: &Target, number: usize, size: usize) -> Self {
        let topic = target.topic(Part::Echo, number);
        let (request, answer) = (target.wire.request(&topic, size), target.wire.answer(&topic, size));
        Self { connection, request, answer, next: 0, sent: VecDeque::new() }
    }
}

struct Requests {
    frames: Vec<u8>,
    keys: MaskKeys,
}

impl Requests {
    fn send(&mut self, client: &mut Client, count: usize, due: Instant) -> Result<(), Error> {
        if count == 0 {
            return Ok(());
        }
        self.frames.clear();
        for _ in 0..count {
            client.request.push(client.next, self.keys.next_key(), &mut self.frames);
            client.sent.push_back((client.next, due));
            client.next += 1;
        }
        client.connection.send(&self.frames)
    }
}
