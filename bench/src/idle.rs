//! Connections that do nothing: how fast they open, what each costs, and that all of them live.

use std::time::{Duration, Instant};

use mio::{Events, Poll};

use crate::args::IdleArgs;
use crate::connect::{Opened, open, poll_events};
use crate::connection::{Connection, ReadBuffer};
use crate::error::Error;
use crate::framing::{MaskKeys, PING, PONG};
use crate::message::{MESSAGE_BYTES_MIN, Shape};
use crate::meter::STALL;
use crate::process::Process;
use crate::report::{Cpu, Memory, Report};
use crate::target::{Part, Protocol, Target};

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
    let Opened { mut connections, took } = open(&mut poll, &target, count, opening, |_| Part::Idle)?;
    let cpu_after = process.map(Process::cpu_time).transpose()?;
    let bytes_open = process.map(Process::resident_bytes).transpose()?;
    ask_all(&mut poll, target.protocol, &mut connections)?;
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
    })
}

fn open_and_ask(target: &Target, count: usize, opening: usize) -> Result<(), Error> {
    let mut poll = Poll::new().map_err(Error::Poll)?;
    let mut opened = open(&mut poll, target, count, opening, |_| Part::Idle)?;
    ask_all(&mut poll, target.protocol, &mut opened.connections)
}

/// Asks the server for an answer on every connection, and waits until each has one: a WebSocket ping's, or the
/// acknowledgement of an event.
fn ask_all(poll: &mut Poll, protocol: Protocol, connections: &mut [Connection]) -> Result<(), Error> {
    let answer = Shape::answer(protocol, MESSAGE_BYTES_MIN);
    let mut answered = vec![false; connections.len()];
    let mut outstanding = connections.len();
    let mut buffer = ReadBuffer::new(64 << 10);
    let mut events = Events::with_capacity(1024);
    let (mut frame, mut keys) = (Vec::new(), MaskKeys::new());
    for connection in connections.iter_mut() {
        match protocol {
            Protocol::WebSocket => connection.send_control(PING, b"antiphon-bench")?,
            Protocol::SocketIo => {
                frame.clear();
                Shape::request(protocol, MESSAGE_BYTES_MIN).push(0, keys.next_key(), &mut frame);
                connection.send(&frame)?;
            }
        }
    }
    let mut last_answer = Instant::now();
    while outstanding > 0 {
        poll_events(poll, &mut events, Some(Duration::from_millis(100)))?;
        for event in &events {
            let number = event.token().0;
            connections[number].handle_event(event, &mut buffer, |frame| {
                let is_answer = match protocol {
                    Protocol::WebSocket => frame.opcode == PONG,
                    Protocol::SocketIo => answer.number(frame) == Some(0),
                };
                if is_answer && !std::mem::replace(&mut answered[number], true) {
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
