//! A recovery storm: clients are cut off, miss messages and all come back at once, while others go on listening.
//!
//! What is measured is until the last has all that it missed, and what those who stayed notice of it. They listen to a channel of
//! their own, on which messages are due by the clock. Everything is on one thread, in short turns, and those who stayed are
//! read first in each: what they notice includes a turn of the load's own, some milliseconds at most.

mod clients;
mod publisher;

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use self::clients::{Clients, Outcome};
use self::publisher::Publisher;
use crate::args::StormArgs;
use crate::error::Error;
use crate::fanout::Fanout;
use crate::meter::Meter;
use crate::pace::Pace;
use crate::report::{Latency, Report, Storm};
use crate::target::{Kind, Protocol, Target};

pub(crate) fn measure(args: &StormArgs) -> Result<Report, Error> {
    let target = Target::new(&args.target, args.protocol)?;
    check(args, &target)?;
    let (live, missed) = (target.within("live"), target.within("storm"));
    let stayers = args.stayers.get();
    let mut live = Live { fanout: Fanout::open(&live, stayers, args.size, Pace::new(Some(args.rate), 0))? };
    let mut publisher = Publisher::open(&missed, args.size)?;

    let mut clients = Clients::open(&missed, args, 0, &mut live)?;
    let position = live.go_on_during(|| publisher.publish(0..1))?;
    clients.read_until(1, &mut live)?;
    let calm = live.measure_for(args.calm)?;
    // Closing resets: they are gone without a word.
    drop(clients);
    let last = 1 + u64::from(args.missed.get());
    live.go_on_during(|| publisher.publish(1..last))?;

    live.fanout.meter = Meter::until_stopped(args.target.pid)?;
    let back = missed.with_since(position);
    let began = Instant::now();
    let mut clients = Clients::begin(&back, args, 1)?;
    let Outcome { connected, caught_up } = clients.read_until(last, &mut live)?;
    let took = began.elapsed();
    live.fanout.meter.stop(Instant::now())?;
    while !live.fanout.turn(Duration::MAX)? {}
    let meter = std::mem::replace(&mut live.fanout.meter, Meter::idle());
    // One more: they are live, and nothing comes twice.
    live.go_on_during(|| publisher.publish(last..last + 1))?;
    clients.read_until(last + 1, &mut live)?;
    Ok(report(args, meter, &Times { took, connected, caught_up, calm }))
}

/// Only Antiphon says from where on to listen, and only in its own protocols.
fn check(args: &StormArgs, target: &Target) -> Result<(), Error> {
    if target.has_path() {
        return Err(Error::Unsuited(
            "the storm has paths of its own, with positions in them: leave --path and the URL's path out",
        ));
    }
    let has_positions = match args.protocol {
        Protocol::WebSocket | Protocol::V1 | Protocol::Sse | Protocol::SocketIo => true,
        Protocol::Mqtt | Protocol::Nats | Protocol::Redis => false,
    };
    match (has_positions, args.target.kind) {
        (true, Kind::Antiphon) => Ok(()),
        (false, _) => Err(Error::Unsuited(
            "a client of this protocol cannot ask for what it missed: take v1, websocket, socketio or sse",
        )),
        (true, _) => {
            Err(Error::Unsuited("the storm asks for what was missed as Antiphon has it: --kind antiphon"))
        }
    }
}

/// The times of a storm.
struct Times {
    took: Duration,
    /// Until the last was connected.
    connected: Duration,
    /// Until each had all.
    caught_up: Histogram<u64>,
    /// Of those who stayed, before.
    calm: Latency,
}

fn report(args: &StormArgs, meter: Meter, times: &Times) -> Report {
    let (clients, missed) = (args.clients.get() as u64, u64::from(args.missed.get()));
    let load = format!(
        "{clients} clients come back over {}, {missed} messages missed, {} bytes; {} stay, {} messages/s",
        args.protocol.name(),
        args.size,
        args.stayers,
        args.rate
    );
    let count = clients * missed;
    let (seconds, connected) = (times.took.as_secs_f64(), times.connected.as_secs_f64());
    let of_live = meter.finish("storm", "recovered", load);
    Report {
        count,
        seconds,
        per_second: count as f64 / seconds,
        // The server's time for all that it did meanwhile, for each message that was recovered.
        cpu: of_live.cpu.map(|cpu| cpu.for_units(count, times.took)),
        storm: Some(Storm {
            clients,
            missed,
            connected_seconds: connected,
            connects_per_second: clients as f64 / connected,
            caught_up_seconds: seconds,
            caught_up: Latency::of(&times.caught_up),
            calm: times.calm,
        }),
        ..of_live
    }
}

/// Those who stay.
struct Live {
    fanout: Fanout,
}

impl Live {
    /// Goes on while something else is done that blocks.
    fn go_on_during<T: Send>(&mut self, work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
        std::thread::scope(|scope| {
            let working = scope.spawn(work);
            while !working.is_finished() {
                self.fanout.turn(Duration::from_millis(1))?;
            }
            working.join().expect("what is done besides does not panic")
        })
    }

    fn measure_for(&mut self, span: Duration) -> Result<Latency, Error> {
        self.fanout.meter = Meter::until_stopped(None)?;
        let began = Instant::now();
        while began.elapsed() < span {
            self.fanout.turn(Duration::from_millis(10))?;
        }
        let meter = std::mem::replace(&mut self.fanout.meter, Meter::idle());
        Ok(meter.latency())
    }
}
