use clap::Args;

use crate::Outcome;
use crate::command::{cargo, command, run as run_command};
use crate::tools;
use crate::workspace::Workspace;

/// The options of `cargo xtask bench`.
#[derive(Args)]
pub(crate) struct Arguments {
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
    let build =
        |arguments: &[&str]| run_command(cargo(&workspace.root).args(["build", "--release"]).args(arguments));
    build(&["--package", "antiphon-server", "--package", "antiphon-bench", "--bins"])?;
    if measures(&arguments.rest, "socketio") {
        // By itself, so that what examples depend on does not choose features for the server.
        build(&["--package", "antiphon-bench", "--example", "socketio_loads"])?;
        if !arguments.rest.iter().any(|argument| argument == "--no-peers" || argument == "--reference-only") {
            build_peers(&workspace)?;
        }
    }
    let bench = workspace.target().join("release/antiphon-bench");
    run_command(command(bench, &workspace.root).arg("suite").args(&arguments.rest))
}

/// Whether the suite with these arguments measures cases whose names begin so.
fn measures(arguments: &[String], cases: &str) -> bool {
    let mut names = arguments.iter().enumerate().filter_map(|(at, argument)| match argument.as_str() {
        "--only" => arguments.get(at + 1).map(String::as_str),
        argument => argument.strip_prefix("--only="),
    });
    let mut is_restricted = false;
    let is_named = names.any(|name| {
        is_restricted = true;
        name.starts_with(cases) || cases.starts_with(name)
    });
    is_named || !is_restricted
}

fn build_peers(workspace: &Workspace) -> Outcome {
    let peers = workspace.root.join("bench/peers");
    run_command(
        cargo(&peers.join("socketioxide"))
            .args(["build", "--release", "--locked", "--target-dir"])
            .arg(workspace.target()),
    )?;
    tools::need("node", "nodejs")?;
    tools::need("npm", "npm")?;
    run_command(command("npm", &peers.join("node")).args(["ci", "--no-audit", "--no-fund"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_measured_unless_others_are_named() {
        for (arguments, expected) in [
            (&[][..], true),
            (&["--rounds", "3"], true),
            (&["--only", "socketio"], true),
            (&["--only=socketio-ack"], true),
            (&["--only", "s"], true),
            (&["--only", "echo", "--only", "socketio-idle"], true),
            (&["--only", "echo"], false),
            (&["--only=stored"], false),
        ] {
            let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
            assert_eq!(measures(&arguments, "socketio"), expected, "{arguments:?}");
        }
    }
}
