//! The suite: the reference, ours and the peers under the same load in turn, and the tables of it.
//!
//! The server runs on one core and the load on another. Each measurement has a server of its own, freshly started, and the
//! servers take turns within a round, so that what slows the machine for a while slows all.

mod cases;
mod machine;
mod peers;
mod server;
mod subject;
mod table;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use antiphon_bench::{Error, Report, Span, TargetArgs, measure};
use clap::Args;
use rustix::thread::{CpuSet, sched_setaffinity};

use cases::{Case, Cores, Section};
use machine::{EXP_HEADING, PUBNUB_HEADING};
use server::{Launcher, Server};
use subject::Subject;
use table::{Outcome, Table};

/// Options of the suite.
#[derive(Debug, Args)]
pub(crate) struct SuiteArgs {
    /// How often to measure everything
    #[arg(long, default_value = "3", value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// Seconds that each measurement takes, where it is not a number of connections
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u16).range(1..=3600))]
    duration: u16,
    /// Measure only these cases, by the beginning of their names
    #[arg(long)]
    only: Vec<String>,
    /// The antiphon binary, if it is not beside this one
    #[arg(long)]
    antiphon: Option<PathBuf>,
    /// More arguments for `antiphon serve`
    #[arg(long, allow_hyphen_values = true)]
    server_arg: Vec<String>,
    /// Measure the reference alone; writes no file
    #[arg(long)]
    reference_only: bool,
    /// Leave out the servers of other people; writes no file
    #[arg(long)]
    no_peers: bool,
    /// Where the sources of the servers of other people are
    #[arg(long, default_value = "bench/peers")]
    peers: PathBuf,
    /// The core for the server
    #[arg(long, default_value = "0")]
    server_core: usize,
    /// The core for the load
    #[arg(long, default_value = "1")]
    load_core: usize,
    /// Where to write the table
    #[arg(long, default_value = "docs/benchmarks.md")]
    output: PathBuf,
    /// Only print the table
    #[arg(long)]
    no_write: bool,
    /// Fail if a goal is missed
    #[arg(long)]
    check: bool,
}

/// Why the suite could not be run, or what it found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SuiteError {
    #[error(
        "cannot run on core {core}: {source} (the suite needs two cores; see --server-core and --load-core)"
    )]
    Pin { core: usize, source: io::Error },
    #[error("cannot start {program}: {reason}")]
    Start { program: String, reason: String },
    #[error("{0} is missing: `cargo xtask bench` builds the peers, and --no-peers leaves them out")]
    NoPeer(String),
    #[error("cannot write {path}: {source}")]
    Write { path: String, source: io::Error },
    #[error("{0} of the goals are missed")]
    GoalsMissed(usize),
    #[error("{0} of the measurements failed")]
    Failed(usize),
}

/// Measures everything, prints the tables, and writes them if they are whole.
pub(crate) fn run(args: &SuiteArgs) -> Result<(), SuiteError> {
    antiphon_bench::process::raise_open_files_limit();
    let launcher = Launcher::new(args.antiphon.clone(), args.server_arg.clone(), args.peers.clone())?;
    let suite = Suite { args, launcher };
    suite.check_peers()?;
    let mut table = Table::new(suite.cases());
    for round in 1..=args.rounds {
        suite.run_round(round, &mut table)?;
    }
    for section in Section::ALL {
        println!("{}", table.render(section));
    }
    suite.write(&table)?;
    match (table.failures(), table.goals_missed()) {
        (0, missed) if missed > 0 && args.check => Err(SuiteError::GoalsMissed(missed)),
        (0, _) => Ok(()),
        (failures, _) => Err(SuiteError::Failed(failures)),
    }
}

struct Suite<'a> {
    args: &'a SuiteArgs,
    launcher: Launcher,
}

impl Suite<'_> {
    /// Writes the page, or the part of it that has been measured as a whole.
    fn write(&self, table: &Table) -> Result<(), SuiteError> {
        let SuiteArgs { rounds, duration, output, .. } = self.args;
        let is_whole = !self.args.reference_only && !self.args.no_peers && self.args.only.is_empty();
        let is_part =
            |part: &str| !self.args.reference_only && self.args.only == [part] && table.failures() == 0;
        let failed = |source| SuiteError::Write { path: output.display().to_string(), source };
        let page = match () {
            () if self.args.no_write => return Ok(()),
            () if is_whole => machine::page(table, *rounds, *duration, &self.launcher.peers().describe()),
            () if is_part("exp") => {
                let page = fs::read_to_string(output).map_err(failed)?;
                machine::with_part(&page, EXP_HEADING, &machine::exp(table, *rounds))
            }
            () if is_part("pubnub") => {
                let page = fs::read_to_string(output).map_err(failed)?;
                machine::with_part(&page, PUBNUB_HEADING, &machine::pubnub(table, *rounds, *duration))
            }
            () => return Ok(()),
        };
        fs::write(output, page).map_err(failed)
    }

    fn cases(&self) -> Vec<Case> {
        let only = &self.args.only;
        let chosen =
            |case: &Case| only.is_empty() || only.iter().any(|name| case.name.starts_with(name.as_str()));
        let measurable = |case: &Case| self.subjects(case).next().is_some();
        cases::all().into_iter().filter(|case| chosen(case) && measurable(case)).collect()
    }

    fn subjects(&self, case: &Case) -> impl Iterator<Item = Subject> {
        let (reference_only, no_peers) = (self.args.reference_only, self.args.no_peers);
        case.subjects.iter().copied().filter(move |&subject| match subject {
            Subject::Reference => true,
            Subject::Antiphon => !reference_only,
            Subject::Socketioxide | Subject::NodeSocketIo => !reference_only && !no_peers,
        })
    }

    /// Says so before anything is measured when a peer cannot be.
    fn check_peers(&self) -> Result<(), SuiteError> {
        let needed = self.cases().iter().any(|case| self.subjects(case).any(Subject::is_peer));
        match self.launcher.peers().missing() {
            Some(missing) if needed => Err(SuiteError::NoPeer(missing.display().to_string())),
            _ => Ok(()),
        }
    }

    fn run_round(&self, round: u16, table: &mut Table) -> Result<(), SuiteError> {
        for (at, case) in self.cases().iter().enumerate() {
            for subject in self.subjects(case) {
                eprintln!("round {round} of {}: {}, {}", self.args.rounds, case.name, subject.heading());
                let outcome = match self.run_case(case, subject)? {
                    Ok(report) => {
                        eprint!("{report}");
                        Outcome::Measured(Box::new(report))
                    }
                    Err(error) => {
                        eprintln!("  {error}");
                        Outcome::Failed
                    }
                };
                table.add(at, subject, outcome);
            }
        }
        Ok(())
    }

    /// Measures one case on a server of its own. The outer error ends the suite, the inner one is this case's result.
    fn run_case(&self, case: &Case, subject: Subject) -> Result<Result<Report, Error>, SuiteError> {
        let (server_core, load_core) = (self.args.server_core, self.args.load_core);
        let (for_server, for_load) = match case.cores {
            Cores::OneEach => (vec![server_core], vec![load_core]),
            Cores::Shared => (vec![server_core, load_core], vec![server_core, load_core]),
        };
        // A process starts on the cores of the thread that starts it.
        pin(&for_server)?;
        let server = self.launcher.start(subject, case)?;
        pin(&for_load)?;
        let span = Span {
            duration: Duration::from_secs(self.args.duration.into()),
            warm_up: Duration::from_secs(1),
            messages: None,
        };
        Ok(measure(&(case.scenario)(target(subject, &server), span)))
    }
}

fn target(subject: Subject, server: &Server) -> TargetArgs {
    TargetArgs {
        url: server.url().to_owned(),
        kind: subject.kind(),
        path: None,
        publish_path: None,
        channel: "bench".to_owned(),
        token: None,
        pid: Some(server.pid()),
    }
}

fn pin(cores: &[usize]) -> Result<(), SuiteError> {
    let mut set = CpuSet::new();
    for &core in cores {
        if core >= CpuSet::MAX_CPU {
            let source = io::Error::from(io::ErrorKind::InvalidInput);
            return Err(SuiteError::Pin { core, source });
        }
        set.set(core);
    }
    let core = cores.last().copied().unwrap_or_default();
    sched_setaffinity(None, &set).map_err(|error| SuiteError::Pin { core, source: error.into() })
}
