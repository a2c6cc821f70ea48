use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;

use crate::Outcome;
use crate::command::{command, run as run_command};
use crate::tools;
use crate::workspace::Workspace;

/// The options of `cargo xtask suites`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The directory that has `engine.io-protocol` and `socket.io-protocol` in it, with the suites' dependencies installed.
    directory: PathBuf,
    /// How many times to run all of them.
    #[arg(long, default_value = "1")]
    rounds: NonZeroU32,
}

/// Runs the suites against the conformance example, which listens on port 3000 for them.
///
/// # Errors
/// The example does not build, or a case fails.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let workspace = Workspace::here();
    tools::need("node", "nodejs")?;
    let conformance = workspace.example("conformance")?;
    let directory = std::fs::canonicalize(&arguments.directory)?;
    let mut node = command("node", &workspace.root);
    node.arg("tests/socketio-suites/run.mjs").arg("--suites").arg(directory).arg("--bin").arg(conformance);
    run_command(node.arg("--rounds").arg(arguments.rounds.to_string()))
}
