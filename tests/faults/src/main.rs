//! What clients see when the machine under the server fails: the real binary, real clients over the network, and faults that are
//! made for it.
//!
//! Each case starts servers of its own, breaks something below them (a library of ours is loaded into the server and fails its system
//! calls, or a signal, a limit of the operating system, a hand in its files), and checks what its clients are told, that everything
//! goes on when the fault is over, and that no acknowledged message is lost. What a client sees is noted as rows of a table, which
//! is the one of `docs/faults.md`: a row that is not there, or there and not seen, is a failure.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a case fails by panicking, as a test does")]

mod cases;
mod history;
mod jobs;
mod ledger;
mod load;
mod probe;
mod publisher;
mod random;
mod seen;
mod server;
mod shim;
mod socketio;
mod subscriber;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::cases::{CASES, Case, Context};
use crate::jobs::Ending;
use crate::seen::Seen;
use crate::shim::Shim;

/// How many times the parts that are random are run: a round is a kill, or a series of steps of the clock.
const ROUNDS: u32 = 4;

/// Fault injection against the real binary, which `ANTIPHON_BIN` names or which is beside this program.
#[derive(Parser)]
#[command(name = "antiphon-faults")]
struct Arguments {
    /// How many rounds the random parts have.
    #[arg(long, default_value_t = ROUNDS)]
    rounds: u32,
    /// Where the random parts begin; a failure prints its own.
    #[arg(long)]
    seed: Option<u64>,
    /// How many cases run at once.
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    /// Run this case alone; may be given several times.
    #[arg(long, value_name = "CASE")]
    only: Vec<String>,
    /// List the cases.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        CASES.iter().for_each(|case| println!("{:<20}{}", case.name, case.what));
        return ExitCode::SUCCESS;
    }
    let chosen =
        |case: &&Case| arguments.only.is_empty() || arguments.only.iter().any(|one| one == case.name);
    let chosen: Vec<&'static Case> = CASES.iter().filter(chosen).collect();
    if chosen.is_empty() {
        eprintln!("error: there is no such case; --list names them");
        return ExitCode::FAILURE;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime can be started");
    // Cases stay on one thread; what they start runs on others.
    tokio::task::LocalSet::new().block_on(&runtime, run(&arguments, &chosen))
}

async fn run(arguments: &Arguments, chosen: &[&'static Case]) -> ExitCode {
    antiphon_tests::raise_open_files(4096);
    let seed = arguments.seed.unwrap_or_else(random::seed);
    println!("seed {seed}, {} rounds", arguments.rounds);
    let context =
        Context { rounds: arguments.rounds, seed, shim: Shim::compile(), seen: Seen::default(), case: "" };
    let endings = jobs::run(chosen, &context, arguments.jobs).await;
    println!("\n{}", context.seen.table());
    let mut failures: Vec<String> = Vec::new();
    for (case, took, ending) in &endings {
        let shown = seconds(*took);
        match ending {
            Ending::Passed => println!("  passed   {shown:>8}  {}", case.name),
            Ending::Failed => {
                println!("  FAILED   {shown:>8}  {}", case.name);
                failures.push(case.name.to_owned());
            }
        }
    }
    // What a case that failed did not come to see says nothing about the table.
    if failures.is_empty() {
        let everything = chosen.len() == CASES.len();
        failures.extend(context.seen.differences(everything));
    }
    for failure in &failures {
        println!("failed: {failure}");
    }
    println!("{} cases, {} failures, seed {seed}", endings.len(), failures.len());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
