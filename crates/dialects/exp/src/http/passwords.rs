use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::ExpSettings;

/// Who may have a password checked: a few at a time, since each takes a core and memory, and the others wait.
pub(crate) struct Passwords {
    /// Those that may wait.
    waiting: Semaphore,
    turns: Arc<Semaphore>,
    patience: Duration,
}

/// There are as many waiting as may be, or it took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Passwords {
    pub(crate) fn new(settings: &ExpSettings) -> Passwords {
        let permits = |permits: usize| permits.min(Semaphore::MAX_PERMITS);
        Passwords {
            waiting: Semaphore::new(permits(settings.logins_waiting_max)),
            turns: Arc::new(Semaphore::new(permits(settings.password_checks_max))),
            patience: settings.body_timeout,
        }
    }

    /// Waits for a turn, which ends when what comes back is dropped.
    ///
    /// # Errors
    /// Too many wait already, or it took too long.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit, TooMany> {
        let _waits = self.waiting.try_acquire().map_err(|_| TooMany)?;
        let turn = timeout(self.patience, Arc::clone(&self.turns).acquire_owned()).await;
        turn.map_err(|_| TooMany)?.map_err(|_| TooMany)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn passwords() -> Passwords {
        Passwords::new(&ExpSettings {
            password_checks_max: 1,
            logins_waiting_max: 1,
            body_timeout: Duration::from_secs(30),
            ..ExpSettings::default()
        })
    }

    #[tokio::test(start_paused = true)]
    async fn one_after_the_other_and_not_too_many() {
        let passwords = passwords();
        let first = passwords.turn().await.unwrap();
        let second = passwords.turn();
        tokio::pin!(second);
        assert!(second.as_mut().now_or_never().is_none());
        assert_eq!(passwords.turn().await.unwrap_err(), TooMany);
        drop(first);
        let second = second.await.unwrap();
        let third = passwords.turn();
        tokio::pin!(third);
        assert!(third.as_mut().now_or_never().is_none(), "who has his turn waits no longer");
        drop(second);
        assert!(third.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let passwords = passwords();
        let _first = passwords.turn().await.unwrap();
        assert_eq!(passwords.turn().await.unwrap_err(), TooMany);
    }
}
