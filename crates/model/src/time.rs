//! Time as an input: state machines are told what time it is, they never ask.

use std::ops::Add;
use std::time::Duration;

/// A wall-clock time in units of 100 ns since the Unix epoch. It may step back; positions may not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Units in one second.
    pub const PER_SECOND: u64 = 10_000_000;

    /// The time `ago` before this one, not before the epoch.
    pub fn earlier_by(self, ago: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(u64::try_from(ago.as_nanos() / 100).unwrap_or(u64::MAX)))
    }

    /// The time `ahead` after this one.
    pub fn later_by(self, ahead: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(u64::try_from(ahead.as_nanos() / 100).unwrap_or(u64::MAX)))
    }

    /// Seconds since the Unix epoch.
    pub fn as_secs(self) -> u64 {
        self.0 / Timestamp::PER_SECOND
    }

    /// Milliseconds since the Unix epoch.
    pub fn as_millis(self) -> u64 {
        self.0 / 10_000
    }
}

/// A time that never steps back, counted from the start of the process. Deadlines are made of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(pub Duration);

impl Add<Duration> for Monotonic {
    type Output = Monotonic;

    fn add(self, duration: Duration) -> Monotonic {
        Monotonic(self.0.saturating_add(duration))
    }
}

impl Monotonic {
    /// How much later this is than `earlier`; zero if it is not later.
    pub fn since(self, earlier: Monotonic) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// What a state machine is told about time, both clocks read at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, for positions.
    pub wall: Timestamp,
    /// The clock for deadlines.
    pub monotonic: Monotonic,
}
