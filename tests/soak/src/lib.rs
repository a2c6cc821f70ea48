//! A long run: clients of every dialect connect to the real binary, talk, drop off in every manner, and come back, while each
//! listener checks that it hears every publisher in order, nothing twice and nothing missing, and while the process is watched:
//! memory, file descriptors, threads, and what its metrics say there is.
//!
//! Clients know the wire alone, as those in `antiphon_tests`, which they are made of. One clock, that of this process, says what was
//! sent before what, so the same check holds for dialects that have positions and for those that have none.
//!
//! | part | |
//! |---|---|
//! | `ledger` | who said what when |
//! | `hearing` | what one listener heard on one channel, held against that |
//! | `life` | what a client does with its time, whatever its dialect |
//! | `clients` | the dialects |
//! | `watch`, `slope`, `plot` | the process |
//! | `run` | the stages, and the judgement |
#![forbid(unsafe_code)]

mod channels;
mod client;
mod clients;
mod config;
mod credentials;
mod hearing;
mod ledger;
mod life;
mod plot;
mod random;
mod report;
mod run;
mod slope;
mod watch;
mod world;

pub use report::Report;
pub use run::{Options, Part, run};
