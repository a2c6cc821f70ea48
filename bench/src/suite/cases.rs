//! What is measured, and what is aimed at.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use antiphon_bench::{
    EchoArgs, ExpArgs, FanoutArgs, IdleArgs, Latency, Protocol, PubNubArgs, PublishArgs, Report, Scenario,
    Span, TargetArgs,
};

use super::subject::Subject;

/// A load, and what of its report goes into the table.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) section: Section,
    pub(super) scenario: fn(TargetArgs, Span) -> Scenario,
    /// In the order of measuring.
    pub(super) subjects: &'static [Subject],
    pub(super) storage: Storage,
    pub(super) cores: Cores,
    pub(super) metrics: &'static [Metric],
}

/// The part of the page that a case is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// Raw WebSocket.
    WebSocket,
    /// Socket.IO over WebSocket.
    SocketIo,
    /// The EXP network.
    Exp,
    /// The PubNub-compatible API.
    PubNub,
}

impl Section {
    pub(super) const ALL: [Self; 4] = [Self::WebSocket, Self::SocketIo, Self::Exp, Self::PubNub];
}

/// Where the server keeps messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Storage {
    Memory,
    /// SQLite in a directory of its own on a disk.
    Disk,
}

/// Who runs where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cores {
    /// One core for the server, another for the load.
    OneEach,
    /// Both on both.
    Shared,
}

/// A figure of a report.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) value: fn(&Report) -> Option<f64>,
    pub(super) decimals: usize,
    pub(super) goal: Goal,
}

/// What a figure should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Goal {
    /// At least so many times the reference's.
    RatioFloor(f64),
    /// At most so many times the reference's.
    RatioCeiling(f64),
    Floor(f64),
    Ceiling(f64),
    /// It is there to explain the others: CPU time holds still where a busy machine makes rates swing.
    None,
}

const CPU: Metric = Metric {
    name: "server CPU each, us",
    value: |report| report.cpu.map(|cpu| cpu.microseconds_per_unit),
    decimals: 3,
    goal: Goal::None,
};

const fn cpu(goal: Goal) -> Metric {
    Metric { goal, ..CPU }
}

const fn per_second(name: &'static str, goal: Goal) -> Metric {
    Metric { name, value: |report| Some(report.per_second), decimals: 0, goal }
}

const fn resident(goal: Goal) -> Metric {
    Metric {
        name: "resident bytes each",
        value: |report| report.memory.map(|memory| memory.bytes_per_connection),
        decimals: 0,
        goal,
    }
}

const FANOUT: &[Metric] = &[per_second("deliveries/s", Goal::RatioFloor(0.7)), CPU];
const FANOUT_ONE: &[Metric] = &[cpu(Goal::RatioCeiling(1.25))];
const ECHO: &[Metric] = &[per_second("requests/s", Goal::RatioFloor(0.8)), CPU];
const IDLE: &[Metric] =
    &[per_second("connects/s", Goal::Floor(25_000.0)), resident(Goal::Ceiling(2048.0)), CPU];
const STORED: &[Metric] = &[per_second("acknowledged/s", Goal::Floor(80_000.0))];

const fn millis(name: &'static str, value: fn(&Report) -> Option<f64>, goal: Goal) -> Metric {
    Metric { name, value, decimals: 2, goal }
}

fn in_millis(latency: Option<Latency>, percentile: fn(Latency) -> f64) -> Option<f64> {
    latency.map(|latency| percentile(latency) / 1e3)
}

const ANSWERED: &[Metric] = &[
    millis("last device has it, p50, ms", |report| in_millis(report.latency, |all| all.p50_us), Goal::None),
    millis(
        "last device has it, p99, ms",
        |report| in_millis(report.latency, |all| all.p99_us),
        Goal::Ceiling(50.0),
    ),
    millis("last device has it, most, ms", |report| in_millis(report.latency, |all| all.max_us), Goal::None),
    millis("all have answered, p50, ms", |report| in_millis(report.answered, |all| all.p50_us), Goal::None),
    millis("all have answered, p99, ms", |report| in_millis(report.answered, |all| all.p99_us), Goal::None),
    CPU,
];

const ROOM: &[Metric] = &[per_second("deliveries/s", Goal::RatioFloor(0.65)), CPU];
const ROOM_ONE: &[Metric] = &[cpu(Goal::RatioCeiling(1.3))];
const ACK: &[Metric] = ECHO;
const CLIENTS: &[Metric] = &[per_second("connects/s", Goal::None), resident(Goal::Ceiling(3072.0)), CPU];

const POLLED: &[Metric] = &[
    // The clock decides how many are published; as many have to arrive.
    per_second("deliveries/s", Goal::Floor(98_000.0)),
    CPU,
    Metric {
        name: "cores that the server is busy on",
        value: |report| report.cpu.map(|cpu| cpu.cores),
        decimals: 2,
        goal: Goal::None,
    },
    Metric {
        name: "messages in an answer",
        value: |report| report.answers.map(|answers| report.count as f64 / answers as f64),
        decimals: 2,
        goal: Goal::None,
    },
    millis("a subscriber has it, p50, ms", |report| in_millis(report.latency, |all| all.p50_us), Goal::None),
    millis("a subscriber has it, p99, ms", |report| in_millis(report.latency, |all| all.p99_us), Goal::None),
    millis("a subscriber has it, most, ms", |report| in_millis(report.latency, |all| all.max_us), Goal::None),
];

/// Every case, in the order of the tables.
pub(super) fn all() -> Vec<Case> {
    let mut cases = websocket();
    cases.extend(socketio());
    cases.extend(exp());
    cases.extend(pubnub());
    cases
}

fn websocket() -> Vec<Case> {
    const SPOKEN: Protocol = Protocol::WebSocket;
    let on_one_core = |name, scenario, metrics| Case {
        name,
        section: Section::WebSocket,
        scenario,
        subjects: &[Subject::Reference, Subject::Antiphon],
        storage: Storage::Memory,
        cores: Cores::OneEach,
        metrics,
    };
    vec![
        on_one_core(
            "fanout-100: 100 subscribers, 64 in flight",
            |t, s| fanout(t, s, SPOKEN, 100, 64),
            FANOUT,
        ),
        on_one_core(
            "fanout-1000: 1,000 subscribers, 64 in flight",
            |t, s| fanout(t, s, SPOKEN, 1000, 64),
            FANOUT,
        ),
        on_one_core(
            "fanout-one: 100 subscribers, one in flight",
            |t, s| fanout(t, s, SPOKEN, 100, 1),
            FANOUT_ONE,
        ),
        on_one_core("echo: 64 connections, one in flight each", |t, s| echo(t, s, SPOKEN), ECHO),
        on_one_core("idle: 10,000 connections", |t, _| idle(t, SPOKEN), IDLE),
        Case {
            name: "stored: 64 publishers, 32 in flight each, SQLite",
            section: Section::WebSocket,
            scenario: stored,
            subjects: &[Subject::Antiphon],
            storage: Storage::Disk,
            cores: Cores::Shared,
            metrics: STORED,
        },
    ]
}

fn socketio() -> Vec<Case> {
    const SPOKEN: Protocol = Protocol::SocketIo;
    let with_peers = |name, scenario, metrics| Case {
        name,
        section: Section::SocketIo,
        scenario,
        subjects: &[Subject::Reference, Subject::Antiphon, Subject::Socketioxide, Subject::NodeSocketIo],
        storage: Storage::Memory,
        cores: Cores::OneEach,
        metrics,
    };
    vec![
        with_peers(
            "socketio-room-100: 100 clients, 64 in flight",
            |t, s| fanout(t, s, SPOKEN, 100, 64),
            ROOM,
        ),
        with_peers(
            "socketio-room-1000: 1,000 clients, 64 in flight",
            |t, s| fanout(t, s, SPOKEN, 1000, 64),
            ROOM,
        ),
        with_peers(
            "socketio-one-100: 100 clients, one in flight",
            |t, s| fanout(t, s, SPOKEN, 100, 1),
            ROOM_ONE,
        ),
        with_peers(
            "socketio-one-1000: 1,000 clients, one in flight",
            |t, s| fanout(t, s, SPOKEN, 1000, 1),
            ROOM_ONE,
        ),
        with_peers(
            "socketio-ack: 64 clients emit with an acknowledgement, one in flight each",
            |t, s| echo(t, s, SPOKEN),
            ACK,
        ),
        with_peers("socketio-idle: 10,000 clients", |t, _| idle(t, SPOKEN), CLIENTS),
    ]
}

fn exp() -> Vec<Case> {
    let on_one_core = |name, storage| Case {
        name,
        section: Section::Exp,
        scenario: |t, _| devices(t),
        subjects: &[Subject::Antiphon],
        storage,
        cores: Cores::OneEach,
        metrics: ANSWERED,
    };
    vec![
        on_one_core("exp-memory: 1,000 devices answer a broadcast", Storage::Memory),
        on_one_core("exp-stored: the same, SQLite", Storage::Disk),
    ]
}

fn pubnub() -> Vec<Case> {
    let on_one_core = |name, storage| Case {
        name,
        section: Section::PubNub,
        scenario: long_polls,
        subjects: &[Subject::Antiphon],
        storage,
        cores: Cores::OneEach,
        metrics: POLLED,
    };
    vec![
        on_one_core("pubnub-memory: 5,000 long polls, 20 messages/s", Storage::Memory),
        on_one_core("pubnub-stored: the same, SQLite", Storage::Disk),
    ]
}

fn number(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("no case has none of something")
}

fn fanout(
    target: TargetArgs,
    span: Span,
    protocol: Protocol,
    subscribers: usize,
    in_flight: usize,
) -> Scenario {
    Scenario::Fanout(FanoutArgs {
        target,
        protocol,
        span,
        subscribers: number(subscribers),
        in_flight: number(in_flight),
        size: 128,
        rate: None,
    })
}

fn echo(target: TargetArgs, span: Span, protocol: Protocol) -> Scenario {
    let (connections, in_flight) = (number(64), number(1));
    Scenario::Echo(EchoArgs { target, protocol, span, connections, in_flight, size: 128 })
}

fn idle(target: TargetArgs, protocol: Protocol) -> Scenario {
    Scenario::Idle(IdleArgs { target, protocol, connections: number(10_000), opening: number(256) })
}

fn stored(target: TargetArgs, span: Span) -> Scenario {
    let (publishers, in_flight) = (number(64), number(32));
    Scenario::Publish(PublishArgs { target, span, publishers, in_flight, size: 128, transient: false })
}

fn devices(target: TargetArgs) -> Scenario {
    let rounds = NonZeroU32::new(100).expect("it is not 0");
    let (timeout, secret) = (Duration::from_secs(2), "antiphon-bench".to_owned());
    Scenario::Exp(ExpArgs { target, devices: number(1000), rounds, timeout, secret })
}

fn long_polls(target: TargetArgs, span: Span) -> Scenario {
    Scenario::PubNub(PubNubArgs {
        target,
        span,
        subscribers: number(5000),
        publishers: number(20),
        rate: 20.0,
        size: 128,
        publish_key: "demo".to_owned(),
        subscribe_key: "demo".to_owned(),
    })
}
