//! Socket.IO: rooms and acknowledgements.

use super::super::goal::{Goal, Metric};
use super::super::section::Section;
use super::super::subject::{Spoken, Subject};
use super::{Case, Setup};

const ROOM: &[Metric] = &[
    Metric::per_second(
        "deliveries/s",
        &[
            Goal::TimesAtLeast(0.8, Subject::Reference),
            Goal::TimesAtLeast(5.0, Subject::Socketioxide),
            Goal::TimesAtLeast(3.0, Subject::SocketioxideNoDelay),
        ],
    ),
    Metric::cpu(&[]),
];
const ROOM_ONE: &[Metric] = &[Metric::cpu(&[Goal::TimesAtMost(1.3, Subject::Reference)])];
const ACK: &[Metric] =
    &[Metric::per_second("requests/s", &[Goal::TimesAtLeast(0.9, Subject::Reference)]), Metric::cpu(&[])];

/// Who has handlers for the events of the loads.
const HANDLERS: &[Subject] = &[
    Subject::Reference,
    Subject::Antiphon,
    Subject::SocketioxideNoDelay,
    Subject::Socketioxide,
    Subject::NodeSocketIo,
];

pub(super) fn cases() -> Vec<Case> {
    let case = |name, load, metrics| Case {
        spoken: Spoken::SocketIo,
        subjects: HANDLERS,
        setup: Setup::LIBRARY,
        ..Case::new(name, Section::SocketIo, load, metrics)
    };
    vec![
        case("socketio-room-100: 100 clients, 64 in flight", "fanout --subscribers 100 --in-flight 64", ROOM),
        case(
            "socketio-room-1000: 1,000 clients, 64 in flight",
            "fanout --subscribers 1000 --in-flight 64",
            ROOM,
        ),
        case(
            "socketio-one-100: 100 clients, one in flight",
            "fanout --subscribers 100 --in-flight 1",
            ROOM_ONE,
        ),
        Case {
            subjects: &[Subject::Reference, Subject::Antiphon, Subject::SocketioxideNoDelay],
            ..case(
                "socketio-one-1000: 1,000 clients, one in flight",
                "fanout --subscribers 1000 --in-flight 1",
                ROOM_ONE,
            )
        },
        case(
            "socketio-ack: 64 clients emit with an acknowledgement, one in flight each",
            "echo --connections 64 --in-flight 1",
            ACK,
        ),
    ]
}
