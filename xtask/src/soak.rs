use std::env::consts::EXE_SUFFIX;

use clap::Args;

use crate::Outcome;
use crate::command::{cargo, command, run as run_command};
use crate::workspace::Workspace;

/// The options of `cargo xtask soak`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// For how many minutes clients come and go.
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// What follows is handed on to `antiphon-soak`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds the server and its clients for release, and lets them run. What the run came to is written to `soak.json` and
/// `soak.svg` where builds go, unless other places are named.
///
/// # Errors
/// They do not build, or something was wrong: a message, a leak, memory that rises.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let workspace = Workspace::here();
    // By itself, so that what the clients depend on does not choose features for the server.
    for package in ["antiphon-server", "antiphon-soak"] {
        run_command(cargo(&workspace.root).args(["build", "--release", "--bins", "--package", package]))?;
    }
    let release = workspace.target().join("release");
    let mut soak = command(release.join(format!("antiphon-soak{EXE_SUFFIX}")), &workspace.root);
    soak.env("ANTIPHON_BIN", release.join(format!("antiphon{EXE_SUFFIX}")));
    soak.args(["--minutes", &arguments.minutes.to_string()]).args(&arguments.rest);
    for (option, file) in [("--json", "soak.json"), ("--plot", "soak.svg")] {
        if !arguments.rest.iter().any(|argument| argument.starts_with(option)) {
            soak.arg(option).arg(workspace.target().join(file));
        }
    }
    run_command(&mut soak)
}
