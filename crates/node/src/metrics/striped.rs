//! Counts that every worker adds to, each on cache lines of its own.
//!
//! A number that all workers write goes from core to core with each turn of each of them; a lock around it has them wait besides.
//! These are summed up when somebody asks, which is seldom.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use antiphon_hub::OwnLine;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric, counter, gauge};

/// With more threads than that, some share one.
const STRIPES: usize = 64;

/// A counter in stripes.
pub(super) type Counter = counter::Counter<u64, Striped<AtomicU64>>;
/// A gauge in stripes. It cannot be set.
pub(super) type Gauge = gauge::Gauge<i64, Striped<AtomicI64>>;

/// A number that is the sum of its stripes.
#[derive(Debug)]
pub struct Striped<A>(Box<[OwnLine<A>]>);

impl<A: Default> Default for Striped<A> {
    fn default() -> Striped<A> {
        Striped((0..STRIPES).map(|_| OwnLine::default()).collect())
    }
}

impl<A> Striped<A> {
    #[inline]
    fn own(&self) -> &A {
        &self.0[stripe()]
    }
}

thread_local! {
    static STRIPE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The calling thread's.
#[inline]
fn stripe() -> usize {
    match STRIPE.get() {
        usize::MAX => choose(),
        stripe => stripe,
    }
}

#[cold]
fn choose() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    let stripe = THREADS.fetch_add(1, Ordering::Relaxed) % STRIPES;
    STRIPE.set(stripe);
    stripe
}

impl counter::Atomic<u64> for Striped<AtomicU64> {
    #[inline]
    fn inc(&self) -> u64 {
        self.inc_by(1)
    }

    #[inline]
    fn inc_by(&self, by: u64) -> u64 {
        self.own().fetch_add(by, Ordering::Relaxed)
    }

    fn get(&self) -> u64 {
        self.0.iter().map(|one| one.load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
    }
}

impl gauge::Atomic<i64> for Striped<AtomicI64> {
    #[inline]
    fn inc(&self) -> i64 {
        self.inc_by(1)
    }

    #[inline]
    fn inc_by(&self, by: i64) -> i64 {
        self.own().fetch_add(by, Ordering::Relaxed)
    }

    #[inline]
    fn dec(&self) -> i64 {
        self.dec_by(1)
    }

    #[inline]
    fn dec_by(&self, by: i64) -> i64 {
        self.own().fetch_sub(by, Ordering::Relaxed)
    }

    /// Adds what is missing: exact only if nobody adds meanwhile.
    fn set(&self, to: i64) -> i64 {
        let before = gauge::Atomic::get(self);
        self.inc_by(to.wrapping_sub(before));
        before
    }

    fn get(&self) -> i64 {
        self.0.iter().map(|one| one.load(Ordering::Relaxed)).fold(0, i64::wrapping_add)
    }
}

/// A histogram of durations, in stripes. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    /// In seconds, rising.
    bounds: Box<[f64]>,
    stripes: Box<[OwnLine<Stripe>]>,
}

/// With its sum, that is 128 bytes.
const BUCKETS_MAX: usize = 15;

#[derive(Debug, Default)]
struct Stripe {
    /// One for each bound, and one for what is above all of them.
    counts: [AtomicU64; BUCKETS_MAX],
    /// All that was observed, in units of 100 ns.
    sum: AtomicU64,
}

const UNITS_PER_SECOND: f64 = 1e7;

impl Histogram {
    /// One with these upper bounds, in seconds and rising.
    pub(crate) fn new<const N: usize>(bounds: [f64; N]) -> Histogram {
        const { assert!(N < BUCKETS_MAX) };
        let stripes = (0..STRIPES).map(|_| OwnLine::default()).collect();
        Histogram(Arc::new(Buckets { bounds: bounds.into(), stripes }))
    }

    /// Counts a duration, in units of 100 ns.
    #[inline]
    pub fn observe(&self, units: u64) {
        let Buckets { bounds, stripes } = &*self.0;
        let Stripe { counts, sum } = &stripes[stripe()].0;
        let seconds = units as f64 / UNITS_PER_SECOND;
        let bucket = bounds.iter().position(|bound| seconds <= *bound).unwrap_or(bounds.len());
        counts[bucket].fetch_add(1, Ordering::Relaxed);
        sum.fetch_add(units, Ordering::Relaxed);
    }

    /// Each bound with how many lie below it and above the one before, and the sum in seconds.
    fn sum_up(&self) -> (Vec<(f64, u64)>, f64) {
        let Buckets { bounds, stripes } = &*self.0;
        let bounds = bounds.iter().copied().chain([f64::INFINITY]);
        let count = |at: usize| stripes.iter().map(|one| one.counts[at].load(Ordering::Relaxed)).sum();
        let buckets = bounds.enumerate().map(|(at, bound)| (bound, count(at))).collect();
        let units: u64 = stripes.iter().map(|one| one.sum.load(Ordering::Relaxed)).sum();
        (buckets, units as f64 / UNITS_PER_SECOND)
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> std::fmt::Result {
        let (buckets, sum) = self.sum_up();
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::histogram;
    use prometheus_client::registry::{Metric, Registry};

    use super::*;

    #[test]
    fn what_many_threads_add_is_summed_up() {
        let (counter, gauge, histogram) =
            (Counter::default(), Gauge::default(), Histogram::new([0.001, 1.0]));
        std::thread::scope(|scope| {
            for _ in 0..2 * STRIPES {
                scope.spawn(|| {
                    counter.inc();
                    counter.inc_by(2);
                    gauge.inc_by(10);
                    gauge.dec_by(7);
                    for units in [10_000, 10_001, 20_000_000] {
                        histogram.observe(units);
                    }
                });
            }
        });
        let threads = 2 * STRIPES as u64;
        assert_eq!((counter.get(), gauge.get()), (3 * threads, 3 * threads as i64));
        let (buckets, sum) = histogram.sum_up();
        assert_eq!(buckets, [(0.001, threads), (1.0, threads), (f64::INFINITY, threads)]);
        assert!((sum - threads as f64 * 2.002_000_1).abs() < 1e-6);
        gauge.set(5);
        assert_eq!(gauge.get(), 5);
    }

    #[test]
    fn a_histogram_is_written_as_every_other() {
        let (ours, theirs) = (Histogram::new([0.5, 1.0]), histogram::Histogram::new([0.5, 1.0]));
        for units in [2_500_000, 5_000_000, 7_500_000, 30_000_000] {
            ours.observe(units);
            theirs.observe(units as f64 / UNITS_PER_SECOND);
        }
        assert_eq!(written(ours), written(theirs));
    }

    fn written(metric: impl Metric) -> String {
        let (mut registry, mut text) = (Registry::default(), String::new());
        registry.register("a", "b", metric);
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }
}
