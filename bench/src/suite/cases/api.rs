//! Stored messages, the EXP network and long polls.

use super::super::goal::{Better, Goal, Metric, in_millis};
use super::super::section::Section;
use super::super::subject::{Spoken, Subject};
use super::{Case, Cores, Pace, Setup};

const STORED: &[Metric] = &[
    Metric::per_second("acknowledged/s", &[Goal::AtLeast(120_000.0)]),
    Metric::millis("acknowledged after, p50, ms", |report| in_millis(report.latency, |all| all.p50_us), &[]),
    Metric::millis("acknowledged after, p99, ms", |report| in_millis(report.latency, |all| all.p99_us), &[]),
    Metric::cpu(&[]),
];

const ANSWERED: &[Metric] = &[
    Metric::millis("last device has it, p50, ms", |report| in_millis(report.latency, |all| all.p50_us), &[]),
    Metric::millis(
        "last device has it, p99, ms",
        |report| in_millis(report.latency, |all| all.p99_us),
        &[Goal::AtMost(50.0)],
    ),
    Metric::millis("last device has it, most, ms", |report| in_millis(report.latency, |all| all.max_us), &[]),
    Metric::millis("all have answered, p50, ms", |report| in_millis(report.answered, |all| all.p50_us), &[]),
    Metric::millis("all have answered, p99, ms", |report| in_millis(report.answered, |all| all.p99_us), &[]),
    Metric::cpu(&[]),
];

const POLLED: &[Metric] = &[
    // The clock decides how many are published; as many have to arrive.
    Metric::per_second("deliveries/s", &[Goal::AtLeast(98_000.0)]),
    Metric::cpu(&[]),
    Metric::cores(),
    Metric::new(
        "messages in an answer",
        Better::More,
        2,
        |report| report.answers.map(|answers| report.count as f64 / answers as f64),
        &[],
    ),
    Metric::millis("a subscriber has it, p50, ms", |report| in_millis(report.latency, |all| all.p50_us), &[]),
    Metric::millis("a subscriber has it, p99, ms", |report| in_millis(report.latency, |all| all.p99_us), &[]),
    Metric::millis(
        "a subscriber has it, most, ms",
        |report| in_millis(report.latency, |all| all.max_us),
        &[],
    ),
];

pub(super) fn cases() -> Vec<Case> {
    const OURS: &[Subject] = &[Subject::Antiphon];
    let exp = |name, setup| Case {
        pace: Pace::UntilDone(13),
        spoken: Spoken::OfTheScenario,
        subjects: OURS,
        setup,
        rounds_max: 2,
        ..Case::new(name, Section::Exp, "exp --devices 1000 --rounds 20 --timeout 500", ANSWERED)
    };
    let poll = |name, spoken, setup| Case {
        spoken,
        subjects: OURS,
        setup,
        rounds_max: 3,
        ..Case::new(name, Section::LongPoll, "long-poll --subscribers 5000 --publishers 20 --rate 20", POLLED)
    };
    vec![
        Case {
            spoken: Spoken::OfTheScenario,
            subjects: OURS,
            setup: Setup { cores: Cores::Shared, workers: None, ..Setup::ON_DISK },
            ..Case::new(
                "stored: 64 publishers, 32 in flight each, SQLite",
                Section::Stored,
                "publish --publishers 64 --in-flight 32",
                STORED,
            )
        },
        exp("exp-memory: 1,000 devices answer a broadcast", Setup::ONE_CORE),
        exp("exp-stored: the same, SQLite", Setup::ON_DISK),
        poll(
            "long-poll-pubnub: as PubNub's SDKs, 5,000 polls, 20 messages/s",
            Spoken::PubNub,
            Setup::ONE_CORE,
        ),
        poll("long-poll-pubnub-stored: the same, SQLite", Spoken::PubNub, Setup::ON_DISK),
        poll("long-poll-v1: native, the same load", Spoken::V1, Setup::ONE_CORE),
    ]
}
