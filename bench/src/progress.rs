//! A line on the terminal that says how far a run is.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(250);

/// Writes to standard error, and only when that is a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    next: Option<Instant>,
    shown: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let next = stderr().is_terminal().then(|| Instant::now() + INTERVAL);
        Self { next, shown: false }
    }

    /// Shows `line` in place of the last one, a few times a second.
    pub(crate) fn show(&mut self, now: Instant, line: impl FnOnce() -> String) {
        if self.next.is_some_and(|next| now >= next) {
            // A terminal that is gone is no reason to stop measuring.
            let _ = write!(stderr(), "\r\x1b[K{}", line());
            self.next = Some(now + INTERVAL);
            self.shown = true;
        }
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

/// Writes a line that stays to standard error, if that is a terminal.
pub(crate) fn tell(line: &str) {
    if stderr().is_terminal() {
        // As above.
        let _ = writeln!(stderr(), "{line}");
    }
}
