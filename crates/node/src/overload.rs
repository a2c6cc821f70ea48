//! Whether there is memory for more work.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How much below the ceiling memory has to be before new work is taken again, in parts of the ceiling: less, and the server
/// would take and refuse by turns.
const FREE_AGAIN: u64 = 10;

/// What is there comes to an end in minutes rather than seconds, and a crowd is not to come back at once.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The ceiling of memory, and whether it is reached.
///
/// Beyond it nothing new is taken on, and what is there goes on: connections, sessions, channels that nobody has used,
/// broadcasts that collect, logins and uploads are refused.
#[derive(Debug, Default)]
pub struct Overload {
    ceiling: Option<u64>,
    used: AtomicU64,
    over: AtomicBool,
}

/// There is no memory for it at this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server is short of memory and takes nothing new on: try again later")]
pub struct Overloaded;

/// The ceiling was crossed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Nothing more is taken on.
    Over,
    /// There is room again.
    Under,
}

impl Overload {
    /// A ceiling in bytes; none is never reached.
    pub fn new(ceiling: Option<u64>) -> Overload {
        Overload { ceiling, ..Overload::default() }
    }

    /// The ceiling in bytes.
    pub fn ceiling(&self) -> Option<u64> {
        self.ceiling
    }

    /// How many bytes were in use when it was last noted.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether new work is to be refused.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Refuses new work if there is no memory for it.
    ///
    /// # Errors
    /// There is none.
    pub fn check(&self) -> Result<(), Overloaded> {
        if self.is_over() { Err(Overloaded) } else { Ok(()) }
    }

    /// Notes how many bytes are in use. Called by one thread.
    pub(crate) fn note(&self, used: u64) -> Option<Edge> {
        self.used.store(used, Ordering::Relaxed);
        let ceiling = self.ceiling?;
        let was = self.is_over();
        let is = match was {
            true => used > ceiling - ceiling / FREE_AGAIN,
            false => used >= ceiling,
        };
        self.over.store(is, Ordering::Relaxed);
        match (was, is) {
            (false, true) => Some(Edge::Over),
            (true, false) => Some(Edge::Under),
            _ => None,
        }
    }
}

impl Overloaded {
    /// When to try again.
    pub fn retry_after(self) -> Duration {
        RETRY_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_at_the_ceiling_and_ends_a_tenth_below() {
        let overload = Overload::new(Some(1000));
        for (used, edge, over) in [
            (999, None, false),
            (1000, Some(Edge::Over), true),
            (2000, None, true),
            (901, None, true),
            (900, Some(Edge::Under), false),
            (999, None, false),
            (1001, Some(Edge::Over), true),
            (0, Some(Edge::Under), false),
        ] {
            assert_eq!((overload.note(used), overload.is_over()), (edge, over), "{used}");
            assert_eq!(overload.check().is_err(), over);
        }
    }

    #[test]
    fn without_a_ceiling_it_never_begins() {
        let overload = Overload::new(None);
        assert_eq!(overload.note(u64::MAX), None);
        assert_eq!((overload.is_over(), overload.used()), (false, u64::MAX));
    }
}
