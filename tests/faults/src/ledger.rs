use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon_tests::Position;
use tokio::sync::watch;

use crate::history::Kept;
use crate::publisher::{Answer, Dialect};

/// A message by its publisher and its number.
pub(crate) type Message = (String, u64);

/// What publishers were told, for comparing with what is kept.
#[derive(Clone)]
pub(crate) struct Ledger {
    entries: Arc<Mutex<Entries>>,
    count: watch::Sender<usize>,
}

#[derive(Default)]
struct Entries {
    /// Where the protocol said that they stand.
    taken: BTreeMap<Message, Option<Position>>,
    /// How often each answer came to each dialect.
    answers: BTreeMap<(Dialect, String), usize>,
    slowest: Duration,
}

impl Ledger {
    /// An empty one.
    pub(crate) fn new() -> Ledger {
        Ledger { entries: Arc::default(), count: watch::Sender::new(0) }
    }

    /// Notes what a publisher was told, and how long that took.
    ///
    /// # Panics
    /// A position was given twice to different messages' publishers, by their own account.
    pub(crate) fn note(&self, dialect: Dialect, message: Message, answer: &Answer, took: Duration) {
        let mut entries = self.entries.lock().unwrap();
        let said = match answer {
            Answer::Taken(position) => {
                entries.taken.insert(message, *position);
                "taken".to_owned()
            }
            Answer::Refused(status, word) => format!("{status} {word}").trim().to_owned(),
            Answer::Lost(_) => "connection lost".to_owned(),
        };
        *entries.answers.entry((dialect, said)).or_default() += 1;
        entries.slowest = entries.slowest.max(took);
        let count = entries.taken.len();
        drop(entries);
        self.count.send_replace(count);
    }

    /// How many were acknowledged.
    pub(crate) fn taken(&self) -> usize {
        *self.count.borrow()
    }

    /// Waits until so many more are acknowledged.
    pub(crate) async fn more(&self, more: usize) {
        let until = self.taken() + more;
        let mut count = self.count.subscribe();
        let waited = count.wait_for(|count| *count >= until);
        antiphon_tests::within("acknowledgements", waited).await.expect("the ledger is there");
    }

    /// The longest that anybody waited for an answer since the last time that this was asked.
    pub(crate) fn slowest(&self) -> Duration {
        std::mem::take(&mut self.entries.lock().unwrap().slowest)
    }

    /// What a dialect's publishers were told, other than that it is taken, since the last time that this was asked.
    pub(crate) fn refusals(&self, dialect: Dialect) -> BTreeSet<String> {
        let mut entries = self.entries.lock().unwrap();
        let said: BTreeSet<String> = entries
            .answers
            .keys()
            .filter(|(of, said)| *of == dialect && said != "taken")
            .map(|(_, said)| said.clone())
            .collect();
        entries.answers.retain(|(of, said), _| *of != dialect || said == "taken");
        said
    }

    /// Forgets what publishers were told other than that messages are taken.
    pub(crate) fn forget_refusals(&self) {
        self.entries.lock().unwrap().answers.clear();
    }

    /// What was kept is right: each acknowledged message once and where its publisher was told, none twice, each publisher's in
    /// its order.
    ///
    /// # Panics
    /// It is not.
    pub(crate) fn check(&self, kept: &[Kept], which: impl Fn(&Message) -> bool, when: &str) {
        let entries = self.entries.lock().unwrap();
        let mut found: BTreeMap<&Message, Position> = BTreeMap::new();
        let mut last: BTreeMap<&str, u64> = BTreeMap::new();
        let mut by_position: Vec<&Kept> = kept.iter().collect();
        by_position.sort_by_key(|one| one.position);
        for one in by_position {
            let message = &one.message;
            let earlier = found.insert(message, one.position);
            assert_eq!(earlier, None, "{when}: {message:?} is kept twice, at {} too", one.position);
            if let Some(before) = last.insert(&message.0, message.1) {
                assert!(before < message.1, "{when}: {message:?} is kept behind number {before}");
            }
        }
        for (message, position) in entries.taken.iter().filter(|(message, _)| which(message)) {
            let kept_at = found.get(message);
            assert!(kept_at.is_some(), "{when}: {message:?}, acknowledged at {position:?}, is lost");
            if let Some(position) = position {
                assert_eq!(kept_at, Some(position), "{when}: {message:?} is not where it was acknowledged");
            }
        }
    }
}
