use std::time::Duration;

use antiphon_model::Monotonic;

/// How fast a worker answers polls, and so for how long it keeps them waiting for more.
///
/// A client asks again as soon as it is answered. With many of them and many messages a worker would do nothing but answer each message to
/// each client; so once it is busy with that, it lets a poll wait for a time, counted from when it came, and answers with all that came
/// meanwhile. A poll that has waited for longer is answered at once in any case.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    waiting: u32,
    /// When the answers were begun to be counted.
    since: Monotonic,
    answers: u32,
    /// How many there were in the time before.
    before: u32,
}

/// For how long answers are counted.
const SLOT: Duration = Duration::from_millis(250);

/// So many answers in that time take about a quarter of a core.
const BUSY: u32 = 1250;

/// An answer and the next poll take about half of this.
const TIME_FOR_EACH: Duration = Duration::from_micros(80);

impl Pace {
    /// A poll waits.
    pub(crate) fn begin(&mut self) {
        self.waiting += 1;
    }

    /// It does no more.
    pub(crate) fn end(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// A poll has something to be answered with: for how long it has to have waited until it is, at most `max`.
    pub(crate) fn answer(&mut self, now: Monotonic, max: Duration) -> Duration {
        let passed = now.since(self.since);
        if passed >= SLOT {
            self.before = if passed < 2 * SLOT { self.answers } else { 0 };
            (self.since, self.answers) = (now, 0);
        }
        self.answers = self.answers.saturating_add(1);
        if self.answers.max(self.before) < BUSY {
            return Duration::ZERO;
        }
        TIME_FOR_EACH.saturating_mul(self.waiting).min(max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_millis(400);

    fn at(millis: u64) -> Monotonic {
        Monotonic(Duration::from_millis(millis))
    }

    #[test]
    fn who_is_not_busy_keeps_nobody_waiting() {
        let mut pace = Pace::default();
        (0..5000).for_each(|_| pace.begin());
        for millis in 0..2000 {
            assert_eq!(pace.answer(at(millis), MAX), Duration::ZERO);
        }
    }

    #[test]
    fn the_more_wait_the_longer_they_do() {
        let mut pace = Pace::default();
        (0..1000).for_each(|_| pace.begin());
        (0..BUSY).for_each(|_| _ = pace.answer(at(1), MAX));
        assert_eq!(pace.answer(at(2), MAX), Duration::from_millis(80));
        assert_eq!(pace.answer(at(260), MAX), Duration::from_millis(80), "it was just before");
        (0..9000).for_each(|_| pace.begin());
        assert_eq!(pace.answer(at(270), MAX), MAX);
        (0..10_000).for_each(|_| pace.end());
        assert_eq!(pace.answer(at(280), MAX), Duration::ZERO);
    }

    #[test]
    fn what_is_long_ago_does_not_count() {
        let mut pace = Pace::default();
        (0..1000).for_each(|_| pace.begin());
        (0..BUSY).for_each(|_| _ = pace.answer(at(1), MAX));
        assert_eq!(pace.answer(at(501), MAX), Duration::ZERO);
    }
}
