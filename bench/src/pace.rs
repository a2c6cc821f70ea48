//! When messages are due.

use std::time::Duration;

/// Messages under way at a fixed rate before publishing waits; what is due meanwhile is late, and timed as late.
const BEHIND_MAX: u64 = 1 << 16;

/// What decides when the next message is published.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// As soon as fewer than so many are under way.
    Window(u64),
    /// By the clock.
    Rate { period_ns: f64 },
}

impl Pace {
    /// So many messages a second, or else so many at once.
    pub(crate) fn new(rate: Option<f64>, in_flight: u64) -> Self {
        match rate {
            Some(rate) => Self::Rate { period_ns: 1e9 / rate },
            None => Self::Window(in_flight),
        }
    }

    pub(crate) fn in_flight_max(self) -> u64 {
        match self {
            Self::Window(window) => window,
            Self::Rate { .. } => BEHIND_MAX,
        }
    }

    /// How many messages may have been published by `since_origin`.
    pub(crate) fn allowed(self, complete: u64, since_origin: Duration) -> u64 {
        let in_flight = complete + self.in_flight_max();
        match self {
            Self::Window(_) => in_flight,
            Self::Rate { period_ns } => {
                in_flight.min((since_origin.as_nanos() as f64 / period_ns) as u64 + 1)
            }
        }
    }

    /// When message `sequence` was due, for a publisher that comes to it at `since_origin`.
    pub(crate) fn stamp(self, sequence: u64, since_origin: Duration) -> u64 {
        match self {
            Self::Window(_) => since_origin.as_nanos() as u64,
            Self::Rate { period_ns } => (sequence as f64 * period_ns) as u64,
        }
    }

    /// How long to wait for events before it is time to publish again.
    pub(crate) fn poll_timeout(self, sent: u64, since_origin: Duration) -> Duration {
        const IDLE: Duration = Duration::from_millis(100);
        match self {
            Self::Window(_) => IDLE,
            Self::Rate { .. } => {
                let due = Duration::from_nanos(self.stamp(sent, since_origin));
                let wait = due.saturating_sub(since_origin);
                // The poll counts in milliseconds and rounds up: the last one is spent polling without waiting.
                Duration::from_millis(wait.as_millis().saturating_sub(1) as u64).min(IDLE)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_by_the_clock_and_late_messages_keep_their_time() {
        let pace = Pace::Rate { period_ns: 1e6 };
        let late = Duration::from_millis(10);
        assert_eq!(pace.allowed(0, Duration::ZERO), 1);
        assert_eq!(pace.allowed(0, late), 11);
        assert_eq!(pace.allowed(0, Duration::from_secs(100_000)), BEHIND_MAX);
        assert_eq!(pace.stamp(3, late), 3_000_000);
        assert_eq!(Pace::Window(1).stamp(3, late), 10_000_000);
    }
}
