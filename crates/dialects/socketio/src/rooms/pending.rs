use std::collections::HashMap;
use std::sync::Arc;

/// What other threads than the home worker's have said about a socket's rooms, as long as it is on its way there.
///
/// Each of their words is done in its place among publications. The home worker's own are done at once, and so before some that were
/// said earlier: those are outdone then.
#[derive(Debug, Default)]
pub(super) struct Pending(Option<Box<OnTheWay>>);

#[derive(Debug, Default)]
struct OnTheWay(HashMap<Arc<str>, Words>);

/// What was said about one room.
#[derive(Debug, Default)]
struct Words {
    said: u32,
    arrived: u32,
    /// What the home worker said last, and how many of the others' words were before it.
    outdone: Option<(u32, Place)>,
}

/// Whether a socket is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    In,
    Out,
}

impl Pending {
    /// Another thread says something: which of its words that is.
    pub(super) fn say(&mut self, room: &Arc<str>) -> u32 {
        let OnTheWay(rooms) = &mut **self.0.get_or_insert_default();
        let words = rooms.entry(Arc::clone(room)).or_default();
        words.said += 1;
        words.said
    }

    /// The home worker says something.
    pub(super) fn outdo(&mut self, room: &str, place: Place) {
        if let Some(words) = self.0.as_mut().and_then(|on_the_way| on_the_way.0.get_mut(room)) {
            words.outdone = Some((words.said, place));
        }
    }

    /// One of the words has arrived: what the home worker said since, if it did.
    pub(super) fn arrive(&mut self, room: &str, word: u32) -> Option<Place> {
        let OnTheWay(rooms) = &mut **self.0.as_mut()?;
        let words = rooms.get_mut(room)?;
        words.arrived += 1;
        let outdone = words.outdone.filter(|(before, _)| word <= *before).map(|(_, place)| place);
        if words.arrived == words.said {
            rooms.remove(room);
            if rooms.is_empty() {
                self.0 = None;
            }
        }
        outdone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_workers_word_counts_more_than_those_before_it() {
        let (a, b) = (Arc::from("a"), Arc::from("b"));
        let mut pending = Pending::default();
        pending.outdo(&a, Place::In);
        assert!(pending.0.is_none());
        let (first, second, other) = (pending.say(&a), pending.say(&a), pending.say(&b));
        assert_eq!(pending.arrive(&a, first), None);
        pending.outdo(&a, Place::Out);
        let third = pending.say(&a);
        assert_eq!(pending.arrive(&a, second), Some(Place::Out));
        assert_eq!(pending.arrive(&b, other), None);
        assert_eq!(pending.arrive(&a, third), None);
        assert!(pending.0.is_none());
    }
}
