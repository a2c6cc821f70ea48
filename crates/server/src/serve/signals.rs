use std::io::{self, IsTerminal};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal tells the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Stop; by which signal.
    Stop(&'static str),
    /// Read the keys again.
    Reload,
}

/// The signals that the server heeds.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// The terminal went away, rather than somebody who has new keys.
    hangup_stops: bool,
}

impl Signals {
    /// Takes the signals over.
    ///
    /// # Errors
    /// The operating system refuses.
    pub(super) fn install() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            hangup_stops: io::stdout().is_terminal(),
        })
    }

    /// Resolves at the next signal.
    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Told::Stop("SIGINT"),
            _ = self.hangup.recv() => match self.hangup_stops {
                true => Told::Stop("SIGHUP"),
                false => Told::Reload,
            },
        }
    }

    /// Resolves at the next signal to stop.
    pub(super) async fn stop(&mut self) {
        while self.next().await == Told::Reload {}
    }
}
