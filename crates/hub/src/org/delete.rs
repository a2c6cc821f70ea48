//! Deleting from the past of a channel.

use antiphon_model::{ChannelId, Kind, Position, Publication};

use super::Org;

impl Org {
    /// Takes out of memory what a channel's history has after one position and not after another, so that nobody who comes back is given
    /// it, by a wildcard neither. How many there were. What waits for its turn and for nothing else is not delivered any more; what
    /// its owner still holds is left alone.
    ///
    /// What was there is no gap. Signals, presence events and changes of objects are no history and stay.
    pub fn delete(&self, id: &ChannelId, after: Position, until: Position) -> usize {
        let which = |publication: &Publication| *publication.channel == *id && is_past(publication.kind);
        let mut state = self.lock();
        state.sequence.drop_waiting(after, until, which);
        for uid in state.wildcards.above(id) {
            if let Some(companion) = state.by_uid(uid) {
                companion.ring.delete(after, until, which);
            }
        }
        state.channels.get_mut(id).map_or(0, |channel| channel.ring.delete(after, until, which))
    }
}

/// Whether it is of a channel's past, or about it.
fn is_past(kind: Kind) -> bool {
    match kind {
        Kind::Message | Kind::File | Kind::Action => true,
        Kind::Signal | Kind::Presence | Kind::Object => false,
    }
}
