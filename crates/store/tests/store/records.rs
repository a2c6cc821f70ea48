//! The part of the suite that is about records.

use std::sync::Arc;
use std::sync::mpsc;

use antiphon_model::{OrgId, Timestamp};
use antiphon_store::{Store, StoreError, StoreSettings};
use bytes::Bytes;

use crate::fixture::{Fixture, append_and_forget, channel, org, plain, wait};

const NEVER: Timestamp = Timestamp(u64::MAX);

pub(crate) fn put(store: &Arc<dyn Store>, key: &str, value: &str, expires: u64) {
    store.put_record(&org(), key, Bytes::copy_from_slice(value.as_bytes()), Timestamp(expires));
}

pub(crate) fn record(store: &Arc<dyn Store>, key: &str) -> Option<String> {
    let value = wait(store.read_record(&org(), key)).unwrap();
    value.map(|value| String::from_utf8(value.to_vec()).unwrap())
}

pub(crate) fn records_are_read_replaced_and_removed(fixture: &Fixture) {
    let store = fixture.open();
    let other = OrgId::new("other");
    assert_eq!(record(&store, "a"), None);
    let key = "schlüssel\0'\"";
    for value in ["", "one", "two"] {
        put(&store, key, value, u64::MAX);
        assert_eq!(record(&store, key).as_deref(), Some(value), "before it is committed");
        wait(store.flush()).unwrap();
        assert_eq!(record(&store, key).as_deref(), Some(value));
    }
    assert_eq!(wait(store.read_record(&other, key)), Ok(None));
    store.put_record(&other, key, Bytes::from(vec![0; 1 << 20]), NEVER);
    store.remove_record(&org(), key);
    store.remove_record(&org(), "unknown");
    assert_eq!(record(&store, key), None);
    wait(store.flush()).unwrap();
    assert_eq!(record(&store, key), None);
    let large = wait(store.read_record(&other, key)).unwrap().unwrap();
    assert_eq!(large.len(), 1 << 20);
    assert_eq!(store.queue_len(), 0);
}

pub(crate) fn records_are_seen_while_the_writer_is_busy(fixture: &Fixture) {
    let store = fixture.open();
    put(&store, "old", "1", u64::MAX);
    put(&store, "gone", "1", u64::MAX);
    wait(store.flush()).unwrap();
    let (release, released) = mpsc::channel::<()>();
    store.append(plain(&channel("room"), 1), Box::new(move |_| released.recv().unwrap()));
    put(&store, "old", "2", u64::MAX);
    put(&store, "new", "2", u64::MAX);
    store.remove_record(&org(), "gone");
    let seen = || ["old", "new", "gone"].map(|key| record(&store, key));
    let expected = [Some("2".to_owned()), Some("2".to_owned()), None];
    assert_eq!(seen(), expected);
    release.send(()).unwrap();
    wait(store.flush()).unwrap();
    assert_eq!(seen(), expected);
}

pub(crate) fn records_expire_and_are_swept(fixture: &Fixture) {
    let store = fixture.open();
    for n in 0..2_000 {
        put(&store, &n.to_string(), "x", 100 + n);
    }
    put(&store, "prolonged", "x", 100);
    put(&store, "prolonged", "y", 5_000);
    for flushed in [false, true] {
        fixture.set_now(99);
        assert_eq!(record(&store, "0").as_deref(), Some("x"), "flushed: {flushed}");
        fixture.set_now(100);
        assert_eq!(record(&store, "0"), None, "flushed: {flushed}");
        assert_eq!(record(&store, "1").as_deref(), Some("x"), "flushed: {flushed}");
        wait(store.flush()).unwrap();
    }
    fixture.set_now(2_000);
    wait(store.sweep()).unwrap();
    // What was swept does not come back with the time.
    fixture.set_now(0);
    assert_eq!(record(&store, "1900"), None);
    assert_eq!(record(&store, "1901").as_deref(), Some("x"));
    assert_eq!(record(&store, "prolonged").as_deref(), Some("y"));
}

pub(crate) fn the_records_that_expire_first_give_way(fixture: &Fixture) {
    let store = fixture.open_with(&StoreSettings { records_max: 3, ..StoreSettings::default() });
    for (key, expires) in [("c", 30), ("a", 10), ("d", 40)] {
        put(&store, key, key, expires);
    }
    wait(store.flush()).unwrap();
    let kept = || ["a", "b", "c", "d", "e"].map(|key| record(&store, key).is_some());
    assert_eq!(kept(), [true, false, true, true, false]);
    // One that is replaced takes no other's place.
    put(&store, "d", "again", 41);
    wait(store.flush()).unwrap();
    assert_eq!(kept(), [true, false, true, true, false]);
    put(&store, "e", "e", 50);
    wait(store.flush()).unwrap();
    assert_eq!(kept(), [false, false, true, true, true]);
    store.remove_record(&org(), "e");
    put(&store, "b", "b", 20);
    wait(store.flush()).unwrap();
    assert_eq!(kept(), [false, true, true, true, false]);
}

pub(crate) fn records_beyond_the_queue_are_not_kept(fixture: &Fixture) {
    let settings =
        StoreSettings { queue_entries_max: 2, queue_bytes_max: 1 << 20, ..StoreSettings::default() };
    let store = fixture.open_with(&settings);
    let (release, released) = mpsc::channel::<()>();
    let (reach, reached) = mpsc::channel::<()>();
    let hold_up = move |_| {
        reach.send(()).unwrap();
        released.recv().unwrap();
    };
    store.append(plain(&channel("room"), 1), Box::new(hold_up));
    reached.recv().unwrap();
    for key in ["a", "b", "c"] {
        put(&store, key, key, u64::MAX);
    }
    put(&store, "a", "again", u64::MAX);
    store.put_record(&org(), "b", Bytes::from(vec![0; 2 << 20]), NEVER);
    assert_eq!(store.stats().overloaded, 2);
    release.send(()).unwrap();
    wait(store.flush()).unwrap();
    let kept = ["a", "b", "c"].map(|key| record(&store, key));
    assert_eq!(kept, [Some("again".to_owned()), Some("b".to_owned()), None]);
}

pub(crate) fn many_records_go_in_groups(fixture: &Fixture) {
    let store = fixture.open_with(&StoreSettings { group_entries_max: 10, ..StoreSettings::default() });
    for n in 0..95 {
        put(&store, &n.to_string(), "x", u64::MAX);
    }
    append_and_forget(&store, plain(&channel("room"), 1));
    wait(store.flush()).unwrap();
    assert!((0..95).all(|n| record(&store, &n.to_string()).is_some()));
    put(&store, "late", "x", u64::MAX);
    assert_eq!(store.close(), Ok(()));
    put(&store, "too late", "x", u64::MAX);
    assert_eq!(wait(store.read_record(&org(), "0")), Err(StoreError::Closed));
}
