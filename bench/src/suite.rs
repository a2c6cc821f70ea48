//! The suite: the reference, ours and the peers under the same load in turn, and the page of it.
//!
//! The server runs on one core and the load on another. Each measurement has a server of its own, freshly started, and the
//! servers take turns within a round, so that what slows the machine for a while slows all. A section's part of the page is
//! written as soon as all of it is measured.

mod cases;
mod files;
mod goal;
mod machine;
mod measuring;
mod page;
mod peers;
mod pictures;
mod plan;
mod results;
mod section;
mod server;
mod subject;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use cases::{Case, Program};
use files::MANY_CONNECTIONS;
use measuring::Measuring;
use page::{Circumstances, Notes};
use plan::{Clock, Step, minutes};
use results::Results;
use section::Section;
use server::Launcher;
use subject::{Need, Subject};

/// Options of the suite.
#[derive(Debug, Args)]
pub(crate) struct SuiteArgs {
    /// How often to measure everything; servers of other people are measured in every other round
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// Seconds that each measurement takes, where it is not as long as it takes
    #[arg(long, default_value = "3", value_parser = clap::value_parser!(u16).range(1..=3600))]
    duration: u16,
    /// Measure only this section, or the cases whose names begin so; may be given several times
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
    /// The page; pictures go to the directory of the same name
    #[arg(long, default_value = "docs/benchmarks.md")]
    output: PathBuf,
    /// Only print the tables
    #[arg(long)]
    no_write: bool,
    /// Fail if a goal is missed
    #[arg(long)]
    strict: bool,
    /// Print what of other people has to be built or installed for this run, and how long it will take, and measure nothing
    #[arg(long)]
    plan: bool,
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
    #[error("there is no section or case that begins with {0:?}; --plan lists them")]
    NoCase(String),
    #[error("cannot write {path}: {source}")]
    Write { path: String, source: io::Error },
    #[error("goals are missed: {0}")]
    GoalsMissed(String),
    #[error("{0} of the measurements failed")]
    Failed(usize),
}

/// Measures everything, prints the tables, and writes those of whole sections.
pub(crate) fn run(args: &SuiteArgs) -> Result<(), SuiteError> {
    let files = files::raise_limit();
    let mut suite = Suite::new(args, files)?;
    if args.plan {
        suite.print_plan();
        return Ok(());
    }
    suite.measure_all()?;
    let (failures, missed) = (suite.results.failures(), suite.results.missed());
    for goal in &missed {
        eprintln!("missed: {goal}");
    }
    match failures {
        0 if args.strict && !missed.is_empty() => Err(SuiteError::GoalsMissed(missed.join(", "))),
        0 => Ok(()),
        failures => Err(SuiteError::Failed(failures)),
    }
}

struct Suite<'a> {
    args: &'a SuiteArgs,
    launcher: Launcher,
    results: Results,
    cases: Vec<Case>,
    steps: Vec<Step>,
    /// The sections of which every case is measured, but for what is left out.
    whole: BTreeSet<Section>,
    /// What is not measured although its turn would come, and why.
    left_out: BTreeMap<Section, BTreeSet<String>>,
}

impl<'a> Suite<'a> {
    fn new(args: &'a SuiteArgs, files: u64) -> Result<Self, SuiteError> {
        let launcher = Launcher::new(args.antiphon.clone(), args.server_arg.clone(), args.peers.clone())?;
        let mut left_out: BTreeMap<Section, BTreeSet<String>> = BTreeMap::new();
        let mut chosen = chosen(cases::all(), &args.only)?;
        let count = |cases: &[Case], section| cases.iter().filter(|case| case.section == section).count();
        let all = cases::all();
        let whole =
            Section::ALL.into_iter().filter(|one| count(&chosen, *one) == count(&all, *one)).collect();
        chosen.retain(|case| {
            let is_bearable = case.section != Section::Idle
                || case
                    .point
                    .is_none_or(|connections| connections < MANY_CONNECTIONS || files as f64 > connections);
            if !is_bearable {
                let why = format!("{} (a process may have {files} files open here)", case.key());
                left_out.entry(case.section).or_default().insert(why);
            }
            is_bearable
        });
        for case in chosen.iter().filter(|_| !args.no_peers && !args.reference_only && !args.plan) {
            for subject in case.subjects {
                if let Some(missing) = launcher.peers().missing(*subject) {
                    let why = format!("{} ({missing} is not here)", subject.heading());
                    left_out.entry(case.section).or_default().insert(why);
                }
            }
        }
        let may_run = |subject: Subject| match subject {
            Subject::Reference => true,
            Subject::Antiphon => !args.reference_only,
            peer => {
                let is_wanted = !args.reference_only && !args.no_peers;
                is_wanted && (args.plan || launcher.peers().missing(peer).is_none())
            }
        };
        let steps = plan::steps(&chosen, args.rounds, may_run);
        let results = Results::new(chosen.clone());
        Ok(Self { args, launcher, results, cases: chosen, steps, whole, left_out })
    }

    /// What `cargo xtask bench` reads, and a person: a line for each thing that is needed, then the cases.
    fn print_plan(&self) {
        let needs: BTreeSet<Need> = self.steps.iter().filter_map(|step| step.subject.need()).collect();
        let has_library = |step: &&Step| {
            step.subject == Subject::Antiphon && self.cases[step.row].setup.program == Program::Library
        };
        if self.steps.iter().any(|step| has_library(&step)) {
            println!("needs library");
        }
        for need in needs {
            println!("needs {}", need.name());
        }
        for case in &self.cases {
            println!("case {}: {}", case.section.name(), case.name);
        }
        println!("takes {}", minutes(self.clock().expect(&self.cases, &self.steps)));
    }

    fn clock(&self) -> Clock {
        Clock::new(Duration::from_secs(self.args.duration.into()))
    }

    fn measure_all(&mut self) -> Result<(), SuiteError> {
        let mut clock = self.clock();
        let duration = Duration::from_secs(self.args.duration.into());
        let mut measuring = Measuring::new(self.args.server_core, self.args.load_core, duration);
        let steps = std::mem::take(&mut self.steps);
        for (at, step) in steps.iter().enumerate() {
            if !self.results.is_beyond(step.row, step.subject) {
                let left = minutes(clock.expect(&self.cases, &steps[at..]));
                let (case, round, rounds) = (&self.cases[step.row], step.round, self.args.rounds);
                eprintln!(
                    "{left} to go, round {round} of {rounds}: {}, {}",
                    case.name,
                    step.subject.heading()
                );
                let started = Instant::now();
                let outcome = measuring.run(&self.launcher, step.row, case, step.subject)?;
                clock.record(*step, started.elapsed());
                match &outcome {
                    Ok(report) => eprint!("{report}"),
                    Err(why) => eprintln!("  {why}"),
                }
                self.results.add(step.row, step.subject, outcome);
            }
            if steps.get(at + 1).is_none_or(|next| next.section != step.section) {
                self.finish(step.section)?;
            }
        }
        Ok(())
    }

    /// Prints the tables of a section, and writes its part of the page if all of it was measured.
    fn finish(&self, section: Section) -> Result<(), SuiteError> {
        let SuiteArgs { rounds, duration, output, no_write, no_peers, reference_only, .. } = self.args;
        let picture = pictures::of(&self.results, section);
        let circumstances = Circumstances {
            rounds: *rounds,
            duration: *duration,
            machine: machine::describe(),
            commit: machine::commit(),
            priority: machine::priority(),
        };
        let part = page::part(section, &self.results, &circumstances, &self.notes(section), picture.as_ref());
        println!("{part}");
        let is_whole = self.whole.contains(&section);
        if *no_write || *no_peers || *reference_only || !is_whole || self.results.failures_in(section) > 0 {
            return Ok(());
        }
        let failed = |source| SuiteError::Write { path: output.display().to_string(), source };
        let page = match fs::read_to_string(output) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            page => page.map_err(failed)?,
        };
        let parts = BTreeMap::from([(section, part)]);
        fs::write(output, page::with_parts(&page, &parts)).map_err(failed)?;
        if let Some(picture) = picture {
            let directory = output.with_extension("");
            fs::create_dir_all(&directory).map_err(failed)?;
            fs::write(directory.join(picture.file), picture.svg).map_err(failed)?;
        }
        Ok(())
    }

    fn notes(&self, section: Section) -> Notes {
        let measured = self.results.of(section).flat_map(|row| row.subjects()).filter(|one| one.is_peer());
        let peers = self.launcher.peers();
        Notes {
            versions: measured.map(|subject| (subject, peers.describe(subject))).collect(),
            left_out: self.left_out.get(&section).into_iter().flatten().cloned().collect(),
        }
    }
}

/// The cases that are named by their section, or by how they begin; all of them if nothing is named.
fn chosen(mut all: Vec<Case>, only: &[String]) -> Result<Vec<Case>, SuiteError> {
    let is_named = |case: &Case, name: &str| case.section.name() == name || case.name.starts_with(name);
    if let Some(name) = only.iter().find(|name| !all.iter().any(|case| is_named(case, name))) {
        return Err(SuiteError::NoCase(name.clone()));
    }
    all.retain(|case| only.is_empty() || only.iter().any(|name| is_named(case, name)));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_chosen_by_section_and_by_name() {
        let keys = |only: &[&str]| {
            let only: Vec<String> = only.iter().map(|&name| name.to_owned()).collect();
            let chosen = chosen(cases::all(), &only)?;
            Ok::<_, SuiteError>(chosen.iter().map(Case::key).collect::<Vec<_>>())
        };
        assert_eq!(keys(&["sse"]).unwrap(), ["sse-100", "sse-1000"]);
        assert_eq!(keys(&["websocket"]).unwrap(), ["fanout-100", "fanout-1000", "fanout-one", "echo"]);
        assert_eq!(keys(&["workers-2", "echo"]).unwrap(), ["echo", "workers-2"]);
        assert_eq!(keys(&[]).unwrap().len(), cases::all().len());
        assert!(matches!(keys(&["echo", "none"]), Err(SuiteError::NoCase(name)) if name == "none"));
    }
}
