use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A tenant. Nothing crosses from one to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrgId(Arc<str>);

impl OrgId {
    /// Names an org.
    pub fn new(name: &str) -> OrgId {
        OrgId(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The flags that, with its name, tell one channel of an org from another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelFlags(u8);

impl ChannelFlags {
    /// An ordinary channel.
    pub const NONE: ChannelFlags = ChannelFlags(0);
    /// The server speaks, clients only listen.
    pub const SYSTEM: ChannelFlags = ChannelFlags(1);
    /// Open to consumer apps.
    pub const CONSUMER: ChannelFlags = ChannelFlags(2);
    /// The companion of a channel that carries its presence events. Never named by a client.
    pub const PRESENCE: ChannelFlags = ChannelFlags(4);
    /// The companion of all channels whose names begin as its own does: [`ChannelId::wildcard_of`]. Never named by a client.
    pub const WILDCARD: ChannelFlags = ChannelFlags(8);

    /// The flags of a channel as clients name it.
    pub fn new(system: bool, consumer: bool) -> ChannelFlags {
        ChannelFlags(u8::from(system) | u8::from(consumer) << 1)
    }

    /// The bits, for storage.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The flags of stored bits; bits this version does not know are dropped.
    pub fn from_bits(bits: u8) -> ChannelFlags {
        ChannelFlags(bits & 15)
    }

    /// Whether all of `other` are set.
    pub fn contains(self, other: ChannelFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// These and `other`.
    pub fn with(self, other: ChannelFlags) -> ChannelFlags {
        ChannelFlags(self.0 | other.0)
    }
}

/// The default and highest limit of a channel name's length in bytes of UTF-8.
pub const CHANNEL_NAME_BYTES_MAX: usize = 1024;

/// The name is not one a channel can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChannelName {
    /// No characters at all.
    #[error("a channel name cannot be empty")]
    Empty,
    /// Longer than [`CHANNEL_NAME_BYTES_MAX`].
    #[error("a channel name has at most {CHANNEL_NAME_BYTES_MAX} bytes")]
    TooLong,
    /// U+0000 to U+001F or U+007F.
    #[error("a channel name cannot contain control characters")]
    ControlCharacter,
}

/// A channel within its org: a name and flags. Same name, other flags: another channel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId {
    name: Box<str>,
    flags: ChannelFlags,
}

impl ChannelId {
    /// Parses a name.
    ///
    /// # Errors
    /// The name is empty, longer than [`CHANNEL_NAME_BYTES_MAX`], or has a control character.
    pub fn new(name: &str, flags: ChannelFlags) -> Result<ChannelId, InvalidChannelName> {
        if name.is_empty() {
            return Err(InvalidChannelName::Empty);
        }
        if name.len() > CHANNEL_NAME_BYTES_MAX {
            return Err(InvalidChannelName::TooLong);
        }
        if name.bytes().any(|b| b.is_ascii_control()) {
            return Err(InvalidChannelName::ControlCharacter);
        }
        Ok(ChannelId { name: name.into(), flags })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The flags.
    pub fn flags(&self) -> ChannelFlags {
        self.flags
    }

    /// The companion channel that carries this one's presence events.
    pub fn presence(&self) -> ChannelId {
        ChannelId { name: self.name.clone(), flags: self.flags.with(ChannelFlags::PRESENCE) }
    }

    /// The companion of all plain channels below `prefix`: for `a` it is `a.*`, and a publication on `a.b` or `a.b.c` is one on it
    /// too. With [`ChannelId::presence`] it is the companion of their presence events.
    ///
    /// None if `prefix` is not one or two words with a dot between, neither of them empty or with a `*` in it, or is too long or has
    /// control characters: what looks like a wildcard is a plain name then.
    pub fn wildcard_of(prefix: &str) -> Option<ChannelId> {
        if prefix.split('.').count() > WILDCARD_WORDS_MAX || !prefix.split('.').all(is_word) {
            return None;
        }
        ChannelId::new(&format!("{prefix}.*"), ChannelFlags::WILDCARD).ok()
    }

    /// What [`ChannelId::wildcard_of`] makes the wildcard companions of that this channel lies below, the shortest first. There are two
    /// at most. The companion of a channel with flags has these too.
    pub fn wildcard_prefixes(&self) -> WildcardPrefixes<'_> {
        WildcardPrefixes::of(&self.name)
    }

    /// Whether it is `other`, or a wildcard companion above it: what is published there comes to who listens here.
    pub fn covers(&self, other: &ChannelId) -> bool {
        let above = |prefix: &str| {
            let below = other.name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'));
            below && other.flags != self.flags && other.flags.with(ChannelFlags::WILDCARD) == self.flags
        };
        self == other || self.wildcard_prefix().is_some_and(above)
    }

    /// The prefix of a wildcard companion; none of other channels.
    pub fn wildcard_prefix(&self) -> Option<&str> {
        if self.flags.contains(ChannelFlags::WILDCARD) { self.name.strip_suffix(".*") } else { None }
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (flag, word) in [
            (ChannelFlags::SYSTEM, " (system)"),
            (ChannelFlags::CONSUMER, " (consumer)"),
            (ChannelFlags::PRESENCE, " (presence)"),
            (ChannelFlags::WILDCARD, " (wildcard)"),
        ] {
            if self.flags.contains(flag) {
                f.write_str(word)?;
            }
        }
        Ok(())
    }
}

/// How many words a wildcard has before its `*`.
const WILDCARD_WORDS_MAX: usize = 2;

/// The prefixes of a name that a wildcard can have: see [`ChannelId::wildcard_prefixes`].
#[derive(Clone, Debug)]
pub struct WildcardPrefixes<'a> {
    name: &'a str,
    /// Where the word begins that comes next.
    word: usize,
    left: usize,
}

impl<'a> WildcardPrefixes<'a> {
    fn of(name: &'a str) -> WildcardPrefixes<'a> {
        WildcardPrefixes { name, word: 0, left: WILDCARD_WORDS_MAX }
    }
}

impl<'a> Iterator for WildcardPrefixes<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.left = self.left.checked_sub(1)?;
        let rest = &self.name.as_bytes()[self.word..];
        let len = rest.iter().position(|byte| matches!(byte, b'.' | b'*'));
        // Below what is no word there is no prefix either.
        let Some(len) = len.filter(|len| *len > 0 && rest[*len] == b'.') else {
            self.left = 0;
            return None;
        };
        let end = self.word + len;
        self.word = end + 1;
        Some(&self.name[..end])
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains('*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_parsed() {
        assert!(ChannelId::new("Zimmer/ü #1", ChannelFlags::NONE).is_ok());
        assert_eq!(ChannelId::new("", ChannelFlags::NONE), Err(InvalidChannelName::Empty));
        assert_eq!(ChannelId::new("a\nb", ChannelFlags::NONE), Err(InvalidChannelName::ControlCharacter));
        let long = "x".repeat(CHANNEL_NAME_BYTES_MAX + 1);
        assert_eq!(ChannelId::new(&long, ChannelFlags::NONE), Err(InvalidChannelName::TooLong));
    }

    #[test]
    fn other_flags_are_another_channel() {
        let plain = ChannelId::new("a", ChannelFlags::NONE).unwrap();
        let system = ChannelId::new("a", ChannelFlags::SYSTEM).unwrap();
        assert_ne!(plain, system);
        assert_ne!(plain, plain.presence());
        assert_eq!(system.to_string(), "a (system)");
    }

    #[test]
    fn a_wildcard_has_one_or_two_words_before_its_star() {
        for (prefix, name) in [("a", "a.*"), ("a.b", "a.b.*"), ("ü #", "ü #.*")] {
            let wildcard = ChannelId::wildcard_of(prefix).unwrap();
            assert_eq!((wildcard.name(), wildcard.flags()), (name, ChannelFlags::WILDCARD));
            assert_eq!(wildcard.wildcard_prefix(), Some(prefix));
            assert_ne!(wildcard, ChannelId::new(name, ChannelFlags::NONE).unwrap());
        }
        for prefix in ["", ".", "a.", ".a", "a..b", "a.b.c", "*", "a.*", "a*", "*.a", "a\n"] {
            assert_eq!(ChannelId::wildcard_of(prefix), None, "{prefix:?}");
        }
        assert_eq!(ChannelId::wildcard_of(&"x".repeat(CHANNEL_NAME_BYTES_MAX - 1)), None);
    }

    #[test]
    fn a_channel_lies_below_the_wildcards_that_it_begins_as() {
        for (name, expected) in [
            ("a", &[][..]),
            ("a.b", &["a"]),
            ("a.b.c", &["a", "a.b"]),
            ("a.b.c.d", &["a", "a.b"]),
            ("a.", &["a"]),
            ("a..b", &["a"]),
            (".a.b", &[]),
            ("*.a", &[]),
            ("a.*", &["a"]),
            ("a.*.b", &["a"]),
            ("ä.ö.ü", &["ä", "ä.ö"]),
        ] {
            let channel = ChannelId::new(name, ChannelFlags::NONE).unwrap();
            assert_eq!(channel.wildcard_prefixes().collect::<Vec<_>>(), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_channel_is_below_a_wildcard_if_its_name_begins_so(name in "[ab.*]{1,6}", prefix in "[ab.*]{0,4}") {
            let channel = ChannelId::new(&name, ChannelFlags::NONE).unwrap();
            let below = channel.wildcard_prefixes().any(|one| one == prefix);
            let begins = ChannelId::wildcard_of(&prefix).is_some() && name.starts_with(&format!("{prefix}."));
            prop_assert_eq!(below, begins);
            if let Some(wildcard) = ChannelId::wildcard_of(&prefix) {
                prop_assert_eq!(wildcard.covers(&channel), below);
                prop_assert_eq!(wildcard.presence().covers(&channel.presence()), below);
                prop_assert!(!wildcard.covers(&channel.presence()) && !wildcard.presence().covers(&channel));
                prop_assert!(!channel.covers(&wildcard) && wildcard.covers(&wildcard));
            }
        }
    }
}
