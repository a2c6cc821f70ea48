use std::time::{Instant, SystemTime, UNIX_EPOCH};

use antiphon_model::{Monotonic, Now, Timestamp};

/// The clocks of the operating system, read for everything below that takes time as an input.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    pub fn start() -> SystemClock {
        SystemClock { start: Instant::now() }
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            wall: Timestamp((since_epoch.as_nanos() / 100) as u64),
            monotonic: Monotonic(self.start.elapsed()),
        }
    }

    /// The operating system's name for a monotonic time, for timers.
    pub fn instant(&self, at: Monotonic) -> Instant {
        self.start + at.0
    }
}
