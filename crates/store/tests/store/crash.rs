//! `kill -9`: this program starts itself, lets that append, and kills it.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::Arc;

use antiphon_model::Position;
use antiphon_store::{
    Committed, Entry, ListQuery, MembershipPatch, Range, SqliteStore, Store, StoreSettings,
};

use crate::fixture::{Fixture, append, channel, org, plain, read, wait};
use crate::records::{put, record};
use crate::vault::{self, credential};
use crate::{actions, history, items, memberships, objects};

const DIRECTORY: &str = "ANTIPHON_STORE_TEST_DIRECTORY";

/// One test of this program in a process of its own, which is told a directory.
pub(crate) struct Child(Command);

impl Child {
    pub(crate) fn new(test: &str, directory: &Path) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([test, "--exact", "--nocapture"]).env(DIRECTORY, directory);
        Child(command)
    }

    #[cfg(unix)]
    pub(crate) fn spawn_as_nobody(mut self) -> io::Result<process::Child> {
        use std::os::unix::process::CommandExt;
        self.0.uid(65_534).gid(65_534).spawn()
    }

    fn spawn(mut self) -> process::Child {
        self.0.stdout(Stdio::piped()).spawn().unwrap()
    }
}

/// The directory, in the child.
pub(crate) fn run_as_child() -> Option<PathBuf> {
    std::env::var_os(DIRECTORY).map(PathBuf::from)
}

fn with_key(position: u64) -> Entry {
    Entry { idempotency_key: Some(position.to_string().into()), ..plain(&channel("room"), position) }
}

/// Appends for ever and writes a line for each position that was acknowledged.
fn append_until_killed(directory: &Path) {
    let settings = StoreSettings { wal_bytes_max: 1 << 20, ..StoreSettings::default() };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(directory, &settings).unwrap());
    let first = store.position_floor(&org()).unwrap().0 + 1;
    for position in first.. {
        while store.queue_len() > 5_000 {
            std::thread::yield_now();
        }
        let done = move |outcome| {
            assert_eq!(outcome, Ok(Committed::Stored));
            // The parent is gone, or this process soon will be.
            let _ = io::stdout().write_all(format!("acknowledged {position}\n").as_bytes());
        };
        store.append(with_key(position), Box::new(done));
        if position % 100 == 0 {
            put(&store, "last", &position.to_string(), u64::MAX);
            wait(store.flush()).unwrap();
            let _ = io::stdout().write_all(format!("recorded {position}\n").as_bytes());
            let device = credential("acme", "device", &position.to_string(), b"secret");
            let earlier = store.credentials().unwrap();
            vault::put(&store, device).unwrap();
            for earlier in earlier {
                vault::remove(&store, "acme", "device", &earlier.name).unwrap();
            }
            let _ = io::stdout().write_all(format!("credential {position}\n").as_bytes());
            change(&store, position);
            let _ = io::stdout().write_all(format!("changed {position}\n").as_bytes());
        }
    }
}

/// One change of each sort.
fn change(store: &Arc<dyn Store>, position: u64) {
    let text = position.to_string();
    actions::add(store, &channel("room"), actions::action(position, position, "like", &text, "alice"))
        .unwrap();
    objects::set_user(store, "alice", objects::named(&text), position);
    let join = memberships::join("alice", &text, MembershipPatch::default());
    memberships::change(store, vec![join], position).unwrap();
    items::put(store, "groups", &text, &text, None).unwrap();
    append(store, plain(&channel("deleted"), position)).unwrap();
    history::delete(store, &channel("deleted"), 0, position).unwrap();
}

/// All of `changed` is so; of what came after, anything may be.
fn check_changes(store: &Arc<dyn Store>, changed: &[u64]) {
    let are_kept = |kept: &[u64]| changed.iter().all(|changed| kept.contains(changed));
    let last = changed.iter().copied().max().unwrap_or(0);
    let actions = actions::all(store, &channel("room"));
    assert!(are_kept(&actions), "{changed:?} were acknowledged, there are actions {actions:?}");
    let name = objects::user(store, "alice").map_or(0, |alice| alice.name.unwrap().parse().unwrap());
    assert!(name >= last, "{last} was acknowledged, the name is {name}");
    let memberships = memberships::channels_of(store, "alice", ListQuery { limit: 10_000, ..objects::all() });
    let memberships = memberships.memberships.iter().map(|membership| membership.channel.parse().unwrap());
    let memberships: Vec<u64> = memberships.collect();
    assert!(are_kept(&memberships), "{changed:?} were acknowledged, there are memberships {memberships:?}");
    let items = store.all_items("groups").unwrap();
    let items: Vec<u64> = items.iter().map(|(_, item)| item.key.parse().unwrap()).collect();
    assert!(are_kept(&items), "{changed:?} were acknowledged, there are items {items:?}");
    let undeleted = read(store, &channel("deleted"), Range::After(Position::ZERO));
    assert!(undeleted.publications.iter().all(|publication| publication.position.0 > last), "{undeleted:?}");
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    if let Some(directory) = run_as_child() {
        return append_until_killed(&directory);
    }
    let fixture = Fixture::sqlite();
    let (mut acknowledged, mut recorded, mut device) = (0, 0, 0);
    let mut changed = Vec::new();
    let secret = fixture.open().secret("own");
    for lines_before_kill in [1, 5_000, 20_000] {
        let mut child =
            Child::new("crash::what_was_acknowledged_survives_a_kill", fixture.directory()).spawn();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        for line in lines {
            // The kill may cut the last line short, but a short number is a smaller one.
            let line = line.unwrap();
            if let Some(position) = line.strip_prefix("recorded ") {
                recorded = recorded.max(position.parse().unwrap_or(0));
            }
            if let Some(position) = line.strip_prefix("credential ") {
                device = device.max(position.parse().unwrap_or(0));
            }
            if let Some(position) = line.strip_prefix("changed ") {
                // One that was cut short is no multiple of 100, or was there before.
                changed.extend(position.parse::<u64>().ok().filter(|position| position % 100 == 0));
            }
            if let Some(position) = line.strip_prefix("acknowledged ") {
                acknowledged = acknowledged.max(position.parse().unwrap_or(0));
                seen += 1;
            }
            if seen == lines_before_kill {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= lines_before_kill);
        check(&fixture, acknowledged, recorded);
        let store = fixture.open();
        check_credentials(&store, device);
        check_changes(&store, &changed);
        assert_eq!(store.secret("own"), secret);
    }
}

/// Whatever was put and removed before `device` is so; of the put and the removal after it, either may be.
fn check_credentials(store: &Arc<dyn Store>, device: u64) {
    let kept = store.credentials().unwrap();
    let kept: Vec<u64> = kept.iter().map(|credential| credential.name.parse().unwrap()).collect();
    assert!(
        kept.iter().max().copied().unwrap_or(0) >= device,
        "{device} was acknowledged, there are {kept:?}"
    );
    assert!(kept.iter().all(|kept| *kept >= device), "what was removed before {device} is there: {kept:?}");
}

fn check(fixture: &Fixture, acknowledged: u64, recorded: u64) {
    let store: Arc<dyn Store> = fixture.open();
    let last = record(&store, "last").map_or(0, |last| last.parse::<u64>().unwrap());
    assert!(last >= recorded, "{recorded} was flushed, the record says {last}");
    let mut since = 0;
    loop {
        let page = read(&store, &channel("room"), Range::After(Position(since)));
        for publication in &page.publications {
            assert_eq!(publication.position.0, since + 1);
            since += 1;
        }
        if !page.more {
            break;
        }
    }
    assert!(since >= acknowledged, "{acknowledged} was acknowledged, the store ends at {since}");
    assert_eq!(store.position_floor(&org()), Ok(Position(since)));
    let retried = with_key(acknowledged);
    let moved = Arc::new(antiphon_model::Publication {
        position: Position(since + 1),
        ..antiphon_model::Publication::clone(&retried.publication)
    });
    let duplicate = Committed::Duplicate { position: Position(acknowledged) };
    assert_eq!(append(&store, Entry { publication: moved, ..retried }), Ok(duplicate));
}
