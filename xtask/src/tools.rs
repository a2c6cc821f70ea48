use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::command::{command, run};

/// Finds a program, installing the Debian package that has it when that is possible.
///
/// # Errors
/// It is not there and cannot be installed: this is not Debian, or not root. The message says what to install.
pub(crate) fn need(program: &str, package: &str) -> Outcome<PathBuf> {
    if let Some(path) = find(program) {
        return Ok(path);
    }
    install(package).map_err(|why| format!("`{program}` is needed and not there: {why}"))?;
    find(program).ok_or_else(|| format!("the package {package} brought no `{program}`").into())
}

/// Installs a Debian package.
///
/// # Errors
/// This is not Debian, or not root, or apt fails. The message names the package.
pub(crate) fn install(package: &str) -> Result<(), String> {
    if find("apt-get").is_none() || !is_root() {
        return Err(format!("install it (on Debian, as root: apt-get install {package})"));
    }
    println!("Installing the package {package} with apt.");
    apt(&["update", "--quiet"])
        .and_then(|()| apt(&["install", "--quiet", "--yes", "--no-install-recommends", package]))
        .map_err(|error| format!("apt could not install {package}: {error}"))
}

fn apt(arguments: &[&str]) -> Outcome {
    run(command("apt-get", Path::new("/")).args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
}

fn find(program: &str) -> Option<PathBuf> {
    let directories = std::env::var_os("PATH")?;
    std::env::split_paths(&directories).map(|directory| directory.join(program)).find(|path| path.is_file())
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    // What belongs to a process in /proc belongs to its effective user.
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}
