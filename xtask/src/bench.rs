use clap::Args;

use crate::Outcome;
use crate::command::{cargo, command, output, run as run_command};
use crate::instructions::{self, Counts};
use crate::peers;
use crate::workspace::Workspace;

/// The options of `cargo xtask bench`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Count the instructions of the hot paths in place of measuring, and fail where they are more than on record
    /// (`bench/guard/counts.toml`). Loads on the machine do not matter. `--only PATH` counts one.
    #[arg(long)]
    check: bool,
    /// Count them, and write the record anew.
    #[arg(long, conflicts_with = "check")]
    record: bool,
    /// What follows is handed on to `antiphon-bench suite`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds the servers and the load generator for release, the peers too where they are measured, and runs the suite.
///
/// # Errors
/// They do not build, or the suite fails.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let workspace = Workspace::here();
    let counts = [(arguments.check, Counts::Check), (arguments.record, Counts::Record)];
    if let Some((_, counts)) = counts.into_iter().find(|(asked, _)| *asked) {
        return instructions::run(&workspace, counts, &arguments.rest);
    }
    let build =
        |arguments: &[&str]| run_command(cargo(&workspace.root).args(["build", "--release"]).args(arguments));
    build(&["--package", "antiphon-server", "--package", "antiphon-bench", "--bins"])?;
    let bench = workspace.target().join("release/antiphon-bench");
    let plan = output(command(&bench, &workspace.root).args(["suite", "--plan"]).args(&arguments.rest))?;
    for need in needs(&plan) {
        match need {
            // By itself, so that what examples depend on does not choose features for the server.
            "library" => build(&["--package", "antiphon-bench", "--example", "socketio_loads"])?,
            // The suite finds out which of them are there, and its page says which are not.
            peer => {
                if let Err(why) = peers::have(&workspace, peer) {
                    println!("LEFT OUT: {peer}: {why}");
                }
            }
        }
    }
    run_command(command(bench, &workspace.root).arg("suite").args(&arguments.rest))
}

/// What has to be built or installed besides, as the plan of the suite says.
fn needs(plan: &str) -> impl Iterator<Item = &str> {
    plan.lines().filter_map(|line| line.strip_prefix("needs "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_read_from_the_plan() {
        let plan = "needs library\nneeds redis-server\ncase websocket: echo: it needs nothing\ntakes 1:00\n";
        assert_eq!(needs(plan).collect::<Vec<_>>(), ["library", "redis-server"]);
    }
}
