//! The command line of the long run. It ends with status 1 if anything was wrong.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use antiphon_soak::{Options, Part, run};
use clap::Parser;

/// Clients of every dialect at one server for a long time: are messages complete and in order, and does anything leak?
#[derive(Parser)]
#[command(name = "antiphon-soak")]
struct Arguments {
    /// For how many minutes clients come and go.
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// How many clients there are.
    #[arg(long, default_value_t = 300)]
    clients: usize,
    /// How many seconds there are between a client's publications, in the mean.
    #[arg(long, default_value_t = 2.0)]
    says_every: f64,
    /// How often the server is killed and started again, in a part of its own at the end.
    #[arg(long, default_value_t = 4)]
    kills: usize,
    /// What the clients' choices are drawn from. Default: another one each time, which is printed.
    #[arg(long)]
    seed: Option<u64>,
    /// How many KiB a minute resident memory may rise by after the warm-up. It is judged in runs from 20 minutes on. With 300
    /// clients a minute has some 10,000 publications and as many connections, so the default is about 50 bytes that are
    /// lost with each; less could not be told from what an allocator does.
    #[arg(long, default_value_t = 512.0)]
    slope_max: f64,
    /// A run of less than a minute with a few clients of each kind, and one kill.
    #[arg(long)]
    short: bool,
    /// Where the result is written as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Where memory and descriptors over time are drawn, as SVG.
    #[arg(long)]
    plot: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    let report = runtime.block_on(run(&options(&arguments)));
    print!("{report}");
    for (path, text) in [(&arguments.json, report.json()), (&arguments.plot, report.plot())] {
        let Some(path) = path else { continue };
        if let Err(error) = std::fs::write(path, text) {
            eprintln!("error: {} cannot be written: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    if report.is_fine() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How long the server runs between one kill and the next.
const BETWEEN_KILLS: Duration = Duration::from_secs(40);

fn options(arguments: &Arguments) -> Options {
    let seed = arguments.seed.unwrap_or_else(|| u64::from(std::process::id()) ^ now());
    let slope_max = arguments.slope_max * 1024.0;
    if arguments.short {
        let parts = vec![Part { name: "short", talk: Duration::from_secs(16), kills: 1 }];
        return Options { parts, clients: 40, says: Duration::from_secs(1), seed, slope_max };
    }
    // Kills have a part of their own, so that in the other all is of one process.
    let talk = Duration::from_secs_f64(arguments.minutes * 60.0);
    let mut parts = vec![Part { name: "steady", talk, kills: 0 }];
    if arguments.kills > 0 {
        let talk = BETWEEN_KILLS * (arguments.kills as u32 + 1);
        parts.push(Part { name: "crashes", talk, kills: arguments.kills });
    }
    let says = Duration::from_secs_f64(arguments.says_every);
    Options { parts, clients: arguments.clients, says, seed, slope_max }
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
