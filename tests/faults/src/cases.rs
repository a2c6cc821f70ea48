mod clock;
mod corrupt;
mod credentials;
mod descriptors;
mod disk_full;
mod drain;
mod failing_disk;
mod files;
mod kill;
mod read_only;
mod real_disk;
mod removed;
mod retention;
mod size_limit;
mod slow_disk;
mod stopped;

use std::time::Duration;

use antiphon_tests::{Api, DEADLINE, Follower, Technique, Transcript};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::history::Kept;
use crate::ledger::Ledger;
use crate::seen::Seen;
use crate::shim::Shim;

/// What a case is given.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) rounds: u32,
    pub(crate) seed: u64,
    pub(crate) shim: Shim,
    pub(crate) seen: Seen,
    pub(crate) case: &'static str,
}

/// One fault, or some of a kind.
pub(crate) struct Case {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What it does, in a line.
    pub(crate) what: &'static str,
    pub(crate) run: fn(Context) -> LocalBoxFuture<'static, ()>,
}

/// Those that take longest come first.
pub(crate) const CASES: &[Case] = &[
    Case { name: "kill", what: "kill -9 at random moments", run: |context| kill::run(context).boxed_local() },
    Case {
        name: "slow-disk",
        what: "a disk that takes its time",
        run: |context| slow_disk::run(context).boxed_local(),
    },
    Case {
        name: "disk-full",
        what: "no space, and space again",
        run: |context| disk_full::run(context).boxed_local(),
    },
    Case {
        name: "clock",
        what: "the clock steps back and forward",
        run: |context| clock::run(context).boxed_local(),
    },
    Case { name: "stopped", what: "SIGSTOP and SIGCONT", run: |context| stopped::run(context).boxed_local() },
    Case {
        name: "descriptors",
        what: "no file descriptors",
        run: |context| descriptors::run(context).boxed_local(),
    },
    Case { name: "failing-disk", what: "EIO", run: |context| failing_disk::run(context).boxed_local() },
    Case {
        name: "real-disk",
        what: "a disk that is really full",
        run: |context| real_disk::run(context).boxed_local(),
    },
    Case {
        name: "files",
        what: "files, with all of these",
        run: |context| files::run(context).boxed_local(),
    },
    Case {
        name: "size-limit",
        what: "database_bytes_max",
        run: |context| size_limit::run(context).boxed_local(),
    },
    Case {
        name: "read-only",
        what: "a directory for reading",
        run: |context| read_only::run(context).boxed_local(),
    },
    Case {
        name: "removed",
        what: "a directory that goes away",
        run: |context| removed::run(context).boxed_local(),
    },
    Case { name: "corrupt", what: "a damaged database", run: |context| corrupt::run(context).boxed_local() },
    Case {
        name: "retention",
        what: "the clock, and what is kept",
        run: |context| retention::run(context).boxed_local(),
    },
    Case {
        name: "credentials",
        what: "the clock, and tokens",
        run: |context| credentials::run(context).boxed_local(),
    },
    Case { name: "drain", what: "SIGTERM under load", run: |context| drain::run(context).boxed_local() },
];

impl Context {
    /// Says something about this run that is no row of the table: figures.
    fn measured(&self, what: &str) {
        println!("    {}: {what}", self.case);
    }
}

/// What follows a channel from its beginning, by every technique that tells positions.
fn followers(target: &antiphon_tests::Target) -> Vec<Follower> {
    let tells = |technique: &Technique| *technique != Technique::Raw;
    Technique::ALL.into_iter().filter(tells).map(|technique| Follower::start(technique, target, 0)).collect()
}

/// Publishes a last message and waits until each follower has it; then each has heard all that is kept, once, in order.
async fn heard_all(api: &Api, channel: &str, followers: &mut [Follower], kept: &[Kept]) {
    for follower in followers {
        let technique = follower.technique;
        let transcript = follower.until("the last message", |heard| heard.has(&last_of(channel))).await;
        assert_rising(&transcript, &format!("{technique:?}"));
        assert_eq!(transcript.gaps, 0, "{technique:?} was told of gaps");
        let heard: Vec<_> = transcript.positions();
        let end = heard.len() - 1;
        let kept: Vec<_> = kept.iter().map(|one| one.position).collect();
        if heard[..end] != kept {
            let lost: Vec<_> = kept.iter().filter(|one| !heard.contains(one)).collect();
            let never_kept: Vec<_> = heard[..end].iter().filter(|one| !kept.contains(one)).collect();
            panic!(
                "{technique:?} on {} heard {} of {}: lost {lost:?}, not kept {never_kept:?}",
                api.address(),
                end,
                kept.len()
            );
        }
    }
}

fn last_of(channel: &str) -> Value {
    json!({"last": channel})
}

/// Publishes what [`heard_all`] waits for.
async fn publish_last(api: &Api, channel: &str) {
    api.post(&format!("/v1/channels/{channel}")).json(&last_of(channel)).send().await.expect(201);
}

/// Nothing came twice, or out of order.
fn assert_rising(transcript: &Transcript, whose: &str) {
    let positions = transcript.positions();
    let wrong = positions.windows(2).find(|pair| pair[0] >= pair[1]);
    assert_eq!(wrong, None, "{whose} heard one twice or out of order");
}

/// Waits until a condition holds, asking every few milliseconds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "after {} s: {what}", DEADLINE.as_secs());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until each of these dialects has been told something other than that its message is taken, and gives what.
async fn refusals(
    ledger: &Ledger,
    dialects: &[crate::publisher::Dialect],
) -> Vec<(crate::publisher::Dialect, Vec<String>)> {
    let mut all = Vec::new();
    for dialect in dialects {
        let mut said = std::collections::BTreeSet::new();
        until(&format!("{} is refused", dialect.name()), || {
            said.append(&mut ledger.refusals(*dialect));
            !said.is_empty()
        })
        .await;
        all.push((*dialect, said.into_iter().collect()));
    }
    all
}

/// Waits until nobody can be told any more of what went well before a fault began, and gives how many messages were acknowledged.
async fn settled(ledger: &Ledger, dialects: &[crate::publisher::Dialect]) -> usize {
    let mut taken = ledger.taken();
    loop {
        refusals(ledger, dialects).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        refusals(ledger, dialects).await;
        match std::mem::replace(&mut taken, ledger.taken()) {
            before if before == taken => return taken,
            before => assert!(taken - before < 100, "messages are acknowledged as before"),
        }
    }
}

/// Publishes once by POST on a channel and gives the status and the word of the answer.
async fn post(api: &Api, channel: &str, payload: &Value) -> (u16, String) {
    let answer = api.post(&format!("/v1/channels/{channel}")).json(payload).send().await;
    let status = answer.status.as_u16();
    let kind = answer.json()["type"].as_str().unwrap_or_default().to_owned();
    (status, kind.rsplit(':').next().unwrap_or_default().to_owned())
}
