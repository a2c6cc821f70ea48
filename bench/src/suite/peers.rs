//! Servers of other people that are measured beside ours: where they are, their versions, how they are started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::subject::{Need, Subject};

/// The peers as `cargo xtask bench` builds and installs them.
pub(super) struct Peers {
    /// Their sources.
    directory: PathBuf,
    /// Where the programs of those are that are built.
    programs: PathBuf,
}

/// How it becomes known that a peer listens.
pub(super) enum Announced {
    /// It says so on standard output, with its address.
    OnOutput,
    /// Not at all: it was told this port.
    AtPort(u16),
}

impl Peers {
    /// Peers whose sources are in `directory` and whose programs are beside `itself`.
    pub(super) fn new(directory: PathBuf, itself: &Path) -> Self {
        let programs = itself.parent().unwrap_or(Path::new(".")).to_path_buf();
        Self { directory, programs }
    }

    /// The command line of a peer. `port` is a free one, and `scratch` a directory for its configuration, for those that want them.
    ///
    /// # Errors
    /// The configuration cannot be written.
    pub(super) fn command(
        &self,
        subject: Subject,
        port: u16,
        scratch: &Path,
    ) -> std::io::Result<(Command, Announced)> {
        let port_text = port.to_string();
        let with = |program: &Path, arguments: &[&str]| {
            let mut command = Command::new(program);
            command.args(arguments);
            command
        };
        Ok(match subject {
            Subject::Tungstenite | Subject::SocketioxideNoDelay => {
                (with(&self.program(subject), &[]), Announced::OnOutput)
            }
            Subject::Rumqttd => (with(&self.program(subject), &[&port_text]), Announced::AtPort(port)),
            Subject::Socketioxide => (with(&self.program(subject), &["--as-it-comes"]), Announced::OnOutput),
            Subject::NodeWs => (self.node("ws.mjs"), Announced::OnOutput),
            Subject::NodeSocketIo => (self.node("socketio.mjs"), Announced::OnOutput),
            Subject::Redis => (
                with(
                    Path::new("redis-server"),
                    &[
                        "--bind",
                        "127.0.0.1",
                        "--port",
                        &port_text,
                        "--save",
                        "",
                        "--appendonly",
                        "no",
                        "--maxclients",
                        "15000",
                        "--tcp-backlog",
                        "4096",
                        "--client-output-buffer-limit",
                        "pubsub 0 0 0",
                    ],
                ),
                Announced::AtPort(port),
            ),
            Subject::Nats => (
                with(Path::new("nats-server"), &["--addr", "127.0.0.1", "--port", &port_text]),
                Announced::AtPort(port),
            ),
            Subject::Mosquitto => {
                let file = scratch.join("mosquitto.conf");
                fs::write(&file, mosquitto_configuration(port))?;
                let mut command = Command::new("mosquitto");
                command.arg("-c").arg(file);
                (command, Announced::AtPort(port))
            }
            Subject::Reference | Subject::Antiphon => unreachable!("these are no peers"),
        })
    }

    /// What has to be there for a subject to run and is not.
    pub(super) fn missing(&self, subject: Subject) -> Option<String> {
        let named = |path: PathBuf| (!path.exists()).then(|| path.display().to_string());
        match subject.need()? {
            Need::Tungstenite | Need::Rumqttd | Need::Socketioxide => named(self.program(subject)),
            Need::Node if !is_in_path("node") => Some("node".to_owned()),
            Need::Node => named(self.directory.join("node/node_modules/ws")),
            need @ (Need::Mosquitto | Need::Nats | Need::Redis) => {
                let program = need.program();
                (!is_in_path(program)).then(|| program.to_owned())
            }
        }
    }

    /// A subject and its version.
    pub(super) fn describe(&self, subject: Subject) -> String {
        let lock = |peer: &str, package| {
            let lock = fs::read_to_string(self.directory.join(peer).join("Cargo.lock")).unwrap_or_default();
            locked(&lock, package)
        };
        let module = |name: &str| {
            let manifest = self.directory.join("node/node_modules").join(name).join("package.json");
            installed(&fs::read_to_string(manifest).unwrap_or_default())
        };
        match subject {
            Subject::Reference | Subject::Antiphon => subject.heading().to_owned(),
            Subject::Tungstenite => format!("tokio-tungstenite {}", lock("tungstenite", "tokio-tungstenite")),
            Subject::Rumqttd => format!("rumqttd {}", lock("rumqttd", "rumqttd")),
            Subject::Socketioxide | Subject::SocketioxideNoDelay => format!(
                "socketioxide {} on axum {}",
                lock("socketioxide", "socketioxide"),
                lock("socketioxide", "axum")
            ),
            Subject::NodeWs => format!("ws {} on node {}", module("ws"), version("node", "--version")),
            Subject::NodeSocketIo => {
                format!("socket.io {} on node {}", module("socket.io"), version("node", "--version"))
            }
            Subject::Redis => format!("redis {}", version("redis-server", "--version")),
            Subject::Nats => format!("nats-server {}", version("nats-server", "--version")),
            Subject::Mosquitto => format!("mosquitto {}", version("mosquitto", "-h")),
        }
    }

    fn program(&self, subject: Subject) -> PathBuf {
        let need = subject.need().map_or("", Need::name);
        self.programs.join(format!("{need}-peer"))
    }

    fn node(&self, script: &str) -> Command {
        let mut command = Command::new("node");
        command.arg(self.directory.join("node").join(script)).env("NODE_ENV", "production");
        command
    }
}

impl Need {
    fn program(self) -> &'static str {
        self.name()
    }
}

/// Anyone may come, nothing is kept, nobody's messages are dropped for waiting, and messages are sent at once.
fn mosquitto_configuration(port: u16) -> String {
    format!(
        "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n\
         max_queued_messages 0\nmax_inflight_messages 0\nsys_interval 0\nlog_type error\n"
    )
}

fn is_in_path(program: &str) -> bool {
    let directories = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&directories).any(|directory| directory.join(program).is_file())
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

/// What a program says of its version.
fn version(program: &str, option: &str) -> String {
    let output = Command::new(program).arg(option).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    first_version(&text).unwrap_or("(of unknown version)").to_owned()
}

/// The first word that has numbers with dots between them, without what stands before and behind them.
fn first_version(text: &str) -> Option<&str> {
    let words = text.split(|c: char| c.is_whitespace() || c == '=' || c == ',');
    let versions = words.map(|word| word.trim_start_matches('v').trim_end_matches(':'));
    versions
        .filter(|word| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit()))
        .find(|word| word.chars().all(|c| c.is_ascii_digit() || c == '.'))
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

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (text, version) in [
            ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", Some("7.0.15")),
            ("nats-server: v2.9.10\n", Some("2.9.10")),
            ("mosquitto version 2.0.11\n\nmosquitto is an MQTT v5.0 broker.", Some("2.0.11")),
            ("v20.11.0\n", Some("20.11.0")),
            ("no such thing", None),
        ] {
            assert_eq!(first_version(text), version);
        }
    }
}
