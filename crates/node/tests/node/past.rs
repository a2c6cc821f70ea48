use std::sync::Arc;
use std::thread;

use antiphon_access::{Caller, Grant, Permission};
use antiphon_hub::{Rule, Since, WorkerId};
use antiphon_model::{Draft, Kind, Position, Publication, Storing};
use antiphon_node::{Between, DeleteFailed, End, NodeSettings, Past, ReadError, Window};
use antiphon_store::{MemoryStore, StoreError, StoreSettings};

use crate::Setup;
use crate::fake::FakeStore;
use crate::hooked::HookedStore;

const ALL: Position = Position(u64::MAX);
const COUNT: usize = 9;
/// How many publications the store gives, or counts, at a time.
const PAGE: usize = 4;

/// A channel of which memory has the last few, and the store gives few at a time; or one that is not stored.
fn setup(persist: bool) -> Setup {
    let store = StoreSettings { page_entries_max: PAGE, ..StoreSettings::default() };
    let store = Arc::new(MemoryStore::new(&store).unwrap());
    let rule = Rule { ring_size: if persist { 3 } else { 100 }, persist, ..Rule::default() };
    Setup::new(store, rule, NodeSettings::default())
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn publish(setup: &Setup, text: &str, change: impl FnOnce(&mut Draft)) -> Position {
    let mut draft = setup.draft(text, None);
    change(&mut draft);
    block_on(setup.node.publish_and_wait(&setup.caller, draft)).unwrap().position
}

fn numbered(setup: &Setup) -> Vec<Position> {
    (0..COUNT).map(|number| publish(setup, &number.to_string(), |_| {})).collect()
}

fn texts(publications: &[Arc<Publication>]) -> Vec<String> {
    let text = |one: &Arc<Publication>| String::from_utf8(one.payload.to_bytes().into_owned()).unwrap();
    publications.iter().map(text).collect()
}

fn read(setup: &Setup, after: Position, until: Position, from: End, limit: usize) -> Past {
    let between = Between { after, until, from };
    block_on(setup.node.history_between(&setup.caller, &setup.channel, between, limit)).unwrap()
}

fn delete(setup: &Setup, after: Position, until: Position) -> u64 {
    block_on(setup.node.delete_history(&setup.caller, &setup.channel, after, until)).unwrap()
}

fn count(setup: &Setup, after: Position) -> u64 {
    block_on(setup.node.count_since(&setup.caller, &setup.channel, after)).unwrap()
}

/// All that is to be had of the channel in each way that there is.
fn everything(setup: &Setup) -> [Vec<String>; 4] {
    let past = read(setup, Position::ZERO, ALL, End::Oldest, 100);
    let Past { mut publications, more } = past;
    if more {
        let after = publications.last().unwrap().position;
        publications.extend(read(setup, after, ALL, End::Oldest, 100).publications);
    }
    let window = |window| {
        let page = block_on(setup.node.history(&setup.caller, &setup.channel, window, 3)).unwrap();
        texts(&page.publications)
    };
    let (newest, oldest) = (window(Window::Newest), window(Window::After(Position::ZERO)));
    [texts(&publications), newest, oldest, texts(&recovered(setup))]
}

/// What somebody is given who comes back having seen nothing.
fn recovered(setup: &Setup) -> Vec<Arc<Publication>> {
    let org = &setup.node.org(&setup.caller.org).hub;
    let begin = |since| org.subscribe(WorkerId(0), &setup.channel, Since::After(since), setup.node.now());
    let mut missed = Vec::new();
    let begun = begin(Position::ZERO).or_else(|_| {
        let floor = org.recent(&setup.channel, Position::ZERO, 0, setup.node.now()).floor;
        let (node, caller) = (&setup.node, &setup.caller);
        let stored = node.missed_in_store(caller, &setup.channel, Position::ZERO, floor, usize::MAX);
        missed = block_on(stored).unwrap().publications;
        begin(floor)
    });
    let begun = begun.unwrap();
    assert!(!begun.gap);
    missed.extend(begun.missed);
    org.unsubscribe(WorkerId(0), begun.channel, setup.node.now());
    missed
}

#[test]
fn a_range_is_read_from_either_end() {
    for persist in [true, false] {
        let setup = setup(persist);
        let positions = numbered(&setup);
        let at = |index: Option<usize>| index.map_or(Position::ZERO, |index| positions[index]);
        for begin in 0..=COUNT {
            for end in begin..=COUNT {
                let (after, until) = (at(begin.checked_sub(1)), at(end.checked_sub(1)));
                let mut expected: Vec<_> = (begin..end).map(|number| number.to_string()).collect();
                let mut forward = Vec::new();
                let mut since = after;
                loop {
                    let past = read(&setup, since, until, End::Oldest, 3);
                    since = past.publications.last().map_or(since, |last| last.position);
                    forward.extend(texts(&past.publications));
                    if !past.more {
                        break;
                    }
                }
                assert_eq!(forward, expected, "{begin}..{end}");
                let newest = read(&setup, after, until, End::Newest, 3);
                assert_eq!(newest.more, expected.len() > 3, "{begin}..{end}");
                expected.drain(..expected.len().saturating_sub(3));
                assert_eq!(texts(&newest.publications), expected, "{begin}..{end}");
            }
        }
    }
}

#[test]
fn what_is_of_the_moment_is_no_past() {
    for persist in [true, false] {
        let setup = setup(persist);
        publish(&setup, "message", |_| {});
        for kind in [Kind::Signal, Kind::Action, Kind::Object] {
            publish(&setup, "of the moment", |draft| draft.kind = kind);
        }
        publish(&setup, "file", |draft| draft.kind = Kind::File);
        if persist {
            publish(&setup, "not stored", |draft| draft.storing = Storing::Never);
        }
        let past = read(&setup, Position::ZERO, ALL, End::Newest, 100);
        assert_eq!(texts(&past.publications), ["message", "file"], "stored: {persist}");
        assert_eq!(count(&setup, Position::ZERO), 2);
        assert_eq!(count(&setup, past.publications[0].position), 1);
    }
}

#[test]
fn what_is_deleted_comes_back_in_no_way() {
    for persist in [true, false] {
        // What the store has alone, what memory has too, and some of both.
        for (begin, end) in [(1_usize, 3), (4, 5), (7, 8), (5, 8), (0, COUNT)] {
            let setup = setup(persist);
            let positions = numbered(&setup);
            let after = begin.checked_sub(1).map_or(Position::ZERO, |at| positions[at]);
            assert_eq!(delete(&setup, after, positions[end - 1]), (end - begin) as u64);
            let left: Vec<_> =
                (0..COUNT).filter(|at| !(begin..end).contains(at)).map(|at| at.to_string()).collect();
            let [all, newest, oldest, recovered] = everything(&setup);
            assert_eq!(all, left, "{begin}..{end}");
            assert_eq!(recovered, left, "{begin}..{end}");
            assert_eq!(newest, left[left.len().saturating_sub(3)..], "{begin}..{end}");
            assert_eq!(oldest, left[..left.len().min(3)], "{begin}..{end}");
            let counted = if persist { left.len().min(PAGE) } else { left.len() };
            assert_eq!(count(&setup, Position::ZERO), counted as u64);
            assert_eq!(delete(&setup, after, positions[end - 1]), 0, "there is nothing left");
        }
    }
}

#[test]
fn what_is_deleted_while_somebody_reads_is_not_given_to_him() {
    for way in 0..4 {
        deleted_while_read(way);
    }
}

fn deleted_while_read(way: usize) {
    let store = Arc::new(HookedStore::new(MemoryStore::new(&StoreSettings::default()).unwrap()));
    let rule = Rule { ring_size: 3, ..Rule::default() };
    let setup = Setup::new(Arc::clone(&store) as _, rule, NodeSettings::default());
    let positions = numbered(&setup);
    let (node, caller) = (Arc::clone(&setup.node), setup.caller.clone());
    let (channel, until) = (Arc::clone(&setup.channel), positions[2]);
    store.at_next_read(move || {
        let deleted = async move { node.delete_history(&caller, &channel, Position::ZERO, until).await };
        let deleted = thread::spawn(|| block_on(deleted)).join().unwrap().unwrap();
        assert_eq!(deleted, 3);
    });
    let expected: Vec<_> = (3..COUNT).map(|number| number.to_string()).collect();
    let read = match way {
        0 => recovered(&setup),
        1 => read(&setup, Position::ZERO, ALL, End::Oldest, 100).publications,
        way => {
            let window = if way == 2 { Window::Newest } else { Window::After(Position::ZERO) };
            block_on(setup.node.history(&setup.caller, &setup.channel, window, 100)).unwrap().publications
        }
    };
    assert_eq!(texts(&read), expected, "{way}");
}

#[test]
fn what_comes_later_is_not_deleted() {
    for persist in [true, false] {
        let setup = setup(persist);
        publish(&setup, "before", |_| {});
        assert_eq!(delete(&setup, Position::ZERO, ALL), 1);
        publish(&setup, "after", |_| {});
        let [all, newest, oldest, recovered] = everything(&setup);
        assert_eq!(
            [all, newest, oldest, recovered],
            [["after"]; 4].map(|one| one.map(String::from).to_vec())
        );
        assert_eq!(delete(&setup, ALL, Position::ZERO), 0);
        assert_eq!(count(&setup, Position::ZERO), 1);
    }
}

#[test]
fn what_the_store_does_not_delete_stays_in_memory() {
    let setup = Setup::new(FakeStore::new(None), Rule::default(), NodeSettings::default());
    publish(&setup, "signal", |draft| draft.kind = Kind::Signal);
    publish(&setup, "here", |draft| draft.storing = Storing::Never);
    let deleted = setup.node.delete_history(&setup.caller, &setup.channel, Position::ZERO, ALL);
    assert!(matches!(block_on(deleted), Err(DeleteFailed::Unavailable(StoreError::Closed))));
    let org = &setup.node.org(&setup.caller.org).hub;
    let recent = org.recent(&setup.channel, Position::ZERO, 10, setup.node.now());
    assert_eq!(texts(&recent.publications), ["signal", "here"]);
}

#[test]
fn deleting_needs_more_than_reading() {
    let setup = setup(true);
    numbered(&setup);
    let may = |permissions: &[Permission]| {
        let grant = Grant::everywhere(permissions.iter().copied().collect());
        let identity = Arc::clone(&setup.caller.identity);
        Caller::new(setup.caller.org.clone(), identity, Arc::new([grant]), None, Arc::default())
    };
    for permissions in [&[Permission::History, Permission::Subscribe][..], &[Permission::Publish]] {
        let caller = may(permissions);
        let deleted = setup.node.delete_history(&caller, &setup.channel, Position::ZERO, ALL);
        assert!(matches!(block_on(deleted), Err(DeleteFailed::Refused(_))));
    }
    let listener = may(&[Permission::Subscribe]);
    let between = Between { after: Position::ZERO, until: ALL, from: End::Oldest };
    let past = block_on(setup.node.history_between(&listener, &setup.channel, between, 1));
    assert!(matches!(past, Err(ReadError::Refused(_))));
    let counted = block_on(setup.node.count_since(&listener, &setup.channel, Position::ZERO));
    assert!(matches!(counted, Err(ReadError::Refused(_))));
    setup.node.begin_closing();
    let deleted = setup.node.delete_history(&setup.caller, &setup.channel, Position::ZERO, ALL);
    assert!(matches!(block_on(deleted), Err(DeleteFailed::Closing)));
    assert_eq!(count(&setup, Position::ZERO), PAGE as u64);
}
