//! How often memory is allocated: for each message a few times, for each of its deliveries never.

use std::alloc::System;

use antiphon_guard::{Listeners, Stage};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const TURNS: u64 = 10;

/// Allocations, growing ones included, of so many turns.
fn allocations(stage: &mut Stage) -> usize {
    let region = Region::new(ALLOCATOR);
    stage.turns(TURNS);
    let change = region.change();
    change.allocations + change.reallocations
}

/// Allocations of a turn, and of each listener's share of it, where whatever grows to its size has done so.
fn of_turn_and_listener(listeners: Listeners, in_flight: usize) -> (f64, f64) {
    let [few, many] = [10, 310].map(|count| {
        let mut stage = Stage::new(listeners, count, in_flight);
        stage.turns(5);
        let before = stage.deliveries();
        let allocations = allocations(&mut stage);
        assert_eq!(stage.deliveries() - before, TURNS * (count * in_flight) as u64);
        allocations as f64 / TURNS as f64
    });
    (few, (many - few) / 300.0)
}

// One test: the allocator counts for all threads.
#[test]
fn a_delivery_allocates_nothing() {
    for listeners in [Listeners::Raw, Listeners::V1, Listeners::SocketIo] {
        for in_flight in [1, 64] {
            let (turn, listener) = of_turn_and_listener(listeners, in_flight);
            println!(
                "{listeners:?}, {in_flight} at a time: {turn} allocations a turn, {listener} for each listener"
            );
            assert_eq!(listener, 0.0, "{listeners:?}, {in_flight} at a time");
        }
    }
    // What hyper allocates is for each piece of an answer, whatever is in it.
    let (_, one) = of_turn_and_listener(Listeners::Sse, 1);
    let (_, many) = of_turn_and_listener(Listeners::Sse, 64);
    println!("Sse: {one} allocations for a listener's one message, {many} for 64");
    assert_eq!(one, many, "64 deliveries at a time allocate no more than one");
}
