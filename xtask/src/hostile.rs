use std::env::consts::EXE_SUFFIX;

use clap::Args;

use crate::Outcome;
use crate::command::{cargo, command, run as run_command};
use crate::workspace::Workspace;

/// The options of `cargo xtask hostile`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// What follows is handed on to `antiphon-hostile`: `--only ATTACK`, `--clients N`, `--json`; `--help` names the rest.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds the server and the attackers for release and runs every attack in full.
///
/// # Errors
/// They do not build, or the server does not stand an attack.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let workspace = Workspace::here();
    // Each by itself, so that what the attackers depend on does not choose features for the server.
    for package in ["antiphon-server", "antiphon-hostile"] {
        run_command(cargo(&workspace.root).args(["build", "--release", "--bins", "--package", package]))?;
    }
    let release = workspace.target().join("release");
    let mut hostile = command(release.join(format!("antiphon-hostile{EXE_SUFFIX}")), &workspace.root);
    run_command(hostile.arg("--bin").arg(release.join(format!("antiphon{EXE_SUFFIX}"))).args(&arguments.rest))
}
