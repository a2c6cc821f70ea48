use antiphon_hub::{Delivering, Kinds, Rule};
use antiphon_model::{ChannelPattern, IdentityKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::{Age, Duration};

/// How the channels of a pattern behave: `[[rule]]` and `[[org.rule]]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RuleSettings {
    /// Which channels; `*` stands for any run of characters. Default: all.
    pub(crate) channels: ChannelPattern,
    /// How many messages a channel keeps: in memory for those who come back, and in the store if `persist`. Default: 1000. 0
    /// keeps none, and whoever comes back is told of a gap.
    pub(crate) history_size: usize,
    /// How long messages are kept, or `forever`: then only `history_size` limits them. Default: 7 days.
    pub(crate) history_age: Age,
    /// How many of them are kept in memory as well. Default: 100. Coming back after a short while is answered from there; what is
    /// older costs a read of the store.
    pub(crate) ring_size: usize,
    /// Whether messages are stored. Default: true. Without it messages are delivered sooner, and what memory holds is lost when
    /// the server stops.
    pub(crate) persist: bool,
    /// When stored messages are delivered. Default: `after_commit`, so that nobody sees what a crash then takes back. `at_once`
    /// saves the wait for the commit and gives that up.
    pub(crate) deliver: Deliver,
    /// Whether who is here is counted. Default: true. Costs memory for each member, and a message to everybody who watches for each
    /// that comes or goes.
    pub(crate) presence: bool,
    /// The kinds of identity that may publish, where their credentials permit it. Default: all.
    pub(crate) publishers: Vec<IdentityKind>,
    /// The kinds of identity that may listen, where their credentials permit it. Default: all.
    pub(crate) subscribers: Vec<IdentityKind>,
}

/// When stored messages are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Deliver {
    /// When they are committed.
    AfterCommit,
    /// While they are being committed.
    AtOnce,
}

fn every_kind() -> Vec<IdentityKind> {
    vec![IdentityKind::User, IdentityKind::Device, IdentityKind::ConsumerApp, IdentityKind::Server]
}

impl Default for RuleSettings {
    fn default() -> RuleSettings {
        RuleSettings {
            channels: ChannelPattern::new("*"),
            history_size: 1000,
            history_age: Age::For(Duration::from_days(7)),
            ring_size: 100,
            persist: true,
            deliver: Deliver::AfterCommit,
            presence: true,
            publishers: every_kind(),
            subscribers: every_kind(),
        }
    }
}

impl From<&RuleSettings> for Rule {
    fn from(settings: &RuleSettings) -> Rule {
        Rule {
            channels: settings.channels.clone(),
            history_size: settings.history_size,
            history_age: settings.history_age.limit(),
            ring_size: settings.ring_size,
            persist: settings.persist,
            deliver: match settings.deliver {
                Deliver::AfterCommit => Delivering::AfterCommit,
                Deliver::AtOnce => Delivering::AtOnce,
            },
            presence: settings.presence,
            publishers: settings.publishers.iter().copied().collect::<Kinds>(),
            subscribers: settings.subscribers.iter().copied().collect::<Kinds>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_hub_s() {
        let (ours, hubs) = (Rule::from(&RuleSettings::default()), Rule::default());
        let kinds = |rule: &Rule| every_kind().iter().all(|kind| rule.publishers.contains(*kind));
        assert!(kinds(&ours) && kinds(&hubs));
        let same = Rule { publishers: hubs.publishers, subscribers: hubs.subscribers, ..ours };
        assert_eq!(format!("{same:?}"), format!("{hubs:?}"));
    }
}
