use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use antiphon_model::{Position, Publication, Timestamp};

/// The last publications of a channel, for those who come back.
#[derive(Debug)]
pub(crate) struct Ring {
    publications: VecDeque<Arc<Publication>>,
    bytes: usize,
    /// Everything after this position is here.
    floor: Position,
}

/// How much a ring keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingLimits {
    pub(crate) size: usize,
    pub(crate) bytes: usize,
    pub(crate) age: Option<Duration>,
}

impl Ring {
    /// An empty ring that knows everything after `floor`.
    pub(crate) fn new(floor: Position) -> Ring {
        Ring { publications: VecDeque::new(), bytes: 0, floor }
    }

    pub(crate) fn push(&mut self, publication: Arc<Publication>, limits: RingLimits, wall: Timestamp) {
        if limits.size == 0 && self.is_empty() {
            self.floor = publication.position;
            return;
        }
        self.bytes += publication.memory_bytes();
        self.publications.push_back(publication);
        while self.publications.len() > limits.size || self.bytes > limits.bytes {
            self.pop();
        }
        self.expire(limits.age, wall);
    }

    /// Drops what is older than `age`.
    pub(crate) fn expire(&mut self, age: Option<Duration>, wall: Timestamp) {
        let Some(age) = age else { return };
        let oldest = wall.earlier_by(age);
        while self.publications.front().is_some_and(|first| first.position.timestamp() < oldest) {
            self.pop();
        }
    }

    /// Takes out what came after one position and not after another, as far as `which` says; how many there were. They are no gap.
    pub(crate) fn delete(
        &mut self,
        after: Position,
        until: Position,
        mut which: impl FnMut(&Publication) -> bool,
    ) -> usize {
        let before = self.publications.len();
        let bytes = &mut self.bytes;
        self.publications.retain(|one| {
            let deleted = one.position > after && one.position <= until && which(one);
            if deleted {
                *bytes -= one.memory_bytes();
            }
            !deleted
        });
        before - self.publications.len()
    }

    fn pop(&mut self) {
        if let Some(publication) = self.publications.pop_front() {
            self.bytes -= publication.memory_bytes();
            self.floor = publication.position;
        }
    }

    /// Everything after this position is here; what was before may have been dropped.
    pub(crate) fn floor(&self) -> Position {
        self.floor
    }

    /// Nothing came after this position.
    pub(crate) fn last(&self) -> Position {
        self.publications.back().map_or(self.floor, |last| last.position)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.publications.is_empty()
    }

    /// What came after `since` and has not expired by itself, oldest first.
    pub(crate) fn after(
        &self,
        since: Position,
        wall: Timestamp,
    ) -> impl DoubleEndedIterator<Item = &Arc<Publication>> {
        let start = self.publications.partition_point(|p| p.position <= since);
        self.publications.range(start..).filter(move |p| p.expires.is_none_or(|expires| wall < expires))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_model::{ChannelFlags, ChannelId, Draft, Payload};

    fn publication(position: u64, len: usize) -> Arc<Publication> {
        let channel = Arc::new(ChannelId::new("a", ChannelFlags::NONE).unwrap());
        Arc::new(Draft::new(channel, Payload::Binary(vec![0; len].into())).at(Position(position)))
    }

    fn positions(ring: &Ring, since: u64) -> Vec<u64> {
        ring.after(Position(since), Timestamp(0)).map(|p| p.position.0).collect()
    }

    const ROOMY: RingLimits = RingLimits { size: 3, bytes: usize::MAX, age: None };

    #[test]
    fn the_floor_is_the_last_one_dropped() {
        let mut ring = Ring::new(Position(5));
        for position in [10, 20, 30, 40] {
            ring.push(publication(position, 1), ROOMY, Timestamp(0));
        }
        assert_eq!(ring.floor(), Position(10));
        assert_eq!(positions(&ring, 10), [20, 30, 40]);
        assert_eq!(positions(&ring, 25), [30, 40]);
        assert_eq!(positions(&ring, 40), [0; 0]);
    }

    #[test]
    fn bytes_and_age_are_limits_too() {
        let mut ring = Ring::new(Position::ZERO);
        let limits = RingLimits { bytes: 3000, ..ROOMY };
        for position in [1, 2, 3] {
            ring.push(publication(position, 1000), limits, Timestamp(0));
        }
        assert_eq!(positions(&ring, 0), [2, 3]);
        ring.expire(Some(Duration::from_nanos(100)), Timestamp(4));
        assert_eq!(positions(&ring, 0), [3]);
        assert_eq!(ring.floor(), Position(2));
    }

    #[test]
    fn what_has_expired_by_itself_is_left_out_and_no_gap() {
        let mut ring = Ring::new(Position::ZERO);
        let channel = Arc::new(ChannelId::new("a", ChannelFlags::NONE).unwrap());
        for (position, ttl) in [(10, None), (20, Some(Duration::from_nanos(500))), (30, None)] {
            let draft = Draft { ttl, ..Draft::new(Arc::clone(&channel), Payload::Text("x".into())) };
            ring.push(Arc::new(draft.at(Position(position))), ROOMY, Timestamp(0));
        }
        let left = |wall| ring.after(Position(5), Timestamp(wall)).map(|p| p.position.0).collect::<Vec<_>>();
        assert_eq!(left(24), [10, 20, 30]);
        assert_eq!(left(25), [10, 30]);
        assert_eq!(ring.floor(), Position::ZERO);
    }

    #[test]
    fn what_is_deleted_is_no_gap_and_takes_no_room() {
        let mut ring = Ring::new(Position::ZERO);
        for position in [10, 20, 30] {
            ring.push(publication(position, 1), ROOMY, Timestamp(0));
        }
        assert_eq!(ring.delete(Position(10), Position(20), |_| false), 0);
        assert_eq!(ring.delete(Position(10), Position(20), |_| true), 1);
        assert_eq!((positions(&ring, 0), ring.floor()), (vec![10, 30], Position::ZERO));
        ring.push(publication(40, 1), ROOMY, Timestamp(0));
        assert_eq!((positions(&ring, 0), ring.floor()), (vec![10, 30, 40], Position::ZERO));
        assert_eq!(ring.delete(Position::ZERO, Position(u64::MAX), |_| true), 3);
        assert_eq!((ring.bytes, ring.is_empty()), (0, true));
    }

    #[test]
    fn a_ring_of_no_size_still_knows_what_it_missed() {
        let mut ring = Ring::new(Position::ZERO);
        ring.push(publication(7, 1), RingLimits { size: 0, ..ROOMY }, Timestamp(0));
        assert!(ring.is_empty());
        assert_eq!(ring.floor(), Position(7));
        ring.push(publication(8, 1), ROOMY, Timestamp(0));
        ring.push(publication(9, 1), RingLimits { size: 0, ..ROOMY }, Timestamp(0));
        assert!(ring.is_empty());
        assert_eq!(ring.floor(), Position(9));
    }
}
