use std::sync::{Arc, Barrier};
use std::time::Duration;

use antiphon_hub::{Collect, Delivering, ReplyEvent, Rule};
use antiphon_model::{Now, Position};
use antiphon_node::{Completion, NodeSettings, PublishError, Receipt};
use antiphon_store::{Committed, StoreError};
use parking_lot::Mutex;

use crate::Setup;
use crate::fake::FakeStore;

type Told = Arc<Mutex<Vec<Result<Receipt, PublishError>>>>;

fn completion(told: &Told) -> Completion {
    let told = Arc::clone(told);
    Box::new(move |result| told.lock().push(result))
}

fn setup(store: &Arc<FakeStore>, rule: Rule) -> Setup {
    let settings =
        NodeSettings { deliver_uncommitted_after: Duration::from_secs(3600), ..NodeSettings::default() };
    let setup = Setup::new(Arc::clone(store) as _, rule, settings);
    setup.listen();
    setup
}

impl Setup {
    fn publish(
        &self,
        payload: &str,
        key: Option<&str>,
        told: &Told,
    ) -> Result<Option<Receipt>, PublishError> {
        self.node.publish(&self.caller, self.draft(payload, key), || completion(told))
    }
}

#[test]
fn what_is_not_to_be_stored_is_answered_at_once_and_no_completion_is_made() {
    let store = FakeStore::new(None);
    let setup = setup(&store, Rule { persist: false, ..Rule::default() });
    for key in [None, Some("k")] {
        let draft = setup.draft("x", key);
        let receipt =
            setup.node.publish(&setup.caller, draft, || panic!("nothing to wait for")).unwrap().unwrap();
        assert!(!receipt.stored && !receipt.duplicate);
        assert_eq!(setup.delivered(), ["x"]);
    }
    let again = setup.node.publish(&setup.caller, setup.draft("x", Some("k")), || panic!()).unwrap().unwrap();
    assert!(again.duplicate);
    assert_eq!(setup.delivered(), [""; 0]);
}

#[test]
fn a_publication_is_delivered_when_it_is_committed() {
    let store = FakeStore::new(None);
    let setup = setup(&store, Rule::default());
    let told = Told::default();
    assert_eq!(setup.publish("x", None, &told).unwrap(), None);
    assert!(setup.delivered().is_empty() && told.lock().is_empty());
    assert_eq!(store.complete(Ok(Committed::Stored)), 1);
    assert_eq!(setup.delivered(), ["x"]);
    assert!(matches!(told.lock()[..], [Ok(Receipt { stored: true, duplicate: false, .. })]));
}

#[test]
fn one_that_waits_too_long_is_delivered_once_and_told_later() {
    let store = FakeStore::new(None);
    let setup = setup(&store, Rule::default());
    let told = Told::default();
    setup.publish("x", None, &told).unwrap();
    let now = setup.node.now();
    let later = Now { monotonic: now.monotonic + Duration::from_secs(3600), ..now };
    setup.hub().handle_timeout(later);
    assert_eq!(setup.delivered(), ["x"]);
    assert!(told.lock().is_empty());
    store.complete(Ok(Committed::Stored));
    assert!(setup.delivered().is_empty());
    assert_eq!(told.lock().len(), 1);
}

#[test]
fn a_store_that_refuses_on_the_publishers_own_thread_is_no_deadlock() {
    for rule in [Rule::default(), Rule { deliver: Delivering::AtOnce, ..Rule::default() }] {
        let store = FakeStore::new(Some(Err(StoreError::Overloaded)));
        let setup = setup(&store, rule);
        let told = Told::default();
        for key in [None, Some("k")] {
            // Its completion publishes too, as one that answers a client by a publication would.
            let draft = setup.draft("x", key);
            let done = || -> Completion {
                let (node, caller, then) =
                    (Arc::clone(&setup.node), setup.caller.clone(), setup.draft("then", key));
                let (first, second) = (completion(&told), completion(&told));
                Box::new(move |result| {
                    first(result);
                    assert_eq!(node.publish(&caller, then, || second).unwrap(), None);
                })
            };
            assert_eq!(setup.node.publish(&setup.caller, draft, done).unwrap(), None);
            let told = std::mem::take(&mut *told.lock());
            assert!(matches!(
                told[..],
                [Err(PublishError::NotStored { .. }), Err(PublishError::NotStored { .. })]
            ));
        }
        // With the key the second was a retry of the first.
        assert_eq!(setup.delivered(), ["x", "then", "x"]);
        assert_eq!(setup.node.metrics().not_stored.get(), 4);
    }
}

#[test]
fn a_retry_of_what_was_not_stored_stores_it_and_is_not_delivered_again() {
    let store = FakeStore::new(Some(Err(StoreError::DiskFull)));
    let setup = setup(&store, Rule::default());
    let told = Told::default();
    setup.publish("x", Some("k"), &told).unwrap();
    let Err(PublishError::NotStored { position, .. }) = told.lock()[0] else { panic!() };
    *store.answer.lock() = None;
    setup.publish("x", Some("k"), &told).unwrap();
    assert_eq!(store.waiting.lock()[0].0.publication.position, position);
    // A third while the second is under way is told with it.
    setup.publish("x", Some("k"), &told).unwrap();
    assert_eq!(store.complete(Ok(Committed::Stored)), 1);
    let stored = |duplicate| Receipt { position, stored: true, duplicate };
    let receipts: Vec<_> = told.lock()[1..].iter().map(|result| *result.as_ref().unwrap()).collect();
    assert_eq!(receipts, [stored(true), stored(false)]);
    assert_eq!(setup.publish("x", Some("k"), &told).unwrap(), Some(stored(true)));
    assert_eq!(setup.delivered(), ["x"]);
}

#[test]
fn retries_while_it_is_under_way_are_each_told_once_and_not_too_many_wait() {
    let store = FakeStore::new(None);
    let setup = setup(&store, Rule::default());
    let told = Told::default();
    let results: Vec<_> = (0..20).map(|_| setup.publish("x", Some("k"), &told)).collect();
    let refused = results.iter().filter(|result| matches!(result, Err(PublishError::UnderWay))).count();
    assert_eq!((refused, store.complete(Ok(Committed::Stored))), (3, 1));
    assert_eq!(told.lock().len(), 17);
    let first: Vec<_> =
        told.lock().iter().filter(|told| !told.as_ref().unwrap().duplicate).cloned().collect();
    assert_eq!(first.len(), 1);
    assert_eq!(setup.delivered(), ["x"]);
}

#[test]
fn what_the_store_knows_is_not_delivered_again() {
    let store = FakeStore::new(None);
    let setup = setup(&store, Rule::default());
    let (told, ended) = (Told::default(), Arc::new(Mutex::new(Vec::new())));
    setup.publish("x", Some("k"), &told).unwrap();
    let events = Arc::clone(&ended);
    let sink = Box::new(move |event| events.lock().push(event));
    let collect = Collect { timeout: Duration::from_secs(3600), until: None, sink };
    let draft = setup.draft("call", Some("broadcast"));
    setup.node.broadcast(&setup.caller, draft, collect, || completion(&told)).unwrap();
    setup.publish("after", None, &told).unwrap();
    let first = Position(7);
    let after = store.waiting.lock().pop().unwrap();
    assert_eq!(store.complete(Ok(Committed::Duplicate { position: first })), 2);
    after.1(Ok(Committed::Stored));
    assert_eq!(setup.delivered(), ["after"]);
    let receipts: Vec<_> = told.lock().iter().map(|result| *result.as_ref().unwrap()).collect();
    assert_eq!(receipts[..2], [Receipt { position: first, stored: true, duplicate: true }; 2]);
    // Nobody will ever reply to what nobody heard.
    assert_eq!(*ended.lock(), [ReplyEvent::End { complete: false }]);
}

#[test]
fn of_publishers_with_one_key_on_many_threads_one_publishes_and_all_get_its_receipt() {
    const THREADS: usize = 8;
    for persist in [false, true] {
        let store = FakeStore::new(Some(Ok(Committed::Stored)));
        let setup = setup(&store, Rule { persist, ..Rule::default() });
        for round in 0..50 {
            let (key, told, begin) = (round.to_string(), Told::default(), Barrier::new(THREADS));
            std::thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        begin.wait();
                        if let Some(receipt) = setup.publish("x", Some(&key), &told).unwrap() {
                            told.lock().push(Ok(receipt));
                        }
                    });
                }
            });
            let receipts: Vec<_> = told.lock().iter().map(|result| *result.as_ref().unwrap()).collect();
            assert_eq!(receipts.len(), THREADS);
            assert_eq!(receipts.iter().filter(|receipt| !receipt.duplicate).count(), 1);
            assert!(receipts.iter().all(|receipt| receipt.position == receipts[0].position));
            assert_eq!(setup.delivered(), ["x"]);
        }
    }
}

#[test]
fn a_node_that_closes_takes_nothing() {
    let store = FakeStore::new(None);
    let setup = setup(&store, Rule::default());
    setup.node.begin_closing();
    let told = Told::default();
    assert!(matches!(setup.publish("x", Some("k"), &told), Err(PublishError::Closing)));
    assert!(setup.delivered().is_empty() && store.waiting.lock().is_empty());
}
