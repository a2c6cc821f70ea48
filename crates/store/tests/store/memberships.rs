//! The part of the suite that is about memberships.

use std::sync::Arc;

use antiphon_model::{OrgId, Timestamp};
use antiphon_store::{
    Direction, ListQuery, Listed, Membership, MembershipChange, MembershipList, MembershipPatch,
    MembershipsChanged, ObjectKind, Of, SortField, Store, StoreError, StoreSettings,
};

use crate::fixture::{Fixture, SECOND, done, org, wait};
use crate::objects::{all, filtered, named, set, set_user, sorted, text};

pub(crate) fn join(user: &str, channel: &str, patch: MembershipPatch) -> MembershipChange {
    MembershipChange::Set { user: user.into(), channel: channel.into(), patch }
}

pub(crate) fn leave(user: &str, channel: &str) -> MembershipChange {
    MembershipChange::Remove { user: user.into(), channel: channel.into() }
}

pub(crate) fn change(
    store: &Arc<dyn Store>,
    changes: Vec<MembershipChange>,
    now: u64,
) -> Result<MembershipsChanged, StoreError> {
    done(|done| store.set_memberships(&org(), changes, Timestamp(now), done))
}

pub(crate) fn channels_of(store: &Arc<dyn Store>, user: &str, query: ListQuery) -> MembershipList {
    wait(store.memberships(&org(), Of::User(user.into()), query)).unwrap()
}

fn users_of(store: &Arc<dyn Store>, channel: &str, query: ListQuery) -> MembershipList {
    wait(store.memberships(&org(), Of::Channel(channel.into()), query)).unwrap()
}

fn pairs(memberships: &[Membership]) -> Vec<(&str, &str)> {
    memberships.iter().map(|membership| (&*membership.user, &*membership.channel)).collect()
}

fn plain() -> MembershipPatch {
    MembershipPatch::default()
}

fn status(status: &str) -> MembershipPatch {
    MembershipPatch { status: text(status), ..plain() }
}

pub(crate) fn memberships_are_set_listed_and_removed(fixture: &Fixture) {
    let store = fixture.open();
    let (alice, room) = ("álice\0'\"", "Zimmer/ü 🦀");
    let patch = MembershipPatch {
        status: text("new"),
        kind: text("guest"),
        custom: text("{\"lastReadMessageTimetoken\":\"17325678901234567\"}"),
    };
    let changed = change(
        &store,
        vec![join(alice, room, patch), join("bob", room, plain()), join(alice, "x", plain())],
        15,
    );
    let changed = changed.unwrap();
    assert_eq!(pairs(&changed.set), [(alice, room), ("bob", room), (alice, "x")]);
    assert_eq!(changed.removed, []);
    let first = &changed.set[0];
    assert_eq!(
        (first.status.as_deref(), first.kind.as_deref(), first.updated),
        (Some("new"), Some("guest"), Timestamp(10))
    );
    let of_alice = channels_of(&store, alice, all());
    assert_eq!(pairs(&of_alice.memberships), [(alice, room), (alice, "x")]);
    assert_eq!((&of_alice.memberships[0], of_alice.total, of_alice.more), (first, Some(2), false));
    assert_eq!(pairs(&users_of(&store, room, all()).memberships), [("bob", room), (alice, room)]);

    // What is not said is kept, null clears.
    let patch = MembershipPatch { kind: Some(None), ..status("old") };
    let again = change(&store, vec![join(alice, room, patch)], 20).unwrap();
    assert_eq!((again.set[0].status.as_deref(), &again.set[0].kind), (Some("old"), &None));
    assert_eq!(again.set[0].custom, first.custom);
    assert_ne!(again.set[0].etag, first.etag);

    // In order, and telling only of what there was.
    let mixed = vec![
        leave(alice, room),
        leave(alice, room),
        leave("carol", room),
        join("carol", room, status("new")),
        join(alice, room, plain()),
        leave("carol", room),
    ];
    let changed = change(&store, mixed, 30).unwrap();
    assert_eq!(pairs(&changed.set), [("carol", room), (alice, room)]);
    assert_eq!(pairs(&changed.removed), [(alice, room), ("carol", room)]);
    assert_eq!((&changed.removed[0], &changed.removed[1].status), (&again.set[0], &Some("new".into())));
    assert_eq!(changed.set[1].custom, None, "it was made anew");
    assert_eq!(pairs(&users_of(&store, room, all()).memberships), [("bob", room), (alice, room)]);
    assert_eq!(change(&store, vec![], 30), Ok(MembershipsChanged::default()));
    for of in [Of::User("nobody".into()), Of::Channel(alice.into())] {
        assert_eq!(wait(store.memberships(&org(), of, all())).unwrap().total, Some(0));
    }
    let foreign = wait(store.memberships(&OrgId::new("other"), Of::User(alice.into()), all()));
    assert_eq!(foreign.unwrap().memberships, []);
}

pub(crate) fn memberships_come_with_the_object_on_the_other_side(fixture: &Fixture) {
    let store = fixture.open();
    let room = set(&store, ObjectKind::Channel, "room", named("Room"), None, SECOND).unwrap().unwrap();
    let alice = set_user(&store, "alice", named("Alice"), 2 * SECOND);
    // Of the same ids, and on the wrong sides.
    set_user(&store, "room", named("no"), 0);
    assert!(set(&store, ObjectKind::Channel, "alice", named("no"), None, 0).is_ok());
    change(
        &store,
        vec![join("alice", "room", plain()), join("bob", "room", plain()), join("alice", "y", plain())],
        0,
    )
    .unwrap();
    let related = |list: MembershipList| {
        list.memberships.into_iter().map(|membership| membership.related).collect::<Vec<_>>()
    };
    assert_eq!(related(channels_of(&store, "alice", all())), [Some(room), None]);
    assert_eq!(related(users_of(&store, "room", all())), [Some(alice), None]);
    assert!(done(|done| store.remove_object(&org(), ObjectKind::User, "alice", done)).unwrap());
    let members = users_of(&store, "room", all());
    assert_eq!(pairs(&members.memberships), [("alice", "room"), ("bob", "room")], "they stay");
    assert_eq!(related(members), [None, None]);
}

pub(crate) fn memberships_are_filtered_sorted_and_paged(fixture: &Fixture) {
    let store = fixture.open();
    for (n, (id, name)) in (1..).zip([("a", "Zebra"), ("b", "apple"), ("c", "mango")]) {
        let patch = antiphon_store::ObjectPatch { custom: text(&format!("{{\"n\":{n}}}")), ..named(name) };
        assert!(set(&store, ObjectKind::Channel, id, patch, None, n * SECOND).is_ok());
    }
    for (n, channel) in (1..).zip(["c", "b", "a", "unknown"]) {
        let patch = MembershipPatch {
            custom: text(&format!("{{\"n\":{n}}}")),
            ..status(if n % 2 == 0 { "even" } else { "odd" })
        };
        change(&store, vec![join("u", channel, patch), join("v", channel, plain())], n * SECOND).unwrap();
    }
    let ids = |query| {
        let list = channels_of(&store, "u", query);
        let ids: String =
            list.memberships.iter().map(|membership| membership.channel.chars().next().unwrap()).collect();
        (ids, list.total.unwrap(), list.more)
    };
    for (filter, expected) in [
        ("channel.id == 'a' || channel.id == 'unknown'", "au"),
        ("channel.name LIKE '*e*'", "ab"),
        ("channel.name == null", "u"),
        ("channel.custom.n >= 2", "bc"),
        ("custom.n >= 3", "au"),
        ("status == 'odd' && channel.updated < '1970-01-01T00:00:02'", "a"),
        ("status == 'odd' && updated < '1970-01-01T00:00:02'", "c"),
        ("type == null && channel.custom.x == null", "abcu"),
    ] {
        assert_eq!(ids(filtered(filter)), (expected.to_owned(), expected.len() as u64, false), "{filter}");
    }
    let (up, down) = (Direction::Ascending, Direction::Descending);
    for (sort, expected) in [
        (vec![], "abcu"),
        (vec![("channel.id", down)], "ucba"),
        (vec![("channel.name", up)], "uabc"),
        (vec![("channel.name", down)], "cbau"),
        (vec![("updated", up)], "cbau"),
        (vec![("channel.updated", down)], "cbau"),
        (vec![("status", up), ("channel.name", up)], "ubac"),
        (vec![("channel.status", up), ("type", down)], "ucba"),
        (vec![("channel.type", down), ("updated", down)], "uabc"),
    ] {
        let query = sorted(Listed::ChannelsOfUser, &sort);
        assert_eq!(ids(query.clone()), (expected.to_owned(), 4, false), "{sort:?}");
        let page = ListQuery { offset: 1, limit: 2, ..query };
        assert_eq!(ids(page), (expected[1..3].to_owned(), 4, true), "{sort:?}");
    }
    let members = users_of(&store, "a", filtered("uuid.id != 'u' && uuid.name == null && status == null"));
    assert_eq!(pairs(&members.memberships), [("v", "a")]);
    for query in [
        filtered("uuid.id == 'u'"),
        filtered("name == 'u'"),
        filtered("channel == 'u'"),
        ListQuery { sort: vec![(SortField::Name, up)], ..all() },
    ] {
        let refused = wait(store.memberships(&org(), Of::User("u".into()), query));
        assert!(matches!(refused, Err(StoreError::BadQuery(_))), "{refused:?}");
    }
}

pub(crate) fn memberships_are_bounded(fixture: &Fixture) {
    let store = fixture.open_with(&StoreSettings { memberships_max: 3, ..StoreSettings::default() });
    change(&store, vec![join("a", "1", plain()), join("a", "2", plain()), join("a", "2", plain())], 0)
        .unwrap();
    let too_many = vec![join("a", "3", plain()), join("a", "1", status("x")), join("a", "4", plain())];
    assert_eq!(change(&store, too_many, 0), Err(StoreError::LimitReached("memberships_max")));
    let of_a = channels_of(&store, "a", all());
    assert_eq!(pairs(&of_a.memberships), [("a", "1"), ("a", "2")], "all or none");
    assert_eq!(of_a.memberships[0].status, None);
    let swap = vec![join("a", "3", plain()), join("a", "4", plain()), leave("a", "1")];
    assert_eq!(change(&store, swap, 0).map(|changed| changed.set.len()), Ok(2));
    assert_eq!(
        change(&store, vec![join("b", "1", plain())], 0),
        Err(StoreError::LimitReached("memberships_max"))
    );
    assert_eq!(
        change(&store, vec![leave("a", "4"), leave("a", "9"), join("b", "1", plain())], 0).map(drop),
        Ok(())
    );
    let other = OrgId::new("other");
    let elsewhere =
        done(|done| store.set_memberships(&other, vec![join("a", "1", plain())], Timestamp(0), done));
    assert!(elsewhere.is_ok());

    let bad = MembershipPatch { custom: text("[]"), ..plain() };
    let bad = change(&store, vec![leave("a", "2"), join("a", "2", bad)], 0);
    assert!(matches!(bad, Err(StoreError::Unstorable(_))), "{bad:?}");
    let large = change(&store, vec![join("a", "2", status(&"x".repeat(1 << 20)))], 0);
    assert!(matches!(large, Err(StoreError::Unstorable(_))), "{large:?}");
    assert_eq!(channels_of(&store, "a", all()).total, Some(2));
    assert_eq!(store.close(), Ok(()));
    assert_eq!(change(&store, vec![], 0), Err(StoreError::Closed));
}
