use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Outcome;

/// What to do when a step fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// Leave out the steps that follow.
    Stop,
    /// Run them all the same.
    KeepGoing,
}

/// One thing that is run and passes or fails.
pub(crate) struct Step<Context> {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What it does, in a line.
    pub(crate) what: &'static str,
    /// Does it.
    pub(crate) run: fn(&Context) -> Outcome,
}

/// What steps did not do because something is not here, for below the table.
static LEFT_OUT: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Says what a step leaves out because something is not here: at once, and once more below the table.
pub(crate) fn left_out(what: &str) {
    println!("LEFT OUT: {what}");
    LEFT_OUT.lock().unwrap_or_else(PoisonError::into_inner).push(what.to_owned());
}

enum Ending {
    Passed(Duration),
    Failed(Duration, String),
    LeftOut,
}

/// Runs the steps in order and prints a table of what came of them; its last line is `N passed, N failed`.
///
/// Gives a failure if a step failed. It has been printed then, and nothing is to be printed after the count.
pub(crate) fn run_steps<Context>(
    steps: &[&Step<Context>],
    context: &Context,
    on_failure: OnFailure,
) -> ExitCode {
    let mut endings = Vec::new();
    let mut stopped = false;
    for (number, step) in steps.iter().enumerate() {
        if stopped {
            endings.push(Ending::LeftOut);
            continue;
        }
        println!("\n==> [{}/{}] {}: {}", number + 1, steps.len(), step.name, step.what);
        let ending = run_step(step, context);
        stopped = matches!(ending, Ending::Failed(..)) && on_failure == OnFailure::Stop;
        endings.push(ending);
    }
    print_table(steps, &endings);
    for what in LEFT_OUT.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        println!("  LEFT OUT  {what}");
    }
    let failed = endings.iter().filter(|ending| matches!(ending, Ending::Failed(..))).count();
    let passed = endings.iter().filter(|ending| matches!(ending, Ending::Passed(_))).count();
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_step<Context>(step: &Step<Context>, context: &Context) -> Ending {
    let started = Instant::now();
    let outcome = (step.run)(context);
    let took = started.elapsed();
    match outcome {
        Ok(()) => {
            println!("<== {} passed in {}", step.name, seconds(took));
            Ending::Passed(took)
        }
        Err(error) => {
            println!("<== {} FAILED after {}: {error}", step.name, seconds(took));
            Ending::Failed(took, error.to_string())
        }
    }
}

fn print_table<Context>(steps: &[&Step<Context>], endings: &[Ending]) {
    println!();
    for (step, ending) in steps.iter().zip(endings) {
        match ending {
            Ending::Passed(took) => println!("  passed   {:>8}  {}", seconds(*took), step.name),
            Ending::Failed(took, why) => {
                println!(
                    "  FAILED   {:>8}  {}: {}",
                    seconds(*took),
                    step.name,
                    why.lines().next().unwrap_or("")
                );
            }
            Ending::LeftOut => println!("  not run            {}", step.name),
        }
    }
    println!();
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
