//! `antiphon-guard check`: counts the instructions of the hot paths, and fails where they have become more than is on record.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, thread};

use antiphon_guard::{Comparison, CountError, HotPath, Record, measure};
use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(name = "antiphon-guard", about = "What the hot paths cost, in instructions")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Name the paths.
    List,
    /// Walk a path so many times: what callgrind counts.
    Run {
        /// Its name.
        path: String,
        /// How often.
        times: u64,
    },
    /// Count all paths and compare them with the record.
    Check(Counting),
    /// Count all paths and write the record anew.
    Record(Counting),
}

#[derive(Args)]
struct Counting {
    /// Where the record is.
    #[arg(long)]
    record: PathBuf,
    /// Where profiles go.
    #[arg(long)]
    profiles: PathBuf,
    /// What the compiler calls itself.
    #[arg(long)]
    compiler: String,
    /// Count the paths whose names begin so alone; may be given several times.
    #[arg(long)]
    only: Vec<String>,
}

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::List => {
            HotPath::all().for_each(|path| println!("{:<24} {}", path.name, path.what));
            Ok(())
        }
        Command::Run { path, times } => run(&path, times),
        Command::Check(counting) => check(&counting),
        Command::Record(counting) => record(&counting),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, times: u64) -> Outcome {
    let path = HotPath::named(name).ok_or_else(|| format!("there is no path {name:?}"))?;
    (path.run)(times);
    Ok(())
}

fn check(counting: &Counting) -> Outcome {
    let record = Record::read(&counting.record)?;
    let mut failed = Vec::new();
    for (path, counted) in count(counting)? {
        let comparison = Comparison::new(path, counted, &record);
        println!("{comparison}");
        if comparison.fails() {
            failed.push(comparison);
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    let mut why = String::from("these paths take more instructions than they did:\n");
    failed.iter().for_each(|comparison| why.push_str(&format!("  {comparison}\n")));
    if record.compiler != counting.compiler {
        why.push_str(&format!(
            "The record is of {}, and this is {}: that may be all there is to it.\n",
            record.compiler, counting.compiler
        ));
    }
    why.push_str(&format!(
        "Where they go: callgrind_annotate {}/<path>.callgrind\n",
        counting.profiles.display()
    ));
    why.push_str("If it is worth that much: cargo xtask bench --record, and say why in the change.");
    Err(why.into())
}

fn record(counting: &Counting) -> Outcome {
    let mut record = Record::read(&counting.record).unwrap_or_else(|_| Record::new(&counting.compiler));
    record.compiler.clone_from(&counting.compiler);
    if counting.only.is_empty() {
        record.instructions.clear();
    }
    for (path, counted) in count(counting)? {
        println!("{:<24} {counted:>10.1} for each {}", path.name, path.unit);
        record.instructions.insert(path.name.to_owned(), counted);
    }
    Ok(record.write(&counting.record)?)
}

/// Counts as many paths at a time as there are processors: counts do not mind.
fn count(counting: &Counting) -> Outcome<Vec<(&'static HotPath, f64)>> {
    let program = env::current_exe()?;
    fs::create_dir_all(&counting.profiles)?;
    let chosen = |path: &&HotPath| {
        counting.only.is_empty() || counting.only.iter().any(|begins| path.name.starts_with(begins))
    };
    let paths: Vec<_> = HotPath::all().filter(chosen).collect();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let counted = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| count_some(&program, &counting.profiles, &paths, &next)))
            .collect();
        let joined = workers.into_iter().map(|worker| worker.join().expect("it does not panic"));
        joined.collect::<Result<Vec<_>, _>>()
    });
    let mut counted: Vec<_> = counted?.into_iter().flatten().collect();
    counted.sort_by_key(|(at, _)| *at);
    Ok(counted.into_iter().map(|(at, counted)| (paths[at], counted)).collect())
}

fn count_some(
    program: &Path,
    profiles: &Path,
    paths: &[&'static HotPath],
    next: &AtomicUsize,
) -> Result<Vec<(usize, f64)>, CountError> {
    let mut counted = Vec::new();
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(path) = paths.get(at) else { return Ok(counted) };
        counted.push((at, measure(program, profiles, path)?));
    }
}
