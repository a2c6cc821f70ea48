use std::sync::atomic::{AtomicU64, Ordering};

use antiphon_model::{Position, Timestamp};

/// Gives timetokens to what has no position of its own: each another, and each later than the one before.
#[derive(Debug, Default)]
pub(crate) struct Ticks(AtomicU64);

impl Ticks {
    /// The next one: the time, unless another has it or a later one already.
    pub(crate) fn next(&self, now: Timestamp) -> Position {
        let next = |last: u64| last.saturating_add(1).max(now.0);
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        // The closure never says no.
        Position(next(before.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_later_than_the_one_before() {
        let ticks = Ticks::default();
        let given = [5, 5, 4, 9].map(|now| ticks.next(Timestamp(now)).0);
        assert_eq!(given, [5, 6, 7, 9]);
    }
}
