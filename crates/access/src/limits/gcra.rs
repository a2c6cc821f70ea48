//! The generic cell rate algorithm (ITU-T I.371, annex A): a rate held with one number, the theoretical
//! arrival time. It says until when the past has used the rate up; a burst is how far it may be ahead of the
//! clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use antiphon_model::Monotonic;

use crate::Rate;

/// Over the rate: the same will be let through after this long, if nothing else is until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("over the rate limit")]
pub struct RetryAfter(pub Duration);

impl RetryAfter {
    /// The cost is higher than the burst: no waiting helps.
    pub const NEVER: RetryAfter = RetryAfter(Duration::MAX);
}

/// A limiter of one owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gcra {
    /// The theoretical arrival time in nanoseconds of [`Monotonic`].
    tat: u64,
}

impl Gcra {
    /// Lets `cost` through or refuses all of it.
    ///
    /// In any span of time *t* the costs let through sum up to at most the burst and the rate times *t*.
    ///
    /// # Errors
    /// It would be over `rate`; nothing has been used up.
    pub fn check(&mut self, now: Monotonic, rate: Rate, cost: u32) -> Result<(), RetryAfter> {
        self.tat = advance(self.tat, nanos(now), rate, cost)?;
        Ok(())
    }
}

/// A limiter that threads share.
#[derive(Debug, Default)]
pub struct AtomicGcra {
    tat: AtomicU64,
}

impl AtomicGcra {
    /// Lets `cost` through or refuses all of it, as [`Gcra::check`] does.
    ///
    /// # Errors
    /// It would be over `rate`; nothing has been used up.
    pub fn check(&self, now: Monotonic, rate: Rate, cost: u32) -> Result<(), RetryAfter> {
        // Relaxed: the number guards nothing but itself.
        let mut seen = self.tat.load(Ordering::Relaxed);
        loop {
            let next = advance(seen, nanos(now), rate, cost)?;
            match self.tat.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => seen = other,
            }
        }
    }

    /// As [`AtomicGcra::check`], but what costs more than the burst is not refused for ever: it is let through when nothing is used
    /// up, and charged in full.
    ///
    /// # Errors
    /// It would be over `rate`; nothing has been used up.
    pub(crate) fn check_in_full(&self, now: Monotonic, rate: Rate, cost: u32) -> Result<(), RetryAfter> {
        let Some(over) = cost.checked_sub(rate.burst()).filter(|over| *over > 0) else {
            return self.check(now, rate, cost);
        };
        self.check(now, rate, rate.burst())?;
        let debt = rate.nanos(over).min(DEBT_NANOS_MAX);
        self.change(|tat| tat.saturating_add(debt));
        Ok(())
    }

    /// Takes back what was let through just before.
    pub(crate) fn give_back(&self, rate: Rate, cost: u32) {
        let nanos = rate.nanos(cost).min(rate.nanos(rate.burst()).saturating_add(DEBT_NANOS_MAX));
        self.change(|tat| tat.saturating_sub(nanos));
    }

    fn change(&self, change: impl Fn(u64) -> u64) {
        // It changes whatever it is, so this cannot fail.
        let _ = self.tat.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tat| Some(change(tat)));
    }

    /// Whether it has forgotten the past: a fresh one would decide the same.
    pub(crate) fn is_idle(&self, now: Monotonic) -> bool {
        self.tat.load(Ordering::Relaxed) <= nanos(now)
    }
}

/// How far ahead of its burst one that was charged in full can be: a thousand days, so that nothing overflows.
const DEBT_NANOS_MAX: u64 = 1000 * 24 * 3600 * 1_000_000_000;

pub(crate) fn advance(tat: u64, now: u64, rate: Rate, cost: u32) -> Result<u64, RetryAfter> {
    if cost > rate.burst() {
        return Err(RetryAfter::NEVER);
    }
    let next = tat.max(now).saturating_add(rate.nanos(cost));
    let over = (next - now).saturating_sub(rate.nanos(rate.burst()));
    if over > 0 { Err(RetryAfter(Duration::from_nanos(over))) } else { Ok(next) }
}

pub(crate) fn nanos(now: Monotonic) -> u64 {
    u64::try_from(now.0.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::AtomicU32;

    fn at(millis: u64) -> Monotonic {
        Monotonic(Duration::from_millis(millis))
    }

    #[test]
    fn a_burst_then_the_steady_rate() {
        let rate = Rate::new(10.0, 3).unwrap();
        let mut limiter = Gcra::default();
        let wait = |millis| Err(RetryAfter(Duration::from_millis(millis)));
        for (millis, cost, expected) in [
            (0, 1, Ok(())),
            (0, 2, Ok(())),
            (0, 1, wait(100)),
            (40, 1, wait(60)),
            (100, 1, Ok(())),
            (100, 3, wait(300)),
            (400, 3, Ok(())),
            // An hour's pause saves up no more than a burst.
            (3_600_000, 3, Ok(())),
            (3_600_000, 1, wait(100)),
            (3_600_000, 0, Ok(())),
            (3_600_000, 4, Err(RetryAfter::NEVER)),
        ] {
            assert_eq!(limiter.check(at(millis), rate, cost), expected, "{cost} at {millis} ms");
        }
    }

    #[test]
    fn a_clock_that_stands_or_steps_back_lets_no_more_through() {
        let rate = Rate::new(1.0, 2).unwrap();
        let mut limiter = Gcra::default();
        assert!(limiter.check(at(5000), rate, 2).is_ok());
        assert!(limiter.check(at(5000), rate, 1).is_err());
        assert_eq!(limiter.check(at(4000), rate, 1), Err(RetryAfter(Duration::from_secs(2))));
        let mut ancient = Gcra::default();
        assert!(ancient.check(Monotonic(Duration::MAX), rate, 1).is_ok());
    }

    #[test]
    fn threads_share_one_burst() {
        let rate = Rate::new(1.0, 1000).unwrap();
        let limiter = AtomicGcra::default();
        let passed = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        if limiter.check(at(1), rate, 1).is_ok() {
                            passed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), 1000);
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_the_burst_and_the_rate(
            per_second in 0.5_f64..5000.0,
            burst in 1_u32..50,
            tries in prop::collection::vec((0_u64..200_000_000, 1_u32..5), 1..120),
        ) {
            let rate = Rate::new(per_second, burst).unwrap();
            let mut limiter = Gcra::default();
            let shared = AtomicGcra::default();
            let mut now = 0;
            let mut passed: Vec<(u64, u32)> = Vec::new();
            for (pause, cost) in tries {
                now += pause;
                let clock = Monotonic(Duration::from_nanos(now));
                let outcome = limiter.check(clock, rate, cost);
                prop_assert_eq!(shared.check(clock, rate, cost), outcome);
                match outcome {
                    Ok(()) => passed.push((now, cost)),
                    Err(RetryAfter::NEVER) => prop_assert!(cost > burst),
                    Err(RetryAfter(wait)) => {
                        // The answer is exact: not a nanosecond earlier.
                        let later = |wait: Duration| { let mut probe = limiter; probe.check(clock + wait, rate, cost) };
                        prop_assert!(later(wait).is_ok());
                        prop_assert!(later(wait - Duration::from_nanos(1)).is_err());
                    }
                }
            }
            for (first, (from, _)) in passed.iter().enumerate() {
                let mut sum = 0;
                for (to, cost) in &passed[first..] {
                    sum += cost;
                    let allowed = f64::from(burst) + per_second * (to - from) as f64 / 1e9;
                    prop_assert!(f64::from(sum) <= allowed + 1e-6, "{sum} in {} ns", to - from);
                }
            }
        }

        #[test]
        fn a_patient_client_gets_its_rate(per_second in 1_u32..1000) {
            let rate = Rate::new(f64::from(per_second), 1).unwrap();
            let mut limiter = Gcra::default();
            for turn in 0..50 {
                let now = Monotonic(Duration::from_nanos(turn * rate.nanos(1)));
                prop_assert!(limiter.check(now, rate, 1).is_ok());
            }
        }
    }
}
