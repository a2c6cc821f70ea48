use std::time::Duration;

use antiphon_hub::{HubSettings, Rules};
use antiphon_model::OrgId;

/// A node's limits and times.
#[derive(Clone, Debug)]
pub struct NodeSettings {
    /// The hub's.
    pub hub: HubSettings,
    /// How long delivery waits for a commit.
    pub deliver_uncommitted_after: Duration,
    /// How long after its connection broke off a session counts as present.
    pub presence_grace: Duration,
    /// How many publications a listener who comes back is sent at most, for each channel; if it missed more it gets
    /// the newest, and is told of the gap.
    pub recovery_max: usize,
    /// How far back a listener who comes back is sent what it missed, if it has no permission to read history.
    pub recovery_without_history: Duration,
    /// How many idempotency keys are remembered in memory for each org.
    pub idempotency_keys_max: usize,
    /// For how long.
    pub idempotency_keep: Duration,
    /// How much memory the process may use before nothing new is taken on. None: there is no ceiling.
    pub memory_bytes_max: Option<u64>,
}

impl Default for NodeSettings {
    fn default() -> NodeSettings {
        NodeSettings {
            hub: HubSettings::default(),
            deliver_uncommitted_after: Duration::from_millis(50),
            presence_grace: Duration::from_secs(5),
            recovery_max: 10_000,
            recovery_without_history: Duration::from_secs(120),
            idempotency_keys_max: 100_000,
            idempotency_keep: Duration::from_secs(120),
            memory_bytes_max: None,
        }
    }
}

/// What a node is told of an org that access does not know already.
#[derive(Clone, Debug)]
pub struct OrgParts {
    /// Which org.
    pub id: OrgId,
    /// How its channels behave.
    pub rules: Rules,
}
