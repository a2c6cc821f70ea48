use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::command::{command, output, run, succeeds};
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
    let directory = tool_directory(workspace, &format!("venv-{name}"), requirements)?;
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

/// A Python 2.7, which some clients are written for: the one that `PYTHON27` names, else one in the path or among pyenv's.
pub(crate) fn find_python27() -> Option<PathBuf> {
    let runs = |python: &PathBuf| {
        let version = "import sys; sys.exit(sys.version_info[:2] != (2, 7))";
        succeeds(command(python, Path::new("/")).args(["-c", version]))
    };
    if let Some(named) = std::env::var_os("PYTHON27") {
        return Some(PathBuf::from(named)).filter(runs);
    }
    // What pyenv has in the path is there for all of its versions, and runs only where that version is chosen.
    let in_path = PathBuf::from("python2.7");
    if runs(&in_path) {
        return Some(in_path);
    }
    let root = output(command("pyenv", Path::new("/")).arg("root")).ok()?;
    let versions = fs::read_dir(Path::new(root.trim()).join("versions")).ok()?;
    let pythons = versions.filter_map(|version| Some(version.ok()?.path().join("bin/python2.7")));
    pythons.filter(|python| python.is_file()).find(runs)
}

/// A directory below `target/` that has these requirements for a Python 2.7. One that is complete is used again.
///
/// # Errors
/// This Python has no pip, or a requirement cannot be had.
pub(crate) fn packages27(
    workspace: &Workspace,
    name: &str,
    requirements: &Path,
    python: &Path,
) -> Outcome<PathBuf> {
    let directory = tool_directory(workspace, &format!("packages27-{name}"), requirements)?;
    if !directory.join(COMPLETE).exists() {
        println!("Installing packages of Python 2.7 for {name}.");
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        let mut pip = command(python, &workspace.root);
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-warn-script-location",
        ]);
        run(pip.arg("--target").arg(&directory).arg("--requirement").arg(requirements))?;
        fs::write(directory.join(COMPLETE), "")?;
    }
    Ok(directory)
}

/// A directory below `target/` whose name changes with what is required of it.
fn tool_directory(workspace: &Workspace, name: &str, requirements: &Path) -> Outcome<PathBuf> {
    let mut hasher = DefaultHasher::new();
    fs::read(requirements)?.hash(&mut hasher);
    Ok(workspace.target().join("tools").join(format!("{name}-{:016x}", hasher.finish())))
}

fn create(directory: &Path) -> Outcome {
    let python = tools::need("python3", "python3")?;
    // Debian keeps what environments need in a package of its own.
    if !succeeds(command(&python, Path::new("/")).args(["-c", "import ensurepip, venv"])) {
        tools::install("python3-venv")?;
    }
    run(command(&python, Path::new("/")).args(["-m", "venv", "--clear"]).arg(directory))
}
