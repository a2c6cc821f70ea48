use std::sync::Arc;
use std::time::Duration;

use antiphon_access::LimitSettings;
use antiphon_hub::{Delivering, Rule};
use antiphon_model::{Draft, Position, Storing};
use antiphon_node::{CompletionOfAll, NodeSettings, PublishError, Receipt};
use antiphon_store::{Committed, StoreError};
use parking_lot::Mutex;

use crate::Setup;
use crate::fake::FakeStore;

type Told = Arc<Mutex<Vec<Result<Vec<Receipt>, PublishError>>>>;

fn completion(told: &Told) -> CompletionOfAll {
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

fn unstored(draft: Draft) -> Draft {
    Draft { storing: Storing::Never, ..draft }
}

#[test]
fn what_is_not_to_be_stored_is_answered_at_once() {
    let setup = setup(&FakeStore::new(None), Rule { persist: false, ..Rule::default() });
    let drafts = ["x", "y", "z"].map(|text| setup.draft(text, None)).into();
    let receipts = setup.node.publish_all(&setup.caller, drafts, || panic!("nothing to wait for"));
    let receipts = receipts.unwrap().unwrap();
    let first = receipts[0].position.0;
    let expected = |at| Receipt { position: Position(first + at), stored: false, duplicate: false };
    assert_eq!(receipts, [expected(0), expected(1), expected(2)]);
    assert_eq!(setup.delivered(), ["x", "y", "z"]);
    let none = setup.node.publish_all(&setup.caller, Vec::new(), || panic!("nothing to wait for"));
    assert_eq!(none.unwrap(), Some(Vec::new()));
}

#[test]
fn the_completion_has_the_receipts_in_order_when_the_last_is_committed() {
    let store = FakeStore::new(None);
    let setup = setup(&store, Rule::default());
    let told = Told::default();
    // A key is not looked at: the same twice is two publications.
    let drafts =
        vec![setup.draft("x", Some("k")), unstored(setup.draft("y", None)), setup.draft("z", Some("k"))];
    assert_eq!(setup.node.publish_all(&setup.caller, drafts, || completion(&told)).unwrap(), None);
    assert!(setup.delivered().is_empty());
    let mut waiting = std::mem::take(&mut *store.waiting.lock());
    assert!(waiting.iter().all(|(entry, _)| entry.idempotency_key.is_none()));
    let (entry, last) = waiting.pop().unwrap();
    last(Ok(Committed::Stored));
    assert!(setup.delivered().is_empty() && told.lock().is_empty());
    waiting.pop().unwrap().1(Ok(Committed::Stored));
    assert_eq!(setup.delivered(), ["x", "y", "z"]);
    let receipts = told.lock().pop().unwrap().unwrap();
    assert_eq!(receipts.iter().map(|receipt| receipt.stored).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(receipts[2].position, entry.publication.position);
    assert_eq!(receipts[2].position.0 - receipts[0].position.0, 2);
}

#[test]
fn one_that_is_not_stored_is_the_answer_and_all_are_delivered() {
    for deliver in [Delivering::AfterCommit, Delivering::AtOnce] {
        let store = FakeStore::new(Some(Err(StoreError::DiskFull)));
        let setup = setup(&store, Rule { deliver, ..Rule::default() });
        let told = Told::default();
        let drafts = vec![unstored(setup.draft("x", None)), setup.draft("y", None), setup.draft("z", None)];
        assert_eq!(setup.node.publish_all(&setup.caller, drafts, || completion(&told)).unwrap(), None);
        assert_eq!(setup.delivered(), ["x", "y", "z"]);
        let told = std::mem::take(&mut *told.lock());
        assert!(matches!(told[..], [Err(PublishError::NotStored { cause: StoreError::DiskFull, .. })]));
    }
}

#[test]
fn where_one_is_refused_none_is_published() {
    let store = FakeStore::new(None);
    let setup = setup(&store, Rule::default());
    let max = LimitSettings::default().payload_bytes_max;
    let drafts = vec![setup.draft("x", None), setup.draft(&"y".repeat(max + 1), None)];
    let refused = setup.node.publish_all(&setup.caller, drafts, || panic!("it is refused at once"));
    assert!(matches!(refused, Err(PublishError::TooLarge { part: "payload", .. })));
    assert!(setup.delivered().is_empty() && store.waiting.lock().is_empty());
}
