//! The antiphon binary: command line, configuration and wiring, the only place that sees every part.
//!
//! `serve` puts store, access, node, net and the dialects together; the other commands are a client of the native
//! protocol, and tools for the configuration. What a message is and where it goes is not decided here.
#![forbid(unsafe_code)]

mod args;
mod check_config;
mod client;
mod config;
mod credential;
mod failure;
mod logging;
mod serve;
mod token;
mod trust;

use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use self::args::{Command, CommandLine};
use self::failure::Failure;

fn main() -> ExitCode {
    let CommandLine { command, config, log, log_format } = CommandLine::parse();
    match logging::start(&log, log_format)
        .and_then(|()| run(command.unwrap_or_else(serving), config.as_deref()))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_closed_output() => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("antiphon: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn serving() -> Command {
    Command::Serve(args::ServeArgs::default())
}

fn run(command: Command, config: Option<&Path>) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => serve::run(args, config),
        Command::Publish(args) => client::publish(&args),
        Command::Subscribe(args) => client::subscribe(&args),
        Command::Broadcast(args) => client::broadcast(&args),
        Command::History(args) => client::history(&args),
        Command::Credential(args) => credential::run(&args, config),
        Command::Token(args) => token::run(&args, config),
        Command::CheckConfig(args) => check_config::run(&args, config),
        Command::Completions(args) => completions(args.shell),
        Command::Bench(bench) => antiphon_bench::run(&bench).map_err(|error| Failure::new(error.to_string())),
    }
}

fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "antiphon", &mut script);
    Ok(io::Write::write_all(&mut io::stdout(), &script)?)
}
