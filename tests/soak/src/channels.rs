use std::time::Duration;

use crate::random::Random;

/// How long a channel that nobody uses stays in memory.
pub(crate) const CHANNEL_IDLE: Duration = Duration::from_secs(10);

/// How many messages `memory.*` keeps.
pub(crate) const MEMORY_MESSAGES: usize = 100;

/// How many messages `short.*` keeps, and for how long.
pub(crate) const SHORT_MESSAGES: usize = 40;
pub(crate) const SHORT_AGE: Duration = Duration::from_secs(15);

/// How many channels there are for presence alone. Who came and went there is remembered for ten minutes, on a channel of its
/// own for each that is in memory for so long.
pub(crate) const LOBBIES: usize = 3;

/// What sort of channel it is: the first word of its name, for which the configuration has a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Stored for longer than anybody is away: nothing may be lost here.
    Keep,
    /// In memory alone.
    Memory,
    /// Stored, but retention is at its heels.
    Short,
    /// Stored, with a name that is used for some seconds.
    Passing,
    /// Stored, and deleted from now and then.
    Deleted,
    /// Long messages.
    Fat,
}

/// How much of a channel's past there is to come back to.
pub(crate) struct Kept {
    pub(crate) messages: usize,
    pub(crate) away_ms: u64,
    pub(crate) survives_restart: bool,
}

impl Class {
    pub(crate) fn of(channel: &str) -> Class {
        match channel.split('.').next() {
            Some("memory") => Class::Memory,
            Some("short") => Class::Short,
            Some("passing") => Class::Passing,
            Some("deleted") => Class::Deleted,
            Some("fat") => Class::Fat,
            _ => Class::Keep,
        }
    }

    /// None where there is more than anybody can miss.
    pub(crate) fn kept(self) -> Option<Kept> {
        let millis = |duration: Duration| duration.as_millis() as u64;
        match self {
            Class::Keep | Class::Passing | Class::Deleted => None,
            // Some of it may have been heard before.
            Class::Memory => Some(Kept {
                messages: MEMORY_MESSAGES - 10,
                away_ms: millis(CHANNEL_IDLE) - 1000,
                survives_restart: false,
            }),
            Class::Short | Class::Fat => Some(Kept {
                messages: SHORT_MESSAGES - 10,
                away_ms: millis(SHORT_AGE) - 5000,
                survives_restart: true,
            }),
        }
    }
}

/// The channels of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Channels {
    /// How many channels of the class that is used most there are.
    pub(crate) keep: usize,
}

impl Channels {
    /// As many as so many clients meet on.
    pub(crate) fn for_clients(clients: usize) -> Channels {
        Channels { keep: (clients / 8).max(4) }
    }

    /// One on which nothing may be lost.
    pub(crate) fn keep(self, random: &mut Random) -> String {
        format!("keep.{}", random.below(self.keep))
    }

    /// One of any sort but the long messages'; what is passing changes with the time.
    pub(crate) fn any(self, random: &mut Random, seconds: u64) -> String {
        let fewer = (self.keep / 4).max(2);
        match random.below(10) {
            0..6 => self.keep(random),
            6 => format!("memory.{}", random.below(fewer)),
            7 => format!("short.{}", random.below(fewer)),
            8 => format!("passing.{}.{}", seconds / 5, random.below(fewer)),
            _ => format!("deleted.{}", random.below(2)),
        }
    }

    /// Several different ones.
    pub(crate) fn several(self, random: &mut Random, count: usize, seconds: u64) -> Vec<String> {
        let mut channels: Vec<_> = (0..count).map(|_| self.any(random, seconds)).collect();
        channels.sort();
        channels.dedup();
        channels
    }
}
