//! How long messages take at rates below what a server can do.

use super::super::goal::{Metric, in_millis};
use super::super::section::Section;
use super::super::subject::Subject;
use super::{Case, Pace, Setup};

const HALF: &[Metric] = &[
    Metric::per_second("deliveries/s", &[]),
    Metric::millis("p50, ms", |report| in_millis(report.latency, |all| all.p50_us), &[]),
    Metric::millis("p99, ms", |report| in_millis(report.latency, |all| all.p99_us), &[]),
    Metric::millis("p99.9, ms", |report| in_millis(report.latency, |all| all.p999_us), &[]),
    Metric::millis("longest, ms", |report| in_millis(report.latency, |all| all.max_us), &[]),
];

/// Stores beside the load that is measured, and what it stores is kept for two seconds: so commits, checkpoints and retention
/// are all under way.
const JOBS: Setup = Setup {
    config: "[[rule]]\nchannels = \"jobs.*\"\nhistory_age = \"2s\"\n",
    beside: Some("publish --publishers 8 --in-flight 1 --channel jobs"),
    ..Setup::ON_DISK
};

/// The reference, ours, the fastest of the peers and one that many use.
const DRAWN: &[Subject] = &[Subject::Reference, Subject::Antiphon, Subject::Redis, Subject::NodeWs];

pub(super) fn cases() -> Vec<Case> {
    let half = |name, saturating, load, subscribers| Case {
        pace: Pace::HalfOf { saturating, subscribers },
        ..Case::new(name, Section::Latency, load, HALF)
    };
    let (saturated_100, saturated_1000) =
        ("fanout --subscribers 100 --in-flight 64", "fanout --subscribers 1000 --in-flight 64");
    let jobs = Case {
        subjects: &[Subject::Antiphon],
        setup: JOBS,
        ..half(
            "latency-jobs: 100 subscribers, half of what the server can do, beside commits and retention",
            saturated_100,
            "fanout --subscribers 100",
            100,
        )
    };
    let mut cases = vec![
        half(
            "latency-100: 100 subscribers, half of what the server can do",
            saturated_100,
            "fanout --subscribers 100",
            100,
        ),
        half(
            "latency-1000: 1,000 subscribers, half of what the server can do",
            saturated_1000,
            "fanout --subscribers 1000",
            1000,
        ),
        jobs,
    ];
    let point = |(name, load, rate)| Case {
        subjects: DRAWN,
        point: Some(rate),
        rounds_max: 1,
        ..Case::new(name, Section::Latency, load, &[])
    };
    cases.extend(RATES.into_iter().map(point));
    cases
}

/// Messages a second to 100 subscribers.
const RATES: [(&str, &str, f64); 8] = [
    ("rate-1000: 1,000 messages/s", "fanout --subscribers 100 --rate 1000", 1e3),
    ("rate-5000: 5,000 messages/s", "fanout --subscribers 100 --rate 5000", 5e3),
    ("rate-10000: 10,000 messages/s", "fanout --subscribers 100 --rate 10000", 10e3),
    ("rate-20000: 20,000 messages/s", "fanout --subscribers 100 --rate 20000", 20e3),
    ("rate-40000: 40,000 messages/s", "fanout --subscribers 100 --rate 40000", 40e3),
    ("rate-60000: 60,000 messages/s", "fanout --subscribers 100 --rate 60000", 60e3),
    ("rate-80000: 80,000 messages/s", "fanout --subscribers 100 --rate 80000", 80e3),
    ("rate-100000: 100,000 messages/s", "fanout --subscribers 100 --rate 100000", 100e3),
];
