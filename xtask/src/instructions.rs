//! The guard of instruction counts: `cargo xtask bench --check` and `--record`.

use std::env::consts::EXE_SUFFIX;

use crate::Outcome;
use crate::command::{cargo, command, output, run as run_command};
use crate::steps::left_out;
use crate::tools;
use crate::workspace::Workspace;

/// What is done with the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// They are compared with those on record.
    Check,
    /// They are recorded.
    Record,
}

/// Builds the hot paths and has callgrind count their instructions. `rest` is handed on: `--only PATH`.
///
/// # Errors
/// They do not build, valgrind is not to be had, or a path takes more instructions than are on record.
pub(crate) fn run(workspace: &Workspace, counts: Counts, rest: &[String]) -> Outcome {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        left_out("instructions: the counts on record are of x86-64 Linux");
        return Ok(());
    }
    tools::need("valgrind", "valgrind")?;
    run_command(cargo(&workspace.root).args(["build", "--profile", "guard", "--package", "antiphon-guard"]))?;
    let compiler = output(command("rustc", &workspace.root).arg("--version"))?;
    let directory = workspace.target().join("guard");
    let mut guard = command(directory.join(format!("antiphon-guard{EXE_SUFFIX}")), &workspace.root);
    guard.arg(match counts {
        Counts::Check => "check",
        Counts::Record => "record",
    });
    guard.arg("--record").arg(workspace.root.join("bench/guard/counts.toml"));
    guard.arg("--profiles").arg(directory.join("profiles")).args(["--compiler", compiler.trim()]);
    run_command(guard.args(rest))
}
