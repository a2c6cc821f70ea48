//! The part of the suite that is about credentials and the server's own secrets.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use antiphon_model::OrgId;
use antiphon_store::{Store, StoreError, StoreSettings, StoredCredential};
use bytes::Bytes;

use crate::fixture::{Fixture, append_and_forget, channel, org, plain, wait};

pub(crate) fn credential(org: &str, kind: &str, name: &str, value: &[u8]) -> StoredCredential {
    let value = Bytes::copy_from_slice(value);
    StoredCredential { org: OrgId::new(org), kind: kind.into(), name: name.into(), value }
}

/// Puts one and waits for what becomes of it.
pub(crate) fn put(store: &Arc<dyn Store>, credential: StoredCredential) -> Result<(), StoreError> {
    let (done, outcome) = mpsc::channel();
    store.put_credential(credential, Box::new(move |result| done.send(result).unwrap()));
    outcome.recv().unwrap()
}

/// Removes one and waits for what becomes of that.
pub(crate) fn remove(store: &Arc<dyn Store>, org: &str, kind: &str, name: &str) -> Result<(), StoreError> {
    let (done, outcome) = mpsc::channel();
    let done = Box::new(move |result| done.send(result).unwrap());
    store.remove_credential(&OrgId::new(org), kind, name, done);
    outcome.recv().unwrap()
}

pub(crate) fn credentials_are_kept_replaced_and_removed(fixture: &Fixture) {
    let store = fixture.open();
    assert_eq!(store.credentials(), Ok(vec![]));
    let name = "schlüssel\0'\"";
    let all = [
        credential("acme", "device", name, b"\0\xff"),
        credential("acme", "device", "tür", b""),
        credential("acme", "user", name, b"user"),
        credential("other", "device", name, &[7; 900 << 10]),
    ];
    for credential in all.iter().rev() {
        assert_eq!(put(&store, StoredCredential { value: "old".into(), ..credential.clone() }), Ok(()));
        assert_eq!(put(&store, credential.clone()), Ok(()));
    }
    assert_eq!(store.credentials().unwrap(), all, "by org, kind and name, each with its last value");
    assert_eq!(remove(&store, "acme", "device", name), Ok(()));
    assert_eq!(remove(&store, "acme", "device", name), Ok(()), "there is none to remove");
    assert_eq!(remove(&store, "unknown", "device", name), Ok(()));
    assert_eq!(store.credentials().unwrap(), all[1..]);
}

pub(crate) fn changes_of_credentials_are_made_in_order(fixture: &Fixture) {
    let store = fixture.open_with(&StoreSettings { group_entries_max: 3, ..StoreSettings::default() });
    let (done, outcomes) = mpsc::channel();
    for n in 0..50_u8 {
        let (put, removed) = (done.clone(), done.clone());
        append_and_forget(&store, plain(&channel("room"), 1 + u64::from(n)));
        store.put_credential(
            credential("org", "user", "alice", &[n]),
            Box::new(move |result| put.send((n, "put", result)).unwrap()),
        );
        store.remove_credential(
            &org(),
            "user",
            if n == 49 { "bob" } else { "alice" },
            Box::new(move |result| removed.send((n, "removed", result)).unwrap()),
        );
    }
    let expected: Vec<_> = (0..50).flat_map(|n| [(n, "put", Ok(())), (n, "removed", Ok(()))]).collect();
    assert_eq!(outcomes.iter().take(100).collect::<Vec<_>>(), expected);
    assert_eq!(store.credentials().unwrap(), [credential("org", "user", "alice", &[49])]);
    wait(store.flush()).unwrap();
    assert_eq!(store.queue_len(), 0);
}

pub(crate) fn credentials_beyond_the_queue_or_their_size_are_refused(fixture: &Fixture) {
    let store = fixture.open_with(&StoreSettings { queue_entries_max: 2, ..StoreSettings::default() });
    let (release, released) = mpsc::channel::<()>();
    let (reach, reached) = mpsc::channel::<()>();
    let hold_up = move |_| {
        reach.send(()).unwrap();
        released.recv().unwrap();
    };
    store.append(plain(&channel("room"), 1), Box::new(hold_up));
    reached.recv().unwrap();
    let (done, outcome) = mpsc::channel();
    store.put_credential(
        credential("org", "user", "a", b"a"),
        Box::new(move |result| done.send(result).unwrap()),
    );
    assert_eq!(put(&store, credential("org", "user", "b", b"b")), Err(StoreError::Overloaded));
    assert_eq!(remove(&store, "org", "user", "a"), Err(StoreError::Overloaded));
    assert_eq!((store.queue_len(), store.stats().overloaded), (2, 2));
    release.send(()).unwrap();
    assert_eq!(outcome.recv().unwrap(), Ok(()));
    wait(store.flush()).unwrap();

    let large = put(&store, credential("org", "user", "c", &[0; 1 << 20]));
    assert!(matches!(large, Err(StoreError::Unstorable(_))), "{large:?}");
    assert_eq!(store.credentials().unwrap(), [credential("org", "user", "a", b"a")]);
    assert_eq!(store.queue_len(), 0);
}

pub(crate) fn a_secret_is_made_once(fixture: &Fixture) {
    let store = fixture.open();
    let secrets: Vec<_> = thread::scope(|scope| {
        let ask = |_| scope.spawn(|| store.secret("of many").unwrap());
        let threads: Vec<_> = (0..8).map(ask).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(secrets.iter().all(|secret| *secret == secrets[0]));
    assert_eq!(store.secret("of many"), Ok(secrets[0]));
    assert_ne!(store.secret("another"), Ok(secrets[0]));
    assert_eq!(store.credentials(), Ok(vec![]));
}

pub(crate) fn closing_makes_the_changes_that_are_queued(fixture: &Fixture) {
    let store = fixture.open();
    let (done, outcomes) = mpsc::channel();
    for n in 0..100 {
        let done = done.clone();
        let done = move |result| done.send(result).unwrap();
        store.put_credential(credential("org", "user", &n.to_string(), b"x"), Box::new(done));
    }
    // A panic is nobody else's.
    store.remove_credential(&org(), "user", "0", Box::new(|_| panic!("as it is meant to")));
    assert_eq!(store.close(), Ok(()));
    assert!(outcomes.try_iter().take(100).eq((0..100).map(|_| Ok(()))));
    assert_eq!(put(&store, credential("org", "user", "late", b"x")), Err(StoreError::Closed));
    assert_eq!(remove(&store, "org", "user", "1"), Err(StoreError::Closed));
    assert_eq!(store.credentials(), Err(StoreError::Closed));
    assert_eq!(store.secret("any"), Err(StoreError::Closed));
}
