use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use antiphon_model::Position;
use antiphon_net::problem::{Problem, ProblemKind};
use parking_lot::Mutex;

use crate::Socket;

/// How many publications of a client may wait for the store.
const UNANSWERED_MAX: usize = 10_000;
/// How many broadcasts of a client may collect replies at once.
const BROADCASTS_MAX: usize = 100;

/// What a client began that is not answered yet.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    unanswered: AtomicUsize,
    broadcasts: Mutex<HashSet<Position>>,
}

/// A publication that is not answered yet, as long as it is kept.
#[derive(Debug)]
pub(super) struct Unanswered(Arc<UnderWay>);

impl UnderWay {
    /// That of a socket. To be called on its home worker.
    pub(super) fn of(socket: &Socket) -> Arc<UnderWay> {
        if socket.extensions().get::<UnderWay>().is_none() {
            socket.extensions().insert(UnderWay::default());
        }
        socket.extensions().get().unwrap_or_default()
    }

    /// Counts a publication.
    ///
    /// # Errors
    /// As many wait as may.
    pub(super) fn begin(self: &Arc<Self>) -> Result<Unanswered, Problem> {
        let one_more = |count: usize| (count < UNANSWERED_MAX).then_some(count + 1);
        match self.unanswered.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more) {
            Ok(_) => Ok(Unanswered(Arc::clone(self))),
            Err(_) => {
                Err(overloaded(format!("{UNANSWERED_MAX} publications wait for the store: wait for answers")))
            }
        }
    }

    /// Checks that one more broadcast may collect replies.
    ///
    /// # Errors
    /// As many do as may.
    pub(super) fn check_broadcasts(&self) -> Result<(), Problem> {
        if self.broadcasts.lock().len() < BROADCASTS_MAX {
            return Ok(());
        }
        Err(overloaded(format!("{BROADCASTS_MAX} broadcasts collect replies: wait for one to end")))
    }

    pub(super) fn begin_broadcast(&self, position: Position) {
        self.broadcasts.lock().insert(position);
    }

    pub(super) fn end_broadcast(&self, position: Position) {
        self.broadcasts.lock().remove(&position);
    }

    /// The socket is gone: nobody waits for replies any more.
    pub(super) fn end_all(socket: &Socket) {
        let Some(under_way) = socket.extensions().get::<UnderWay>() else { return };
        let broadcasts = std::mem::take(&mut *under_way.broadcasts.lock());
        for position in broadcasts {
            socket.io().node().end_replies(socket.caller(), position);
        }
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.0.unanswered.fetch_sub(1, Ordering::Relaxed);
    }
}

fn overloaded(detail: String) -> Problem {
    Problem::new(ProblemKind::Overloaded, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_is_bounded() {
        let under_way = Arc::new(UnderWay::default());
        let mut begun: Vec<_> = (0..UNANSWERED_MAX).map(|_| under_way.begin().unwrap()).collect();
        assert!(under_way.begin().is_err());
        begun.pop();
        drop(under_way.begin().unwrap());
        for position in 0..BROADCASTS_MAX as u64 {
            under_way.check_broadcasts().unwrap();
            under_way.begin_broadcast(Position(position));
        }
        assert!(under_way.check_broadcasts().is_err());
        under_way.end_broadcast(Position(7));
        under_way.check_broadcasts().unwrap();
    }
}
