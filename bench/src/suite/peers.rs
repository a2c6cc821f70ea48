//! Servers of other people that are measured beside ours: where they are, and their versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The peers as `cargo xtask bench` builds them.
pub(super) struct Peers {
    /// Their sources.
    directory: PathBuf,
    /// The release build of the one that is a program.
    socketioxide: PathBuf,
}

impl Peers {
    /// Peers whose sources are in `directory` and whose programs are beside `itself`.
    pub(super) fn new(directory: PathBuf, itself: &Path) -> Self {
        Self { directory, socketioxide: itself.with_file_name("socketioxide-peer") }
    }

    pub(super) fn socketioxide(&self) -> Command {
        Command::new(&self.socketioxide)
    }

    pub(super) fn node_socketio(&self) -> Command {
        let mut command = Command::new("node");
        command.arg(self.directory.join("node/server.mjs")).env("NODE_ENV", "production");
        command
    }

    /// What has to be there for them to run and is not.
    pub(super) fn missing(&self) -> Option<PathBuf> {
        let modules = self.directory.join("node/node_modules/socket.io");
        [self.socketioxide.clone(), modules].into_iter().find(|path| !path.exists())
    }

    /// Their names and versions, in a sentence.
    pub(super) fn describe(&self) -> String {
        let lock = fs::read_to_string(self.directory.join("socketioxide/Cargo.lock")).unwrap_or_default();
        let manifest = self.directory.join("node/node_modules/socket.io/package.json");
        let manifest = fs::read_to_string(manifest).unwrap_or_default();
        format!(
            "socketioxide {} on axum {}, and socket.io {} on node {}",
            locked(&lock, "socketioxide"),
            locked(&lock, "axum"),
            installed(&manifest),
            node_version()
        )
    }
}

/// The version of a package in a `Cargo.lock`.
fn locked(lock: &str, package: &str) -> String {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    let version = lines.next().and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    version.unwrap_or("(of unknown version)").to_owned()
}

/// The version in a `package.json`.
fn installed(manifest: &str) -> String {
    let manifest: serde_json::Value = serde_json::from_str(manifest).unwrap_or_default();
    manifest["version"].as_str().unwrap_or("(of unknown version)").to_owned()
}

fn node_version() -> String {
    let output = Command::new("node").arg("--version").output();
    let version = output.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    version.map_or_else(String::new, |version| version.trim().trim_start_matches('v').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_where_the_package_managers_put_them() {
        let lock = "[[package]]\nname = \"axum-core\"\nversion = \"0.5.0\"\n\n\
                    [[package]]\nname = \"axum\"\nversion = \"0.8.1\"\n";
        assert_eq!(locked(lock, "axum"), "0.8.1");
        assert_eq!(locked(lock, "other"), "(of unknown version)");
        assert_eq!(installed(r#"{"name":"x","version":"4.8.4"}"#), "4.8.4");
        assert_eq!(installed(""), "(of unknown version)");
    }
}
