//! The wall clock as whoever removes by it believes it.
//!
//! What is removed is gone for good, and a clock can be wrong for a while: set by hand, or by a time server that is. So a step
//! forward is believed only after it has stood for some time; until then it goes on from where the clock was, at the pace of the clock
//! that never steps. A step back is believed at once, for it removes nothing.

use std::time::{Duration, Instant};

use antiphon_model::Timestamp;

/// A step forward by less is none: a clock that was slow, or a machine that was busy.
const STEP: Duration = Duration::from_secs(60);

/// Follows a wall clock, and doubts its steps forward: for whoever removes what has expired.
#[derive(Debug)]
pub struct Doubt {
    /// How long a step has to stand before it is believed.
    lasts: Duration,
    /// The time that was last believed, and when.
    believed: Option<(Timestamp, Instant)>,
    /// Since when the clock is ahead of what is believed.
    ahead_since: Option<Instant>,
}

impl Doubt {
    /// Doubts steps for so long.
    pub fn new(lasts: Duration) -> Doubt {
        Doubt { lasts, believed: None, ahead_since: None }
    }

    /// The time to go by, when the clock says `wall`.
    pub fn time(&mut self, wall: Timestamp, now: Instant) -> Timestamp {
        let Some((at, when)) = self.believed else { return self.believe(wall, now) };
        let expected = at.later_by(now.saturating_duration_since(when));
        if wall <= expected.later_by(STEP) {
            return self.believe(wall, now);
        }
        if self.ahead_since.is_none() && !self.lasts.is_zero() {
            tracing::warn!(
                by_seconds = wall.as_secs() - expected.as_secs(),
                doubted_seconds = self.lasts.as_secs(),
                "the clock has stepped forward: nothing is removed by it before it has stood for a time"
            );
        }
        let since = *self.ahead_since.get_or_insert(now);
        if now.saturating_duration_since(since) < self.lasts {
            return expected;
        }
        self.believe(wall, now)
    }

    fn believe(&mut self, wall: Timestamp, now: Instant) -> Timestamp {
        self.believed = Some((wall, now));
        self.ahead_since = None;
        wall
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_000_000;

    /// What is believed, each time, of a clock that says so many seconds when so many have passed.
    fn believed(doubt: &mut Doubt, clock: &[(u64, u64)]) -> Vec<u64> {
        let start = Instant::now();
        let time = |&(passed, says): &(u64, u64)| {
            let wall = Timestamp((START + says) * Timestamp::PER_SECOND);
            doubt.time(wall, start + Duration::from_secs(passed)).as_secs() - START
        };
        clock.iter().map(time).collect()
    }

    #[test]
    fn a_step_forward_is_believed_once_it_has_stood() {
        let mut doubt = Doubt::new(Duration::from_secs(600));
        let clock = [(0, 0), (10, 11), (20, 86_420), (319, 86_719), (620, 87_020), (621, 87_021)];
        assert_eq!(believed(&mut doubt, &clock), [0, 11, 21, 320, 87_020, 87_021]);
    }

    #[test]
    fn a_step_that_is_taken_back_has_removed_nothing() {
        let mut doubt = Doubt::new(Duration::from_secs(600));
        let clock = [(0, 100), (10, 90_000), (599, 90_589), (609, 709), (610, 90_600)];
        assert_eq!(believed(&mut doubt, &clock), [100, 110, 699, 709, 710]);
    }

    #[test]
    fn a_step_back_is_believed_at_once_and_one_forward_after_it_is_not() {
        let mut doubt = Doubt::new(Duration::from_secs(600));
        let clock = [(0, 4000), (1, 401), (2, 4002), (700, 4700)];
        assert_eq!(believed(&mut doubt, &clock), [4000, 401, 402, 4700]);
    }

    #[test]
    fn without_doubt_the_clock_is_the_clock() {
        assert_eq!(believed(&mut Doubt::new(Duration::ZERO), &[(0, 0), (1, 90_000)]), [0, 90_000]);
    }
}
