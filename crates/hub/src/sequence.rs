use std::collections::VecDeque;
use std::sync::Arc;

use antiphon_model::{Monotonic, Position, Publication, Timestamp};

/// Whether a publication waits for its owner's word before it is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Delivered as soon as everything before it is.
    No,
    /// Held until [`crate::Org::settle`], or this time.
    Until(Monotonic),
}

/// What became of a held publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is delivered.
    Deliver,
    /// It is not, if it was not already: it turned out to be a duplicate.
    Drop,
}

/// Gives out positions, and releases publications in their order.
#[derive(Debug)]
pub(crate) struct Sequence {
    last: Position,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    position: Position,
    hold: Hold,
    /// None once it is dropped.
    publication: Option<Arc<Publication>>,
}

impl Sequence {
    /// Gives positions above `floor` only.
    pub(crate) fn new(floor: Position) -> Sequence {
        Sequence { last: floor, waiting: VecDeque::new() }
    }

    /// The next position: the time, or one more than the last where the clock stood still or stepped back.
    pub(crate) fn next(&mut self, wall: Timestamp) -> Position {
        self.last = Position(wall.0).max(self.last.next());
        self.last
    }

    /// The last position given.
    pub(crate) fn last(&self) -> Position {
        self.last
    }

    /// Takes a publication in; gives it back if it can be delivered at once.
    pub(crate) fn enter(&mut self, publication: Arc<Publication>, hold: Hold) -> Option<Arc<Publication>> {
        if self.waiting.is_empty() && hold == Hold::No {
            return Some(publication);
        }
        let position = publication.position;
        self.waiting.push_back(Waiting { position, hold, publication: Some(publication) });
        None
    }

    /// Ends a hold. One that is not (or no longer) held is left alone.
    pub(crate) fn settle(&mut self, position: Position, outcome: Outcome) {
        if let Ok(at) = self.waiting.binary_search_by_key(&position, |waiting| waiting.position) {
            let waiting = &mut self.waiting[at];
            waiting.hold = Hold::No;
            if outcome == Outcome::Drop {
                waiting.publication = None;
            }
        }
    }

    /// Drops of those that only wait for their turn what was published after one position and not after another, as far as `which`
    /// says.
    pub(crate) fn drop_waiting(
        &mut self,
        after: Position,
        until: Position,
        mut which: impl FnMut(&Publication) -> bool,
    ) {
        let from = self.waiting.partition_point(|waiting| waiting.position <= after);
        let to = self.waiting.partition_point(|waiting| waiting.position <= until).max(from);
        for waiting in self.waiting.range_mut(from..to).filter(|waiting| waiting.hold == Hold::No) {
            waiting.publication.take_if(|publication| which(publication));
        }
    }

    /// The next publication whose turn it is.
    pub(crate) fn poll(&mut self, now: Monotonic) -> Option<Arc<Publication>> {
        while let Some(front) = self.waiting.front() {
            match front.hold {
                Hold::Until(time) if time > now => return None,
                _ => {}
            }
            let front = self.waiting.pop_front()?;
            if front.publication.is_some() {
                return front.publication;
            }
        }
        None
    }

    /// When the first in line stops waiting.
    pub(crate) fn poll_timeout(&self) -> Option<Monotonic> {
        match self.waiting.front()?.hold {
            Hold::Until(time) => Some(time),
            Hold::No => Some(Monotonic::default()),
        }
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_model::{ChannelFlags, ChannelId, Draft, Payload};
    use std::time::Duration;

    fn enter(sequence: &mut Sequence, hold: Hold) -> (Position, bool) {
        let channel = Arc::new(ChannelId::new("a", ChannelFlags::NONE).unwrap());
        let position = sequence.next(Timestamp(100));
        let draft = Draft::new(channel, Payload::Text("x".into()));
        (position, sequence.enter(Arc::new(draft.at(position)), hold).is_some())
    }

    fn at(millis: u64) -> Monotonic {
        Monotonic(Duration::from_millis(millis))
    }

    fn polled(sequence: &mut Sequence, now: Monotonic) -> Vec<Position> {
        std::iter::from_fn(|| sequence.poll(now)).map(|p| p.position).collect()
    }

    #[test]
    fn positions_rise_though_the_clock_steps_back() {
        let mut sequence = Sequence::new(Position(50));
        let given: Vec<_> = [10, 60, 60, 40, 70].map(|wall| sequence.next(Timestamp(wall)).0).into();
        assert_eq!(given, [51, 60, 61, 62, 70]);
    }

    #[test]
    fn what_is_held_holds_back_what_follows() {
        let mut sequence = Sequence::new(Position::ZERO);
        let (first, now) = enter(&mut sequence, Hold::Until(at(50)));
        assert!(!now);
        let (second, now) = enter(&mut sequence, Hold::No);
        assert!(!now);
        assert_eq!(polled(&mut sequence, at(49)), []);
        sequence.settle(first, Outcome::Deliver);
        assert_eq!(polled(&mut sequence, at(49)), [first, second]);
        assert!(enter(&mut sequence, Hold::No).1);
    }

    #[test]
    fn what_only_waits_for_its_turn_can_be_dropped() {
        let mut sequence = Sequence::new(Position::ZERO);
        let (first, _) = enter(&mut sequence, Hold::Until(at(50)));
        let (second, _) = enter(&mut sequence, Hold::No);
        let (third, _) = enter(&mut sequence, Hold::No);
        sequence.drop_waiting(Position::ZERO, second, |_| true);
        sequence.drop_waiting(second, third, |_| false);
        assert_eq!(polled(&mut sequence, at(50)), [first, third]);
        sequence.drop_waiting(third, first, |_| true);
    }

    #[test]
    fn a_hold_ends_by_time_and_a_late_word_changes_nothing() {
        let mut sequence = Sequence::new(Position::ZERO);
        let (first, _) = enter(&mut sequence, Hold::Until(at(50)));
        let (second, _) = enter(&mut sequence, Hold::Until(at(80)));
        assert_eq!(sequence.poll_timeout(), Some(at(50)));
        assert_eq!(polled(&mut sequence, at(50)), [first]);
        sequence.settle(first, Outcome::Drop);
        sequence.settle(second, Outcome::Drop);
        assert_eq!(polled(&mut sequence, at(51)), []);
        assert_eq!(sequence.waiting(), 0);
    }
}
