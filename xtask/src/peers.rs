use crate::Outcome;
use crate::command::{cargo, command, run};
use crate::tools;
use crate::workspace::Workspace;

/// Builds or installs a server that others wrote, by the name that the suite has for it.
///
/// # Errors
/// It cannot be had here. The message says why.
pub(crate) fn have(workspace: &Workspace, name: &str) -> Outcome {
    let sources = workspace.root.join("bench/peers");
    match name {
        "node" => {
            tools::need("node", "nodejs")?;
            tools::need("npm", "npm")?;
            run(command("npm", &sources.join("node")).args(["ci", "--no-audit", "--no-fund"]))
        }
        "mosquitto" | "nats-server" | "redis-server" => tools::need_server(name, name).map(drop),
        // Each is a workspace of its own, so that one that does not build takes no other with it.
        name => run(cargo(&sources.join(name))
            .args(["build", "--release", "--locked", "--target-dir"])
            .arg(workspace.target())),
    }
}
