use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use antiphon_model::Monotonic;

use crate::handshake::Sid;
use crate::payload::Codec;

/// Sessions whose clients have left a moment ago, while no poll of theirs was there.
///
/// A client that leaves mostly has a poll under way, which is to end well; but it comes by another connection, and perhaps to another
/// worker, and may be overtaken.
#[derive(Default)]
pub(super) struct Departed(RefCell<VecDeque<(Monotonic, Sid, Codec)>>);

/// For how long the poll is expected.
const KEPT: Duration = Duration::from_secs(1);
/// How many are kept; of more, the last.
const COUNT_MAX: usize = 1000;

impl Departed {
    pub(super) fn add(&self, sid: Sid, codec: Codec, now: Monotonic) {
        let mut departed = self.0.borrow_mut();
        while departed.len() >= COUNT_MAX || departed.front().is_some_and(|(until, ..)| *until <= now) {
            departed.pop_front();
        }
        departed.push_back((now + KEPT, sid, codec));
    }

    /// Whether a poll of this session's is still expected. It is the only one.
    pub(super) fn take(&self, sid: &Sid, now: Monotonic) -> Option<Codec> {
        let mut departed = self.0.borrow_mut();
        let at = departed.iter().position(|(until, one, _)| one == sid && *until > now)?;
        departed.remove(at).map(|(_, _, codec)| codec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{BinarySupport, Revision};
    use crate::payload::{V3Framing, V3Text};

    #[test]
    fn one_poll_is_expected_for_a_moment() {
        let codec = Codec {
            revision: Revision::V4,
            binary: BinarySupport::Native,
            v3_framing: V3Framing::WhenNeeded,
            v3_text: V3Text::Unknown,
        };
        let at = |millis| Monotonic(Duration::from_millis(millis));
        let sid = |number| Sid::new(number, [0; Sid::RANDOM_BYTES]);
        let departed = Departed::default();
        departed.add(sid(0), codec, at(0));
        departed.add(sid(1), codec, at(0));
        assert_eq!(departed.take(&sid(0), at(999)), Some(codec));
        assert_eq!(departed.take(&sid(0), at(999)), None);
        assert_eq!(departed.take(&sid(1), at(1000)), None);
        (0..2 * COUNT_MAX as u16).for_each(|number| departed.add(sid(number), codec, at(2000)));
        assert_eq!(departed.0.borrow().len(), COUNT_MAX);
    }
}
