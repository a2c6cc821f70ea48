//! Everyone comes back at once.

use super::super::goal::{Better, Goal, Metric, in_millis};
use super::super::section::Section;
use super::super::subject::{Spoken, Subject};
use super::{Case, Pace, Setup};

const STORM: &[Metric] = &[
    Metric::new(
        "all are caught up after, s",
        Better::Less,
        2,
        |report| report.storm.as_ref().map(|storm| storm.caught_up_seconds),
        &[Goal::AtMost(2.0)],
    ),
    Metric::millis(
        "live traffic meanwhile, p99, ms",
        |report| in_millis(report.latency, |all| all.p99_us),
        &[Goal::AtMost(100.0)],
    ),
    Metric::millis(
        "live traffic meanwhile, most, ms",
        |report| in_millis(report.latency, |all| all.max_us),
        &[],
    ),
    Metric::millis(
        "live traffic before, p99, ms",
        |report| report.storm.as_ref().and_then(|storm| in_millis(Some(storm.calm), |all| all.p99_us)),
        &[],
    ),
    Metric::new(
        "connects/s",
        Better::More,
        0,
        |report| report.storm.as_ref().map(|storm| storm.connects_per_second),
        &[],
    ),
];

const LOAD: &str = "storm --clients 5000 --missed 100";

pub(super) fn cases() -> Vec<Case> {
    let case = |name, spoken, setup| Case {
        pace: Pace::UntilDone(3),
        spoken,
        subjects: &[Subject::Antiphon],
        setup,
        ..Case::new(name, Section::Storm, LOAD, STORM)
    };
    let recovers = Setup { config: "[socketio.recovery]\nenabled = true\n", ..Setup::ONE_CORE };
    vec![
        case("storm-v1: antiphon.v1, 5,000 clients, 100 messages each", Spoken::V1, Setup::ONE_CORE),
        case("storm-websocket: raw WebSocket, the same", Spoken::WebSocket, Setup::ONE_CORE),
        case("storm-sse: SSE, the same", Spoken::Sse, Setup::ONE_CORE),
        case("storm-socketio: Socket.IO, the same", Spoken::SocketIoBuiltIn, recovers),
    ]
}
