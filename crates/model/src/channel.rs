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
        ChannelFlags(bits & 7)
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
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (flag, word) in [
            (ChannelFlags::SYSTEM, " (system)"),
            (ChannelFlags::CONSUMER, " (consumer)"),
            (ChannelFlags::PRESENCE, " (presence)"),
        ] {
            if self.flags.contains(flag) {
                f.write_str(word)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
