use std::time::Duration;

use antiphon_model::{ChannelFlags, ChannelId, ChannelPattern, IdentityKind};
use std::sync::Arc;

/// How long presence events, and what comes by a wildcard, are kept for those who come back.
const COMPANION_AGE: Duration = Duration::from_secs(600);

/// How many presence events are kept.
const PRESENCE_SIZE: usize = 100;

/// How many publications a wildcard companion keeps, up to the bytes of any ring: those of many channels, and no store has them.
const WILDCARD_SIZE: usize = 10_000;

/// When a stored publication is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivering {
    /// After its group is committed (or the hold's time is up): nothing is seen that a crash takes back.
    #[default]
    AfterCommit,
    /// At once: lowest latency, and a subscriber may have seen what a crash then takes back.
    AtOnce,
}

/// A set of identity kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// Every kind.
    pub const ALL: Kinds = Kinds(u8::MAX);

    /// Those that are in both.
    pub fn and(self, other: Kinds) -> Kinds {
        Kinds(self.0 & other.0)
    }

    /// Whether `kind` is one of them.
    pub fn contains(self, kind: IdentityKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }
}

impl FromIterator<IdentityKind> for Kinds {
    fn from_iter<I: IntoIterator<Item = IdentityKind>>(kinds: I) -> Kinds {
        Kinds(kinds.into_iter().fold(0, |bits, kind| bits | 1 << kind as u8))
    }
}

/// How the channels of a pattern behave.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Which channels; the first rule that matches counts.
    pub channels: ChannelPattern,
    /// How many publications are kept: in memory for recovery, and in the store if `persist`.
    pub history_size: usize,
    /// How long they are kept; none is for ever (in the store) or until pushed out (in memory).
    pub history_age: Option<Duration>,
    /// How many of them are kept in memory.
    pub ring_size: usize,
    /// Whether publications are stored.
    pub persist: bool,
    /// When stored publications are delivered.
    pub deliver: Delivering,
    /// Whether who is here is counted.
    pub presence: bool,
    /// The kinds of identity that may publish, if access lets them.
    pub publishers: Kinds,
    /// The kinds of identity that may subscribe, if access lets them.
    pub subscribers: Kinds,
}

impl Rule {
    /// Without room for anything nothing is stored, and so nobody is to look for it in the store.
    fn settled(self) -> Rule {
        Rule { persist: self.persist && self.history_size > 0, ..self }
    }
}

impl Default for Rule {
    fn default() -> Rule {
        Rule {
            channels: ChannelPattern::new("*"),
            history_size: 1000,
            history_age: Some(Duration::from_secs(7 * 86_400)),
            ring_size: 100,
            persist: true,
            deliver: Delivering::AfterCommit,
            presence: true,
            publishers: Kinds::ALL,
            subscribers: Kinds::ALL,
        }
    }
}

impl Rule {
    /// Whether publications on the channel are kept though nobody listens to it.
    pub(crate) fn keeps(&self, channel: &ChannelId) -> bool {
        self.history_size > 0 && !is_companion(channel)
    }
}

/// An org's rules, in order, and what holds where none matches.
#[derive(Clone, Debug)]
pub struct Rules {
    rules: Vec<Arc<Rule>>,
    fallback: Arc<Rule>,
    presence: Arc<Rule>,
    wildcard: Arc<Rule>,
}

impl Rules {
    /// These, the first that matches, and else the default rule.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Rules {
        let companion = |size| Rule {
            persist: false,
            presence: false,
            history_size: size,
            history_age: Some(COMPANION_AGE),
            ring_size: size,
            ..Rule::default()
        };
        Rules {
            rules: rules.into_iter().map(Rule::settled).map(Arc::new).collect(),
            fallback: Arc::default(),
            presence: Arc::new(companion(PRESENCE_SIZE)),
            wildcard: Arc::new(companion(WILDCARD_SIZE)),
        }
    }

    /// The kinds of identity that may subscribe to a channel, if access lets them: to a wildcard companion those that may to every channel
    /// there can be below it.
    pub fn subscribers(&self, channel: &ChannelId) -> Kinds {
        let Some(prefix) = channel.wildcard_prefix() else { return self.of(channel).subscribers };
        let begin = format!("{prefix}.");
        let mut kinds = Kinds::ALL;
        for rule in self.rules.iter().filter(|rule| rule.channels.meets_prefix(&begin)) {
            kinds = kinds.and(rule.subscribers);
            if rule.channels.covers_prefix(&begin) {
                return kinds;
            }
        }
        kinds.and(self.fallback.subscribers)
    }

    /// The rule for a channel. Companion channels have rules of their own: kept in memory only.
    pub fn of(&self, channel: &ChannelId) -> &Arc<Rule> {
        if channel.flags().contains(ChannelFlags::WILDCARD) {
            return &self.wildcard;
        }
        if channel.flags().contains(ChannelFlags::PRESENCE) {
            return &self.presence;
        }
        self.rules.iter().find(|rule| rule.channels.matches(channel.name())).unwrap_or(&self.fallback)
    }
}

fn is_companion(channel: &ChannelId) -> bool {
    [ChannelFlags::PRESENCE, ChannelFlags::WILDCARD].into_iter().any(|flag| channel.flags().contains(flag))
}

impl Default for Rules {
    fn default() -> Rules {
        Rules::new([])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_matches_counts() {
        let rule = |channels, history_size| Rule {
            channels: ChannelPattern::new(channels),
            history_size,
            ..Rule::default()
        };
        let rules = Rules::new([rule("a.*", 1), rule("a*", 2)]);
        let size = |name| rules.of(&ChannelId::new(name, ChannelFlags::NONE).unwrap()).history_size;
        assert_eq!([size("a.b"), size("ab"), size("b")], [1, 2, Rule::default().history_size]);
    }

    #[test]
    fn what_keeps_nothing_stores_nothing() {
        let nothing = Rules::new([Rule { history_size: 0, persist: true, ..Rule::default() }]);
        let channel = ChannelId::new("a", ChannelFlags::NONE).unwrap();
        assert!(!nothing.of(&channel).persist);
        assert!(Rules::default().of(&channel).persist);
    }

    #[test]
    fn a_wildcard_is_for_whom_every_channel_below_it_is() {
        let rule = |channels, kind| Rule {
            channels: ChannelPattern::new(channels),
            subscribers: [kind].into_iter().collect(),
            ..Rule::default()
        };
        let (device, user) = (IdentityKind::Device, IdentityKind::User);
        let rules =
            Rules::new([rule("a.b.c", device), rule("d.*", user), rule("d.e", device), rule("*.f", user)]);
        let may = |prefix, kind| rules.subscribers(&ChannelId::wildcard_of(prefix).unwrap()).contains(kind);
        for (prefix, for_devices, for_users) in [
            ("a", false, false),
            ("a.b", false, false),
            ("a.c", false, true),
            ("d", false, true),
            ("x", false, true),
        ] {
            assert_eq!((may(prefix, device), may(prefix, user)), (for_devices, for_users), "{prefix}.*");
        }
        assert!(!Rules::default().of(&ChannelId::wildcard_of("a").unwrap()).persist);
    }
}
