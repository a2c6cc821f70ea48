use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use antiphon_tests::{Api, Target, within};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::shim::{Control, Shim};

/// What the binary says first.
const LISTENING: &str = "listening on http://";

/// What `/proc` counts time of processors in, whatever the kernel itself counts in.
const TICKS_PER_SECOND: u64 = 100;

/// The binary with the shim loaded, and a directory of its own. It is killed when this is dropped, and what it said is shown if the
/// case has failed.
pub(crate) struct Server {
    shim: Shim,
    /// What rules its faults.
    pub(crate) control: Control,
    child: Option<Child>,
    address: SocketAddr,
    directory: TempDir,
}

/// A server that ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// What it wrote to standard error.
    pub(crate) said: String,
}

impl Server {
    /// A server with this configuration (TOML) that does not run yet.
    pub(crate) fn new(shim: &Shim, config: &str) -> Server {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        std::fs::write(directory.path().join("antiphon.toml"), config).expect("a file can be written");
        let control = Control::new(directory.path());
        let address = "127.0.0.1:0".parse().expect("it is an address");
        Server { shim: shim.clone(), control, child: None, address, directory }
    }

    /// A server with this configuration that runs.
    pub(crate) async fn start(shim: &Shim, config: &str) -> Server {
        let mut server = Server::new(shim, config);
        server.run().await;
        server
    }

    /// Starts it: the first time on a free port, then on the same one.
    ///
    /// # Panics
    /// It does not come up.
    pub(crate) async fn run(&mut self) {
        if let Err(Ended { status, said }) = self.try_run().await {
            panic!("the server ended with {status}: {said}");
        }
    }

    /// Starts it, which has to fail.
    ///
    /// # Panics
    /// It comes up.
    pub(crate) async fn run_in_vain(&mut self) -> Ended {
        self.try_run().await.expect_err("the server came up")
    }

    /// Starts it.
    ///
    /// # Errors
    /// It ends instead of saying where it listens.
    pub(crate) async fn try_run(&mut self) -> Result<(), Ended> {
        let before = self.log().len();
        let log = OpenOptions::new().create(true).append(true).open(self.directory.path().join("log"));
        let mut command = self.command();
        command.stdout(Stdio::piped()).stderr(log.expect("a log can be written"));
        let mut child = command.spawn().expect("the binary can be started");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let first = within("the server says where it listens", lines.next_line()).await;
        let first = first.ok().flatten().unwrap_or_default();
        let Some(address) = first.trim().strip_prefix(LISTENING).and_then(|address| address.parse().ok())
        else {
            let status = within("the server ends", child.wait()).await.expect("a child can be waited for");
            return Err(Ended { status, said: self.log()[before..].to_owned() });
        };
        // Keeps the pipe empty for as long as the server lives, so that printing never blocks it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        self.address = address;
        self.child = Some(child);
        Ok(())
    }

    /// A client of its HTTP interface without credentials.
    pub(crate) fn api(&self) -> Api {
        Api::new(self.address)
    }

    /// A channel of it, for clients without credentials.
    pub(crate) fn target(&self, channel: &str) -> Target {
        Target { api: self.api(), channel: channel.to_owned() }
    }

    /// Where its data is.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Ends it as a crash would, and waits until it is gone.
    ///
    /// # Panics
    /// It had ended by itself.
    pub(crate) async fn kill9(&mut self) {
        assert!(self.is_running(), "it had ended:\n{}", self.log());
        self.signal(Signal::KILL);
        self.wait().await;
    }

    /// Kills it and starts it again on what is on the disk.
    pub(crate) async fn kill9_and_run(&mut self) {
        self.kill9().await;
        self.run().await;
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// It has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the server has not ended by itself");
    }

    /// Waits until it has ended.
    pub(crate) async fn wait(&mut self) -> ExitStatus {
        let child = self.child.as_mut().expect("it was started");
        within("the server ends", child.wait()).await.expect("a child can be waited for")
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        let child = self.child.as_mut().expect("it was started");
        child.try_wait().expect("a child can be waited for").is_none()
    }

    /// Bytes of memory that it has in use.
    pub(crate) fn memory(&self) -> u64 {
        let status = self.proc("status");
        let found = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = found.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.unwrap_or_else(|| panic!("no VmRSS in {status}")) * 1024
    }

    /// Time of processors that it has used, in steps of some milliseconds.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        // The second field is the program's name, in which anything may stand.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().expect("a number")).sum();
        Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
    }

    /// The descriptors that it has.
    pub(crate) fn descriptors(&self) -> BTreeSet<u64> {
        let path = format!("/proc/{}/fd", self.pid().as_raw_nonzero());
        let entries = std::fs::read_dir(path).expect("the server runs");
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }

    /// Lets it have no descriptors but those that it has.
    pub(crate) fn exhaust_descriptors(&self) {
        let open = self.descriptors();
        // A new one is the lowest that is free, and the limit is on the number.
        let lowest = (0..).find(|number| !open.contains(number)).expect("there is an end");
        self.limit_descriptors(lowest);
    }

    /// Lets it have so many descriptors at most.
    pub(crate) fn limit_descriptors(&self, most: u64) {
        let limit = Rlimit { current: Some(most), ..getrlimit(Resource::Nofile) };
        prlimit(Some(self.pid()), Resource::Nofile, limit).expect("a soft limit can be set");
    }

    /// All that it said so far, of every start.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn proc(&self, name: &str) -> String {
        let path = format!("/proc/{}/{name}", self.pid().as_raw_nonzero());
        std::fs::read_to_string(path).expect("the server runs")
    }

    fn pid(&self) -> Pid {
        let id = self.child.as_ref().and_then(Child::id);
        id.and_then(|pid| Pid::from_raw(pid.cast_signed())).expect("the server has not been waited for")
    }

    fn command(&self) -> Command {
        let directory = self.directory.path();
        let mut command = Command::new(binary());
        command.args(["serve", "--listen", &self.address.to_string(), "--config"]);
        command.arg(directory.join("antiphon.toml")).arg("--data-dir").arg(self.data_dir());
        command.current_dir(directory);
        // The environment can configure the server as well, and must not in a test.
        let ours = |name: &OsString| name.to_string_lossy().starts_with("ANTIPHON_");
        std::env::vars_os().filter(|(name, _)| ours(name)).for_each(|(name, _)| {
            command.env_remove(name);
        });
        command.env("LD_PRELOAD", self.shim.library());
        command.env("FAULTS_CONTROL", self.control.path()).env("FAULTS_BELOW", self.data_dir());
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let shown = lines[lines.len().saturating_sub(60)..].join("\n");
            eprintln!("---- what the server on {} said\n{shown}\n----", self.address);
        }
    }
}

fn binary() -> PathBuf {
    let named = std::env::var_os("ANTIPHON_BIN").map(PathBuf::from);
    let path = named.unwrap_or_else(|| {
        let own = std::env::current_exe().expect("a program knows its own path");
        own.with_file_name("antiphon")
    });
    let missing = format!("{} is missing: build antiphon-server first, or set ANTIPHON_BIN", path.display());
    assert!(Path::is_file(&path), "{missing}");
    path
}
