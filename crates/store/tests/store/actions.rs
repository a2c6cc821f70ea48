//! The part of the suite that is about actions on messages.

use std::sync::Arc;

use antiphon_model::{ChannelId, OrgId, Position, Timestamp};
use antiphon_store::{
    Action, ActionPage, ActionQuery, ActionRange, Added, Entry, Removed, Store, StoreError, StoreSettings,
};

use crate::fixture::{Fixture, SECOND, append, channel, done, org, plain, wait};
use crate::history::delete;

pub(crate) fn action(message: u64, position: u64, kind: &str, value: &str, publisher: &str) -> Action {
    let (message, position) = (Position(message), Position(position));
    Action { message, position, kind: kind.into(), value: value.into(), publisher: publisher.into() }
}

pub(crate) fn add(
    store: &Arc<dyn Store>,
    channel: &Arc<ChannelId>,
    action: Action,
) -> Result<Added, StoreError> {
    done(|done| store.add_action(&org(), channel, action, done))
}

fn like(
    store: &Arc<dyn Store>,
    channel: &Arc<ChannelId>,
    message: u64,
    position: u64,
) -> Result<Added, StoreError> {
    add(store, channel, action(message, position, "like", &position.to_string(), "alice"))
}

fn remove(
    store: &Arc<dyn Store>,
    channel: &Arc<ChannelId>,
    message: u64,
    position: u64,
    publisher: &str,
) -> Removed {
    done(|done| store.remove_action(&org(), channel, Position(message), Position(position), publisher, done))
        .unwrap()
}

fn ask(store: &Arc<dyn Store>, channel: &Arc<ChannelId>, by: ActionRange, limit: usize) -> ActionPage {
    wait(store.actions(&org(), channel, ActionQuery { by, limit })).unwrap()
}

fn by_messages(after: u64, until: u64) -> ActionRange {
    ActionRange::ByMessages { after: Position(after), until: Position(until) }
}

fn by_actions(start: u64, end: u64) -> ActionRange {
    ActionRange::ByActions { start: Position(start), end: Position(end) }
}

/// The positions of all actions of a channel, by message.
pub(crate) fn all(store: &Arc<dyn Store>, channel: &Arc<ChannelId>) -> Vec<u64> {
    own(&ask(store, channel, by_messages(0, u64::MAX), usize::MAX))
}

fn own(page: &ActionPage) -> Vec<u64> {
    page.actions.iter().map(|action| action.position.0).collect()
}

pub(crate) fn actions_are_added_read_and_removed(fixture: &Fixture) {
    let store = fixture.open();
    let room = channel("Zimmer/ü 🦀");
    append(&store, plain(&room, 1)).unwrap();
    let said = action(1, 10, "réaction", "👍🏽\0'\"", "名前");
    assert_eq!(add(&store, &room, said.clone()), Ok(Added::New));
    assert_eq!(ask(&store, &room, by_messages(0, 1), 10).actions, std::slice::from_ref(&said));
    let again = Action { position: Position(11), ..said.clone() };
    assert_eq!(add(&store, &room, again.clone()), Ok(Added::Exists));
    // Another kind, value, publisher, message, channel or org is another action.
    for (n, other) in (12..).zip([
        Action { kind: "Réaction".into(), ..said.clone() },
        Action { value: "".into(), ..said.clone() },
        Action { publisher: "名".into(), ..said.clone() },
        Action { message: Position(2), ..said.clone() },
    ]) {
        assert_eq!(add(&store, &room, Action { position: Position(n), ..other }), Ok(Added::New), "{n}");
    }
    assert_eq!(add(&store, &channel("other"), said.clone()), Ok(Added::New));
    let foreign = OrgId::new("foreign");
    assert_eq!(done(|done| store.add_action(&foreign, &room, said.clone(), done)), Ok(Added::New));
    let taken = action(1, 10, "another", "", "bob");
    assert_eq!(add(&store, &room, taken), Err(StoreError::PositionTaken(Position(10))));
    assert_eq!(all(&store, &room), [10, 12, 13, 14, 15]);

    assert_eq!(remove(&store, &room, 1, 10, "alice"), Removed::OtherPublisher);
    assert_eq!(remove(&store, &room, 2, 10, "名前"), Removed::NoSuch);
    assert_eq!(remove(&store, &room, u64::MAX, 10, "名前"), Removed::NoSuch);
    assert_eq!(remove(&store, &channel("unknown"), 1, 10, "名前"), Removed::NoSuch);
    assert_eq!(remove(&store, &room, 1, 10, "名前"), Removed::Yes);
    assert_eq!(remove(&store, &room, 1, 10, "名前"), Removed::NoSuch);
    assert_eq!(add(&store, &room, again), Ok(Added::New));
    assert_eq!(all(&store, &room), [11, 12, 13, 14, 15]);
    assert_eq!((all(&store, &channel("other")), all(&store, &channel("unknown"))), (vec![10], vec![]));
    let of_foreign = ActionQuery { by: by_messages(0, 9), limit: 9 };
    assert_eq!(wait(store.actions(&foreign, &room, of_foreign)).unwrap().actions, [said]);
}

pub(crate) fn actions_are_read_by_messages_and_by_their_own_positions(fixture: &Fixture) {
    let store = fixture.open();
    let room = channel("room");
    for (message, position) in [(1, 10), (2, 11), (1, 12), (3, 13), (2, 14)] {
        assert_eq!(like(&store, &room, message, position), Ok(Added::New));
    }
    for (range, limit, expected, more) in [
        (by_messages(0, 3), 10, vec![10, 12, 11, 14, 13], false),
        (by_messages(0, 3), 3, vec![10, 12, 11], true),
        (by_messages(1, 2), 10, vec![11, 14], false),
        (by_messages(3, u64::MAX), 10, vec![], false),
        (by_messages(2, 2), 10, vec![], false),
        (by_messages(3, 1), 10, vec![], false),
        (by_messages(u64::MAX, u64::MAX), 10, vec![], false),
        (by_messages(0, 3), 0, vec![], true),
        (by_actions(u64::MAX, 0), 10, vec![10, 11, 12, 13, 14], false),
        (by_actions(u64::MAX, 0), 2, vec![13, 14], true),
        (by_actions(13, 0), 2, vec![11, 12], true),
        (by_actions(11, 0), 2, vec![10], false),
        (by_actions(14, 11), 10, vec![11, 12, 13], false),
        (by_actions(11, 11), 10, vec![], false),
        (by_actions(0, 0), 10, vec![], false),
        (by_actions(11, 13), 10, vec![], false),
        (by_actions(u64::MAX, u64::MAX), 10, vec![], false),
    ] {
        let page = ask(&store, &room, range, limit);
        assert_eq!((own(&page), page.more), (expected, more), "{range:?} limit {limit}");
    }
}

pub(crate) fn actions_go_with_their_message(fixture: &Fixture) {
    let store = fixture.open();
    let room = channel("room");
    let expiring = |n| Entry { expires: Some(Timestamp(2 * SECOND)), ..plain(&room, n) };
    for n in 1..=6 {
        append(&store, if n == 3 { expiring(n) } else { plain(&room, n) }).unwrap();
        assert_eq!(like(&store, &room, n, 10 + n), Ok(Added::New));
    }
    assert_eq!(delete(&store, &room, 4, 5), Ok(1));
    assert_eq!(all(&store, &room), [11, 12, 13, 14, 16]);
    fixture.set_now(2 * SECOND);
    assert_eq!(all(&store, &room), [11, 12, 14, 16], "at once, swept or not");
    assert_eq!(remove(&store, &room, 3, 13, "alice"), Removed::NoSuch);
    wait(store.sweep()).unwrap();
    fixture.set_now(0);
    assert_eq!(all(&store, &room), [11, 12, 14, 16], "what was swept does not come back with the time");
    append(&store, Entry { keep: Some(2), ..plain(&room, 7) }).unwrap();
    wait(store.sweep()).unwrap();
    assert_eq!(all(&store, &room), [16]);
    assert_eq!(delete(&store, &room, 0, 9), Ok(2));
    assert_eq!(all(&store, &room), [0; 0]);
}

pub(crate) fn actions_without_a_message_go_in_time(fixture: &Fixture) {
    let settings = StoreSettings {
        actions_without_message_secs: 10,
        forget_channel_secs: 1,
        idempotency_keep_secs: 1,
        ..StoreSettings::default()
    };
    let store = fixture.open_with(&settings);
    let (room, other) = (channel("room"), channel("other"));
    append(&store, plain(&other, 5)).unwrap();
    for (channel, message) in [(&room, 5), (&other, 6), (&other, 5)] {
        assert_eq!(like(&store, channel, message, 10), Ok(Added::New));
    }
    fixture.set_now(10 * SECOND - 1);
    wait(store.sweep()).unwrap();
    assert_eq!((all(&store, &room), all(&store, &other)), (vec![10], vec![10, 10]));
    fixture.set_now(10 * SECOND);
    assert_eq!((all(&store, &room), all(&store, &other)), (vec![], vec![10]));
    // The same can be said again when what was said is gone.
    assert_eq!(like(&store, &room, 5, 10), Ok(Added::New));
    fixture.set_now(30 * SECOND);
    wait(store.sweep()).unwrap();
    assert_eq!((all(&store, &room), all(&store, &other)), (vec![], vec![10]));
    assert_eq!(like(&store, &room, 5, 11), Ok(Added::New));
    assert_eq!(delete(&store, &room, 4, 5), Ok(0));
    assert_eq!(all(&store, &room), [0; 0], "deleting goes by where the message would be");
}

pub(crate) fn actions_are_bounded(fixture: &Fixture) {
    let settings = StoreSettings {
        actions_per_message_max: 3,
        page_entries_max: 4,
        page_bytes_max: 5_000,
        ..StoreSettings::default()
    };
    let store = fixture.open_with(&settings);
    let room = channel("room");
    for n in 1..=3 {
        assert_eq!(like(&store, &room, 1, n), Ok(Added::New));
    }
    assert_eq!(like(&store, &room, 1, 4), Err(StoreError::LimitReached("actions_per_message_max")));
    let same = action(1, 5, "like", "3", "alice");
    assert_eq!(add(&store, &room, same), Ok(Added::Exists), "the limit comes after");
    assert_eq!(like(&store, &room, 2, 4), Ok(Added::New));
    assert_eq!(remove(&store, &room, 1, 2, "alice"), Removed::Yes);
    assert_eq!(like(&store, &room, 1, 5), Ok(Added::New));
    assert_eq!(like(&store, &room, 2, 6), Ok(Added::New));
    let page = ask(&store, &room, by_messages(0, 9), 100);
    assert_eq!((own(&page), page.more), (vec![1, 3, 5, 4], true));
    for position in [11, 12] {
        let long = "x".repeat(3_000 + position as usize);
        assert_eq!(add(&store, &room, action(7, position, "long", &long, "bob")), Ok(Added::New));
    }
    let large = add(&store, &room, action(8, 13, &"x".repeat(1 << 20), "", ""));
    assert!(matches!(large, Err(StoreError::Unstorable(_))), "{large:?}");
    let page = ask(&store, &room, by_messages(6, 9), 100);
    assert_eq!((own(&page), page.more), (vec![11], true));
    for (message, position) in [(1 << 63, 1), (1, 1 << 63)] {
        let beyond = like(&store, &room, message, position);
        assert!(matches!(beyond, Err(StoreError::Unstorable(_))), "{beyond:?}");
    }
}

#[test]
fn actions_in_memory_go_with_what_gives_way_and_are_bounded() {
    let fixture = Fixture::memory();
    let store = fixture.open_with(&StoreSettings { memory_entries_max: 3, ..StoreSettings::default() });
    let (room, other) = (channel("room"), channel("other"));
    // The oldest in the store is not the oldest of its channel.
    for (channel, n) in [(&room, 5), (&room, 1), (&other, 2)] {
        append(&store, plain(channel, n)).unwrap();
        assert_eq!(like(&store, channel, n, 10 + n), Ok(Added::New));
    }
    let limit = Err(StoreError::LimitReached("memory_entries_max"));
    assert_eq!(like(&store, &other, 2, 20), limit);
    append(&store, plain(&other, 6)).unwrap();
    assert_eq!((all(&store, &room), all(&store, &other)), (vec![11], vec![12]));
    assert_eq!(like(&store, &other, 2, 20), Ok(Added::New));
    assert_eq!(like(&store, &other, 2, 21), limit);
}
