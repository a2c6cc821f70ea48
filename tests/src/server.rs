use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::oneshot;

use crate::{Api, Target, within};

/// What the binary says first.
const LISTENING: &str = "listening on http://";

/// The binary as a child process with a directory of its own. It is killed when this is dropped, and what it said is
/// shown if the test has failed.
pub struct Server {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
    /// Of its command line, beside those that all have.
    arguments: Vec<String>,
}

impl Server {
    /// Starts the binary on a free port with this configuration (TOML).
    ///
    /// # Panics
    /// There is no binary, or it does not come up.
    pub async fn start(config: &str) -> Server {
        Server::start_with(config, &[]).await
    }

    /// As [`Server::start`], with more arguments on its command line.
    ///
    /// # Panics
    /// As [`Server::start`].
    pub async fn start_with_arguments(config: &str, arguments: &[&str]) -> Server {
        Server::launch(config, &[], arguments.iter().map(ToString::to_string).collect()).await
    }

    /// As [`Server::start`], with files beside the configuration that it can name by relative paths.
    ///
    /// # Panics
    /// As [`Server::start`].
    pub async fn start_with(config: &str, files: &[(&str, &str)]) -> Server {
        Server::launch(config, files, Vec::new()).await
    }

    async fn launch(config: &str, files: &[(&str, &str)], arguments: Vec<String>) -> Server {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let write = |name: &str, text: &str| {
            std::fs::write(directory.path().join(name), text).expect("a file can be written");
        };
        write("antiphon.toml", config);
        files.iter().for_each(|(name, text)| write(name, text));
        let (child, address) = spawn(directory.path(), "127.0.0.1:0", &arguments).await;
        Server { child, address, directory, arguments }
    }

    /// Starts the binary again after it ended: the same port, configuration and data.
    ///
    /// # Panics
    /// It does not come up.
    pub async fn start_again(&mut self) {
        let (child, address) = spawn(self.directory.path(), &self.address.to_string(), &self.arguments).await;
        assert_eq!(address, self.address);
        self.child = child;
    }

    /// Starts the binary once more on the same data while it runs, which has to fail, and gives what it says.
    ///
    /// # Panics
    /// It does not fail.
    pub async fn start_second(&self) -> String {
        let output = within("the second server ends", command(self.directory.path(), "127.0.0.1:0").output());
        let output = output.await.expect("the binary can be started");
        assert!(!output.status.success(), "a second server ended with {}", output.status);
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A client of its HTTP interface without credentials.
    pub fn api(&self) -> Api {
        Api::new(self.address)
    }

    /// A channel of it, for clients without credentials.
    pub fn target(&self, channel: &str) -> Target {
        Target { api: self.api(), channel: channel.to_owned() }
    }

    /// Where its data is.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Ends it as a crash would, and waits until it is gone.
    ///
    /// # Panics
    /// It had ended by itself.
    pub async fn kill9(&mut self) {
        assert_eq!(self.child.try_wait().expect("a child can be waited for"), None, "it had ended");
        self.signal(Signal::KILL);
        self.wait().await;
    }

    /// Asks it to end in good order, and waits until it has.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait().await
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// It has ended.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the server has not ended by itself");
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// It does not.
    pub async fn wait(&mut self) -> ExitStatus {
        within("the server ends", self.child.wait()).await.expect("a child can be waited for")
    }

    /// Whether it runs.
    ///
    /// # Panics
    /// The operating system does not tell.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_none()
    }

    /// A line of `/proc/<pid>/status` in bytes: `VmRSS`, or `VmHWM`, the most that it ever was.
    ///
    /// # Panics
    /// There is no such line.
    pub fn memory(&self, line: &str) -> u64 {
        let path = format!("/proc/{}/status", self.pid().as_raw_nonzero());
        let status = std::fs::read_to_string(path).expect("the server runs");
        let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
        let kib =
            found.and_then(|text| text.trim().strip_suffix(" kB")).and_then(|kib| kib.parse::<u64>().ok());
        kib.unwrap_or_else(|| panic!("no {line} in {status}")) * 1024
    }

    /// The number of its process.
    ///
    /// # Panics
    /// It has been waited for.
    pub fn process_id(&self) -> u32 {
        self.child.id().expect("the server has not been waited for")
    }

    /// All that it said so far, of every start.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn pid(&self) -> Pid {
        let pid = self.child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        pid.expect("the server has not been waited for")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let shown = lines[lines.len().saturating_sub(100)..].join("\n");
            eprintln!("---- what the server on {} said\n{shown}\n----", self.address);
        }
    }
}

/// Lets this process, and the servers it starts from here on, have as many open files as the system allows.
///
/// # Panics
/// That is less than `needed`.
pub fn raise_open_files(needed: u64) {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    assert!(most >= needed, "the system allows {most} open files, {needed} are needed");
    let raised = Rlimit { current: Some(most.min(needed.max(limit.current.unwrap_or(0)))), ..limit };
    setrlimit(Resource::Nofile, raised).expect("a soft limit can be raised up to the hard one");
}

fn binary() -> PathBuf {
    let named = std::env::var_os("ANTIPHON_BIN").map(PathBuf::from);
    let path = named.unwrap_or_else(|| {
        let test = std::env::current_exe().expect("a test knows its own path");
        let profile = test.parent().and_then(Path::parent).expect("tests are in <profile>/deps");
        profile.join("antiphon")
    });
    assert!(
        path.is_file(),
        "{} is missing: `cargo build -p antiphon-server` first, or set ANTIPHON_BIN",
        path.display()
    );
    path
}

fn command(directory: &Path, listen: &str) -> Command {
    let mut command = Command::new(binary());
    command.args(["serve", "--listen", listen, "--config"]).arg(directory.join("antiphon.toml"));
    command.arg("--data-dir").arg(directory.join("data")).current_dir(directory);
    // The environment can configure the server as well, and must not in a test.
    let ours = |name: &OsString| name.to_string_lossy().starts_with("ANTIPHON_");
    std::env::vars_os().filter(|(name, _)| ours(name)).for_each(|(name, _)| {
        command.env_remove(name);
    });
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn spawn(directory: &Path, listen: &str, arguments: &[String]) -> (Child, SocketAddr) {
    let log = OpenOptions::new().create(true).append(true).open(directory.join("log"));
    let log = log.expect("a log can be written");
    let mut command = command(directory, listen);
    command.args(arguments).stdout(Stdio::piped()).stderr(log);
    let mut child = command.spawn().expect("the binary can be started");
    let stdout = child.stdout.take().expect("stdout is piped");
    let (sender, first_line) = oneshot::channel();
    tokio::spawn(copy_lines(stdout, directory.join("log"), sender));
    let line = within("the server says where it listens", first_line).await.unwrap_or_default();
    let Some(address) = line.trim().strip_prefix(LISTENING).and_then(|address| address.parse().ok()) else {
        let log = std::fs::read_to_string(directory.join("log")).unwrap_or_default();
        panic!("the server did not say where it listens; its first line is {line:?}\n{log}");
    };
    (child, address)
}

/// Keeps the pipe empty for as long as the server lives, so that printing never blocks it.
async fn copy_lines(stdout: ChildStdout, log: PathBuf, first_line: oneshot::Sender<String>) {
    let mut lines = BufReader::new(stdout).lines();
    if let Ok(Some(line)) = lines.next_line().await {
        // Whoever started the server may have given up.
        let _ = first_line.send(line);
    }
    let Ok(mut log) = OpenOptions::new().create(true).append(true).open(log) else { return };
    while let Ok(Some(line)) = lines.next_line().await {
        let _ = writeln!(log, "{line}");
    }
}
