//! Starting servers, learning where they listen, ending them.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::SuiteError;
use super::cases::{Program, Setup, Storage};
use super::peers::{Announced, Peers};
use super::subject::Subject;

/// How long a server may take until it listens.
const START_TIME_MAX: Duration = Duration::from_secs(20);

/// What servers that choose their own port say on standard output when they are ready.
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
    pub(super) fn start(&self, subject: Subject, setup: &Setup) -> Result<Server, SuiteError> {
        let scratch = self.scratch()?;
        let (command, announced) = match (subject, setup.program) {
            (Subject::Reference, _) => {
                let mut command = Command::new(&self.itself);
                command.arg("reference").args(LISTEN);
                (command, Announced::OnOutput)
            }
            (Subject::Antiphon, Program::Binary) => {
                let command = self
                    .binary(setup, scratch.path())
                    .map_err(|error| start_error(&self.antiphon, &error))?;
                (command, Announced::OnOutput)
            }
            (Subject::Antiphon, Program::Library) => (Command::new(&self.library), Announced::OnOutput),
            (peer, _) => free_port()
                .and_then(|port| self.peers.command(peer, port, scratch.path()))
                .map_err(|error| start_error(Path::new(peer.heading()), &error))?,
        };
        Server::start(command, announced, scratch)
    }

    fn binary(&self, setup: &Setup, scratch: &Path) -> io::Result<Command> {
        let mut command = Command::new(&self.antiphon);
        command.arg("serve").args(LISTEN);
        if let Some(workers) = setup.workers {
            command.args(["--workers", &workers.to_string()]);
        }
        match setup.storage {
            Storage::Memory => command.arg("--memory"),
            Storage::Disk => command.arg("--data-dir").arg(scratch.join("data")),
        };
        if !setup.config.is_empty() {
            let file = scratch.join("antiphon.toml");
            fs::write(&file, setup.config)?;
            command.arg("--config").arg(file);
        }
        command.args(&self.server_args);
        Ok(command)
    }

    /// A directory beside the binary: the system's own for temporary files may be in memory.
    fn scratch(&self) -> Result<TempDir, SuiteError> {
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
    _scratch: TempDir,
}

impl Server {
    fn start(mut command: Command, announced: Announced, scratch: TempDir) -> Result<Self, SuiteError> {
        let program = PathBuf::from(command.get_program());
        command.stdin(Stdio::null());
        match announced {
            Announced::OnOutput => command.stdout(Stdio::piped()),
            // What they log is for operators, and what they write where they are started is nobody's.
            Announced::AtPort(_) => {
                command.stdout(Stdio::null()).stderr(Stdio::null()).current_dir(scratch.path())
            }
        };
        let child = command.spawn().map_err(|error| start_error(&program, &error))?;
        let mut server = Self { child, url: String::new(), _scratch: scratch };
        server.url = match announced {
            Announced::OnOutput => {
                let stdout = server.child.stdout.take().expect("standard output was asked to be a pipe");
                url_on_output(stdout).map_err(|error| start_error(&program, &error))?
            }
            Announced::AtPort(port) => {
                server.wait_for(port).map_err(|error| start_error(&program, &error))?;
                format!("http://127.0.0.1:{port}")
            }
        };
        Ok(server)
    }

    /// Waits until a connection to the port is taken.
    fn wait_for(&mut self, port: u16) -> Result<(), String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let started = Instant::now();
        loop {
            match TcpStream::connect(address) {
                Ok(_) => return Ok(()),
                Err(error) if started.elapsed() > START_TIME_MAX => {
                    return Err(format!("it does not listen: {error}"));
                }
                Err(_) => {}
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("it ended with {status}"));
            }
            std::thread::sleep(Duration::from_millis(10));
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

/// Waits for the line that says where a server listens.
fn url_on_output(stdout: ChildStdout) -> Result<String, String> {
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
    receiver.recv_timeout(START_TIME_MAX).map_err(|error| format!("it does not say that it listens: {error}"))
}

/// A port that nobody listens on, for those that cannot be told to choose one.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn start_error(program: &Path, reason: &dyn std::fmt::Display) -> SuiteError {
    SuiteError::Start { program: program.display().to_string(), reason: reason.to_string() }
}
