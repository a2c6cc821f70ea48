use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::command::{cargo, command, run, succeeds};
use crate::workspace::Workspace;

const CARGO_DENY: &str = "0.20.2";

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

/// Finds cargo-deny, or builds it below the target directory, which takes a minute the first time.
///
/// # Errors
/// It does not build.
pub(crate) fn cargo_deny(workspace: &Workspace) -> Outcome<PathBuf> {
    if let Some(path) = find("cargo-deny") {
        return Ok(path);
    }
    let tools = workspace.target().join("tools/cargo-deny");
    let path = tools.join("bin/cargo-deny");
    if !path.is_file() {
        println!("Installing cargo-deny {CARGO_DENY}.");
        let mut cargo = cargo(&workspace.root);
        cargo.args([
            "install",
            "--quiet",
            "--locked",
            "--debug",
            "--no-default-features",
            "--version",
            CARGO_DENY,
        ]);
        // Its own target directory, which cargo removes: this one has what the project is built of.
        cargo.env_remove("CARGO_TARGET_DIR").arg("--root").arg(&tools).arg("cargo-deny");
        run(&mut cargo)?;
    }
    Ok(path)
}

/// As [`need`], for a package that has a server in it: the service that Debian starts with it is ended, and not begun again.
///
/// # Errors
/// As [`need`].
pub(crate) fn need_server(program: &str, package: &str) -> Outcome<PathBuf> {
    if let Some(path) = find(program) {
        return Ok(path);
    }
    let path = need(program, package)?;
    // Where systemd does not run there is no service.
    succeeds(command("systemctl", Path::new("/")).args(["disable", "--now", "--quiet", package]));
    Ok(path)
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
