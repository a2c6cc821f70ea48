use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Runs hostile peers against an antiphon binary, one attack after another, beside clients that behave.
#[derive(Parser, Debug, Clone)]
#[command(name = "antiphon-hostile")]
pub struct Args {
    /// The server's binary.
    #[arg(long, env = "ANTIPHON_BIN", value_name = "PATH")]
    pub bin: PathBuf,
    /// The short form, for every change: fewer clients and seconds, a wide tolerance of latency, all attacks.
    #[arg(long)]
    pub short: bool,
    /// How many clients behave [default: 1000; short: 120].
    #[arg(long)]
    pub clients: Option<usize>,
    /// How many messages a second each of them is sent [default: 20; short: 20].
    #[arg(long)]
    pub rate: Option<u32>,
    /// How many windows each attack has, each after a quiet one [default: 3; short: 1].
    #[arg(long)]
    pub rounds: Option<usize>,
    /// Seconds of a window [default: 2.5; short: 0.4].
    #[arg(long)]
    pub seconds: Option<f64>,
    /// Milliseconds of latency below which no attack counts as noticed [default: 20; short: 1000].
    #[arg(long, value_name = "MS")]
    pub floor: Option<f64>,
    /// Run the attacks whose names begin so; may be given several times.
    #[arg(long, value_name = "ATTACK")]
    pub only: Vec<String>,
    /// List the attacks.
    #[arg(long)]
    pub list: bool,
    /// Write the report as JSON to standard output; the table goes to standard error.
    #[arg(long)]
    pub json: bool,
    /// Show what attackers saw, attack by attack.
    #[arg(long)]
    pub verbose: bool,
}

/// How much of everything a run has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    pub(crate) clients: usize,
    pub(crate) rate: u32,
    pub(crate) rounds: usize,
    pub(crate) window: Duration,
    /// Latency below which no attack counts as noticed.
    pub(crate) floor: Duration,
    pub(crate) size: Size,
}

/// The two forms of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// For every change.
    Short,
    /// What the figures are from.
    Full,
}

impl Size {
    /// One of two, by the size.
    pub(crate) fn pick<T>(self, short: T, full: T) -> T {
        match self {
            Size::Short => short,
            Size::Full => full,
        }
    }
}

impl Args {
    /// What the arguments come to.
    pub(crate) fn scale(&self) -> Scale {
        let size = if self.short { Size::Short } else { Size::Full };
        let millis = |millis: f64| Duration::from_secs_f64(millis / 1000.0);
        Scale {
            clients: self.clients.unwrap_or(size.pick(120, 1000)),
            rate: self.rate.unwrap_or(20).max(1),
            rounds: self.rounds.unwrap_or(size.pick(1, 3)).max(1),
            window: Duration::from_secs_f64(self.seconds.unwrap_or(size.pick(0.4, 2.5))),
            floor: millis(self.floor.unwrap_or(size.pick(1000.0, 20.0))),
            size,
        }
    }
}
