//! One measurement: a server, a load, and where they run.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use antiphon_bench::{Error, Report, Scenario, measure};
use rustix::thread::{CpuSet, sched_setaffinity};

use super::SuiteError;
use super::cases::{self, Case, Cores, Pace};
use super::plan::WARM_UP;
use super::server::{Launcher, Server};
use super::subject::{Spoken, Subject};

/// Makes measurements, and remembers what later ones go by.
pub(super) struct Measuring {
    server_core: usize,
    load_core: usize,
    duration: Duration,
    /// How many messages a second servers were found to do, by case.
    saturated: BTreeMap<(usize, Subject), f64>,
}

impl Measuring {
    pub(super) fn new(server_core: usize, load_core: usize, duration: Duration) -> Self {
        Self { server_core, load_core, duration, saturated: BTreeMap::new() }
    }

    /// Measures one case on a server of its own. The outer error ends the suite, the inner one is this measurement's result.
    pub(super) fn run(
        &mut self,
        launcher: &Launcher,
        row: usize,
        case: &Case,
        subject: Subject,
    ) -> Result<Result<Report, String>, SuiteError> {
        let rate = match case.pace {
            Pace::Span | Pace::UntilDone(_) => None,
            Pace::HalfOf { saturating, subscribers } => {
                let most = match self.saturated.get(&(row, subject)) {
                    Some(most) => *most,
                    None => match self.measure(launcher, case, subject, saturating, None)? {
                        Ok(report) => report.per_second / f64::from(subscribers),
                        Err(why) => return Ok(Err(why)),
                    },
                };
                self.saturated.insert((row, subject), most);
                Some(most / 2.0)
            }
        };
        self.measure(launcher, case, subject, case.load, rate)
    }

    fn measure(
        &self,
        launcher: &Launcher,
        case: &Case,
        subject: Subject,
        load: &str,
        rate: Option<f64>,
    ) -> Result<Result<Report, String>, SuiteError> {
        let (for_server, for_load) = match case.setup.cores {
            Cores::OneEach => (vec![self.server_core], vec![self.load_core]),
            Cores::Shared => (vec![self.server_core, self.load_core], vec![self.server_core, self.load_core]),
        };
        // A process starts on the cores of the thread that starts it.
        pin(&for_server)?;
        let server = match launcher.start(subject, &case.setup) {
            // That somebody else's does not start is a result.
            Err(SuiteError::Start { reason, .. }) if subject.is_peer() => return Ok(Err(reason)),
            server => server?,
        };
        pin(&for_load)?;
        let options = subject.options(case.spoken);
        let scenario = self.scenario(load, &options, case.pace, rate, &server);
        let outcome = match case.setup.beside.filter(|_| rate.is_some()) {
            None => measure(&scenario),
            Some(other) => {
                let options = subject.options(Spoken::OfTheScenario);
                let span = Self { duration: self.duration + WARM_UP, ..Self::new(0, 0, Duration::ZERO) };
                let other = span.scenario(other, &options, Pace::Span, None, &server);
                with_other(&scenario, &other)
            }
        };
        Ok(outcome.map_err(|error| error.to_string()))
    }

    /// The scenario of a load on a server.
    fn scenario(
        &self,
        load: &str,
        options: &[&str],
        pace: Pace,
        rate: Option<f64>,
        server: &Server,
    ) -> Scenario {
        let mut arguments: Vec<String> = load.split_whitespace().map(str::to_owned).collect();
        let mut add = |option: &str, value: String| arguments.extend([option.to_owned(), value]);
        add("--url", server.url().to_owned());
        add("--pid", server.pid().to_string());
        if !matches!(pace, Pace::UntilDone(_)) {
            add("--duration", self.duration.as_secs_f64().to_string());
            add("--warm-up", WARM_UP.as_secs_f64().to_string());
        }
        if let Some(rate) = rate {
            add("--rate", format!("{rate:.0}"));
        }
        arguments.extend(options.iter().map(|&option| option.to_owned()));
        cases::scenario(&arguments).expect("a test reads the loads of all cases")
    }
}

/// Measures one load while another is on the server.
fn with_other(scenario: &Scenario, other: &Scenario) -> Result<Report, Error> {
    std::thread::scope(|scope| {
        let other = scope.spawn(|| measure(other));
        let report = measure(scenario);
        other.join().expect("a load does not panic")?;
        report
    })
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
