//! The whole way: from the bytes that a publisher's socket has to the writes on the subscribers'.

use super::HotPath;
use crate::{Listeners, Stage};

/// Messages that come with one read.
const IN_FLIGHT: u64 = 64;
const MANY: u64 = 1000;

pub(super) const PATHS: &[HotPath] = &[
    HotPath {
        name: "fanout-websocket",
        what: "64 messages of one read for 1,000 raw WebSockets, a write for each of them",
        unit: "delivery",
        units: IN_FLIGHT * MANY,
        times: 4,
        run: |times| fanout(Listeners::Raw, MANY, IN_FLIGHT, times),
    },
    HotPath {
        name: "fanout-websocket-one",
        what: "a message for 1,000 raw WebSockets, a write for each of them",
        unit: "delivery",
        units: MANY,
        times: 8,
        run: |times| fanout(Listeners::Raw, MANY, 1, times),
    },
    HotPath {
        name: "fanout-v1",
        what: "64 messages of one read for 1,000 listeners over antiphon.v1",
        unit: "delivery",
        units: IN_FLIGHT * MANY,
        times: 4,
        run: |times| fanout(Listeners::V1, MANY, IN_FLIGHT, times),
    },
    HotPath {
        name: "fanout-socketio",
        what: "64 events of one read, each sent on to a room of 1,000 sockets",
        unit: "delivery",
        units: IN_FLIGHT * MANY,
        times: 4,
        run: |times| fanout(Listeners::SocketIo, MANY, IN_FLIGHT, times),
    },
    HotPath {
        name: "fanout-sse",
        what: "64 messages of one read for 1,000 EventSource streams",
        unit: "delivery",
        units: IN_FLIGHT * MANY,
        // More than of the others: what it takes to get there differs by as much as some of these from run to run.
        times: 100,
        run: |times| fanout(Listeners::Sse, MANY, IN_FLIGHT, times),
    },
    HotPath {
        name: "message-websocket",
        what: "a message of a raw WebSocket: read, decoded, published, and written to its only listener",
        unit: "message",
        units: 1,
        times: 500,
        run: |times| fanout(Listeners::Raw, 1, 1, times),
    },
    HotPath {
        name: "message-v1",
        what: "the same over antiphon.v1, with the publisher's receipt",
        unit: "message",
        units: 1,
        times: 500,
        run: |times| fanout(Listeners::V1, 1, 1, times),
    },
    HotPath {
        name: "echo-socketio",
        what: "an event of Socket.IO that is answered with its own argument",
        unit: "event",
        units: 1,
        times: 500,
        run: |times| Stage::echo().turns(times),
    },
];

fn fanout(listeners: Listeners, subscribers: u64, in_flight: u64, times: u64) {
    let mut stage = Stage::new(listeners, subscribers as usize, in_flight as usize);
    // What grows to its size on the first turns.
    stage.turns(3);
    let before = stage.deliveries();
    stage.turns(times);
    assert_eq!(stage.deliveries() - before, times * subscribers * in_flight, "each is delivered once");
}
