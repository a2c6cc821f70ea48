//! Connections that do nothing.

use super::super::goal::{Goal, Metric};
use super::super::section::Section;
use super::super::subject::{Spoken, Subject};
use super::{Case, Pace, Setup};

const CONNECTS: &[Goal] =
    &[Goal::Either(&Goal::AtLeast(40_000.0), &Goal::TimesAtLeast(0.8, Subject::Reference))];

const WEBSOCKET: &[Metric] = &[
    Metric::resident(&[Goal::AtMost(1024.0)]),
    Metric::per_second("connects/s", CONNECTS),
    Metric::cpu(&[]),
];
const SOCKET_IO: &[Metric] =
    &[Metric::resident(&[Goal::AtMost(2048.0)]), Metric::per_second("connects/s", &[]), Metric::cpu(&[])];

/// A thousand connections are too few for what a process takes by itself not to count.
const FEW: &[Metric] = &[Metric::resident(&[]), Metric::per_second("connects/s", &[])];

const PLAIN: &[Subject] = &[Subject::Reference, Subject::Antiphon, Subject::Tungstenite, Subject::NodeWs];
const HANDLERS: &[Subject] =
    &[Subject::Reference, Subject::Antiphon, Subject::SocketioxideNoDelay, Subject::NodeSocketIo];
const OURS: &[Subject] = &[Subject::Reference, Subject::Antiphon];

pub(super) fn cases() -> Vec<Case> {
    let case = |name, load, metrics, subjects, seconds, point| Case {
        pace: Pace::UntilDone(seconds),
        subjects,
        headlines: 2,
        point: Some(point),
        ..Case::new(name, Section::Idle, load, metrics)
    };
    let socketio = |name, load, metrics, subjects, seconds, point| Case {
        spoken: Spoken::SocketIo,
        setup: Setup::LIBRARY,
        ..case(name, load, metrics, subjects, seconds, point)
    };
    let (few, usual, many) =
        ("idle --connections 1000", "idle --connections 10000", "idle --connections 100000");
    vec![
        Case { rounds_max: 1, ..case("idle-1000: 1,000 WebSockets", few, FEW, PLAIN, 1, 1e3) },
        case("idle-10000: 10,000 WebSockets", usual, WEBSOCKET, PLAIN, 2, 1e4),
        Case { rounds_max: 2, ..case("idle-100000: 100,000 WebSockets", many, WEBSOCKET, OURS, 7, 1e5) },
        Case {
            rounds_max: 1,
            ..socketio("idle-socketio-1000: 1,000 Socket.IO clients", few, FEW, HANDLERS, 1, 1e3)
        },
        socketio("idle-socketio-10000: 10,000 Socket.IO clients", usual, SOCKET_IO, HANDLERS, 4, 1e4),
        Case {
            rounds_max: 2,
            ..socketio("idle-socketio-100000: 100,000 Socket.IO clients", many, SOCKET_IO, OURS, 10, 1e5)
        },
    ]
}
