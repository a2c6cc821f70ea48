//! Devices of the EXP network that answer one broadcast: how long until the last of them has it, and whether every
//! response is in the array.
//!
//! Each device has a socket of its own (Engine.IO 3 over WebSocket from the start, with a session token) and a connection of
//! its own for its responses, which it posts as soon as it has read the broadcast. All of them are on one thread, which reads before
//! it answers: what is measured is until the last socket has been read, the load's own share included.

mod device;
mod login;
mod round;

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Interest, Poll, Token};

use self::device::Device;
use self::round::{Load, Round};
use crate::args::ExpArgs;
use crate::error::Error;
use crate::http::HttpConnection;
use crate::process::Process;
use crate::progress::Progress;
use crate::report::{Cpu, Latency, Report};
use crate::target::{Protocol, Target};

/// Rounds before those that count.
const WARM_UP_ROUNDS: u32 = 2;

/// The longest delay that is told apart.
const DELAY_MAX: Duration = Duration::from_secs(600);

pub(crate) fn measure(args: &ExpArgs) -> Result<Report, Error> {
    let target = Target::new(&args.target, Protocol::WebSocket)?;
    let mut poll = Poll::new().map_err(Error::Poll)?;
    let mut load = open(&mut poll, args, &target)?;
    let process = args.target.pid.map(Process::new);
    let delays = || Histogram::<u64>::new_with_bounds(1, DELAY_MAX.as_nanos() as u64, 3);
    let mut delivered = delays().expect("the histogram takes these bounds");
    let mut answered = delivered.clone();
    let mut progress = Progress::new();
    let (mut began, mut cpu_before) = (Instant::now(), None);
    for number in 0..WARM_UP_ROUNDS + args.rounds.get() {
        if number == WARM_UP_ROUNDS {
            began = Instant::now();
            cpu_before = process.map(Process::cpu_time).transpose()?;
        }
        let Round { last_delivery, last_answer } = load.round(&mut poll, number)?;
        if number >= WARM_UP_ROUNDS {
            delivered.saturating_record(last_delivery.as_nanos() as u64);
            answered.saturating_record(last_answer.as_nanos() as u64);
        }
        progress.show(Instant::now(), || format!("{number} rounds"));
    }
    progress.clear();
    let (devices, rounds) = (args.devices.get(), args.rounds.get());
    let (measured, count) = (began.elapsed(), u64::from(rounds) * devices as u64);
    let cpu_after = process.map(Process::cpu_time).transpose()?;
    let cpu = cpu_after.zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
    Ok(Report {
        scenario: "exp",
        unit: "responses",
        load: format!(
            "{devices} devices answer {rounds} broadcasts, timeout {} ms",
            args.timeout.as_millis()
        ),
        count,
        seconds: measured.as_secs_f64(),
        per_second: count as f64 / measured.as_secs_f64(),
        latency: Some(Latency::of(&delivered)),
        answered: Some(Latency::of(&answered)),
        answers: None,
        cpu: cpu.map(|cpu| Cpu::of(cpu, count, measured)),
        memory: None,
        storm: None,
        runs: Vec::new(),
    })
}

/// Logs all devices in and opens their connections, one after the other, and the connection of who broadcasts.
fn open(poll: &mut Poll, args: &ExpArgs, target: &Target) -> Result<Load, Error> {
    let count = args.devices.get();
    let mut devices = Vec::with_capacity(count);
    let mut progress = Progress::new();
    for number in 0..count {
        let mut device = Device::open(number, target, &args.secret)?;
        register(poll, number, device.socket.stream_mut())?;
        register(poll, count + number, device.responses.stream_mut())?;
        progress.show(Instant::now(), || format!("{number} of {count} devices are online"));
        devices.push(device);
    }
    progress.clear();
    // One who listens to nothing, so that all who listen are counted.
    let session = login::login(2 * count, target, "bench-sender", &args.secret)?;
    let mut sender = HttpConnection::new(2 * count, session.http);
    register(poll, 2 * count, sender.stream_mut())?;
    Ok(Load::new(target, devices, sender, session.token, args.timeout))
}

fn register(poll: &Poll, number: usize, stream: &mut mio::net::TcpStream) -> Result<(), Error> {
    let interest = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(stream, Token(number), interest).map_err(Error::Poll)
}
