//! Load from outside: clients that measure what a server does, and check that it does it right.
//!
//! The library is what `antiphon bench` and the suite of this crate's own binary share: connections on one thread,
//! seven scenarios, and a [`Report`] of each. Every delivery is counted and its place in the order checked; the first one
//! that is lost, doubled or out of order ends the run with an error, so a figure is only ever that of a correct run.
//!
//! It speaks every protocol itself (`wire`: one file for each) and knows nothing of the server's crates. It does not start
//! servers and compares nothing: that is the suite's part.
#![forbid(unsafe_code)]

mod args;
mod connect;
mod connection;
mod echo;
mod error;
mod exp;
mod fanout;
pub mod framing;
pub mod handshake;
mod http;
mod idle;
mod long_poll;
mod message;
mod meter;
mod pace;
pub mod process;
mod progress;
mod publish;
mod report;
mod storm;
mod target;
mod wire;

pub use args::{
    Bench, EchoArgs, ExpArgs, FanoutArgs, IdleArgs, LongPollArgs, Output, PollProtocol, PublishArgs,
    Scenario, Span, StormArgs, TargetArgs,
};
pub use error::Error;
pub use report::{Cpu, Latency, Memory, Report, Storm, grouped};
pub use target::{Kind, Protocol};

/// Runs the scenario that the command line names, as often as it says, and prints the report to standard output.
///
/// # Errors
/// Whatever [`measure`] found wrong, or standard output being closed.
pub fn run(bench: &Bench) -> Result<(), Error> {
    let Bench { scenario, output } = bench;
    let mut runs = Vec::new();
    for number in 1..=output.runs {
        let report = measure(scenario)?;
        if output.runs > 1 {
            progress::tell(&format!("run {number} of {}: {}", output.runs, report.summary()));
        }
        runs.push(report);
    }
    Report::of_runs(runs).print(output.format()).map_err(Error::Output)
}

/// Runs one scenario to its end and says what it measured.
///
/// Raises the process's limit of open files to its hard maximum first.
///
/// # Errors
/// The server cannot be reached, refuses, closes a connection, stalls, or delivers anything but every message once and
/// in order.
pub fn measure(scenario: &Scenario) -> Result<Report, Error> {
    process::raise_open_files_limit();
    match scenario {
        Scenario::Fanout(args) => fanout::measure(args),
        Scenario::Echo(args) => echo::measure(args),
        Scenario::Idle(args) => idle::measure(args),
        Scenario::Publish(args) => publish::measure(args),
        Scenario::Exp(args) => exp::measure(args),
        Scenario::LongPoll(args) => long_poll::measure(args),
        Scenario::Storm(args) => storm::measure(args),
    }
}
