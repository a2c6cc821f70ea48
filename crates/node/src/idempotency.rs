use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use antiphon_model::{ChannelId, Draft, Identity, Monotonic, Publication};

use crate::{Completion, PublishError, Receipt};

/// How many retries may wait for one publication that is under way.
const WAITING_MAX: usize = 16;

/// An attempt, as its publisher names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Attempt {
    channel: Arc<ChannelId>,
    publisher: Option<Arc<Identity>>,
    key: Box<str>,
}

impl Attempt {
    pub(crate) fn of(draft: &Draft) -> Option<Attempt> {
        // First: most have none, and counts of references are shared with other threads.
        let key = draft.idempotency_key.clone()?;
        Some(Attempt { channel: Arc::clone(&draft.channel), publisher: draft.publisher.clone(), key })
    }
}

/// What is known of an attempt.
enum Known {
    /// It is on its way to the store; these wait for what becomes of it.
    UnderWay(Vec<Completion>),
    /// It was delivered, but could not be stored: a retry stores it.
    Unstored(Arc<Publication>),
    /// It was published.
    Done(Receipt),
}

/// What a publisher is to do with an attempt.
pub(crate) enum Verdict {
    /// Publish it.
    New,
    /// It was published already.
    Done(Receipt),
    /// The completion will be called when the earlier attempt is through.
    Waits,
    /// Store this, and do not deliver it again.
    Store(Arc<Publication>),
}

/// The attempts of the last minutes. What is older, or before a restart, the store knows.
#[derive(Default)]
pub(crate) struct Attempts {
    known: HashMap<Attempt, Known, foldhash::fast::RandomState>,
    order: VecDeque<(Monotonic, Attempt)>,
}

impl Attempts {
    /// Begins an attempt.
    ///
    /// # Errors
    /// Too many retries of it wait already.
    pub(crate) fn begin(
        &mut self,
        attempt: &Attempt,
        done: impl FnOnce() -> Completion,
        now: Monotonic,
        (max, keep): (usize, Duration),
    ) -> Result<Verdict, PublishError> {
        self.forget(now, max, keep);
        match self.known.get_mut(attempt) {
            None => {
                self.known.insert(attempt.clone(), Known::UnderWay(Vec::new()));
                self.order.push_back((now, attempt.clone()));
                Ok(Verdict::New)
            }
            Some(Known::Done(receipt)) => Ok(Verdict::Done(Receipt { duplicate: true, ..*receipt })),
            Some(Known::UnderWay(waiting)) if waiting.len() >= WAITING_MAX => Err(PublishError::UnderWay),
            Some(Known::UnderWay(waiting)) => {
                waiting.push(done());
                Ok(Verdict::Waits)
            }
            Some(known @ Known::Unstored(_)) => match std::mem::replace(known, Known::UnderWay(Vec::new())) {
                Known::Unstored(publication) => Ok(Verdict::Store(publication)),
                _ => Ok(Verdict::New),
            },
        }
    }

    /// Ends an attempt; what waited for it comes back, to be told.
    pub(crate) fn end(
        &mut self,
        attempt: &Attempt,
        result: &Result<Receipt, PublishError>,
        publication: Option<Arc<Publication>>,
    ) -> Vec<Completion> {
        let next = match (result, publication) {
            (Ok(receipt), _) => Some(Known::Done(*receipt)),
            (Err(PublishError::NotStored { .. }), Some(publication)) => Some(Known::Unstored(publication)),
            (Err(_), _) => None,
        };
        let known = match next {
            Some(next) => self.known.get_mut(attempt).map(|known| std::mem::replace(known, next)),
            None => self.known.remove(attempt),
        };
        match known {
            Some(Known::UnderWay(waiting)) => waiting,
            _ => Vec::new(),
        }
    }

    fn forget(&mut self, now: Monotonic, max: usize, keep: Duration) {
        while let Some((began, attempt)) = self.order.front() {
            if self.order.len() < max.max(1) && now.since(*began) < keep {
                return;
            }
            // One that is under way must stay, so that its waiters are told; it goes to the back.
            if let Some(Known::UnderWay(_)) = self.known.get(attempt) {
                let again = (now, attempt.clone());
                self.order.pop_front();
                self.order.push_back(again);
                return;
            }
            self.known.remove(attempt);
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_model::{ChannelFlags, Payload, Position};
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LIMITS: (usize, Duration) = (2, Duration::from_secs(60));

    fn attempt(key: &str) -> Attempt {
        let channel = Arc::new(ChannelId::new("a", ChannelFlags::NONE).unwrap());
        let mut draft = Draft::new(channel, Payload::Text("x".into()));
        draft.idempotency_key = Some(key.into());
        Attempt::of(&draft).unwrap()
    }

    fn receipt(position: u64) -> Receipt {
        Receipt { position: Position(position), stored: true, duplicate: false }
    }

    fn begin(attempts: &mut Attempts, key: &str, secs: u64, told: &Arc<AtomicUsize>) -> Verdict {
        let told = Arc::clone(told);
        let done = move || -> Completion {
            Box::new(move |_| {
                told.fetch_add(1, Ordering::Relaxed);
            })
        };
        attempts.begin(&attempt(key), done, Monotonic(Duration::from_secs(secs)), LIMITS).unwrap()
    }

    #[test]
    fn a_retry_waits_for_the_first_and_later_ones_get_its_receipt() {
        let (mut attempts, told) = (Attempts::default(), Arc::default());
        assert!(matches!(begin(&mut attempts, "k", 0, &told), Verdict::New));
        assert!(matches!(begin(&mut attempts, "k", 1, &told), Verdict::Waits));
        for done in attempts.end(&attempt("k"), &Ok(receipt(7)), None) {
            done(Ok(receipt(7)));
        }
        assert_eq!(told.load(Ordering::Relaxed), 1);
        let Verdict::Done(again) = begin(&mut attempts, "k", 2, &told) else { panic!() };
        assert_eq!(again, Receipt { duplicate: true, ..receipt(7) });
    }

    #[test]
    fn what_was_not_stored_is_stored_by_a_retry_and_a_refusal_is_forgotten() {
        let (mut attempts, told) = (Attempts::default(), Arc::default());
        begin(&mut attempts, "k", 0, &told);
        let channel = Arc::new(ChannelId::new("a", ChannelFlags::NONE).unwrap());
        let publication = Arc::new(Draft::new(channel, Payload::Text("x".into())).at(Position(3)));
        let cause = antiphon_store::StoreError::DiskFull;
        let failed = Err(PublishError::NotStored { position: Position(3), cause });
        attempts.end(&attempt("k"), &failed, Some(Arc::clone(&publication)));
        let Verdict::Store(again) = begin(&mut attempts, "k", 1, &told) else { panic!() };
        assert_eq!(again, publication);
        attempts.end(&attempt("k"), &Err(PublishError::Closing), None);
        assert!(matches!(begin(&mut attempts, "k", 2, &told), Verdict::New));
    }

    #[test]
    fn old_attempts_are_forgotten_by_number_and_age() {
        let (mut attempts, told) = (Attempts::default(), Arc::default());
        for (key, secs) in [("a", 0), ("b", 1), ("c", 2)] {
            begin(&mut attempts, key, secs, &told);
            attempts.end(&attempt(key), &Ok(receipt(secs + 1)), None);
        }
        assert!(matches!(begin(&mut attempts, "c", 3, &told), Verdict::Done(_)));
        assert!(matches!(begin(&mut attempts, "a", 3, &told), Verdict::New));
        attempts.end(&attempt("a"), &Ok(receipt(9)), None);
        assert!(matches!(begin(&mut attempts, "a", 100, &told), Verdict::New));
    }
}
