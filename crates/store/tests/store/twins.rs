//! Random sequences of calls: both backends have to answer the same to each.

use std::fmt::Debug;
use std::sync::Arc;

use antiphon_filter::Filter;
use antiphon_model::{OrgId, Position, Timestamp};
use antiphon_store::{
    Action, ActionQuery, ActionRange, Direction, Entry, ListQuery, Listed, MembershipChange, MembershipPatch,
    ObjectKind, ObjectPatch, Of, Store, StoreSettings,
};
use proptest::prelude::*;

use crate::fixture::{Backend, Fixture, SECOND, append, channel, done, plain, wait};

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Sweep,
    Reopen,
    Append { channel: usize, ttl: Option<u64>, keep: Option<u64> },
    Delete { channel: usize, after: u64, until: u64 },
    AddAction { channel: usize, message: u64, kind: usize, publisher: usize },
    RemoveAction { channel: usize, nth: u64, publisher: usize },
    Actions { channel: usize, query: ActionQuery },
    SetObject { org: usize, kind: ObjectKind, id: usize, patch: ObjectPatch, if_match: IfMatch },
    RemoveObject { org: usize, kind: ObjectKind, id: usize },
    Object { org: usize, kind: ObjectKind, id: usize },
    Objects { org: usize, kind: ObjectKind, query: ListQuery },
    SetMemberships { org: usize, changes: Vec<MembershipChange> },
    Memberships { org: usize, of: Of, query: ListQuery },
    PutItem { org: usize, collection: usize, key: usize, ttl: Option<u64> },
    RemoveItem { org: usize, collection: usize, key: usize },
    Item { org: usize, collection: usize, key: usize },
    Items { org: usize, collection: usize, after: Option<usize>, prefix: usize, limit: usize },
    AllItems { collection: usize },
}

#[derive(Clone, Debug)]
enum IfMatch {
    Nothing,
    Current,
    Another,
}

/// In the order of their bytes, and near one another.
const NAMES: [&str; 9] = ["", "A", "a", "a/", "a/b", "ab", "b'\"", "ä", "🦀"];
const ORGS: [&str; 2] = ["org", "other"];

fn id() -> impl Strategy<Value = usize> {
    0..NAMES.len()
}

fn kind() -> impl Strategy<Value = ObjectKind> {
    prop_oneof![Just(ObjectKind::User), Just(ObjectKind::Channel)]
}

fn field() -> impl Strategy<Value = Option<Option<Box<str>>>> {
    prop_oneof![
        3 => Just(None),
        1 => Just(Some(None)),
        4 => id().prop_map(|id| Some(Some(NAMES[id].into()))),
    ]
}

fn custom() -> impl Strategy<Value = Option<Option<Box<str>>>> {
    let json = prop_oneof![
        Just("{}"),
        Just(" {\"x\":1,\"y\":{\"z\":[true,\"ä\"]}} "),
        Just("{\"x\":\"1\",\"y\":null}"),
        Just("{\"x\":17325678901234567,\"y\":{\"z\":[null,\"A\"]}}"),
        Just("{\"x\":-1.5,\"y\":\"\\u00e4\"}"),
        Just("[1]"),
    ];
    prop_oneof![2 => Just(None), 1 => Just(Some(None)), 4 => json.prop_map(|json| Some(Some(json.into())))]
}

fn object_patch() -> impl Strategy<Value = ObjectPatch> {
    (field(), field(), field(), field(), field(), field(), custom()).prop_map(
        |(name, external_id, profile_url, email, status, kind, custom)| {
            let description = email.clone();
            ObjectPatch { name, external_id, profile_url, email, description, status, kind, custom }
        },
    )
}

fn membership_change() -> impl Strategy<Value = MembershipChange> {
    let ids =
        || (0..4_usize, 0..4_usize).prop_map(|(user, channel)| (NAMES[user].into(), NAMES[channel].into()));
    prop_oneof![
        3 => (ids(), field(), field(), custom()).prop_map(|((user, channel), status, kind, custom)| {
            MembershipChange::Set { user, channel, patch: MembershipPatch { status, kind, custom } }
        }),
        1 => ids().prop_map(|(user, channel)| MembershipChange::Remove { user, channel }),
    ]
}

fn filter(fields: &'static [&'static str]) -> impl Strategy<Value = String> {
    let operator = proptest::sample::select(vec!["==", "!=", "<", "<=", ">", ">=", "LIKE"]);
    let value = proptest::sample::select(vec![
        "null",
        "true",
        "1",
        "-1.5",
        "17325678901234567",
        "17325678901234568",
        "''",
        "'a'",
        "'A*'",
        "'*ä'",
        "\"b'\"",
        "'1970-01-01T00:00:12'",
    ]);
    let comparison = (proptest::sample::select(fields), operator, value)
        .prop_map(|(field, operator, value)| format!("{field} {operator} {value}"));
    comparison.prop_recursive(3, 6, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|of| format!("!({of})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a}) || ({b})")),
        ]
    })
}

fn list_query(
    listed: Listed,
    fields: &'static [&'static str],
    sorts: &'static [&'static str],
) -> impl Strategy<Value = ListQuery> {
    let filter = proptest::option::of(filter(fields).prop_map(|text| Filter::parse(&text).unwrap()));
    let direction = prop_oneof![Just(Direction::Ascending), Just(Direction::Descending)];
    let sort = (proptest::sample::select(sorts), direction)
        .prop_map(move |(name, direction)| (listed.sort_field(name).unwrap(), direction));
    (filter, proptest::collection::vec(sort, 0..3), 0..8_usize, 0..4_u64, any::<bool>())
        .prop_map(|(filter, sort, limit, offset, count)| ListQuery { filter, sort, limit, offset, count })
}

fn objects_query() -> impl Strategy<Value = ListQuery> {
    const FIELDS: &[&str] = &[
        "id",
        "name",
        "externalId",
        "profileUrl",
        "email",
        "description",
        "status",
        "type",
        "updated",
        "custom.x",
        "custom.y.z[1]",
        "custom",
        "custom.y",
        "nothing",
    ];
    list_query(Listed::Objects, FIELDS, &["id", "name", "status", "type", "updated"])
}

fn memberships_query(of_user: bool) -> impl Strategy<Value = ListQuery> {
    const CHANNELS: &[&str] = &[
        "status",
        "type",
        "updated",
        "custom.x",
        "channel.id",
        "channel.name",
        "channel.custom.x",
        "channel.updated",
        "uuid.id",
    ];
    const USERS: &[&str] =
        &["status", "type", "updated", "custom.y.z[0]", "uuid.id", "uuid.email", "uuid.custom"];
    const BY_CHANNELS: &[&str] = &[
        "status",
        "type",
        "updated",
        "channel.id",
        "channel.name",
        "channel.status",
        "channel.type",
        "channel.updated",
    ];
    const BY_USERS: &[&str] = &["status", "updated", "uuid.id", "uuid.name", "uuid.updated"];
    match of_user {
        true => list_query(Listed::ChannelsOfUser, CHANNELS, BY_CHANNELS).boxed(),
        false => list_query(Listed::UsersOfChannel, USERS, BY_USERS).boxed(),
    }
}

fn of() -> impl Strategy<Value = (Of, ListQuery)> {
    any::<bool>().prop_flat_map(|of_user| {
        (0..4_usize, memberships_query(of_user)).prop_map(move |(id, query)| {
            let id = NAMES[id].into();
            (if of_user { Of::User(id) } else { Of::Channel(id) }, query)
        })
    })
}

fn message() -> impl Strategy<Value = u64> {
    // The n-th position given out.
    0..30_u64
}

fn action_query() -> impl Strategy<Value = ActionQuery> {
    let by_messages = (message(), message()).prop_map(|(after, until)| ActionRange::ByMessages {
        after: Position(after),
        until: Position(until),
    });
    let by_actions = (message(), message())
        .prop_map(|(start, end)| ActionRange::ByActions { start: Position(start), end: Position(end) });
    let everything = Just(ActionRange::ByMessages { after: Position(0), until: Position(99) });
    (prop_oneof![by_messages, by_actions, everything], 0..8_usize)
        .prop_map(|(by, limit)| ActionQuery { by, limit })
}

fn step() -> impl Strategy<Value = Step> {
    let ttl = || proptest::option::of(0..3 * SECOND);
    let org = || 0..2_usize;
    let if_match =
        prop_oneof![3 => Just(IfMatch::Nothing), 1 => Just(IfMatch::Current), 1 => Just(IfMatch::Another)];
    let time = prop_oneof![
        3 => (0..SECOND).prop_map(Step::Wait),
        1 => Just(Step::Sweep),
        1 => Just(Step::Reopen),
    ];
    let actions = prop_oneof![
        2 => (0..2_usize, ttl(), proptest::option::of(0..6_u64))
            .prop_map(|(channel, ttl, keep)| Step::Append { channel, ttl, keep }),
        1 => (0..2_usize, message(), message()).prop_map(|(channel, after, until)| Step::Delete { channel, after, until }),
        6 => (0..2_usize, message(), 0..2_usize, 0..2_usize)
            .prop_map(|(channel, message, kind, publisher)| Step::AddAction { channel, message, kind, publisher }),
        2 => (0..2_usize, 0..10_u64, 0..2_usize)
            .prop_map(|(channel, nth, publisher)| Step::RemoveAction { channel, nth, publisher }),
        4 => (0..3_usize, action_query()).prop_map(|(channel, query)| Step::Actions { channel, query }),
    ];
    let objects = prop_oneof![
        6 => (org(), kind(), id(), object_patch(), if_match)
            .prop_map(|(org, kind, id, patch, if_match)| Step::SetObject { org, kind, id, patch, if_match }),
        1 => (org(), kind(), id()).prop_map(|(org, kind, id)| Step::RemoveObject { org, kind, id }),
        1 => (org(), kind(), id()).prop_map(|(org, kind, id)| Step::Object { org, kind, id }),
        6 => (org(), kind(), objects_query()).prop_map(|(org, kind, query)| Step::Objects { org, kind, query }),
        5 => (org(), proptest::collection::vec(membership_change(), 0..5))
            .prop_map(|(org, changes)| Step::SetMemberships { org, changes }),
        6 => (org(), of()).prop_map(|(org, (of, query))| Step::Memberships { org, of, query }),
    ];
    let items = prop_oneof![
        6 => (org(), 0..2_usize, id(), ttl())
            .prop_map(|(org, collection, key, ttl)| Step::PutItem { org, collection, key, ttl }),
        2 => (org(), 0..2_usize, id()).prop_map(|(org, collection, key)| Step::RemoveItem { org, collection, key }),
        2 => (org(), 0..2_usize, id()).prop_map(|(org, collection, key)| Step::Item { org, collection, key }),
        4 => (org(), 0..2_usize, proptest::option::of(id()), id(), 0..6_usize).prop_map(
            |(org, collection, after, prefix, limit)| Step::Items { org, collection, after, prefix, limit }
        ),
        1 => (0..2_usize).prop_map(|collection| Step::AllItems { collection }),
    ];
    prop_oneof![2 => time, 4 => actions, 6 => objects, 4 => items]
}

/// A backend, and what it has to know to be asked the same as another.
struct Twin {
    fixture: Fixture,
    settings: StoreSettings,
    store: Arc<dyn Store>,
    now: u64,
    given: u64,
}

impl Twin {
    fn new(fixture: Fixture) -> Twin {
        let settings = StoreSettings {
            idempotency_keep_secs: 0,
            forget_channel_secs: 2,
            // Only when told to.
            retention_interval_millis: 3_600_000,
            actions_per_message_max: 3,
            actions_without_message_secs: 2,
            objects_max: 7,
            memberships_max: 6,
            items_max: 8,
            page_entries_max: 6,
            page_bytes_max: 1_000,
            ..StoreSettings::default()
        };
        let now = 10 * SECOND;
        fixture.set_now(now);
        let store = fixture.open_with(&settings);
        Twin { fixture, settings, store, now, given: 0 }
    }

    /// Does it and tells what came of it.
    fn step(&mut self, step: &Step) -> String {
        let store = &self.store;
        let now = Timestamp(self.now);
        let room = |nth: usize| channel(["room", "Zimmer 🦀", "never used"][nth]);
        let first = OrgId::new(ORGS[0]);
        let org = |nth: usize| OrgId::new(ORGS[nth]);
        match step.clone() {
            Step::Wait(units) => {
                self.now += units;
                self.fixture.set_now(self.now);
                told(())
            }
            Step::Sweep => told(wait(store.sweep())),
            Step::Reopen => {
                if matches!(self.fixture.backend, Backend::Sqlite(_)) {
                    self.store.close().unwrap();
                    self.store = self.fixture.open_with(&self.settings);
                }
                told(())
            }
            Step::Append { channel, ttl, keep } => {
                self.given += 1;
                let expires = ttl.map(|ttl| Timestamp(self.now + ttl));
                let appended = append(store, Entry { expires, keep, ..plain(&room(channel), self.given) });
                // When histories are trimmed is up to the backend, but for the end of a sweep.
                told((appended, wait(store.sweep())))
            }
            Step::Delete { channel, after, until } => {
                // What has expired counts for one that has not swept it.
                wait(store.sweep()).unwrap();
                told(done(|done| {
                    store.delete(&first, &room(channel), Position(after), Position(until), done)
                }))
            }
            Step::AddAction { channel, message, kind, publisher } => {
                self.given += 1;
                let (message, position) = (Position(message), Position(self.given));
                let (kind, publisher) = (NAMES[kind].into(), NAMES[publisher].into());
                let action = Action { message, position, kind, value: "ä".into(), publisher };
                told(done(|done| store.add_action(&first, &room(channel), action, done)))
            }
            Step::RemoveAction { channel, nth, publisher } => {
                let everything = ActionRange::ByActions { start: Position(u64::MAX), end: Position(0) };
                let query = ActionQuery { by: everything, limit: 6 };
                let page = wait(store.actions(&first, &room(channel), query)).unwrap();
                let found = page.actions.get(nth as usize);
                let (message, position) =
                    found.map_or((Position(nth), Position(nth)), |action| (action.message, action.position));
                let publisher = NAMES[publisher];
                told(done(|done| {
                    store.remove_action(&first, &room(channel), message, position, publisher, done);
                }))
            }
            Step::Actions { channel, query } => told(wait(store.actions(&first, &room(channel), query))),
            Step::SetObject { org: of, kind, id, patch, if_match } => {
                let current = wait(store.object(&org(of), kind, NAMES[id])).unwrap();
                let if_match = match if_match {
                    IfMatch::Nothing => None,
                    IfMatch::Current => current.map(|object| object.etag),
                    IfMatch::Another => Some("another".into()),
                };
                told(done(|done| store.set_object(&org(of), kind, NAMES[id], patch, if_match, now, done)))
            }
            Step::RemoveObject { org: of, kind, id } => {
                told(done(|done| store.remove_object(&org(of), kind, NAMES[id], done)))
            }
            Step::Object { org: of, kind, id } => told(wait(store.object(&org(of), kind, NAMES[id]))),
            Step::Objects { org: of, kind, query } => told(wait(store.objects(&org(of), kind, query))),
            Step::SetMemberships { org: of, changes } => {
                told(done(|done| store.set_memberships(&org(of), changes, now, done)))
            }
            Step::Memberships { org: in_org, of, query } => {
                told(wait(store.memberships(&org(in_org), of, query)))
            }
            Step::PutItem { org: of, collection, key, ttl } => {
                let expires = ttl.map(|ttl| Timestamp(self.now + ttl));
                let value = self.now.to_string().into();
                // What has expired takes its place until it is swept.
                wait(store.sweep()).unwrap();
                told(done(|done| {
                    store.put_item(&org(of), NAMES[collection + 2], NAMES[key], value, expires, done);
                }))
            }
            Step::RemoveItem { org: of, collection, key } => {
                told(done(|done| store.remove_item(&org(of), NAMES[collection + 2], NAMES[key], done)))
            }
            Step::Item { org: of, collection, key } => {
                told(wait(store.item(&org(of), NAMES[collection + 2], NAMES[key])))
            }
            Step::Items { org: of, collection, after, prefix, limit } => {
                let after = after.map(|after| NAMES[after]);
                told(wait(store.items(&org(of), NAMES[collection + 2], after, NAMES[prefix], limit)))
            }
            Step::AllItems { collection } => told(store.all_items(NAMES[collection + 2])),
        }
    }
}

fn told(outcome: impl Debug) -> String {
    format!("{outcome:?}")
}

proptest! {
    // Each of them opens files a few times over.
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_backends_answer_the_same(steps in proptest::collection::vec(step(), 1..150)) {
        let (mut memory, mut sqlite) = (Twin::new(Fixture::memory()), Twin::new(Fixture::sqlite()));
        for step in &steps {
            prop_assert_eq!(memory.step(step), sqlite.step(step), "{:?}", step);
        }
    }
}
