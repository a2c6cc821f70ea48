//! The part of the suite that is about deleting and counting publications.

use std::sync::Arc;
use std::sync::mpsc;

use antiphon_model::{ChannelId, OrgId, Position, Timestamp};
use antiphon_store::{End, Entry, Range, Store, StoreError, StoreSettings};

use crate::fixture::{
    Fixture, SECOND, append, append_and_forget, channel, done, everything, org, plain, positions, read,
    read_at, wait,
};

pub(crate) fn delete(
    store: &Arc<dyn Store>,
    channel: &Arc<ChannelId>,
    after: u64,
    until: u64,
) -> Result<u64, StoreError> {
    done(|done| store.delete(&org(), channel, Position(after), Position(until), done))
}

fn count(store: &Arc<dyn Store>, channel: &Arc<ChannelId>, after: u64) -> u64 {
    wait(store.count(&org(), channel, Position(after))).unwrap()
}

pub(crate) fn a_range_is_filled_from_the_end_that_is_asked_for(fixture: &Fixture) {
    let store = fixture.open();
    let room = channel("room");
    for n in 1..=5 {
        append(&store, plain(&room, n * 10)).unwrap();
    }
    let between =
        |after, until, from| Range::Between { after: Position(after), until: Position(until), from };
    for (range, limit, expected, more) in [
        (between(10, 40, End::Oldest), 2, vec![20, 30], true),
        (between(10, 40, End::Newest), 2, vec![30, 40], true),
        (between(10, 40, End::Newest), 3, vec![20, 30, 40], false),
        (between(9, 10, End::Newest), 3, vec![10], false),
        (between(40, 10, End::Newest), 3, vec![], false),
        (between(0, u64::MAX, End::Newest), 1, vec![50], true),
        (between(u64::MAX, u64::MAX, End::Newest), 1, vec![], false),
        (between(u64::MAX, u64::MAX, End::Oldest), 1, vec![], false),
    ] {
        let page = read_at(&store, &room, range, limit, 0);
        assert_eq!((positions(&page), page.more), (expected, more), "{range:?} limit {limit}");
    }
}

pub(crate) fn publications_are_deleted_and_counted(fixture: &Fixture) {
    let store = fixture.open();
    let (room, other) = (channel("Zimmer/ü 🦀"), channel("other"));
    for n in 1..=10 {
        append(&store, plain(&room, n)).unwrap();
        append(&store, plain(&other, n)).unwrap();
    }
    let foreign = Entry { org: OrgId::new("foreign"), ..plain(&room, 5) };
    append(&store, foreign).unwrap();
    assert_eq!((count(&store, &room, 0), count(&store, &room, 4), count(&store, &room, 10)), (10, 6, 0));
    assert_eq!(delete(&store, &room, 4, 6), Ok(2));
    assert_eq!(delete(&store, &room, 4, 6), Ok(0));
    let page = read(&store, &room, everything());
    assert_eq!(positions(&page), [1, 2, 3, 4, 7, 8, 9, 10]);
    assert_eq!(page.trimmed_to, Position::ZERO, "what went from amid others makes no gap");
    assert_eq!((count(&store, &room, 0), count(&store, &room, 4)), (8, 4));
    assert_eq!(delete(&store, &room, 0, 2), Ok(2));
    assert_eq!(read(&store, &room, everything()).trimmed_to, Position(2), "the oldest make one");
    assert_eq!(delete(&store, &room, 0, u64::MAX), Ok(6));
    let page = read(&store, &room, everything());
    assert_eq!((positions(&page), page.trimmed_to), (vec![], Position(10)));
    for (after, until) in [(7, 7), (8, 2), (u64::MAX, u64::MAX), (u64::MAX, 0), (1 << 63, u64::MAX)] {
        assert_eq!(delete(&store, &other, after, until), Ok(0), "{after} {until}");
        assert_eq!(count(&store, &other, after), (10_u64).saturating_sub(after), "{after}");
    }
    assert_eq!(delete(&store, &channel("unknown"), 0, u64::MAX), Ok(0));
    assert_eq!(count(&store, &channel("unknown"), 0), 0);
    assert_eq!(count(&store, &other, 0), 10);
    assert_eq!(wait(store.count(&OrgId::new("foreign"), &room, Position(0))), Ok(1));
    // The channel goes on.
    append(&store, plain(&room, 11)).unwrap();
    assert_eq!(positions(&read(&store, &room, everything())), [11]);
    assert_eq!(store.stats().removed, 0, "that is for retention");
}

pub(crate) fn counting_leaves_out_what_has_expired_and_ends_somewhere(fixture: &Fixture) {
    let store = fixture.open_with(&StoreSettings { page_entries_max: 5, ..StoreSettings::default() });
    let room = channel("room");
    for n in 1..=8 {
        let expires = (n % 2 == 0).then_some(Timestamp(SECOND));
        append(&store, Entry { expires, ..plain(&room, n) }).unwrap();
    }
    assert_eq!((count(&store, &room, 0), count(&store, &room, 4)), (5, 4));
    fixture.set_now(SECOND);
    assert_eq!((count(&store, &room, 0), count(&store, &room, 4)), (4, 2));
}

pub(crate) fn what_is_kept_is_trimmed_right_after_deleting(fixture: &Fixture) {
    let store = fixture.open();
    let room = channel("room");
    for n in 1..=10 {
        append(&store, Entry { keep: Some(10), ..plain(&room, n) }).unwrap();
    }
    assert_eq!(delete(&store, &room, 2, 5), Ok(3));
    for n in 11..=14 {
        append(&store, Entry { keep: Some(10), ..plain(&room, n) }).unwrap();
    }
    wait(store.sweep()).unwrap();
    assert_eq!(positions(&read(&store, &room, everything())), [2, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
}

/// Holds up the writer until it is told to go on.
pub(crate) fn hold_up(store: &Arc<dyn Store>, position: u64) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let (reach, reached) = mpsc::channel::<()>();
    let hold = move |_| {
        reach.send(()).unwrap();
        released.recv().unwrap();
    };
    store.append(plain(&channel("held up"), position), Box::new(hold));
    reached.recv().unwrap();
    release
}

pub(crate) fn a_change_comes_after_what_was_queued_before_it(fixture: &Fixture) {
    let store = fixture.open_with(&StoreSettings { group_entries_max: 3, ..StoreSettings::default() });
    let room = channel("room");
    let release = hold_up(&store, 1);
    let (order, told) = mpsc::channel();
    for n in 1..=20 {
        let (appended, deleted) = (order.clone(), order.clone());
        store.append(
            plain(&room, n),
            Box::new(move |outcome| appended.send((n, outcome.map(|_| 0))).unwrap()),
        );
        let done = Box::new(move |outcome| deleted.send((n, outcome)).unwrap());
        store.delete(&org(), &room, Position(n - 1), Position(n), done);
    }
    assert_eq!(store.queue_len(), 41);
    release.send(()).unwrap();
    wait(store.flush()).unwrap();
    assert_eq!(store.queue_len(), 0);
    let told: Vec<_> = told.try_iter().collect();
    assert_eq!(told.len(), 40, "flush waits for changes too");
    for n in 1..=20 {
        let of_n: Vec<_> =
            told.iter().filter(|(one, _)| *one == n).map(|(_, outcome)| outcome.clone()).collect();
        assert_eq!(of_n, [Ok(0), Ok(1)], "{n} was stored and then deleted");
    }
    assert_eq!(positions(&read(&store, &room, everything())), [0; 0]);
}

pub(crate) fn many_are_deleted_in_steps(fixture: &Fixture) {
    let store = fixture.open();
    let (room, other) = (channel("room"), channel("other"));
    for n in 1..=9_000 {
        append_and_forget(&store, plain(&room, n));
    }
    wait(store.flush()).unwrap();
    let (told, deleted) = mpsc::channel();
    let tell = told.clone();
    store.delete(
        &org(),
        &room,
        Position(500),
        Position(8_500),
        Box::new(move |outcome| tell.send(outcome).unwrap()),
    );
    for n in 9_001..=9_100 {
        assert!(append(&store, plain(&other, n)).is_ok());
    }
    assert_eq!(deleted.recv().unwrap(), Ok(8_000));
    let kept: Vec<u64> = (1..=500).chain(8_501..=9_000).collect();
    assert_eq!(positions(&read(&store, &room, everything())), kept);
    // What has begun is brought to its end, and what is queued begins.
    for _ in 0..2 {
        let tell = told.clone();
        store.delete(
            &org(),
            &room,
            Position(0),
            Position(9_000),
            Box::new(move |outcome| tell.send(outcome).unwrap()),
        );
    }
    assert_eq!(store.close(), Ok(()));
    // They take turns, so each may have some.
    let shares: Vec<u64> = deleted.try_iter().map(Result::unwrap).collect();
    assert_eq!((shares.len(), shares.iter().sum()), (2, 1_000_u64), "{shares:?}");
    assert_eq!(delete(&store, &room, 0, 1), Err(StoreError::Closed));
    assert_eq!(wait(store.count(&org(), &room, Position(0))), Err(StoreError::Closed));
}

pub(crate) fn changes_beyond_the_queue_are_refused(fixture: &Fixture) {
    let store = fixture.open_with(&StoreSettings { queue_entries_max: 2, ..StoreSettings::default() });
    let room = channel("room");
    let release = hold_up(&store, 1);
    store.delete(&org(), &room, Position(0), Position(1), Box::new(|_| panic!("as it is meant to")));
    assert_eq!(delete(&store, &room, 0, 1), Err(StoreError::Overloaded));
    assert_eq!((store.queue_len(), store.stats().overloaded), (2, 1));
    release.send(()).unwrap();
    wait(store.flush()).unwrap();
    assert_eq!(delete(&store, &room, 0, 1), Ok(0));
    wait(store.flush()).unwrap();
    assert_eq!(store.queue_len(), 0);
}
