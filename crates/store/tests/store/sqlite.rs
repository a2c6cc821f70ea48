//! What can happen to a database on a disk.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use antiphon_model::{Draft, IdentityKind, Payload, Position, SessionId, Timestamp};
use antiphon_store::{
    Committed, DATABASE_FILE, Durability, Entry, ListQuery, MembershipPatch, ObjectKind, Range, SqliteStore,
    Store, StoreError, StoreSettings,
};
use rusqlite::Connection;

use crate::fixture::{
    Fixture, append, append_and_forget, channel, entry, everything, json, org, plain, positions, read, wait,
};
use crate::records::{put, record};
use crate::vault::{self, credential};
use crate::{actions, history, items, memberships, objects};

fn raw(fixture: &Fixture) -> Connection {
    Connection::open(fixture.directory().join(DATABASE_FILE)).unwrap()
}

#[test]
fn everything_is_there_after_reopening() {
    let fixture = Fixture::sqlite();
    let room = channel("room");
    let settings = StoreSettings { durability: Durability::Power, ..StoreSettings::default() };
    let with_key = |position| {
        let mut draft = Draft::new(room.clone(), Payload::Json(json("1")));
        draft.publisher = Some(Arc::new(antiphon_model::Identity::new(IdentityKind::User, "alice")));
        Entry { idempotency_key: Some("k".into()), keep: Some(3), ..entry(draft.at(Position(position))) }
    };
    let store = fixture.open_with(&settings);
    for n in 1..=5 {
        append(&store, Entry { keep: Some(3), ..plain(&room, n) }).unwrap();
    }
    append(&store, with_key(6)).unwrap();
    store.lease_positions(&org(), Position(1_000));
    wait(store.sweep()).unwrap();
    drop(store);

    let store = fixture.open();
    let page = read(&store, &room, everything());
    assert_eq!((positions(&page), page.trimmed_to), (vec![4, 5, 6], Position(3)));
    assert_eq!(store.position_floor(&org()), Ok(Position(1_000)));
    let duplicate = Committed::Duplicate { position: Position(6) };
    assert_eq!(append(&store, with_key(1_001)), Ok(duplicate));
    append(&store, Entry { keep: Some(3), ..plain(&room, 1_002) }).unwrap();
    wait(store.sweep()).unwrap();
    assert_eq!(positions(&read(&store, &room, everything())), [5, 6, 1_002]);
}

#[test]
fn the_session_to_leave_out_is_forgotten_with_its_process() {
    let fixture = Fixture::sqlite();
    let room = channel("room");
    let mut publication = Draft::new(room.clone(), Payload::Json(json("1"))).at(Position(1));
    publication.except = Some(SessionId(42));
    let store = fixture.open();
    append(&store, entry(publication)).unwrap();
    let except = |store: &Arc<dyn Store>| read(store, &room, everything()).publications[0].except;
    assert_eq!(except(&store), Some(SessionId(42)));
    drop(store);
    assert_eq!(except(&fixture.open()), None);
}

#[test]
fn records_are_there_after_reopening() {
    let fixture = Fixture::sqlite();
    let store = fixture.open();
    put(&store, "a", "1", u64::MAX);
    put(&store, "b", "1", 100);
    put(&store, "c", "1", u64::MAX);
    wait(store.flush()).unwrap();
    store.remove_record(&org(), "c");
    put(&store, "a", "2", u64::MAX);
    drop(store);
    // Fewer than there are: the one that expires last stays.
    let store = fixture.open_with(&StoreSettings { records_max: 2, ..StoreSettings::default() });
    fixture.set_now(99);
    let records = |store| ["a", "b", "c", "d"].map(|key| record(store, key));
    assert_eq!(records(&store), [Some("2".to_owned()), Some("1".to_owned()), None, None]);
    put(&store, "d", "4", 200);
    wait(store.flush()).unwrap();
    assert_eq!(records(&store), [Some("2".to_owned()), None, None, Some("4".to_owned())]);
}

#[test]
fn credentials_and_secrets_are_there_after_reopening() {
    let fixture = Fixture::sqlite();
    let store = fixture.open();
    let secret = store.secret("own").unwrap();
    for name in ["a", "b", "c"] {
        vault::put(&store, credential("acme", "device", name, b"1")).unwrap();
    }
    vault::put(&store, credential("acme", "device", "a", b"2")).unwrap();
    vault::remove(&store, "acme", "device", "b").unwrap();
    drop(store);

    let store = fixture.open();
    let expected = [credential("acme", "device", "a", b"2"), credential("acme", "device", "c", b"1")];
    assert_eq!(store.credentials().unwrap(), expected);
    assert_eq!(store.secret("own"), Ok(secret));
    drop(store);
    raw(&fixture).execute_batch("UPDATE secrets SET value = x'00'").unwrap();
    let secret = fixture.open().secret("own");
    assert!(matches!(secret, Err(StoreError::Internal(_))), "a short one is not made up for: {secret:?}");
}

#[test]
fn actions_objects_memberships_and_items_are_there_after_reopening() {
    let fixture = Fixture::sqlite();
    let room = channel("room");
    let store = fixture.open();
    append(&store, plain(&room, 1)).unwrap();
    actions::add(&store, &room, actions::action(1, 2, "like", "👍", "alice")).unwrap();
    let alice = objects::set_user(&store, "alice", objects::named("Alice"), 70);
    let join = memberships::join("alice", "room", MembershipPatch::default());
    let changed = memberships::change(&store, vec![join], 80).unwrap();
    items::put(&store, "groups", "a", "1", Some(1_000)).unwrap();
    history::delete(&store, &room, 5, 9).unwrap();
    drop(store);

    let settings =
        StoreSettings { objects_max: 1, memberships_max: 1, items_max: 1, ..StoreSettings::default() };
    let store = fixture.open_with(&settings);
    assert_eq!(actions::all(&store, &room), [2]);
    assert_eq!(objects::user(&store, "alice"), Some(alice));
    assert_eq!(memberships::channels_of(&store, "alice", objects::all()).memberships, changed.set);
    assert_eq!(items::item(&store, "groups", "a").as_deref(), Some("1"));
    // What was there before counts.
    let limit = items::put(&store, "groups", "b", "1", None);
    assert_eq!(limit, Err(StoreError::LimitReached("items_max")));
    let limit = objects::set(&store, ObjectKind::User, "bob", objects::named("Bob"), None, 0);
    assert_eq!(limit, Err(StoreError::LimitReached("objects_max")));
    fixture.set_now(1_000);
    wait(store.sweep()).unwrap();
    assert_eq!(items::put(&store, "groups", "b", "1", None), Ok(()));
}

#[test]
fn a_list_that_takes_too_long_is_given_up() {
    let fixture = Fixture::sqlite();
    let settings = StoreSettings { list_millis_max: 0, ..StoreSettings::default() };
    let store = fixture.open_with(&settings);
    for n in 0..3_000 {
        let done = Box::new(|outcome: Result<_, _>| assert!(matches!(outcome, Ok(Ok(_)))));
        let patch = objects::custom("{\"x\":1}");
        store.set_object(&org(), ObjectKind::User, &n.to_string(), patch, None, Timestamp(0), done);
    }
    wait(store.flush()).unwrap();
    let expensive = objects::filtered("custom.x == 2");
    assert_eq!(wait(store.objects(&org(), ObjectKind::User, expensive)), Err(StoreError::TooExpensive));
    // Others that are read on the same connections are not.
    for _ in 0..4 {
        assert!(objects::user(&store, "2999").is_some());
        let cheap = ListQuery { count: false, limit: 3, ..objects::all() };
        assert_eq!(wait(store.objects(&org(), ObjectKind::User, cheap)).unwrap().objects.len(), 3);
    }
}

/// The orders that lists are read in most need no sorting, and lists of a channel's members no look at others'.
#[test]
fn lists_are_read_along_their_index() {
    let fixture = Fixture::sqlite();
    let _store = fixture.open();
    let plan = |from: &str, order: &str| {
        let sql = format!("EXPLAIN QUERY PLAN SELECT * FROM {from} ORDER BY {order} LIMIT 9 OFFSET 1");
        let database = raw(&fixture);
        let mut plan = database.prepare(&sql).unwrap();
        let rows = plan.query_map([], |row| row.get::<_, String>(3)).unwrap();
        rows.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
    };
    let objects = "objects AS o WHERE o.org_id = 1 AND o.kind = 0";
    for order in ["o.id", "o.id DESC", "o.name, o.id", "o.name DESC, o.id DESC", "o.updated DESC, o.id DESC"]
    {
        let plan = plan(objects, order);
        assert!(!plan.contains("TEMP B-TREE"), "{order}: {plan}");
    }
    let members = "memberships AS m INDEXED BY memberships_channel \
                   WHERE m.org_id = 1 AND m.channel = 'a' AND m.status = 'x'";
    let plan = plan(members, "m.user");
    assert!(plan.contains("(org_id=? AND channel=?)") && !plan.contains("TEMP B-TREE"), "{plan}");
}

#[cfg(unix)]
#[test]
fn others_cannot_read_the_database() {
    use std::os::unix::fs::PermissionsExt;

    let fixture = Fixture::sqlite();
    let mode = |file: &str| {
        let path = fixture.directory().join(format!("{DATABASE_FILE}{file}"));
        fs::metadata(path).map(|found| found.permissions().mode() & 0o777)
    };
    let store = fixture.open();
    vault::put(&store, credential("acme", "device", "a", b"1")).unwrap();
    assert_eq!(["", "-wal", "-shm"].map(|file| mode(file).unwrap()), [0o600; 3]);
    drop(store);
    // One that everybody may read; the operator's group keeps what it has.
    let set = |mode| fs::set_permissions(fixture.directory().join(DATABASE_FILE), mode);
    set(fs::Permissions::from_mode(0o664)).unwrap();
    let store = fixture.open();
    vault::put(&store, credential("acme", "device", "b", b"1")).unwrap();
    assert_eq!(["", "-wal", "-shm"].map(|file| mode(file).unwrap()), [0o660; 3]);
}

#[test]
fn two_servers_cannot_share_a_directory() {
    let fixture = Fixture::sqlite();
    let first = fixture.open();
    let open = || fixture.try_open(&StoreSettings::default()).map(drop);
    assert_eq!(open(), Err(StoreError::InUse));
    first.close().unwrap();
    assert_eq!(open(), Ok(()));
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let fixture = Fixture::sqlite();
    drop(fixture.open());
    raw(&fixture).pragma_update(None, "user_version", 99).unwrap();
    let opened = fixture.try_open(&StoreSettings::default()).map(drop);
    assert_eq!(opened, Err(StoreError::NewerSchema { found: 99, known: 4 }));
    raw(&fixture).pragma_update(None, "user_version", 4).unwrap();
    fixture.open();
}

#[test]
fn a_locked_database_fails_the_group_and_no_more() {
    let fixture = Fixture::sqlite();
    let settings = StoreSettings { busy_timeout_millis: 20, ..StoreSettings::default() };
    let store = fixture.open_with(&settings);
    let room = channel("room");
    append(&store, plain(&room, 1)).unwrap();
    let other = raw(&fixture);
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    store.lease_positions(&org(), Position(500));
    put(&store, "a", "1", u64::MAX);
    assert_eq!(append(&store, plain(&channel("new"), 2)), Err(StoreError::Locked));
    assert_eq!(record(&store, "a").as_deref(), Some("1"), "though it is not in the database yet");
    assert_eq!(items::put(&store, "groups", "a", "1", None), Err(StoreError::Locked));
    assert_eq!(history::delete(&store, &room, 0, 9), Err(StoreError::Locked));
    assert_eq!(wait(store.sweep()), Err(StoreError::Locked));
    assert_eq!(positions(&read(&store, &room, everything())), [1]);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(append(&store, plain(&channel("new"), 3)), Ok(Committed::Stored));
    assert_eq!(positions(&read(&store, &channel("new"), everything())), [3]);
    // The lease and the record went with the next group.
    assert_eq!(store.position_floor(&org()), Ok(Position(500)));
    let values = raw(&fixture).query_row("SELECT group_concat(value) FROM records", [], |row| row.get(0));
    assert_eq!(values, Ok("1".to_owned()));
    assert!(store.stats().failed_groups >= 1);
    assert_eq!(wait(store.sweep()), Ok(()));
}

#[test]
fn a_full_database_refuses_until_there_is_room_again() {
    let fixture = Fixture::sqlite();
    let settings = StoreSettings { database_bytes_max: 300_000, ..StoreSettings::default() };
    let store = fixture.open_with(&settings);
    fills_up_and_recovers(&fixture, &store, |fixture, store| {
        fixture.set_now(1_000);
        wait(store.sweep()).unwrap();
    });
    assert!(fs::metadata(fixture.directory().join(DATABASE_FILE)).unwrap().len() <= 300_000);
}

fn fills_up_and_recovers(
    fixture: &Fixture,
    store: &Arc<dyn Store>,
    make_room: impl Fn(&Fixture, &Arc<dyn Store>),
) {
    let room = channel("room");
    let large = |position| {
        let payload = Payload::Binary(vec![7; 5_000].into());
        let entry = entry(Draft::new(room.clone(), payload).at(Position(position)));
        Entry { expires: Some(Timestamp(1_000)), idempotency_key: Some(position.to_string().into()), ..entry }
    };
    let mut stored = Vec::new();
    let refused = (1..).find(|position| match append(store, large(*position)) {
        Ok(_) => {
            stored.push(*position);
            false
        }
        Err(error) => {
            assert_eq!(error, StoreError::DiskFull);
            true
        }
    });
    let refused = refused.unwrap();
    // The row of this channel is made and then taken back with its group.
    let late = channel("late");
    let for_late = || {
        let payload = Payload::Binary(vec![7; 50_000].into());
        entry(Draft::new(late.clone(), payload).at(Position(refused + 1)))
    };
    assert_eq!(append(store, for_late()), Err(StoreError::DiskFull));
    assert!(stored.len() > 20, "{} were stored", stored.len());
    // Large enough for no page to have room for it; the row of its org is made and taken back too.
    let device = credential("another", "device", "door", &[7; 50_000]);
    assert_eq!(vault::put(store, device.clone()), Err(StoreError::DiskFull));
    assert_eq!(store.credentials(), Ok(vec![]));
    let name = "x".repeat(50_000);
    let set = || objects::set(store, ObjectKind::User, "alice", objects::named(&name), None, 0);
    assert_eq!(set(), Err(StoreError::DiskFull));
    assert_eq!(objects::user(store, "alice"), None);
    assert_eq!(positions(&read(store, &room, everything())), stored);
    make_room(fixture, store);
    assert_eq!(append(store, large(refused)), Ok(Committed::Stored), "the key of what failed is not taken");
    let newest = read(store, &room, Range::Newest);
    assert_eq!(positions(&newest).last(), Some(&refused));
    assert_eq!(append(store, for_late()), Ok(Committed::Stored));
    assert_eq!(positions(&read(store, &late, everything())), [refused + 1]);
    assert_eq!(vault::put(store, device.clone()), Ok(()));
    assert_eq!(store.credentials(), Ok(vec![device]));
    assert_eq!(vault::remove(store, "another", "device", "door"), Ok(()));
    assert_eq!(set().unwrap().unwrap().name.as_deref(), Some(&*name));
}

/// A file system of 3 MiB, for as long as this lives.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None where this process may not mount one.
    fn mount() -> Option<SmallDisk> {
        let directory = tempfile::tempdir().unwrap();
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"])
            .arg(directory.path())
            .output()
            .ok()?;
        mount.status.success().then_some(SmallDisk(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmount = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(unmount.is_ok_and(|status| status.success()), "{:?} stays mounted", self.0);
    }
}

#[test]
fn a_full_disk_refuses_until_there_is_room_again() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("not run: only root can mount the small file system that this needs");
        return;
    };
    let ballast = disk.0.path().join("ballast");
    fs::write(&ballast, vec![0; 3 << 19]).unwrap();
    let directory = tempfile::tempdir_in(disk.0.path()).unwrap();
    let fixture = Fixture { backend: crate::fixture::Backend::Sqlite(directory), ..Fixture::memory() };
    let store = fixture.open();
    fills_up_and_recovers(&fixture, &store, |_, _| fs::remove_file(&ballast).unwrap());
    let room = channel("room");
    let before = positions(&read(&store, &room, everything()));
    store.close().unwrap();
    assert_eq!(positions(&read(&fixture.open(), &room, everything())), before);
}

#[test]
fn the_log_is_merged_while_writing_goes_on() {
    let fixture = Fixture::sqlite();
    let settings = StoreSettings { wal_bytes_max: 1 << 20, ..StoreSettings::default() };
    let store = fixture.open_with(&settings);
    let room = channel("room");
    for n in 1..=400 {
        let payload = Payload::Binary(vec![1; 50_000].into());
        append_and_forget(&store, entry(Draft::new(room.clone(), payload).at(Position(n))));
        if n % 10 == 0 {
            wait(store.flush()).unwrap();
        }
    }
    let log = fs::metadata(fixture.directory().join(format!("{DATABASE_FILE}-wal"))).unwrap().len();
    assert!(log < 10 << 20, "20 MB were written, and the log has {log} bytes");
    drop(store);
    assert!(!fixture.directory().join(format!("{DATABASE_FILE}-wal")).exists(), "closing merges all of it");
}

#[test]
fn a_damaged_database_is_said_to_be_damaged() {
    let fixture = Fixture::sqlite();
    drop(fixture.open());
    fs::write(fixture.directory().join(DATABASE_FILE), "not at all a database ".repeat(1_000)).unwrap();
    let opened = fixture.try_open(&StoreSettings::default()).map(drop);
    assert!(matches!(opened, Err(StoreError::Corrupt(_))), "{opened:?}");
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let opened = SqliteStore::open(&file.join("below"), &StoreSettings::default()).map(drop);
    assert!(matches!(opened, Err(StoreError::Io(_))), "{opened:?}");
}

#[cfg(unix)]
#[test]
fn a_read_only_directory_is_said_to_be_so() {
    use std::os::unix::fs::PermissionsExt;

    use crate::crash::{Child, run_as_child};

    const NAME: &str = "sqlite::a_read_only_directory_is_said_to_be_so";
    let check = |directory: &Path| {
        let opened = SqliteStore::open(directory, &StoreSettings::default()).map(drop);
        assert!(matches!(opened, Err(StoreError::ReadOnly(_))), "{opened:?}");
    };
    if let Some(directory) = run_as_child() {
        return check(&directory);
    }
    let directory = tempfile::tempdir().unwrap();
    let set = |mode| fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
    set(0o555);
    // Permissions do not bind root, so root has somebody else try.
    if fs::write(directory.path().join("probe"), "").is_ok() {
        fs::remove_file(directory.path().join("probe")).unwrap();
        let status =
            Child::new(NAME, directory.path()).spawn_as_nobody().map(|mut child| child.wait().unwrap());
        match status {
            Ok(status) => assert!(status.success()),
            Err(error) => eprintln!("not checked: this program cannot be run by another user: {error}"),
        }
    } else {
        check(directory.path());
    }
    set(0o755);
}
