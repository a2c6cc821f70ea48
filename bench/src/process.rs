//! What the kernel knows of a process: CPU time and memory. Linux only; elsewhere there are no figures.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::Error;

/// A process on this machine that is accounted for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    pid: u32,
}

impl Process {
    pub(crate) fn new(pid: u32) -> Self {
        Self { pid }
    }

    /// CPU time of all its threads that are alive, exact but for the current tick.
    pub(crate) fn cpu_time(self) -> Result<Duration, Error> {
        let sum = || -> io::Result<u64> {
            let mut nanoseconds = 0;
            for task in fs::read_dir(format!("/proc/{}/task", self.pid))? {
                match fs::read_to_string(task?.path().join("schedstat")) {
                    Ok(stat) => nanoseconds += first_number(&stat)?,
                    // The thread ended between the listing and the reading.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(nanoseconds)
        };
        sum().map(Duration::from_nanos).map_err(|source| self.error(source))
    }

    /// Bytes of its memory that are resident.
    pub(crate) fn resident_bytes(self) -> Result<u64, Error> {
        // Not `status`, whose counters lag behind by some pages for each thread.
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid))
            .map_err(|source| self.error(source))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kilobytes =
            line.ok_or_else(missing).and_then(first_number).map_err(|source| self.error(source))?;
        Ok(kilobytes * 1024)
    }

    fn error(self, source: io::Error) -> Error {
        Error::Process { pid: self.pid, source }
    }
}

fn first_number(text: &str) -> io::Result<u64> {
    text.split_whitespace().next().and_then(|word| word.parse().ok()).ok_or_else(missing)
}

fn missing() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the number is missing")
}

/// Lets this process, and those it starts, open as many files as it may.
pub fn raise_open_files_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Failing is no error: the connection that is one too many will say so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
