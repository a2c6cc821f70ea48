//! Connections that do nothing: how fast they open, what each costs, and that all of them live.

use std::time::{Duration, Instant};

use mio::{Events, Poll};

use crate::args::IdleArgs;
use crate::connect::{Opened, open, poll_events};
use crate::connection::{Connection, Frame, ReadBuffer};
use crate::error::Error;
use crate::framing::{MaskKeys, PING, PONG};
use crate::message::{MESSAGE_BYTES_MIN, Shape};
use crate::meter::STALL;
use crate::process::Process;
use crate::report::{Cpu, Memory, Report};
use crate::target::{Part, Target};

/// Connections that come and go before memory is first read, so that what a server sets up once is not counted.
const WARM_UP_CONNECTIONS: usize = 64;

pub(crate) fn measure(args: &IdleArgs) -> Result<Report, Error> {
    let target = Target::new(&args.target, args.protocol)?;
    let (count, opening) = (args.connections.get(), args.opening.get());
    let process = args.target.pid.map(Process::new);
    open_and_ask(&target, WARM_UP_CONNECTIONS, opening)?;

    let bytes_before = process.map(Process::resident_bytes).transpose()?;
    let cpu_before = process.map(Process::cpu_time).transpose()?;
    let mut poll = Poll::new().map_err(Error::Poll)?;
    let Opened { mut connections, took } = open(&mut poll, &target, count, opening, |_| part(&target))?;
    let cpu_after = process.map(Process::cpu_time).transpose()?;
    let bytes_open = process.map(Process::resident_bytes).transpose()?;
    ask_all(&mut poll, &target, &mut connections)?;
    let bytes_used = process.map(Process::resident_bytes).transpose()?;

    let memory =
        bytes_before.zip(bytes_open).zip(bytes_used).map(|((bytes_before, bytes_open), bytes_used)| {
            let grown = bytes_open.max(bytes_used) as f64 - bytes_before as f64;
            Memory { bytes_before, bytes_open, bytes_used, bytes_per_connection: grown / count as f64 }
        });
    let seconds = took.as_secs_f64();
    Ok(Report {
        scenario: "idle",
        unit: "connects",
        load: format!("{count} connections, {opening} opening at once"),
        count: count as u64,
        seconds,
        per_second: count as f64 / seconds,
        latency: None,
        answered: None,
        answers: None,
        cpu: cpu_after
            .zip(cpu_before)
            .map(|(after, before)| Cpu::of(after.saturating_sub(before), count as u64, took)),
        memory,
        storm: None,
        runs: Vec::new(),
    })
}

/// Streams of events listen to where something can be published; the others to where nothing is.
fn part(target: &Target) -> Part {
    if target.wire.probe().is_none() { Part::Subscriber } else { Part::Idle }
}

fn open_and_ask(target: &Target, count: usize, opening: usize) -> Result<(), Error> {
    let mut poll = Poll::new().map_err(Error::Poll)?;
    let mut opened = open(&mut poll, target, count, opening, |_| part(target))?;
    ask_all(&mut poll, target, &mut opened.connections)
}

/// Asks the server for an answer on every connection, and waits until each has one: a ping's, or the acknowledgement of an
/// event. Streams of events cannot ask; they wait for one that is published.
fn ask_all(poll: &mut Poll, target: &Target, connections: &mut [Connection]) -> Result<(), Error> {
    let topic = target.topic(Part::Subscriber, 0);
    let published = target.wire.delivery(&topic, MESSAGE_BYTES_MIN);
    let probe = target.wire.probe();
    let mut answered = vec![false; connections.len()];
    let mut outstanding = connections.len();
    let mut buffer = ReadBuffer::new(64 << 10);
    let mut events = Events::with_capacity(1024);
    match &probe {
        Some(probe) => connections.iter_mut().try_for_each(|connection| connection.send(&probe.question))?,
        None => publish_one(target, &target.wire.publish(&topic, MESSAGE_BYTES_MIN))?,
    }
    let is_answer = |frame: Frame<'_>| match &probe {
        Some(probe) => probe.is_answer(frame),
        None => published.number(frame) == Some(0),
    };
    let mut last_answer = Instant::now();
    while outstanding > 0 {
        poll_events(poll, &mut events, Some(Duration::from_millis(100)))?;
        for event in &events {
            let number = event.token().0;
            connections[number].handle_event(event, &mut buffer, |frame| {
                if is_answer(frame) && !std::mem::replace(&mut answered[number], true) {
                    outstanding -= 1;
                    last_answer = frame.read_at;
                }
                Ok(())
            })?;
        }
        if last_answer.elapsed() > STALL {
            return Err(Error::Stalled { seconds: STALL.as_secs(), outstanding: outstanding as u64 });
        }
    }
    Ok(())
}

/// Publishes the message 0, and sees that the server has read it.
fn publish_one(target: &Target, shape: &Shape) -> Result<(), Error> {
    let mut poll = Poll::new().map_err(Error::Poll)?;
    let mut opened = open(&mut poll, target, 1, 1, |_| Part::Publisher)?;
    let mut frame = Vec::new();
    shape.push(0, MaskKeys::new().next_key(), &mut frame);
    let publisher = &mut opened.connections[0];
    publisher.send(&frame)?;
    publisher.send_control(PING, b"")?;
    let (mut buffer, mut events) = (ReadBuffer::new(64 << 10), Events::with_capacity(16));
    let (mut is_read, asked) = (false, Instant::now());
    while !is_read {
        poll_events(&mut poll, &mut events, Some(Duration::from_millis(100)))?;
        for event in &events {
            publisher.handle_event(event, &mut buffer, |frame| {
                is_read |= frame.opcode == PONG;
                Ok(())
            })?;
        }
        if asked.elapsed() > STALL {
            return Err(Error::Stalled { seconds: STALL.as_secs(), outstanding: 1 });
        }
    }
    Ok(())
}
