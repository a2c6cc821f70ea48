use std::time::Duration;

/// Numbers that look random and are the same for the same seed (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Those of a seed, for one of many who draw from it.
    pub(crate) fn new(seed: u64, who: u64) -> Random {
        let mut random = Random(seed ^ who.wrapping_mul(0xd6e8_feb8_6659_fd93));
        random.next();
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..below`.
    pub(crate) fn below(&mut self, below: usize) -> usize {
        (self.next() % below.max(1) as u64) as usize
    }

    /// Whether something happens that does so in `percent` of all cases.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    ///
    /// # Panics
    /// There are none.
    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// A time between these two.
    pub(crate) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let span = most.saturating_sub(least).as_micros() as usize;
        least + Duration::from_micros(self.below(span + 1) as u64)
    }

    /// A time of this mean, as between events that know nothing of each other; at most eight times as long.
    pub(crate) fn around(&mut self, mean: Duration) -> Duration {
        let share = (self.below(1_000_000) + 1) as f64 / 1_000_000.0;
        mean.mul_f64((-share.ln()).min(8.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_drawer_others() {
        let draw = |seed, who| {
            let mut random = Random::new(seed, who);
            [random.next(), random.next()]
        };
        assert_eq!(draw(7, 1), draw(7, 1));
        assert_ne!(draw(7, 1), draw(7, 2));
        assert_ne!(draw(7, 1), draw(8, 1));
    }

    #[test]
    fn times_have_the_mean_that_was_asked_for() {
        let mut random = Random::new(1, 1);
        let mean = Duration::from_millis(100);
        let sum: Duration = (0..10_000).map(|_| random.around(mean)).sum();
        let off = (sum.as_secs_f64() / 10_000.0 - 0.1).abs();
        assert!(off < 0.005, "{off}");
    }
}
