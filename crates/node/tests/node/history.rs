use std::sync::Arc;
use std::time::Duration;

use antiphon_access::{Caller, Grant, Permission};
use antiphon_hub::Rule;
use antiphon_model::{Position, Publication};
use antiphon_node::{MissedInStore, NodeSettings, Window};
use antiphon_store::{MemoryStore, Store, StoreSettings};

use crate::Setup;

const RING: usize = 4;
const STORED: usize = 12;

/// A channel of which memory has the last few and the store everything; the store gives few at a time.
fn setup(settings: NodeSettings, history_size: usize) -> (Setup, Vec<Position>) {
    let store = StoreSettings { page_entries_max: 3, ..StoreSettings::default() };
    let store = Arc::new(MemoryStore::new(&store).unwrap());
    let rule = Rule { ring_size: RING, history_size, ..Rule::default() };
    let setup = Setup::new(Arc::clone(&store) as _, rule, settings);
    let positions = (0..STORED).map(|number| {
        let draft = setup.draft(&number.to_string(), None);
        block_on(setup.node.publish_and_wait(&setup.caller, draft)).unwrap().position
    });
    let positions = positions.collect();
    block_on(store.sweep()).unwrap();
    (setup, positions)
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn numbers(publications: &[Arc<Publication>]) -> Vec<usize> {
    let number = |publication: &Arc<Publication>| {
        std::str::from_utf8(&publication.payload.to_bytes()).unwrap().parse()
    };
    publications.iter().map(|publication| number(publication).unwrap()).collect()
}

#[test]
fn pages_from_any_position_go_on_to_the_end_without_a_hole() {
    let (setup, positions) = setup(NodeSettings::default(), 1000);
    for limit in 0..=STORED + 1 {
        for begin in 0..=STORED {
            let mut since = begin.checked_sub(1).map_or(Position::ZERO, |at| positions[at]);
            let mut all = Vec::new();
            loop {
                let window = Window::After(since);
                let page = setup.node.history(&setup.caller, &setup.channel, window, limit);
                let page = block_on(page).unwrap();
                assert!(!page.gap && page.publications.len() <= limit.max(1));
                all.extend(numbers(&page.publications));
                since = page.position;
                if !page.more {
                    break;
                }
            }
            assert_eq!(all, (begin..STORED).collect::<Vec<_>>(), "limit {limit} from {begin}");
            assert_eq!(since, positions[STORED - 1]);
        }
    }
}

#[test]
fn the_newest_say_whether_there_are_older_ones() {
    let (setup, positions) = setup(NodeSettings::default(), 1000);
    for limit in 1..=STORED + 2 {
        let page = setup.node.history(&setup.caller, &setup.channel, Window::Newest, limit);
        let page = block_on(page).unwrap();
        let numbers = numbers(&page.publications);
        // The store may give fewer than asked for; it says so.
        assert!(numbers.len() <= limit && numbers.len() >= limit.min(RING + 3).min(STORED), "limit {limit}");
        assert_eq!(numbers, (STORED - numbers.len()..STORED).collect::<Vec<_>>(), "limit {limit}");
        assert_eq!(page.more, numbers.len() < STORED, "limit {limit}");
        assert_eq!(page.position, positions[STORED - 1]);
    }
}

#[test]
fn whoever_asks_from_before_what_is_kept_is_told() {
    let (setup, positions) = setup(NodeSettings::default(), 8);
    for (at, gap) in [(0, true), (STORED - 10, true), (STORED - 9, false), (STORED - 1, false)] {
        let window = Window::After(positions[at]);
        let page = block_on(setup.node.history(&setup.caller, &setup.channel, window, 100)).unwrap();
        assert_eq!(page.gap, gap, "from {at}");
    }
    let window = Window::After(Position(positions[STORED - 1].0 + 1_000_000_000_000));
    let page = block_on(setup.node.history(&setup.caller, &setup.channel, window, 100)).unwrap();
    assert!(page.gap && page.position == positions[STORED - 1]);
}

fn missed(setup: &Setup, since: Position, floor: Position, bytes_max: usize) -> MissedInStore {
    block_on(setup.node.missed_in_store(&setup.caller, &setup.channel, since, floor, bytes_max)).unwrap()
}

#[test]
fn a_listener_gets_the_newest_of_what_it_missed_up_to_the_limit() {
    for recovery_max in [1, 4, 5, 100] {
        let (setup, positions) = setup(NodeSettings { recovery_max, ..NodeSettings::default() }, 1000);
        let floor = STORED - RING - 1;
        for begin in 0..floor {
            let since = positions[begin];
            let wanted: Vec<_> = (begin + 1..=floor).collect();
            let missed = missed(&setup, since, positions[floor], usize::MAX);
            let newest = &wanted[wanted.len().saturating_sub(recovery_max)..];
            assert_eq!(numbers(&missed.publications), newest, "at most {recovery_max} from {begin}");
            assert_eq!(missed.gap, wanted.len() > recovery_max, "at most {recovery_max} from {begin}");
        }
        let all = missed(&setup, Position::ZERO, positions[floor], usize::MAX);
        assert_eq!(all.gap, recovery_max <= floor);
    }
}

#[test]
fn bytes_are_a_limit_too() {
    let (setup, positions) = setup(NodeSettings::default(), 1000);
    let few = missed(&setup, positions[0], positions[STORED - 1], 1);
    assert!(few.gap);
    assert_eq!(numbers(&few.publications), [STORED - 3, STORED - 2, STORED - 1], "one page");
    let all = missed(&setup, positions[STORED - 3], positions[STORED - 1], 1);
    assert!(!all.gap);
    assert_eq!(numbers(&all.publications), [STORED - 2, STORED - 1]);
}

#[test]
fn what_was_trimmed_is_a_gap() {
    let (setup, positions) = setup(NodeSettings::default(), 8);
    let floor = positions[STORED - RING - 1];
    assert!(missed(&setup, positions[0], floor, usize::MAX).gap);
    assert!(!missed(&setup, positions[STORED - 9], floor, usize::MAX).gap);
    assert!(!missed(&setup, Position::ZERO, floor, usize::MAX).gap, "all there is is not too little");
}

#[test]
fn a_channel_that_nobody_knows_is_empty() {
    let store = Arc::new(MemoryStore::new(&StoreSettings::default()).unwrap());
    let setup = Setup::new(store, Rule::default(), NodeSettings::default());
    for window in [Window::Newest, Window::After(Position::ZERO)] {
        let page = setup.node.history(&setup.caller, &setup.channel, window, 10);
        let page = block_on(page).unwrap();
        assert!(page.publications.is_empty() && !page.more && !page.gap);
    }
}

#[test]
fn without_the_history_permission_nobody_reads_far_back() {
    let settings = NodeSettings { recovery_without_history: Duration::ZERO, ..NodeSettings::default() };
    let (setup, positions) = setup(settings, 100);
    let identity = Arc::clone(&setup.caller.identity);
    let subscribe = Grant::everywhere([Permission::Subscribe].into_iter().collect());
    let org = setup.caller.org.clone();
    let listener = Caller::new(org, identity, Arc::new([subscribe]), None, Arc::default());
    let read = |caller, window| block_on(setup.node.history(caller, &setup.channel, window, 100));

    let all = read(&setup.caller, Window::After(Position::ZERO)).unwrap();
    assert_eq!((all.publications[0].position, all.gap), (positions[0], false));
    let nothing = read(&listener, Window::After(Position(1))).unwrap();
    assert_eq!((nothing.publications.len(), nothing.gap), (0, true));
    assert!(read(&listener, Window::Newest).is_err());
}

#[test]
fn a_channel_that_keeps_nothing_tells_of_the_gap() {
    let (setup, positions) = setup(NodeSettings::default(), 0);
    let history = setup.node.history(&setup.caller, &setup.channel, Window::After(positions[0]), 100);
    let history = block_on(history).unwrap();
    assert_eq!((history.publications.len(), history.gap), (0, true));
}
