//! The bench's own program: the load generator, the reference to hold it against, and the suite that does so. Linux only.
#![forbid(unsafe_code)]

mod reference;
mod suite;

use std::process::ExitCode;

use antiphon_bench::{Bench, Output, Scenario};
use clap::{Parser, Subcommand};

/// Measures Antiphon from outside
#[derive(Debug, Parser)]
#[command(name = "antiphon-bench", version)]
struct CommandLine {
    /// What to do
    #[command(subcommand)]
    command: Command,
    /// How to tell what was found.
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Scenario(Scenario),
    /// Serve as the reference: WebSocket on bare epoll, close to what the kernel allows
    Reference(reference::ReferenceArgs),
    /// Measure the reference and the antiphon binary in turn, and write the table
    Suite(suite::SuiteArgs),
}

fn main() -> ExitCode {
    let CommandLine { command, output } = CommandLine::parse();
    let result: Result<(), Box<dyn std::error::Error>> = match command {
        Command::Scenario(scenario) => antiphon_bench::run(&Bench { scenario, output }).map_err(Into::into),
        Command::Reference(args) => reference::serve(&args).map_err(Into::into),
        Command::Suite(args) => suite::run(&args).map_err(Into::into),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("antiphon-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
