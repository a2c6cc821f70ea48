use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::command::{command, run, succeeds};
use crate::tools;
use crate::workspace::Workspace;

/// Written into an environment when all of its packages are there.
const COMPLETE: &str = "complete";

/// Runs `tests/<name>/run.py` against the binary, with what its `requirements.txt` names.
///
/// # Errors
/// The environment cannot be made, the binary does not build, or the suite fails.
pub(crate) fn run_suite(workspace: &Workspace, name: &str, arguments: &[&str]) -> Outcome {
    let suite = workspace.root.join("tests").join(name);
    let python = environment(workspace, name, &suite.join("requirements.txt"))?;
    let binary = workspace.binary()?;
    let work = workspace.target().join("tools").join(name);
    let mut python = command(python, &workspace.root);
    python.env("PYTHONDONTWRITEBYTECODE", "1").arg(suite.join("run.py"));
    run(python.arg("--bin").arg(binary).arg("--work").arg(work).args(arguments))
}

/// The Python of an environment below `target/` that has these requirements. One that is complete is used again.
///
/// # Errors
/// There is no Python, or a requirement cannot be had.
pub(crate) fn environment(workspace: &Workspace, name: &str, requirements: &Path) -> Outcome<PathBuf> {
    let mut hasher = DefaultHasher::new();
    fs::read(requirements)?.hash(&mut hasher);
    let directory = workspace.target().join("tools").join(format!("venv-{name}-{:016x}", hasher.finish()));
    let python = directory.join("bin/python");
    if !directory.join(COMPLETE).exists() {
        println!("Making a Python environment for {name}.");
        create(&directory)?;
        let mut pip = command(&python, &workspace.root);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        run(pip.arg(requirements))?;
        fs::write(directory.join(COMPLETE), "")?;
    }
    Ok(python)
}

fn create(directory: &Path) -> Outcome {
    let python = tools::need("python3", "python3")?;
    // Debian keeps what environments need in a package of its own.
    if !succeeds(command(&python, Path::new("/")).args(["-c", "import ensurepip, venv"])) {
        tools::install("python3-venv")?;
    }
    run(command(&python, Path::new("/")).args(["-m", "venv", "--clear"]).arg(directory))
}
