//! What is measured, and what is aimed at.

use std::num::NonZeroUsize;

use antiphon_bench::{EchoArgs, FanoutArgs, IdleArgs, PublishArgs, Report, Scenario, Span, TargetArgs};

/// A load, and what of its report goes into the table.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) scenario: fn(TargetArgs, Span) -> Scenario,
    pub(super) has_reference: bool,
    pub(super) storage: Storage,
    pub(super) cores: Cores,
    pub(super) metrics: &'static [Metric],
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

const FANOUT: &[Metric] = &[
    Metric {
        name: "deliveries/s",
        value: |report| Some(report.per_second),
        decimals: 0,
        goal: Goal::RatioFloor(0.7),
    },
    CPU,
];

const FANOUT_ONE: &[Metric] = &[Metric { goal: Goal::RatioCeiling(1.25), ..CPU }];

const ECHO: &[Metric] = &[
    Metric {
        name: "requests/s",
        value: |report| Some(report.per_second),
        decimals: 0,
        goal: Goal::RatioFloor(0.8),
    },
    CPU,
];

const IDLE: &[Metric] = &[
    Metric {
        name: "connects/s",
        value: |report| Some(report.per_second),
        decimals: 0,
        goal: Goal::Floor(25_000.0),
    },
    Metric {
        name: "resident bytes each",
        value: |report| report.memory.map(|memory| memory.bytes_per_connection),
        decimals: 0,
        goal: Goal::Ceiling(2048.0),
    },
    CPU,
];

const STORED: &[Metric] = &[Metric {
    name: "acknowledged/s",
    value: |report| Some(report.per_second),
    decimals: 0,
    goal: Goal::Floor(80_000.0),
}];

/// Every case, in the order of the table.
pub(super) fn all() -> Vec<Case> {
    let on_one_core = |name, scenario, metrics| Case {
        name,
        scenario,
        has_reference: true,
        storage: Storage::Memory,
        cores: Cores::OneEach,
        metrics,
    };
    vec![
        on_one_core("fanout-100: 100 subscribers, 64 in flight", |t, s| fanout(t, s, 100, 64), FANOUT),
        on_one_core("fanout-1000: 1,000 subscribers, 64 in flight", |t, s| fanout(t, s, 1000, 64), FANOUT),
        on_one_core("fanout-one: 100 subscribers, one in flight", |t, s| fanout(t, s, 100, 1), FANOUT_ONE),
        on_one_core("echo: 64 connections, one in flight each", echo, ECHO),
        on_one_core("idle: 10,000 connections", idle, IDLE),
        Case {
            name: "stored: 64 publishers, 32 in flight each, SQLite",
            scenario: stored,
            has_reference: false,
            storage: Storage::Disk,
            cores: Cores::Shared,
            metrics: STORED,
        },
    ]
}

fn number(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("no case has none of something")
}

fn fanout(target: TargetArgs, span: Span, subscribers: usize, in_flight: usize) -> Scenario {
    Scenario::Fanout(FanoutArgs {
        target,
        span,
        subscribers: number(subscribers),
        in_flight: number(in_flight),
        size: 128,
        rate: None,
    })
}

fn echo(target: TargetArgs, span: Span) -> Scenario {
    Scenario::Echo(EchoArgs { target, span, connections: number(64), in_flight: number(1), size: 128 })
}

fn idle(target: TargetArgs, _: Span) -> Scenario {
    Scenario::Idle(IdleArgs { target, connections: number(10_000), opening: number(256) })
}

fn stored(target: TargetArgs, span: Span) -> Scenario {
    let (publishers, in_flight) = (number(64), number(32));
    Scenario::Publish(PublishArgs { target, span, publishers, in_flight, size: 128, transient: false })
}
