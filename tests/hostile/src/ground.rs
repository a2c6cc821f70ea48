use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::args::Size;
use crate::config::Waits;

/// Where an attack takes place, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    /// The server.
    pub(crate) address: SocketAddr,
    /// Until when attackers begin anew.
    pub(crate) until: Instant,
    /// How much of it there is.
    pub(crate) size: Size,
    /// A session's token of the EXP network.
    pub(crate) token: Arc<str>,
}

impl Ground {
    /// How long the server waits.
    pub(crate) fn waits(&self) -> Waits {
        Waits::of(self.size)
    }

    /// By when a peer has to be gone that has so many milliseconds, on a busy machine.
    pub(crate) fn after(&self, millis: u64) -> Duration {
        // Time-outs are looked at once a second.
        Duration::from_millis(millis + self.size.pick(5000, 3000))
    }

    /// One of two numbers, by the form of the run.
    pub(crate) fn pick<T>(&self, short: T, full: T) -> T {
        self.size.pick(short, full)
    }
}
