//! Hostile peers against the real binary: each attack in turn, beside a crowd that behaves and must not notice.
//!
//! The harness starts the server, connects a crowd that speaks every dialect (`crowd`), and lets one publisher publish at a
//! fixed rate. Then it runs one attack after another. Time is cut into windows, in turn a quiet one and one under attack, so that what
//! else happens on the machine happens to both. After each attack it asks:
//!
//! - Has everybody of the crowd heard every message once and in order, on the connection that he had all the time?
//! - Was the crowd's latency, counted from when each message was meant to be sent, what it is without an attack?
//! - Was each attacker answered or closed as is right, within its time?
//! - Are the attackers' connections gone, and has the memory that they took come back?
//!
//! It knows the server by its protocols alone: it shares no code with it, and its own frames are written by hand, because no
//! library sends what attackers do.
#![forbid(unsafe_code)]

mod args;
mod attack;
mod attacks;
mod clock;
mod config;
mod crowd;
mod foe;
mod frame;
mod ground;
mod h2;
mod judge;
mod publisher;
mod report;
mod run;
mod subject;
mod tally;

pub use args::Args;
pub use run::run;

/// Why the harness itself could not go on; what the server does wrong is in the report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server does not start, or has ended.
    #[error("the server: {0}")]
    Server(String),
    /// The crowd cannot be connected.
    #[error("the crowd: {0}")]
    Crowd(String),
    /// The machine refuses something that the harness needs.
    #[error("{what}: {source}")]
    Machine {
        /// What was wanted.
        what: &'static str,
        /// Why it cannot be had.
        source: std::io::Error,
    },
    /// No attack is named so.
    #[error("there is no attack {0}; `--list` names them")]
    NoSuchAttack(String),
}
