use std::num::NonZeroU32;
use std::process::Command;

use clap::Args;

use crate::Outcome;
use crate::command::{cargo, output, run as run_command, succeeds};
use crate::workspace::Workspace;

/// The options of `cargo xtask fuzz`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// How long to fuzz each target.
    #[arg(long, default_value = "60")]
    seconds: NonZeroU32,
    /// The target; all, one after the other, if none is named.
    target: Option<String>,
}

/// Fuzzes one target or all of them, and installs cargo-fuzz if it is not there.
///
/// # Errors
/// cargo-fuzz cannot be installed, a target does not build, or an input crashed it.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let workspace = Workspace::here();
    if !succeeds(cargo_fuzz(&workspace).arg("--version")) {
        println!("Installing cargo-fuzz.");
        run_command(cargo(&workspace.root).args(["install", "--locked", "cargo-fuzz"]))?;
    }
    let targets = match &arguments.target {
        Some(target) => vec![target.clone()],
        None => output(cargo_fuzz(&workspace).arg("list"))?.lines().map(String::from).collect(),
    };
    for target in targets {
        println!("\n==> {target}: {} s", arguments.seconds);
        let limit = format!("-max_total_time={}", arguments.seconds);
        run_command(cargo_fuzz(&workspace).args(["run", &target, "--", &limit]))?;
    }
    Ok(())
}

/// The sanitizers are options of the nightly compiler; the variable lets the stable one take them.
fn cargo_fuzz(workspace: &Workspace) -> Command {
    let mut command = cargo(&workspace.root);
    command.arg("fuzz").env("RUSTC_BOOTSTRAP", "1");
    command
}
