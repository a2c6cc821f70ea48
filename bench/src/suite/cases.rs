//! What is measured, on whom, and how it is set up.

mod api;
mod fanout;
mod idle;
mod latency;
mod socketio;
mod storm;

use antiphon_bench::Scenario;
use clap::Parser;

use super::goal::Metric;
use super::section::Section;
use super::subject::{Spoken, Subject};

/// A load, the servers it is put on, and what of the reports goes into the table.
#[derive(Clone)]
pub(super) struct Case {
    /// A word to call it by, a colon, and what it is.
    pub(super) name: &'static str,
    pub(super) section: Section,
    /// The arguments of `antiphon bench` without those that say which server.
    pub(super) load: &'static str,
    pub(super) pace: Pace,
    pub(super) spoken: Spoken,
    /// In the order of the tables.
    pub(super) subjects: &'static [Subject],
    pub(super) setup: Setup,
    pub(super) metrics: &'static [Metric],
    /// How many of the metrics are shown where servers are compared.
    pub(super) headlines: usize,
    /// Where it is along a curve: messages a second, or connections.
    pub(super) point: Option<f64>,
    /// How often it is measured at most.
    pub(super) rounds_max: u16,
}

/// How long a load goes on, and how fast it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Pace {
    /// For as long as each measurement is to take.
    Span,
    /// As long as it takes: about so many seconds.
    UntilDone(u16),
    /// At a fixed rate: half of what the server does of this load with so many subscribers when nothing holds the load back.
    HalfOf { saturating: &'static str, subscribers: u32 },
}

/// How our server is started for a case. Others are started as they always are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setup {
    pub(super) program: Program,
    pub(super) storage: Storage,
    pub(super) cores: Cores,
    /// `None`: as many as it takes by itself.
    pub(super) workers: Option<u8>,
    /// A configuration file.
    pub(super) config: &'static str,
    /// Another load that runs meanwhile and is not measured.
    pub(super) beside: Option<&'static str>,
}

/// Which program is our server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    Binary,
    /// `bench/examples/socketio_loads.rs`.
    Library,
}

/// Where the server keeps messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Storage {
    Memory,
    /// SQLite in a directory of its own on a disk.
    Disk,
}

/// Who runs where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cores {
    /// One core for the server, another for the load.
    OneEach,
    /// Both on both.
    Shared,
}

impl Setup {
    /// The binary with one worker on a core of its own, and nothing on a disk.
    const ONE_CORE: Self = Self {
        program: Program::Binary,
        storage: Storage::Memory,
        cores: Cores::OneEach,
        workers: Some(1),
        config: "",
        beside: None,
    };

    const LIBRARY: Self = Self { program: Program::Library, ..Self::ONE_CORE };

    const ON_DISK: Self = Self { storage: Storage::Disk, ..Self::ONE_CORE };
}

impl Case {
    const fn new(
        name: &'static str,
        section: Section,
        load: &'static str,
        metrics: &'static [Metric],
    ) -> Self {
        Self {
            name,
            section,
            load,
            pace: Pace::Span,
            spoken: Spoken::WebSocket,
            subjects: &[Subject::Reference, Subject::Antiphon],
            setup: Setup::ONE_CORE,
            metrics,
            headlines: 1,
            point: None,
            rounds_max: u16::MAX,
        }
    }

    /// The word to call it by.
    pub(super) fn key(&self) -> &'static str {
        self.name.split(':').next().unwrap_or(self.name)
    }

    /// How often a subject is measured in a run of so many rounds: peers in every other one, since no goal is judged by how
    /// close they are.
    pub(super) fn is_measured(&self, subject: Subject, round: u16) -> bool {
        let is_due = !subject.is_peer() || round % 2 == 1;
        is_due && round <= self.rounds_max && self.subjects.contains(&subject)
    }
}

/// Every case, in the order of measuring and of the tables.
pub(super) fn all() -> Vec<Case> {
    let mut cases = fanout::cases();
    cases.extend(socketio::cases());
    cases.extend(storm::cases());
    cases.extend(latency::cases());
    cases.extend(idle::cases());
    cases.extend(api::cases());
    cases.sort_by_key(|case| case.section);
    cases
}

#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
}

/// Reads the arguments of `antiphon bench`.
///
/// # Errors
/// They are not such.
pub(super) fn scenario(arguments: &[String]) -> Result<Scenario, clap::Error> {
    Ok(Arguments::try_parse_from(arguments)?.scenario)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_case_is_one_that_the_load_generator_takes() {
        for case in all() {
            let loads = match case.pace {
                Pace::HalfOf { saturating, .. } => vec![case.load, saturating],
                _ => vec![case.load],
            };
            for (load, subject) in
                loads.iter().flat_map(|load| case.subjects.iter().map(move |subject| (load, subject)))
            {
                let mut arguments: Vec<String> = load.split_whitespace().map(str::to_owned).collect();
                arguments.extend(subject.options(case.spoken).into_iter().map(str::to_owned));
                assert!(
                    scenario(&arguments).is_ok(),
                    "{}: {arguments:?}: {:?}",
                    case.name,
                    scenario(&arguments)
                );
            }
        }
    }

    #[test]
    fn every_case_has_a_name_of_its_own_and_whom_its_goals_speak_of() {
        let keys: BTreeSet<_> = all().iter().map(Case::key).collect();
        assert_eq!(keys.len(), all().len());
        for case in all() {
            assert!(case.subjects.contains(&Subject::Antiphon), "{}", case.name);
            assert!(case.headlines <= case.metrics.len().max(1), "{}", case.name);
        }
    }

    #[test]
    fn peers_are_measured_in_every_other_round() {
        let case = &all()[0];
        let rounds = |subject| (1..=5).filter(|round| case.is_measured(subject, *round)).count();
        assert_eq!(
            (rounds(Subject::Reference), rounds(Subject::Redis), rounds(Subject::NodeSocketIo)),
            (5, 3, 0)
        );
    }
}
