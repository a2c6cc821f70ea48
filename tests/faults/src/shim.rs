use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

const SOURCE: &str = include_str!("../shim/faults.c");

/// How many numbers `struct control` has, more or less.
const NUMBERS: u64 = 64;

/// The library that fails a server's system calls, compiled.
#[derive(Clone)]
pub(crate) struct Shim {
    directory: Arc<TempDir>,
}

impl Shim {
    /// Compiles it.
    ///
    /// # Panics
    /// There is no C compiler, or it does not take it.
    pub(crate) fn compile() -> Shim {
        let directory = Arc::new(tempfile::tempdir().expect("a temporary directory can be made"));
        let shim = Shim { directory };
        let source = shim.directory.path().join("faults.c");
        fs::write(&source, SOURCE).expect("a file can be written");
        let mut gcc = Command::new("gcc");
        gcc.args(["-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-o"]).arg(shim.library());
        let status = gcc.arg(&source).arg("-ldl").status().expect("gcc is there");
        assert!(status.success(), "gcc ended with {status}");
        shim
    }

    /// The library's file.
    pub(crate) fn library(&self) -> PathBuf {
        self.directory.path().join("faults.so")
    }
}

/// What can be ruled, by its place in `struct control`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    WriteErrno = 0,
    Limited = 1,
    FreeBytes = 2,
    SyncErrno = 3,
    SyncDelayMicros = 4,
    WriteDelayMicros = 5,
    ReadErrno = 6,
    OpenWriteErrno = 8,
    AcceptErrno = 9,
    ClockOffsetNanos = 10,
}

/// What is counted, by its place in `struct control`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Count {
    Syncs = 17,
    WritesFailed = 18,
    SyncsFailed = 19,
    ReadsFailed = 20,
    AcceptsFailed = 22,
    ClocksRead = 23,
}

/// The numbers that rule one server's faults, in a file that it has mapped.
pub(crate) struct Control {
    file: File,
    path: PathBuf,
}

impl Control {
    /// No fault at all.
    pub(crate) fn new(directory: &Path) -> Control {
        let path = directory.join("control");
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
        let file = options.expect("a file can be made");
        file.set_len(NUMBERS * 8).expect("a file can grow");
        Control { file, path }
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a fault, or with 0 ends it.
    pub(crate) fn set(&self, rule: Rule, value: i64) {
        self.file.write_all_at(&value.to_ne_bytes(), rule as u64 * 8).expect("a file can be written");
    }

    /// How often something happened.
    pub(crate) fn count(&self, count: Count) -> i64 {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, count as u64 * 8).expect("a file can be read");
        i64::from_ne_bytes(bytes)
    }

    /// The disk has so many bytes left.
    pub(crate) fn limit_disk(&self, free: i64) {
        self.set(Rule::FreeBytes, free);
        self.set(Rule::Limited, 1);
    }

    /// The disk has room again.
    pub(crate) fn unlimit_disk(&self) {
        self.set(Rule::Limited, 0);
    }

    /// The wall clock is off by so many seconds.
    pub(crate) fn step_clock(&self, seconds: i64) {
        self.set(Rule::ClockOffsetNanos, seconds * 1_000_000_000);
    }
}
