use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

use crate::Error;

/// How long the server may take until it listens.
const START_TIME_MAX: Duration = Duration::from_secs(20);

/// What it says on standard output when it does.
const LISTENING: &str = "listening on http://";

/// How much of the log is shown when something went wrong.
const LOG_LINES_SHOWN: usize = 30;

/// The server that is attacked: a child process with a directory of its own. Dropping it ends it.
pub(crate) struct Subject {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
}

/// What a process has of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Memory that is resident, in bytes.
    pub(crate) resident: u64,
    /// Threads.
    pub(crate) threads: u64,
}

impl Subject {
    /// Starts it and waits until it listens.
    pub(crate) fn start(binary: &Path, config: &str) -> Result<Subject, Error> {
        let directory =
            tempfile::tempdir().map_err(|source| Error::Machine { what: "a directory", source })?;
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text);
        write("antiphon.toml", config)
            .map_err(|source| Error::Machine { what: "a configuration", source })?;
        let log = std::fs::File::create(directory.path().join("log"));
        let log = log.map_err(|source| Error::Machine { what: "a log", source })?;
        let binary =
            std::path::absolute(binary).map_err(|source| Error::Machine { what: "the binary", source })?;
        let mut command = Command::new(&binary);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(directory.path().join("antiphon.toml"));
        command.arg("--data-dir").arg(directory.path().join("data")).current_dir(directory.path());
        // The environment can configure the server as well, and must not here.
        let ours = |name: &std::ffi::OsString| name.to_string_lossy().starts_with("ANTIPHON_");
        std::env::vars_os().filter(|(name, _)| ours(name)).for_each(|(name, _)| {
            command.env_remove(name);
        });
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child =
            command.spawn().map_err(|error| Error::Server(format!("{}: {error}", binary.display())))?;
        let stdout = child.stdout.take().expect("standard output was asked to be a pipe");
        let (sender, receiver) = mpsc::channel();
        // Goes on reading to the end, so that the server never blocks on a full pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(Ok(address)) = line.trim().strip_prefix(LISTENING).map(str::parse) {
                    // Only the first is waited for.
                    let _ = sender.send(address);
                }
            }
        });
        let mut subject = Subject { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), directory };
        match receiver.recv_timeout(START_TIME_MAX) {
            Ok(address) => subject.address = address,
            Err(_) => return Err(Error::Server(format!("it does not listen:\n{}", subject.log_end()))),
        }
        Ok(subject)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has of the machine; none once it has ended.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.process().usage()
    }

    /// The process, to look at from elsewhere.
    pub(crate) fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Why it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        Some(format!("it ended with {status}:\n{}", self.log_end()))
    }

    /// How much it has said.
    pub(crate) fn log_bytes(&self) -> u64 {
        std::fs::metadata(self.directory.path().join("log")).map_or(0, |log| log.len())
    }

    /// Lines of the log that tell of a panic.
    pub(crate) fn panics(&self) -> Vec<String> {
        let log = std::fs::read(self.directory.path().join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        log.lines().filter(|line| line.contains("panicked at")).map(str::to_owned).collect()
    }

    /// The end of what it said.
    pub(crate) fn log_end(&self) -> String {
        let log = std::fs::read(self.directory.path().join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about either failing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process, by its number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(u32);

impl Process {
    /// What it has of the machine; none once it has ended.
    pub(crate) fn usage(self) -> Option<Usage> {
        let root = format!("/proc/{}", self.0);
        let status = std::fs::read_to_string(format!("{root}/status")).ok()?;
        let number = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Usage { resident: number("VmRSS")? * 1024, threads: number("Threads")? })
    }
}

/// Lets this process, and the server that it starts, have as many open files as the system allows; gives how many that is.
pub(crate) fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    // Without it there are fewer idle connections, and that is all.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(most), ..limit });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
