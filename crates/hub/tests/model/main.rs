//! The hub held against a simple reference, on random sequences of everything that may happen to it.
//!
//! What is proved of a subscriber that comes back with a position *p*: without a gap it has everything that was
//! delivered on its channels after *p*, once and in order, first what it missed and then live. With a gap it has
//! all that is kept, and something is missing; only where *p* lies in the future, before something that left
//! memory with its channel, or on a channel without history, may a gap be reported though nothing is missing.
//! That holds for channels that persist as far as the store has, at the time it is read, everything up to the
//! floor the hub names: it has to wait for what was delivered uncommitted.
//!
//! What is deleted is as if it had never been: no gap, and nobody who comes back has it. Who listens to a channel and to wildcards
//! above it has what is published there once. Who is where is known from both ends, and whoever adds up what presence events tell,
//! one by one or of some time together, knows who is here.

#![allow(clippy::unwrap_used)] // All of it is a test.

mod operation;
mod reference;
mod world;

use std::time::Duration;

use proptest::prelude::*;
use reference::Spec;
use world::World;

const AGE: Option<Duration> = Some(Duration::from_secs(10));

const SPECS: &[Spec] = &[
    Spec { name: "a.ring0", persist: false, history: 1000, ring: 0, age: None, presence: true },
    Spec { name: "a.b.ring2", persist: false, history: 1000, ring: 2, age: None, presence: true },
    Spec { name: "a.b.ring5", persist: false, history: 1000, ring: 5, age: AGE, presence: true },
    Spec { name: "stored0", persist: true, history: 1000, ring: 0, age: None, presence: true },
    Spec { name: "a.stored2", persist: true, history: 1000, ring: 2, age: AGE, presence: false },
    Spec { name: "a.b.typing", persist: false, history: 0, ring: 5, age: None, presence: false },
];

/// With more members than this, who comes and goes is told together.
const ANNOUNCE_MAX: usize = 1;

const INTERVAL: Duration = Duration::from_millis(1500);

/// Room for two names of one digit.
const INTERVAL_BYTES_MAX: usize = 8;

/// What wildcards are listened to, the one above the other.
const PREFIXES: [&str; 2] = ["a", "a.b"];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_hub_does_what_the_reference_says(operations in operation::operations(SPECS.len())) {
        let mut world = World::new(SPECS);
        for operation in operations {
            world.apply(operation);
        }
        world.wind_down();
    }
}
