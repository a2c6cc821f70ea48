//! Starting servers, learning where they listen, ending them.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

use super::SuiteError;
use super::cases::{Case, Cores, Section, Storage};
use super::peers::Peers;
use super::subject::Subject;

/// How long a server may take until it listens.
const START_TIME_MAX: Duration = Duration::from_secs(20);

/// What every server says on standard output when it is ready.
const LISTENING: &str = "listening on ";

/// The port is the kernel's to choose.
const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];

/// Knows how each server is started.
pub(super) struct Launcher {
    itself: PathBuf,
    antiphon: PathBuf,
    library: PathBuf,
    peers: Peers,
    server_args: Vec<String>,
}

impl Launcher {
    pub(super) fn new(
        antiphon: Option<PathBuf>,
        server_args: Vec<String>,
        peers: PathBuf,
    ) -> Result<Self, SuiteError> {
        let itself =
            std::env::current_exe().map_err(|error| start_error(Path::new("the reference"), &error))?;
        let antiphon = antiphon.unwrap_or_else(|| itself.with_file_name("antiphon"));
        let library = itself.with_file_name("examples").join("socketio_loads");
        let peers = Peers::new(peers, &itself);
        Ok(Self { itself, antiphon, library, peers, server_args })
    }

    pub(super) fn peers(&self) -> &Peers {
        &self.peers
    }

    /// Starts a server for a case and waits until it listens.
    pub(super) fn start(&self, subject: Subject, case: &Case) -> Result<Server, SuiteError> {
        match (subject, case.section) {
            (Subject::Reference, _) => {
                let mut command = Command::new(&self.itself);
                command.arg("reference").args(LISTEN);
                Server::start(command, None)
            }
            (Subject::Antiphon, Section::WebSocket | Section::Exp | Section::PubNub) => {
                self.start_antiphon(case)
            }
            (Subject::Antiphon, Section::SocketIo) => Server::start(Command::new(&self.library), None),
            (Subject::Socketioxide, _) => Server::start(self.peers.socketioxide(), None),
            (Subject::NodeSocketIo, _) => Server::start(self.peers.node_socketio(), None),
        }
    }

    fn start_antiphon(&self, case: &Case) -> Result<Server, SuiteError> {
        let mut command = Command::new(&self.antiphon);
        command.arg("serve").args(LISTEN);
        if case.cores == Cores::OneEach {
            command.args(["--workers", "1"]);
        }
        let data = match case.storage {
            Storage::Memory => {
                command.arg("--memory");
                None
            }
            Storage::Disk => {
                let data = self.data_directory()?;
                command.arg("--data-dir").arg(data.path());
                Some(data)
            }
        };
        command.args(&self.server_args);
        Server::start(command, data)
    }

    /// A directory beside the binary: the system's own for temporary files may be in memory.
    fn data_directory(&self) -> Result<TempDir, SuiteError> {
        let parent = self.itself.parent().unwrap_or(Path::new("."));
        tempfile::Builder::new()
            .prefix("bench-data-")
            .tempdir_in(parent)
            .map_err(|error| start_error(&self.antiphon, &error))
    }
}

/// A running server; dropping it ends it and removes its data.
pub(super) struct Server {
    child: Child,
    url: String,
    _data: Option<TempDir>,
}

impl Server {
    fn start(mut command: Command, data: Option<TempDir>) -> Result<Self, SuiteError> {
        let program = PathBuf::from(command.get_program());
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| start_error(&program, &error))?;
        let stdout = child.stdout.take().expect("standard output was asked to be a pipe");
        let mut server = Self { child, url: String::new(), _data: data };
        let (sender, receiver) = mpsc::channel();
        // Goes on reading to the end, so that the server never blocks on a full pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some((_, url)) = line.split_once(LISTENING) {
                    let url = url.split_whitespace().next().unwrap_or_default();
                    // Only the first is waited for.
                    let _ = sender.send(url.to_owned());
                }
            }
        });
        match receiver.recv_timeout(START_TIME_MAX) {
            Ok(url) => {
                server.url = url;
                Ok(server)
            }
            Err(error) => Err(start_error(&program, &format!("it does not say that it listens: {error}"))),
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about either failing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start_error(program: &Path, reason: &dyn std::fmt::Display) -> SuiteError {
    SuiteError::Start { program: program.display().to_string(), reason: reason.to_string() }
}
