//! The one door to everything that is done with this repository: `cargo xtask test`, `tidy`, `docs`, `dist`, `bench`, `fuzz`,
//! `sanitize`, `hostile`, `soak`, `suites`.
//!
//! It runs cargo and the suites under `tests/` and adds what no ready-made tool checks. It is not part of the server,
//! and no crate depends on it.
#![forbid(unsafe_code)]

mod bench;
mod command;
mod dist;
mod docs;
mod fuzz;
mod hostile;
mod instructions;
mod peers;
mod python;
mod sanitize;
mod soak;
mod steps;
mod suites;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a task comes to: nothing, or why it failed, for a person to read.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Test, tidy, docs, bench and fuzz, each in one command")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every test of the project, in order.
    Test(test::Arguments),
    /// Check what no ready-made lint checks: the arrows between crates, purity, sizes, links.
    Tidy,
    /// Write docs/configuration.md from the binary, and build the API documentation.
    Docs(docs::Arguments),
    /// Build the binary that is given to others, the same bytes wherever it is built.
    Dist(dist::Arguments),
    /// Build for release and measure against the reference and the peers.
    Bench(bench::Arguments),
    /// Fuzz the decoders that peer bytes reach.
    Fuzz(fuzz::Arguments),
    /// Build for release and attack the server in many ways, one after the other, beside a crowd that behaves.
    Hostile(hostile::Arguments),
    /// Build for release and have clients of every dialect come and go for a long time.
    Soak(soak::Arguments),
    /// Run the tests of the crates that have unsafe code under AddressSanitizer.
    Sanitize,
    /// Run the official test suites of Engine.IO and Socket.IO, from a copy of the repository that they live in.
    Suites(suites::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Test(arguments) => return test::run(&arguments),
        Task::Tidy => tidy::run(),
        Task::Docs(arguments) => docs::run(&arguments),
        Task::Dist(arguments) => dist::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Hostile(arguments) => hostile::run(&arguments),
        Task::Soak(arguments) => soak::run(&arguments),
        Task::Sanitize => sanitize::run(),
        Task::Suites(arguments) => suites::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
