//! Several publications as one: what an emit to several rooms is.

use std::sync::Arc;

use antiphon_access::Caller;
use antiphon_model::Draft;
use parking_lot::Mutex;

use crate::publish::{Keep, keep, stored_entry};
use crate::{Completion, Node, PublishError, Receipt};

/// What is called, once and from any thread, when it is known what became of each of several publications: their receipts in
/// the order of the drafts, or the first error. Whatever it is, all of them were delivered.
pub type CompletionOfAll = Box<dyn FnOnce(Result<Vec<Receipt>, PublishError>) + Send>;

impl Node {
    /// Publishes several drafts, or none, at positions that follow each other: nothing else of the org stands between them.
    ///
    /// Answers as [`Node::publish`] does. Idempotency keys are for single publications; those of the drafts are not looked at.
    ///
    /// # Errors
    /// As [`Node::publish`], for the first that is refused. Against rates of publishing each counts, also those before one that is
    /// refused.
    pub fn publish_all(
        self: &Arc<Self>,
        caller: &Caller,
        drafts: Vec<Draft>,
        done: impl FnOnce() -> CompletionOfAll,
    ) -> Result<Option<Vec<Receipt>>, PublishError> {
        let now = self.now();
        let (mut held, mut kept) = (Vec::with_capacity(drafts.len()), Vec::with_capacity(drafts.len()));
        for mut draft in drafts {
            let (_, rule) = self.admit(caller, &mut draft, now)?;
            draft.idempotency_key = None;
            let keep = keep(&draft, &rule);
            kept.push((rule, keep, draft.ttl));
            held.push((draft, self.hold(keep, now)));
        }
        let org = self.org(&caller.org);
        let publications = org.hub.publish_all(held, now).map_err(|_| PublishError::TooManyChannels)?;
        let waits = kept.iter().any(|(_, keep, _)| *keep != Keep::No);
        let gathering = waits.then(|| Gathering::new(publications.len(), done()));
        let mut receipts = Vec::with_capacity(publications.len());
        for (index, (publication, (rule, keep, ttl))) in publications.into_iter().zip(kept).enumerate() {
            let entry = stored_entry(org, &rule, publication, None, ttl, now);
            let one_of_them = || gathering.as_ref().map_or_else(nobody, |all| all.completion(index));
            let receipt = self.commit(org, entry, None, keep, one_of_them);
            match (receipt, &gathering) {
                (Some(receipt), Some(all)) => all.settle(index, Ok(receipt)),
                (Some(receipt), None) => receipts.push(receipt),
                (None, _) => {}
            }
        }
        Ok((!waits).then_some(receipts))
    }
}

fn nobody() -> Completion {
    Box::new(|_| {})
}

/// Waits for each of several, some of which may be known before others are begun.
struct Gathering(Mutex<State>);

struct State {
    receipts: Vec<Option<Receipt>>,
    missing: usize,
    error: Option<PublishError>,
    done: Option<CompletionOfAll>,
}

impl Gathering {
    fn new(count: usize, done: CompletionOfAll) -> Arc<Gathering> {
        let receipts = vec![None; count];
        Arc::new(Gathering(Mutex::new(State { receipts, missing: count, error: None, done: Some(done) })))
    }

    fn completion(self: &Arc<Self>, index: usize) -> Completion {
        let all = Arc::clone(self);
        Box::new(move |result| all.settle(index, result))
    }

    fn settle(&self, index: usize, result: Result<Receipt, PublishError>) {
        let mut state = self.0.lock();
        match result {
            Ok(receipt) => state.receipts[index] = Some(receipt),
            Err(error) => {
                state.error.get_or_insert(error);
            }
        }
        state.missing -= 1;
        if state.missing > 0 {
            return;
        }
        let Some(done) = state.done.take() else { return };
        let receipts = std::mem::take(&mut state.receipts).into_iter().flatten().collect();
        let result = state.error.take().map_or(Ok(receipts), Err);
        // Whoever is told may publish again.
        drop(state);
        done(result);
    }
}
