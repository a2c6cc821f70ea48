use std::fs;

use clap::Args;

use crate::Outcome;
use crate::command::{cargo, command, output, run as run_command};
use crate::workspace::Workspace;

const REFERENCE: &str = "docs/configuration.md";

/// The options of `cargo xtask docs`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Change nothing; fail if something would change.
    #[arg(long)]
    check: bool,
}

/// Makes the documentation, or checks that it is made.
///
/// # Errors
/// The binary or the documentation does not build, or, when checking, the reference is out of date.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let workspace = Workspace::here();
    if arguments.check {
        return check(&workspace);
    }
    fs::write(workspace.root.join(REFERENCE), reference(&workspace)?)?;
    println!("Wrote {REFERENCE}.");
    rustdoc(&workspace)
}

/// Checks that the configuration reference is what the binary prints and that the documentation builds.
///
/// # Errors
/// As [`run`].
pub(crate) fn check(workspace: &Workspace) -> Outcome {
    let expected = reference(workspace)?;
    if fs::read_to_string(workspace.root.join(REFERENCE)).ok() != Some(expected) {
        return Err(format!("{REFERENCE} is not what the binary prints; run `cargo xtask docs`").into());
    }
    rustdoc(workspace)
}

fn reference(workspace: &Workspace) -> Outcome<String> {
    output(command(workspace.binary()?, &workspace.root).args(["check-config", "--reference"]))
}

fn rustdoc(workspace: &Workspace) -> Outcome {
    let mut doc = cargo(&workspace.root);
    run_command(doc.args(["doc", "--no-deps", "--workspace"]).env("RUSTDOCFLAGS", "--deny warnings"))
}
