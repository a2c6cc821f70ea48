//! Fan-out and echo of bare WebSocket messages, several workers, and SSE.

use super::super::goal::{Goal, Metric};
use super::super::section::Section;
use super::super::subject::{Spoken, Subject};
use super::{Case, Cores, Setup};

const FANOUT: &[Metric] =
    &[Metric::per_second("deliveries/s", &[Goal::TimesAtLeast(0.85, Subject::Reference)]), Metric::cpu(&[])];
const FANOUT_ONE: &[Metric] = &[Metric::cpu(&[Goal::TimesAtMost(1.15, Subject::Reference)])];
const ECHO: &[Metric] =
    &[Metric::per_second("requests/s", &[Goal::TimesAtLeast(0.8, Subject::Reference)]), Metric::cpu(&[])];
const WORKERS: &[Metric] = &[Metric::per_second("deliveries/s", &[]), Metric::cpu(&[]), Metric::cores()];
const STREAMS: &[Metric] =
    &[Metric::per_second("deliveries/s", &[Goal::TimesAtLeast(0.6, Subject::Reference)]), Metric::cpu(&[])];

/// Brokers among them, each of which is spoken to in its own protocol.
const PUBLISHERS: &[Subject] = &[
    Subject::Reference,
    Subject::Antiphon,
    Subject::Tungstenite,
    Subject::NodeWs,
    Subject::Redis,
    Subject::Nats,
    Subject::Mosquitto,
    Subject::Rumqttd,
];

const ECHOES: &[Subject] = &[Subject::Reference, Subject::Antiphon, Subject::Tungstenite, Subject::NodeWs];

const SATURATED_100: &str = "fanout --subscribers 100 --in-flight 64";
const SATURATED_1000: &str = "fanout --subscribers 1000 --in-flight 64";

pub(super) fn cases() -> Vec<Case> {
    let plain = |name, load, metrics| Case {
        subjects: PUBLISHERS,
        ..Case::new(name, Section::WebSocket, load, metrics)
    };
    let stream = |name, load| Case { spoken: Spoken::Sse, ..Case::new(name, Section::Sse, load, STREAMS) };
    let workers = |name, workers| Case {
        subjects: &[Subject::Antiphon],
        setup: Setup { cores: Cores::Shared, workers: Some(workers), ..Setup::ONE_CORE },
        ..Case::new(name, Section::Workers, SATURATED_1000, WORKERS)
    };
    vec![
        plain("fanout-100: 100 subscribers, 64 in flight", SATURATED_100, FANOUT),
        plain("fanout-1000: 1,000 subscribers, 64 in flight", SATURATED_1000, FANOUT),
        plain(
            "fanout-one: 100 subscribers, one in flight",
            "fanout --subscribers 100 --in-flight 1",
            FANOUT_ONE,
        ),
        Case {
            subjects: ECHOES,
            ..Case::new(
                "echo: 64 connections, one in flight each",
                Section::WebSocket,
                "echo --connections 64 --in-flight 1",
                ECHO,
            )
        },
        stream("sse-100: 100 streams, 64 in flight", SATURATED_100),
        stream("sse-1000: 1,000 streams, 64 in flight", SATURATED_1000),
        workers("workers-1: 1,000 subscribers, 64 in flight, one worker", 1),
        workers("workers-2: the same, two workers", 2),
    ]
}
