//! The part of the suite that is about users and channels.

use std::sync::Arc;

use antiphon_filter::Filter;
use antiphon_model::{OrgId, Timestamp};
use antiphon_store::{
    Direction, ListQuery, Listed, Object, ObjectKind, ObjectList, ObjectPatch, PreconditionFailed, SortField,
    Store, StoreError, StoreSettings,
};

use crate::fixture::{Fixture, SECOND, done, org, wait};

pub(crate) fn text(text: &str) -> Option<Option<Box<str>>> {
    Some(Some(text.into()))
}

pub(crate) fn named(name: &str) -> ObjectPatch {
    ObjectPatch { name: text(name), ..ObjectPatch::default() }
}

pub(crate) fn custom(json: &str) -> ObjectPatch {
    ObjectPatch { custom: text(json), ..ObjectPatch::default() }
}

pub(crate) fn all() -> ListQuery {
    ListQuery { filter: None, sort: vec![], limit: 100, offset: 0, count: true }
}

pub(crate) fn filtered(filter: &str) -> ListQuery {
    ListQuery { filter: Some(Filter::parse(filter).unwrap()), ..all() }
}

pub(crate) fn sorted(listed: Listed, by: &[(&str, Direction)]) -> ListQuery {
    let sort = by.iter().map(|(name, direction)| (listed.sort_field(name).unwrap(), *direction));
    ListQuery { sort: sort.collect(), ..all() }
}

pub(crate) fn set_user(store: &Arc<dyn Store>, id: &str, patch: ObjectPatch, now: u64) -> Object {
    set(store, ObjectKind::User, id, patch, None, now).unwrap().unwrap()
}

pub(crate) fn set(
    store: &Arc<dyn Store>,
    kind: ObjectKind,
    id: &str,
    patch: ObjectPatch,
    if_match: Option<&str>,
    now: u64,
) -> Result<Result<Object, PreconditionFailed>, StoreError> {
    let if_match = if_match.map(Into::into);
    done(|done| store.set_object(&org(), kind, id, patch, if_match, Timestamp(now), done))
}

pub(crate) fn user(store: &Arc<dyn Store>, id: &str) -> Option<Object> {
    wait(store.object(&org(), ObjectKind::User, id)).unwrap()
}

fn remove(store: &Arc<dyn Store>, id: &str) -> bool {
    done(|done| store.remove_object(&org(), ObjectKind::User, id, done)).unwrap()
}

fn users(store: &Arc<dyn Store>, query: ListQuery) -> ObjectList {
    wait(store.objects(&org(), ObjectKind::User, query)).unwrap()
}

fn ids(list: &ObjectList) -> Vec<&str> {
    list.objects.iter().map(|object| &*object.id).collect()
}

pub(crate) fn objects_are_set_read_and_removed(fixture: &Fixture) {
    let store = fixture.open();
    let id = "名前\0 '\"🦀";
    assert_eq!(user(&store, id), None);
    let patch = ObjectPatch {
        name: text("Zoë\0 '\""),
        external_id: text("x-1"),
        profile_url: text("https://example.com/ü.png"),
        email: text("zoe@example.com"),
        description: text(""),
        status: text("away"),
        kind: text("admin"),
        custom: text(" {\"a\": [1, 2.50, \"\\u00e9\"], \"a\": null} "),
    };
    let made = set_user(&store, id, patch, 15 * SECOND + 19);
    assert_eq!(made.updated, Timestamp(15 * SECOND + 10), "in whole microseconds");
    assert_eq!(
        (&*made.id, made.name.as_deref(), made.description.as_deref()),
        (id, Some("Zoë\0 '\""), Some(""))
    );
    assert_eq!(made.custom.as_deref(), Some(" {\"a\": [1, 2.50, \"\\u00e9\"], \"a\": null} "));
    assert_eq!(user(&store, id).as_ref(), Some(&made));

    // Users and channels are apart, and so are orgs.
    assert_eq!(wait(store.object(&org(), ObjectKind::Channel, id)), Ok(None));
    assert_eq!(wait(store.object(&OrgId::new("other"), ObjectKind::User, id)), Ok(None));
    let channel = set(&store, ObjectKind::Channel, id, named("channel"), None, 0).unwrap().unwrap();
    assert_eq!(user(&store, id).as_ref(), Some(&made));

    // What is not said is kept, null clears, and custom is replaced as a whole.
    let patch = ObjectPatch { email: Some(None), custom: text("{\"b\":1}"), ..named("Zoe") };
    let changed = set_user(&store, id, patch, 16 * SECOND);
    let expected = Object {
        name: Some("Zoe".into()),
        email: None,
        custom: Some("{\"b\":1}".into()),
        updated: Timestamp(16 * SECOND),
        etag: changed.etag.clone(),
        ..made.clone()
    };
    assert_eq!(changed, expected);
    assert_ne!(changed.etag, made.etag);
    assert_eq!(user(&store, id), Some(changed.clone()));
    let same = set_user(&store, id, ObjectPatch::default(), 17 * SECOND);
    assert_eq!(same, Object { updated: Timestamp(17 * SECOND), ..changed });

    assert_eq!((remove(&store, id), remove(&store, id)), (true, false));
    assert_eq!(user(&store, id), None);
    assert_eq!(wait(store.object(&org(), ObjectKind::Channel, id)), Ok(Some(channel)));
    let empty = set_user(&store, "", ObjectPatch::default(), u64::MAX);
    assert_eq!(user(&store, ""), Some(empty));
}

pub(crate) fn an_object_is_changed_only_if_it_is_the_one_that_was_meant(fixture: &Fixture) {
    let store = fixture.open();
    let set = |name, if_match| set(&store, ObjectKind::User, "a", named(name), if_match, 0).unwrap();
    assert_eq!(set("none", Some("x")), Err(PreconditionFailed), "there is none");
    assert_eq!(user(&store, "a"), None);
    let first = set("first", None).unwrap();
    let second = set("second", Some(&first.etag)).unwrap();
    assert_eq!(set("third", Some(&first.etag)), Err(PreconditionFailed));
    assert_eq!(user(&store, "a"), Some(second.clone()));
    assert!(set("third", Some(&second.etag)).is_ok());
}

pub(crate) fn objects_are_bounded(fixture: &Fixture) {
    let settings = StoreSettings { objects_max: 2, ..StoreSettings::default() };
    let store = fixture.open_with(&settings);
    let limit = Err(StoreError::LimitReached("objects_max"));
    set_user(&store, "a", named("a"), 0);
    assert!(set(&store, ObjectKind::Channel, "a", named("a"), None, 0).is_ok());
    assert_eq!(set(&store, ObjectKind::User, "b", named("b"), None, 0), limit);
    set_user(&store, "a", named("b"), 0);
    let other = OrgId::new("other");
    let elsewhere =
        |done| store.set_object(&other, ObjectKind::User, "b", named("b"), None, Timestamp(0), done);
    assert!(done(elsewhere).is_ok());
    assert!(remove(&store, "a"));
    set_user(&store, "b", named("b"), 0);
    assert_eq!(set(&store, ObjectKind::User, "c", named("c"), None, 0), limit);

    for json in ["", "1", "[]", "null", "{", "{}}", "{\"a\":}", "\u{feff}{}", &"{\"a\":".repeat(200)] {
        let refused = set(&store, ObjectKind::User, "b", custom(json), None, 0);
        assert!(matches!(refused, Err(StoreError::Unstorable(_))), "{json}: {refused:?}");
    }
    let large = set(&store, ObjectKind::User, "b", named(&"x".repeat(1 << 20)), None, 0);
    assert!(matches!(large, Err(StoreError::Unstorable(_))), "{large:?}");
    assert_eq!(user(&store, "b").unwrap().name.as_deref(), Some("b"));
    wait(store.flush()).unwrap();
    assert_eq!(store.queue_len(), 0);
    assert_eq!(store.close(), Ok(()));
    assert_eq!(set(&store, ObjectKind::User, "a", named("a"), None, 0), Err(StoreError::Closed));
    assert_eq!(wait(store.objects(&org(), ObjectKind::User, all())), Err(StoreError::Closed));
}

pub(crate) fn objects_are_filtered(fixture: &Fixture) {
    let store = fixture.open();
    let patch = |name, json| ObjectPatch { name: text(name), ..custom(json) };
    set_user(
        &store,
        "a",
        patch("Ada", r#"{"age":36,"tags":["x"],"a b":{"c":true}}"#),
        16_014_743_276_044_949,
    );
    set_user(&store, "b", patch("Bob's", r#"{"age":17.5,"city":"Köln"}"#), SECOND);
    set_user(&store, "c", named("ada"), 2 * SECOND);
    set_user(&store, "d", ObjectPatch { status: text("away"), ..custom("{\"age\":\"36\"}") }, 3 * SECOND);
    assert!(set(&store, ObjectKind::Channel, "a", named("Ada"), None, 0).is_ok());
    for (filter, expected) in [
        ("name == 'Ada'", vec!["a"]),
        ("name LIKE 'ada'", vec!["a", "c"]),
        ("name LIKE '*b\\'s'", vec!["b"]),
        ("name != 'Ada'", vec!["b", "c", "d"]),
        ("name == null", vec!["d"]),
        ("status == 'away' || custom.age > 30", vec!["a", "d"]),
        ("custom.age == 36", vec!["a"]),
        ("custom.age == '36'", vec!["d"]),
        ("custom.age < 20 && custom.city == \"Köln\"", vec!["b"]),
        ("custom.tags[0] == 'x'", vec!["a"]),
        ("custom[\"a b\"].c == true", vec!["a"]),
        ("custom == null", vec!["c"]),
        ("updated == '2020-09-30T13:58:47.604494Z'", vec!["a"]),
        ("updated >= '1970-01-01T00:00:02' && updated < '1970-01-01T00:00:04Z'", vec!["c", "d"]),
        ("!(id == 'a') && id < 'c'", vec!["b"]),
        ("name == \"'; DROP TABLE objects; --\"", vec![]),
        ("true", vec!["a", "b", "c", "d"]),
    ] {
        let list = users(&store, filtered(filter));
        assert_eq!(ids(&list), expected, "{filter}");
        assert_eq!((list.total, list.more), (Some(expected.len() as u64), false), "{filter}");
        let second = users(&store, ListQuery { offset: 1, limit: 1, count: false, ..filtered(filter) });
        assert_eq!(
            (ids(&second), second.total),
            (expected.iter().skip(1).take(1).copied().collect(), None),
            "{filter}"
        );
        assert_eq!(second.more, expected.len() > 2, "{filter}");
    }
    for filter in ["nome == 'a'", "name CONTAINS 'a'", "custom.a + 1 == 2", "channel.name == 'a'", "name"] {
        assert!(Listed::Objects.check(&Filter::parse(filter).unwrap()).is_err(), "{filter}");
        let refused = wait(store.objects(&org(), ObjectKind::User, filtered(filter)));
        assert!(matches!(refused, Err(StoreError::BadQuery(_))), "{filter}: {refused:?}");
    }
}

pub(crate) fn objects_are_sorted_and_paged(fixture: &Fixture) {
    let store = fixture.open_with(&StoreSettings { page_bytes_max: 20_000, ..StoreSettings::default() });
    for (n, (id, name)) in (0..).zip([("b", "x"), ("a", "y"), ("d", "ä"), ("c", "x"), ("🦀", "Z")]) {
        let patch = ObjectPatch { status: (n % 2 == 0).then(|| Some("even".into())), ..named(name) };
        set_user(&store, id, patch, n * SECOND);
    }
    set_user(&store, "e", ObjectPatch::default(), 0);
    let (up, down) = (Direction::Ascending, Direction::Descending);
    let by = |sort: &[(&str, Direction)]| sorted(Listed::Objects, sort);
    for (query, expected) in [
        (by(&[]), ["a", "b", "c", "d", "e", "🦀"]),
        (by(&[("id", down)]), ["🦀", "e", "d", "c", "b", "a"]),
        (by(&[("name", up)]), ["e", "🦀", "b", "c", "a", "d"]),
        (by(&[("name", down)]), ["d", "a", "c", "b", "🦀", "e"]),
        (by(&[("updated", down)]), ["🦀", "c", "d", "a", "e", "b"]),
        (by(&[("status", up), ("name", down)]), ["a", "c", "e", "d", "b", "🦀"]),
        (by(&[("status", down), ("updated", up)]), ["b", "d", "🦀", "e", "a", "c"]),
        (by(&[("type", down)]), ["🦀", "e", "d", "c", "b", "a"]),
    ] {
        let list = users(&store, query.clone());
        assert_eq!(ids(&list), expected, "{:?}", query.sort);
        assert_eq!((list.total, list.more), (Some(6), false));
        for (offset, limit) in [(0, 2), (2, 2), (4, 2), (5, 2), (6, 2), (u64::MAX, 2), (0, 0)] {
            let page = users(&store, ListQuery { offset, limit, ..query.clone() });
            let rest = &expected[(offset as usize).min(6)..];
            assert_eq!(ids(&page), &rest[..limit.min(rest.len())], "{:?} {offset}", query.sort);
            assert_eq!((page.total, page.more), (Some(6), rest.len() > limit));
        }
    }
    let refused = wait(store.objects(
        &org(),
        ObjectKind::User,
        ListQuery { sort: vec![(SortField::RelatedName, up)], ..all() },
    ));
    assert!(matches!(refused, Err(StoreError::BadQuery(_))), "{refused:?}");
    for id in ["a", "b", "c"] {
        set_user(&store, id, named(&"n".repeat(9_000)), 0);
    }
    let page = users(&store, all());
    assert_eq!((ids(&page), page.more), (vec!["a", "b"], true), "a page is bounded in bytes");
    let unknown = wait(store.objects(&OrgId::new("unknown"), ObjectKind::User, all()));
    assert_eq!(unknown, Ok(ObjectList { total: Some(0), ..ObjectList::default() }));
}
