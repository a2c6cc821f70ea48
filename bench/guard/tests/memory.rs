//! What is kept costs so many bytes.

use std::alloc::System;
use std::sync::Arc;

use antiphon_hub::{Hold, Hub, HubSettings, Inbox, Org, Rule, Rules, Since, WorkerId};
use antiphon_model::{ChannelFlags, ChannelId, Draft, Monotonic, Now, OrgId, Payload, Position, Timestamp};
use bytes::Bytes;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// As many as fill a hash table to seven eighths, and nearly so many that it doubles.
const CHANNELS: usize = 57_344;
const MESSAGES: usize = 10_000;
const MESSAGE_BYTES: usize = 128;
const NOW: Now = Now { wall: Timestamp(1_000), monotonic: Monotonic(std::time::Duration::ZERO) };

/// Bytes that are in use after `work`, and were not before.
fn bytes_kept<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let region = Region::new(ALLOCATOR);
    let kept = work();
    let change = region.change();
    (change.bytes_allocated - change.bytes_deallocated, kept)
}

fn org(hub: &Hub, rule: Rule) -> Arc<Org> {
    hub.add_org(
        OrgId::new("a"),
        Rules::new([Rule { persist: false, presence: false, ..rule }]),
        Position::ZERO,
    )
}

fn hub() -> Hub {
    Hub::new(HubSettings::default(), [Arc::new(Inbox::new(Box::new(|| {})))], Box::new(|| {}))
}

fn id(name: &str) -> Arc<ChannelId> {
    Arc::new(ChannelId::new(name, ChannelFlags::NONE).expect("a name"))
}

fn publish(org: &Org, channel: &Arc<ChannelId>) {
    let payload = Payload::Binary(Bytes::copy_from_slice(&[b'e'; MESSAGE_BYTES]));
    org.publish(Draft::new(Arc::clone(channel), payload), Hold::No, NOW).expect("room for one");
}

// One test: the allocator counts for all threads.
#[test]
fn channels_and_messages_are_small() {
    let hub = hub();
    let org = org(&hub, Rule::default());
    let (left, ()) = bytes_kept(|| {
        for number in 0..CHANNELS {
            let begun = org.subscribe(WorkerId(0), &id(&format!("room.{number:06}")), Since::Now, NOW);
            org.unsubscribe(WorkerId(0), begun.expect("room for one").channel, NOW);
        }
    });
    let channel = left / CHANNELS;
    println!("a channel that nobody listens to: {channel} bytes, its name of 11 included");

    let (used, ()) = bytes_kept(|| {
        for number in 0..CHANNELS {
            publish(&org, &id(&format!("room.{number:06}")));
        }
    });
    let first = used / CHANNELS;
    println!("its first message of {MESSAGE_BYTES} bytes: {first} bytes");

    let hub = self::hub();
    let org = self::org(&hub, Rule { history_size: MESSAGES, ring_size: MESSAGES, ..Rule::default() });
    let busy = id("busy");
    publish(&org, &busy);
    let (kept, ()) = bytes_kept(|| (1..MESSAGES).for_each(|_| publish(&org, &busy)));
    let message = kept / (MESSAGES - 1);
    println!("each of many: {message} bytes");

    assert!(channel <= 500, "a channel costs {channel} bytes");
    assert!(message <= MESSAGE_BYTES + 240, "a message of {MESSAGE_BYTES} bytes costs {message}");
}
