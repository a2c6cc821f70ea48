use std::time::Duration;

use serde::Serialize;

use crate::tally::{Latencies, latencies};

/// Latencies of the crowd, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// The median.
    pub(crate) p50_ms: f64,
    /// What one in a hundred messages takes at least.
    pub(crate) p99_ms: f64,
    /// How many deliveries there were.
    pub(crate) deliveries: u64,
}

/// Quiet windows and attacked ones, side by side.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Comparison {
    /// Without an attack.
    pub(crate) quiet: Spread,
    /// Under attack.
    pub(crate) attacked: Spread,
    /// How many times the median under attack is that of the quiet window right before: the median over all pairs.
    pub(crate) p50_ratio: f64,
    /// The same of the p99.
    pub(crate) p99_ratio: f64,
}

impl Spread {
    /// The median over windows of each window's percentiles: one window in which the machine was elsewhere does not count.
    pub(crate) fn over(windows: &[Latencies]) -> Spread {
        let heard: Vec<&Latencies> = windows.iter().filter(|window| !window.is_empty()).collect();
        let at = |quantile: f64| {
            median(heard.iter().map(|one| one.value_at_quantile(quantile) as f64 / 1000.0).collect())
        };
        let mut all = latencies();
        for window in &heard {
            all.add(*window).expect("all windows have the same bounds");
        }
        Spread { p50_ms: at(0.5), p99_ms: at(0.99), deliveries: all.len() }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

impl Comparison {
    /// Compares each attacked window with the quiet one right before it: what else goes on at the machine is mostly the same
    /// in both. Pairs in which one heard nothing do not count.
    pub(crate) fn of(quiet: &[Latencies], attacked: &[Latencies]) -> Comparison {
        let pairs =
            quiet.iter().zip(attacked).filter(|(quiet, attacked)| !quiet.is_empty() && !attacked.is_empty());
        let pairs: Vec<_> = pairs.collect();
        let ratio = |quantile: f64| {
            let at = |one: &Latencies| one.value_at_quantile(quantile) as f64;
            median(pairs.iter().map(|(quiet, attacked)| at(attacked) / at(quiet).max(1.0)).collect())
        };
        Comparison {
            quiet: Spread::over(quiet),
            attacked: Spread::over(attacked),
            p50_ratio: ratio(0.5),
            p99_ratio: ratio(0.99),
        }
    }

    /// What the crowd can complain of: neither median nor p99 may be more than twice what they are without an attack, unless
    /// they are below the floor.
    pub(crate) fn complaints(&self, floor: Duration) -> Vec<String> {
        let floor = floor.as_secs_f64() * 1000.0;
        let noticed = |what: &str, ratio: f64, quiet: f64, attacked: f64| {
            let is_noticed = ratio > 2.0 && attacked > floor;
            is_noticed.then(|| {
                format!("{what} {attacked:.1} ms, {quiet:.1} ms without the attack ({ratio:.1} times)")
            })
        };
        let Comparison { quiet, attacked, .. } = self;
        [
            noticed("p50", self.p50_ratio, quiet.p50_ms, attacked.p50_ms),
            noticed("p99", self.p99_ratio, quiet.p99_ms, attacked.p99_ms),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(micros: u64) -> Latencies {
        let mut window = latencies();
        window.saturating_record_n(micros, 100);
        window
    }

    #[test]
    fn one_bad_window_of_three_does_not_count() {
        let spread = Spread::over(&[window(1000), window(900_000), window(2000), latencies()]);
        assert!((spread.p99_ms - 2.0).abs() < 0.1, "{spread:?}");
        assert_eq!(spread.deliveries, 300);
        assert_eq!(Spread::over(&[]), Spread { p50_ms: 0.0, p99_ms: 0.0, deliveries: 0 });
    }

    #[test]
    fn twice_the_latency_is_noticed_above_the_floor_alone() {
        for (quiet, attacked, complaints) in
            [(1000, 19_000, 0), (1000, 21_000, 2), (30_000, 59_000, 0), (30_000, 61_000, 2)]
        {
            let comparison = Comparison::of(&[window(quiet)], &[window(attacked)]);
            assert_eq!(comparison.complaints(Duration::from_millis(20)).len(), complaints, "{comparison:?}");
        }
    }

    #[test]
    fn a_machine_that_is_busy_for_both_windows_of_a_pair_is_not_noticed() {
        let quiet = [window(1000), window(200_000), window(180_000), latencies()];
        let attacked = [window(1500), window(300_000), window(290_000), window(900_000)];
        let comparison = Comparison::of(&quiet, &attacked);
        assert_eq!(comparison.complaints(Duration::from_millis(20)), Vec::<String>::new(), "{comparison:?}");
    }
}
