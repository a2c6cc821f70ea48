use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::foe::Wrong;
use crate::ground::Ground;

/// How long one attacker may take for one go.
const ROUND_TIME_MAX: Duration = Duration::from_secs(45);

/// What one go of one attacker came to: what the server did, in a few words that are counted, or what it should not have done.
pub(crate) type Round = Result<String, Wrong>;

/// An attack that is under way.
pub(crate) type UnderWay = Pin<Box<dyn Future<Output = Findings> + Send>>;

/// A sort of attack.
#[derive(Clone, Copy)]
pub(crate) struct Attack {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What the attackers do.
    pub(crate) what: &'static str,
    /// Begins it.
    pub(crate) run: fn(Ground) -> UnderWay,
}

/// What the attackers saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// How many goes there were.
    pub(crate) rounds: u64,
    /// What the server did, and how often.
    pub(crate) seen: BTreeMap<String, u64>,
    /// What it should not have done, and how often.
    pub(crate) wrong: BTreeMap<String, u64>,
}

impl Findings {
    /// Counts one go.
    pub(crate) fn note(&mut self, round: Round) {
        self.rounds += 1;
        let (counts, what) = match round {
            Ok(seen) => (&mut self.seen, seen),
            Err(wrong) => (&mut self.wrong, wrong),
        };
        *counts.entry(what).or_default() += 1;
    }

    /// Adds what others saw.
    pub(crate) fn add(&mut self, other: Findings) {
        self.rounds += other.rounds;
        for (counts, others) in [(&mut self.seen, other.seen), (&mut self.wrong, other.wrong)] {
            others.into_iter().for_each(|(what, count)| *counts.entry(what).or_default() += count);
        }
    }
}

/// Lets so many attackers go at it until the ground's time is up, each again and again after a pause in milliseconds. They are told
/// which go it is, over all of them, so that several sorts can take turns.
pub(crate) fn storm<F, R>(ground: Ground, foes: usize, pause: u64, round: F) -> UnderWay
where
    F: Fn(Ground, usize) -> R + Send + Copy + 'static,
    R: Future<Output = Round> + Send + 'static,
{
    let pause = Duration::from_millis(pause);
    let mut under_way = Vec::with_capacity(foes);
    for foe in 0..foes {
        let ground = ground.clone();
        under_way.push(tokio::spawn(async move {
            let mut findings = Findings::default();
            for number in (foe..).step_by(foes) {
                let outcome = timeout(ROUND_TIME_MAX, round(ground.clone(), number)).await;
                findings.note(outcome.unwrap_or_else(|_| Err("it takes for ever".to_owned())));
                if Instant::now() >= ground.until {
                    break;
                }
                sleep(pause).await;
            }
            findings
        }));
    }
    Box::pin(async move {
        let mut findings = Findings::default();
        for one in under_way {
            match one.await {
                Ok(seen) => findings.add(seen),
                Err(error) => findings.note(Err(format!("the attacker failed: {error}"))),
            }
        }
        findings
    })
}
