use serde::{Deserialize, Serialize};

/// A pattern over channel names: `*` stands for any run of characters, also none; all else is literal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct ChannelPattern(Box<str>);

impl ChannelPattern {
    /// A pattern of this text; every text is one.
    pub fn new(text: &str) -> ChannelPattern {
        ChannelPattern(text.into())
    }

    /// The pattern's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `name` matches, in time linear in `name` for each `*`.
    pub fn matches(&self, name: &str) -> bool {
        // Asked for each rule and each grant with every publication, and most patterns have one star or none: so they are looked for
        // byte by byte, without what it takes to look for more.
        let stars = |byte: &u8| *byte == b'*';
        let Some(first) = self.0.bytes().position(|byte| stars(&byte)) else { return *self.0 == *name };
        let last = self.0.as_bytes().iter().rposition(stars).unwrap_or(first);
        let Some(rest) = name.strip_prefix(&self.0[..first]) else { return false };
        let Some(mut rest) = rest.strip_suffix(&self.0[last + 1..]) else { return false };
        if first == last {
            return true;
        }
        // The pieces between two stars are taken where they first occur: leftmost leaves the most behind.
        for piece in self.0[first + 1..last].split('*') {
            match rest.find(piece) {
                Some(at) => rest = &rest[at + piece.len()..],
                None => return false,
            }
        }
        true
    }

    /// Whether some name that begins with `prefix` matches.
    pub fn meets_prefix(&self, prefix: &str) -> bool {
        let (first, stars) = self.0.split_once('*').map_or((&*self.0, false), |(first, _)| (first, true));
        first.starts_with(prefix) || (stars && prefix.starts_with(first))
    }

    /// Whether every name that begins with `prefix` matches.
    pub fn covers_prefix(&self, prefix: &str) -> bool {
        self.0.ends_with('*') && self.matches(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stars_stand_for_any_run() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*", "anything", true),
            ("room.*", "room.1", true),
            ("room.*", "room", false),
            ("*.typing", "room.typing", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("exact", "exact", true),
            ("exact", "exactly", false),
            ("**", "x", true),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(ChannelPattern::new(pattern).matches(name), expected, "{pattern:?} on {name:?}");
        }
    }

    fn reference(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|skip| reference(rest, &name[skip..])),
            Some((first, rest)) => name.first() == Some(first) && reference(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_obvious_recursion(pattern in "[ab*]{0,6}", name in "[ab]{0,8}") {
            let expected = reference(pattern.as_bytes(), name.as_bytes());
            prop_assert_eq!(ChannelPattern::new(&pattern).matches(&name), expected);
        }

        #[test]
        fn what_a_prefix_may_become_is_known(pattern in "[ab*]{0,5}", prefix in "[ab]{0,4}", rest in "[ab]{0,5}") {
            let text = pattern.replace('*', "b");
            let pattern = ChannelPattern::new(&pattern);
            let name = format!("{prefix}{rest}");
            prop_assert!(!pattern.matches(&name) || pattern.meets_prefix(&prefix));
            prop_assert!(!pattern.covers_prefix(&prefix) || pattern.matches(&name));
            // A witness: what a pattern says with its stars filled, behind the prefix.
            let witness = format!("{prefix}{text}");
            prop_assert!(pattern.meets_prefix(&prefix) || !pattern.matches(&witness));
        }
    }

    #[test]
    fn patterns_meet_and_cover_prefixes() {
        for (pattern, prefix, meets, covers) in [
            ("a.*", "a.", true, true),
            ("a*", "a.", true, true),
            ("*", "a.", true, true),
            ("a.b.*", "a.", true, false),
            ("a.b", "a.", true, false),
            ("*.b", "a.", true, false),
            ("a", "a.", false, false),
            ("b.*", "a.", false, false),
        ] {
            let pattern = ChannelPattern::new(pattern);
            assert_eq!(
                (pattern.meets_prefix(prefix), pattern.covers_prefix(prefix)),
                (meets, covers),
                "{pattern:?}"
            );
        }
    }
}
