use std::fmt;
use std::ops::BitOr;

/// A set of permissions, as bits of the wire.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Bits(u16);

impl Bits {
    /// Nothing.
    pub const NONE: Bits = Bits(0);
    /// Subscribe, read history, see who is there.
    pub const READ: Bits = Bits(1);
    /// Publish.
    pub const WRITE: Bits = Bits(2);
    /// Change a channel group, or the members of a channel.
    pub const MANAGE: Bits = Bits(4);
    /// Delete messages, files and metadata.
    pub const DELETE: Bits = Bits(8);
    /// Reserved.
    pub const CREATE: Bits = Bits(16);
    /// Read metadata.
    pub const GET: Bits = Bits(32);
    /// Change metadata.
    pub const UPDATE: Bits = Bits(64);
    /// Become a member of a channel.
    pub const JOIN: Bits = Bits(128);
    /// Everything.
    pub const ALL: Bits = Bits(255);

    /// The set of these bits. None if one of them means nothing.
    pub fn from_bits(bits: u64) -> Option<Bits> {
        u16::try_from(bits).ok().filter(|bits| *bits <= Bits::ALL.0).map(Bits)
    }

    /// The bits.
    pub fn bits(self) -> u16 {
        self.0
    }

    /// Whether all of `other` is in the set.
    pub fn contains(self, other: Bits) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether nothing is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Bits {
    type Output = Bits;

    fn bitor(self, other: Bits) -> Bits {
        Bits(self.0 | other.0)
    }
}

impl fmt::Debug for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Bits::READ, "READ"),
            (Bits::WRITE, "WRITE"),
            (Bits::MANAGE, "MANAGE"),
            (Bits::DELETE, "DELETE"),
            (Bits::CREATE, "CREATE"),
            (Bits::GET, "GET"),
            (Bits::UPDATE, "UPDATE"),
            (Bits::JOIN, "JOIN"),
        ];
        let names = names.iter().filter(|(bit, _)| self.contains(*bit)).map(|(_, name)| name);
        f.debug_set().entries(names).finish()
    }
}
