//! Counting, by callgrind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::HotPath;

/// A path could not be counted.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// Valgrind is not there.
    #[error("valgrind could not be started ({0}): on Debian, apt-get install valgrind")]
    NoValgrind(io::Error),
    /// The program failed.
    #[error("{name} failed under valgrind:\n{output}")]
    Failed {
        /// The path.
        name: &'static str,
        /// What it said.
        output: String,
    },
    /// Callgrind's file cannot be read.
    #[error("{}: {cause}", path.display())]
    Output {
        /// Where it is.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Callgrind's file does not say how many instructions there were.
    #[error("{}: there is no line with totals", .0.display())]
    NoTotals(PathBuf),
}

/// Instructions for each of the path's units. `program` is to be this one: it is run as `program run <path> <times>`. Leaves a profile
/// in `directory`, for `callgrind_annotate`.
///
/// # Errors
/// See [`CountError`].
pub fn measure(program: &Path, directory: &Path, path: &HotPath) -> Result<f64, CountError> {
    let once = count(program, directory, path, path.times)?;
    let twice = count(program, directory, path, path.times * 2)?;
    Ok(twice.saturating_sub(once) as f64 / (path.times * path.units) as f64)
}

fn count(program: &Path, directory: &Path, path: &HotPath, times: u64) -> Result<u64, CountError> {
    let profile = directory.join(format!("{}.callgrind", path.name));
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program)
        .args(["run", path.name, &times.to_string()])
        // What a program finds on its stack decides how what follows is aligned.
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .output()
        .map_err(CountError::NoValgrind)?;
    if !output.status.success() {
        let output = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(CountError::Failed { name: path.name, output });
    }
    let text =
        fs::read_to_string(&profile).map_err(|cause| CountError::Output { path: profile.clone(), cause })?;
    totals(&text).ok_or(CountError::NoTotals(profile))
}

/// What a file of callgrind's says there was in all.
fn totals(profile: &str) -> Option<u64> {
    profile.lines().rev().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_totals_are_found() {
        let profile = "version: 1\ncmd: guard\nevents: Ir\nfn=(1)\n1 5\n\ntotals: 1234567\n";
        assert_eq!(super::totals(profile), Some(1_234_567));
        assert_eq!(super::totals("events: Ir\n"), None);
    }
}
