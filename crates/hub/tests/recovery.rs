//! Coming back: across a restart, to channels that left memory, and to several channels at once.

#![allow(clippy::unwrap_used)] // All of it is a test.

use std::sync::Arc;
use std::time::Duration;

use antiphon_hub::{
    Departure, Hold, Hub, HubSettings, Inbox, Org, Outcome, PresenceError, Rule, Rules, Since,
    SubscribeError, WorkerId,
};
use antiphon_model::{
    ChannelFlags, ChannelId, ChannelPattern, Draft, Identity, IdentityKind, Monotonic, Now, OrgId, Payload,
    Position, SessionId, Timestamp,
};

const WORKER: WorkerId = WorkerId(0);

fn at(wall: u64, millis: u64) -> Now {
    Now { wall: Timestamp(wall), monotonic: Monotonic(Duration::from_millis(millis)) }
}

fn channel(name: &str) -> Arc<ChannelId> {
    Arc::new(ChannelId::new(name, ChannelFlags::NONE).unwrap())
}

fn hub(settings: HubSettings, floor: Position) -> (Hub, Arc<Org>) {
    let hub = Hub::new(settings, [Arc::new(Inbox::new(Box::new(|| {})))], Box::new(|| {}));
    let memory = Rule {
        channels: ChannelPattern::new("memory*"),
        persist: false,
        history_age: None,
        ..Rule::default()
    };
    let org = hub.add_org(OrgId::new("a"), Rules::new([memory]), floor);
    (hub, org)
}

fn publish(org: &Org, id: &Arc<ChannelId>, now: Now) -> Position {
    held(org, id, Hold::No, now)
}

fn held(org: &Org, id: &Arc<ChannelId>, hold: Hold, now: Now) -> Position {
    org.publish(Draft::new(Arc::clone(id), Payload::Text("x".into())), hold, now).unwrap().position
}

#[test]
fn positions_rise_across_a_restart_though_the_clock_stepped_back() {
    let id = channel("stored");
    let (_hub, org) = hub(HubSettings::default(), Position::ZERO);
    let before: Vec<_> = (0..10).map(|n| publish(&org, &id, at(5000 - n * 100, n))).collect();
    let last = org.last_position();
    let (_hub, org) = hub(HubSettings::default(), last);
    assert_eq!((org.delivered(), org.last_position()), (last, last));
    let after: Vec<_> = (0..10).map(|n| publish(&org, &id, at(100 + n, n))).collect();
    let all = [before, after].concat();
    assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
    // Who was there before is sent to the store, or, where there is none, told that nobody knows.
    let since = Since::After(all[3]);
    let begun = org.subscribe(WORKER, &id, since, at(200, 20));
    assert_eq!(begun.unwrap_err(), SubscribeError::NotInMemory { floor: last });
    assert!(org.subscribe(WORKER, &channel("memory"), since, at(200, 20)).unwrap().gap);
    let begun = org.subscribe(WORKER, &id, Since::After(last), at(200, 20)).unwrap();
    assert_eq!((begun.missed.len(), begun.gap), (10, false));
}

#[test]
fn a_channel_that_was_never_used_has_no_gap() {
    let (_hub, org) = hub(HubSettings::default(), Position(10));
    let (quiet, busy) = (channel("memory, quiet"), channel("memory, busy"));
    let seen = publish(&org, &busy, at(100, 0));
    publish(&org, &busy, at(200, 0));
    assert_eq!(org.recent(&quiet, seen, 10, at(200, 0)).floor, Position(10));
    let missed = publish(&org, &quiet, at(300, 0));
    let begun = org.subscribe(WORKER, &quiet, Since::After(seen), at(300, 0)).unwrap();
    assert_eq!((begun.missed[0].position, begun.missed.len(), begun.gap), (missed, 1, false));
}

#[test]
fn what_left_memory_with_its_channel_is_in_doubt_and_nothing_younger() {
    let settings = HubSettings { channel_idle: Duration::from_millis(100), ..HubSettings::default() };
    let (hub, org) = hub(settings, Position(10));
    let (stored, quiet) = (channel("stored"), channel("memory"));
    let early = publish(&org, &stored, at(100, 0));
    let forgotten = publish(&org, &stored, at(200, 0));
    hub.handle_timeout(at(300, 100));
    assert_eq!(org.stats().channels, 0);
    let subscribe = |id, position| org.subscribe(WORKER, id, Since::After(position), at(300, 100));
    assert!(subscribe(&quiet, early).unwrap().gap);
    assert!(!subscribe(&quiet, forgotten).unwrap().gap);
    assert_eq!(subscribe(&stored, early).unwrap_err(), SubscribeError::NotInMemory { floor: forgotten });
    assert!(!subscribe(&stored, forgotten).unwrap().gap);
}

#[test]
fn who_published_what_is_still_held_is_not_sent_it() {
    let (_hub, org) = hub(HubSettings::default(), Position::ZERO);
    let id = channel("memory");
    let until = Hold::Until(Monotonic(Duration::from_secs(1)));
    let own = held(&org, &id, until, at(100, 0));
    let begun = org.subscribe(WORKER, &id, Since::After(own), at(100, 1)).unwrap();
    assert_eq!((begun.from, begun.gap), (own, false));
    let ahead = org.subscribe(WORKER, &id, Since::After(own.next()), at(100, 1)).unwrap();
    assert_eq!((ahead.from, ahead.gap), (Position::ZERO, true));
}

#[test]
fn memory_does_not_move_on_while_the_store_is_read() {
    let (_hub, org) = hub(HubSettings::default(), Position::ZERO);
    let id = channel("stored");
    let ring_size = Rule::default().ring_size as u64;
    let first = publish(&org, &id, at(100, 0));
    (0..ring_size).for_each(|n| _ = publish(&org, &id, at(200 + n, 0)));
    let refused = org.subscribe(WORKER, &id, Since::After(Position(1)), at(1000, 0)).unwrap_err();
    assert_eq!(refused, SubscribeError::NotInMemory { floor: first });
    (0..ring_size).for_each(|n| _ = publish(&org, &id, at(2000 + n, 999)));
    let begun = org.subscribe(WORKER, &id, Since::After(first), at(3000, 999)).unwrap();
    assert_eq!((begun.missed.len() as u64, begun.gap), (2 * ring_size, false));
    // It does if the reader has taken too long for that.
    publish(&org, &id, at(4000, 1000));
    assert!(org.subscribe(WORKER, &id, Since::After(first), at(4000, 1000)).is_err());
    let kept = org.recent(&id, Position::ZERO, usize::MAX, at(4000, 1000)).publications.len() as u64;
    assert_eq!(kept, ring_size);
}

#[test]
fn several_channels_begin_at_one_point_or_not_at_all() {
    let settings = HubSettings { channels_max: 2, ..HubSettings::default() };
    let (hub, org) = hub(settings, Position(10));
    let (memory, stored) = (channel("memory"), channel("stored"));
    let wanted = [(Arc::clone(&memory), Since::Now), (Arc::clone(&stored), Since::After(Position(5)))];
    let refused = org.subscribe_all(WORKER, &wanted, at(100, 0)).unwrap_err();
    assert_eq!((refused.index, refused.error), (1, SubscribeError::NotInMemory { floor: Position(10) }));
    publish(&org, &memory, at(100, 0));
    assert!(hub.inbox(WORKER).is_empty(), "not even the one before the refused one began");
    let wanted = [wanted[0].clone(), (stored, Since::After(Position(10))), (channel("third"), Since::Now)];
    let refused = org.subscribe_all(WORKER, &wanted, at(100, 0)).unwrap_err();
    assert_eq!(refused.index, 2);
    assert!(matches!(refused.error, SubscribeError::TooManyChannels(_)));
    let begun = org.subscribe_all(WORKER, &wanted[..2], at(100, 0)).unwrap();
    assert_eq!(begun[0].from, begun[1].from);
}

#[test]
fn a_shorter_hold_behind_a_longer_one_is_woken_for() {
    let (hub, org) = hub(HubSettings::default(), Position::ZERO);
    let id = channel("memory");
    let until = |millis| Hold::Until(Monotonic(Duration::from_millis(millis)));
    let first = held(&org, &id, until(80), at(100, 0));
    let second = held(&org, &id, until(50), at(100, 0));
    hub.handle_timeout(at(100, 10));
    org.settle(first, Outcome::Deliver, at(100, 20));
    assert_eq!(hub.poll_timeout(), Some(Monotonic(Duration::from_millis(50))));
    hub.handle_timeout(at(100, 50));
    assert_eq!(org.delivered(), second);
}

#[test]
fn a_deadline_past_the_end_of_time_does_not_keep_the_clock_busy() {
    let (hub, org) = hub(HubSettings::default(), Position::ZERO);
    held(&org, &channel("stored"), Hold::Until(Monotonic(Duration::MAX)), at(100, 0));
    hub.handle_timeout(at(100, 10));
    assert_eq!(hub.poll_timeout(), None);
}

#[test]
fn who_may_not_be_present_leaves_no_channel_behind() {
    let settings = HubSettings { members_max: 0, ..HubSettings::default() };
    let idle = settings.channel_idle;
    let (hub, org) = hub(settings, Position::ZERO);
    let (id, ann) = (channel("stored"), Arc::new(Identity::new(IdentityKind::User, "ann")));
    let joined = org.join(&id, &ann, SessionId(1), None, at(100, 0));
    assert_eq!(joined, Err(PresenceError::TooManyMembers));
    org.leave(&id, &ann, SessionId(1), Departure::Left, at(100, 0));
    let later = Now { monotonic: Monotonic(idle), ..at(100, 0) };
    hub.handle_timeout(later);
    assert_eq!((org.stats().channels, hub.poll_timeout()), (0, None));
}

#[test]
fn what_found_no_room_in_memory_is_in_doubt() {
    let settings = HubSettings { channels_max: 1, ..HubSettings::default() };
    let idle = settings.channel_idle;
    let (hub, org) = hub(settings, Position::ZERO);
    let (first, second) = (channel("stored"), channel("memory"));
    // Neither is in memory while they are held, so that both are let in.
    let until = Hold::Until(Monotonic(Duration::from_millis(10)));
    let seen = held(&org, &first, until, at(100, 0));
    let unkept = held(&org, &second, until, at(100, 0));
    hub.handle_timeout(at(100, 10));
    assert_eq!((org.delivered(), org.stats().channels), (unkept, 1));
    let later = Now { wall: Timestamp(100), monotonic: Monotonic(Duration::from_millis(10) + idle) };
    hub.handle_timeout(later);
    assert!(org.subscribe(WORKER, &second, Since::After(seen), later).unwrap().gap);
}

#[test]
fn presence_that_nobody_watches_takes_no_memory() {
    let (_hub, org) = hub(HubSettings::default(), Position::ZERO);
    let (id, ann) = (channel("stored"), Arc::new(Identity::new(IdentityKind::User, "ann")));
    org.join(&id, &ann, SessionId(1), None, at(100, 0)).unwrap();
    assert_eq!((org.stats().channels, org.stats().publications), (1, 1));
}
