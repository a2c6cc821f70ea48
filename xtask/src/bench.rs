use clap::Args;

use crate::Outcome;
use crate::command::{cargo, command, run as run_command};
use crate::workspace::Workspace;

/// The options of `cargo xtask bench`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// What follows is handed on to `antiphon-bench suite`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds the server and the load generator for release and runs the suite.
///
/// # Errors
/// They do not build, or the suite fails.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let workspace = Workspace::here();
    let packages = ["--package", "antiphon-server", "--package", "antiphon-bench"];
    run_command(cargo(&workspace.root).args(["build", "--release"]).args(packages))?;
    let bench = workspace.target().join("release/antiphon-bench");
    run_command(command(bench, &workspace.root).arg("suite").args(&arguments.rest))
}
