use std::collections::BTreeMap;

use serde::Serialize;

use crate::judge::Comparison;

/// What a run came to.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Report {
    /// How many clients behaved.
    pub(crate) clients: usize,
    /// How many messages a second each was sent.
    pub(crate) rate: u32,
    /// How many messages were published, and how many the server said that it took.
    pub(crate) published: u64,
    pub(crate) acknowledged: u64,
    /// How many messages all clients together heard.
    pub(crate) heard: u64,
    /// Resident memory of the server with its crowd, before the first attack and after the last.
    pub(crate) resident_before: u64,
    pub(crate) resident_after: u64,
    /// Each attack in turn.
    pub(crate) attacks: Vec<Outcome>,
    /// What was wrong with the whole.
    pub(crate) wrong: Vec<String>,
}

/// What one attack came to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    /// How many goes the attackers had.
    pub(crate) rounds: u64,
    /// What the server did to them.
    pub(crate) seen: BTreeMap<String, u64>,
    pub(crate) latency: Comparison,
    /// Resident memory before, at most while it lasted, and when all of it was over, in bytes.
    pub(crate) resident: [u64; 3],
    /// How long it took until the attackers' connections were gone, in milliseconds.
    pub(crate) settled_ms: u64,
    /// What was wrong.
    pub(crate) wrong: Vec<String>,
}

impl Report {
    /// Whether nothing was wrong.
    pub(crate) fn is_good(&self) -> bool {
        self.wrong.is_empty() && self.attacks.iter().all(|attack| attack.wrong.is_empty())
    }
}

/// The head of the table.
pub(crate) fn head() -> String {
    format!(
        "{:<22} {:>7}  {:>15}  {:>15}  {:>9}  {:>18}  {:>7}  {}",
        "attack",
        "goes",
        "quiet p50/p99",
        "attacked",
        "ratios",
        "MiB before/max/after",
        "gone ms",
        "the server's most frequent answers"
    )
}

impl Outcome {
    /// A line of the table.
    pub(crate) fn line(&self) -> String {
        let Comparison { quiet, attacked, p50_ratio, p99_ratio } = self.latency;
        let mib = self.resident.map(|bytes| bytes >> 20);
        let mut seen: Vec<_> = self.seen.iter().collect();
        seen.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let seen: Vec<String> =
            seen.into_iter().take(3).map(|(what, _)| what.chars().take(60).collect()).collect();
        format!(
            "{:<22} {:>7}  {:>7.1}/{:>7.1}  {:>7.1}/{:>7.1}  {:>4.1}/{:>4.1}  {:>6}/{:>5}/{:>5}    {:>7}  {}",
            self.name,
            self.rounds,
            quiet.p50_ms,
            quiet.p99_ms,
            attacked.p50_ms,
            attacked.p99_ms,
            p50_ratio,
            p99_ratio,
            mib[0],
            mib[1],
            mib[2],
            self.settled_ms,
            if self.wrong.is_empty() { seen.join(", ") } else { format!("WRONG: {}", self.wrong.join("; ")) },
        )
    }
}
