//! The part of the suite that is about items.

use std::sync::Arc;

use antiphon_model::{OrgId, Timestamp};
use antiphon_store::{Item, ItemPage, Store, StoreError, StoreSettings};
use bytes::Bytes;

use crate::fixture::{Fixture, done, org, wait};

pub(crate) fn put(
    store: &Arc<dyn Store>,
    collection: &str,
    key: &str,
    value: &str,
    expires: Option<u64>,
) -> Result<(), StoreError> {
    let value = Bytes::copy_from_slice(value.as_bytes());
    done(|done| store.put_item(&org(), collection, key, value, expires.map(Timestamp), done))
}

pub(crate) fn item(store: &Arc<dyn Store>, collection: &str, key: &str) -> Option<String> {
    let value = wait(store.item(&org(), collection, key)).unwrap();
    value.map(|value| String::from_utf8(value.to_vec()).unwrap())
}

fn remove(store: &Arc<dyn Store>, collection: &str, key: &str) -> bool {
    done(|done| store.remove_item(&org(), collection, key, done)).unwrap()
}

fn page(store: &Arc<dyn Store>, after: Option<&str>, prefix: &str, limit: usize) -> ItemPage {
    wait(store.items(&org(), "groups", after, prefix, limit)).unwrap()
}

fn keys(page: &ItemPage) -> Vec<&str> {
    page.items.iter().map(|item| &*item.key).collect()
}

pub(crate) fn items_are_kept_replaced_and_removed(fixture: &Fixture) {
    let store = fixture.open();
    let key = "schlüssel\0'\"";
    assert_eq!(item(&store, "groups", key), None);
    for value in ["", "one", "two"] {
        assert_eq!(put(&store, "groups", key, value, None), Ok(()));
        assert_eq!(item(&store, "groups", key).as_deref(), Some(value));
    }
    assert_eq!(put(&store, "", "", "empty", None), Ok(()));
    assert_eq!(item(&store, "", "").as_deref(), Some("empty"));
    let other = OrgId::new("other");
    assert_eq!(wait(store.item(&other, "groups", key)), Ok(None));
    let large = Bytes::from(vec![0; 1 << 19]);
    assert_eq!(done(|done| store.put_item(&other, "groups", key, large.clone(), None, done)), Ok(()));
    assert_eq!(wait(store.item(&other, "groups", key)), Ok(Some(large.clone())));
    assert_eq!((item(&store, "groups", "schlüssel"), item(&store, "Groups", key)), (None, None));
    let of_all: Vec<_> = store.all_items("groups").unwrap();
    let mine = Item { key: key.into(), value: "two".into(), expires: None };
    assert_eq!(of_all, [(org(), mine.clone()), (other, Item { value: large, ..mine })]);
    assert_eq!((remove(&store, "groups", key), remove(&store, "groups", key)), (true, false));
    assert_eq!((item(&store, "groups", key), store.all_items("groups").unwrap().len()), (None, 1));
    assert_eq!(store.all_items("none"), Ok(vec![]));
}

pub(crate) fn items_are_read_in_order_by_prefix_and_page(fixture: &Fixture) {
    let store = fixture.open_with(&StoreSettings { page_entries_max: 5, ..StoreSettings::default() });
    for key in ["b", "a/2", "ä", "a/10", "a", "a/", "a0", "🦀", "Z"] {
        put(&store, "groups", key, "x", None).unwrap();
    }
    put(&store, "group", "a/1", "x", None).unwrap();
    put(&store, "groups2", "a/1", "x", None).unwrap();
    for (after, prefix, limit, expected, more) in [
        (None, "", 100, vec!["Z", "a", "a/", "a/10", "a/2"], true),
        (Some("a/2"), "", 100, vec!["a0", "b", "ä", "🦀"], false),
        (None, "a/", 100, vec!["a/", "a/10", "a/2"], false),
        (None, "a/", 2, vec!["a/", "a/10"], true),
        (Some("a/10"), "a/", 2, vec!["a/2"], false),
        (Some("a/11"), "a/", 2, vec!["a/2"], false),
        (Some("A"), "a/", 1, vec!["a/"], true),
        (Some("b"), "a/", 2, vec![], false),
        (None, "ä", 2, vec!["ä"], false),
        (None, "c", 2, vec![], false),
        (None, "", 0, vec![], true),
        (Some("🦀"), "", 5, vec![], false),
    ] {
        let page = page(&store, after, prefix, limit);
        assert_eq!((keys(&page), page.more), (expected, more), "{after:?} {prefix} {limit}");
    }
    let unknown = wait(store.items(&OrgId::new("unknown"), "groups", None, "", 9));
    assert_eq!(unknown, Ok(ItemPage::default()));
}

pub(crate) fn items_expire_and_are_swept(fixture: &Fixture) {
    let store = fixture.open_with(&StoreSettings { items_max: 1_200, ..StoreSettings::default() });
    for n in 0..1_200 {
        put(&store, "groups", &format!("{n:04}"), "x", (n > 0).then_some(100 + n)).unwrap();
    }
    put(&store, "groups", "0001", "y", Some(5_000)).unwrap();
    put(&store, "groups", "0002", "y", None).unwrap();
    fixture.set_now(103);
    assert_eq!(item(&store, "groups", "0003"), None);
    assert_eq!(item(&store, "groups", "0004").as_deref(), Some("x"));
    assert_eq!(keys(&page(&store, None, "", 4)), ["0000", "0001", "0002", "0004"]);
    assert!(!remove(&store, "groups", "0003"), "what is not shown is not there");
    fixture.set_now(1_290);
    wait(store.sweep()).unwrap();
    fixture.set_now(0);
    let kept = ["0000", "0001", "0002", "1191", "1192", "1193"];
    assert_eq!(keys(&page(&store, None, "", 6)), kept, "what was swept does not come back with the time");
    // What was swept made room.
    for n in 0..1_188 {
        assert_eq!(put(&store, "groups", &format!("new {n}"), "x", None), Ok(()), "{n}");
    }
}

pub(crate) fn items_are_bounded(fixture: &Fixture) {
    let settings = StoreSettings { items_max: 2, page_bytes_max: 10_000, ..StoreSettings::default() };
    let store = fixture.open_with(&settings);
    put(&store, "groups", "a", &"x".repeat(6_000), None).unwrap();
    put(&store, "groups", "b", "1", None).unwrap();
    assert_eq!(put(&store, "other", "b", "1", None), Ok(()), "one collection takes no room of another");
    assert_eq!(put(&store, "groups", "c", "1", None), Err(StoreError::LimitReached("items_max")));
    assert_eq!(put(&store, "groups", "b", "2", None), Ok(()), "one that is replaced takes no other's place");
    let elsewhere = done(|done| store.put_item(&OrgId::new("other"), "groups", "c", "1".into(), None, done));
    assert_eq!(elsewhere, Ok(()));
    assert!(remove(&store, "groups", "b"));
    assert_eq!(put(&store, "groups", "c", &"x".repeat(6_000), None), Ok(()));
    let first = page(&store, None, "", 9);
    assert_eq!((keys(&first), first.more), (vec!["a"], true));
    let large = put(&store, "groups", "c", &"x".repeat(1 << 20), None);
    assert!(matches!(large, Err(StoreError::Unstorable(_))), "{large:?}");
    assert_eq!(item(&store, "groups", "c").unwrap().len(), 6_000);
    assert_eq!(store.close(), Ok(()));
    assert_eq!(put(&store, "groups", "c", "1", None), Err(StoreError::Closed));
    assert_eq!(store.all_items("groups"), Err(StoreError::Closed));
    assert_eq!(wait(store.item(&org(), "groups", "c")), Err(StoreError::Closed));
}
