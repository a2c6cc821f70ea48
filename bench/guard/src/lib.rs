//! What the hot paths cost, counted: instructions by callgrind, allocations by an allocator that counts.
//!
//! A [`HotPath`] does one thing a given number of times. Its cost is the difference between doing it so many times and twice as
//! often, so that what it takes to get there does not count. [`measure`] has callgrind count it, and [`Record`] is what was counted
//! before, kept in the repository. Counts depend neither on the load of the machine nor on its speed, only on the compiler, and a
//! little on which instructions a processor has for copying.
//!
//! Nothing here is part of the server, and the server's own parts are driven as they are: a [`Stage`] is workers with connections,
//! sessions and dialects, which stand still until they are told to move.
#![forbid(unsafe_code)]

mod callgrind;
mod comparison;
mod paths;
mod record;
mod stage;

pub use callgrind::{CountError, measure};
pub use comparison::{Comparison, Verdict};
pub use paths::{HotPath, PATHS};
pub use record::{Record, RecordError};
pub use stage::{Listeners, Stage};
